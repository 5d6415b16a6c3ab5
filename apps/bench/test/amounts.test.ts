import { describe, expect, it } from "vitest";
import { bytesOf, wholeOf } from "../src/text/amounts.ts";

describe("bytes as people write them", () => {
  it.each([
    ["65536", 65536],
    ["0x1000", 4096],
    ["0X10", 16],
    ["100e6", 100_000_000],
    ["1E3", 1000],
    ["1.5e3", 1500],
    ["64K", 65536],
    ["64k", 65536],
    ["64KiB", 65536],
    ["64kB", 64_000],
    ["64MiB", 2 ** 26],
    ["64 MiB", 2 ** 26],
    ["64M", 2 ** 26],
    ["100MB", 100_000_000],
    ["1G", 2 ** 30],
    ["1TiB", 2 ** 40],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["12B", 12],
    ["0", 0],
  ])("%s", (text, bytes) => expect(bytesOf(text)).toBe(bytes));

  it.each([
    "",
    "K",
    "MiB",
    "-1",
    "+1",
    "1.5",
    "0.3K",
    "1e-3",
    "1e99",
    "64q",
    "64MiBs",
    "0x",
    "0x1G",
    "1_000",
    "NaN",
    "1e6K",
  ])("%j is no number of bytes", (text) => expect(bytesOf(text)).toBeNaN());
});

it("a count has no unit", () => {
  expect(wholeOf("1e6")).toBe(1_000_000);
  expect(wholeOf("64K")).toBeNaN();
});
