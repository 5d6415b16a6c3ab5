import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bundledMeasurements, readMeasured } from "../src/files/measured-file.ts";
import { tempFile, vmbind } from "./run.ts";

const HEADER = {
  format: "sparse-device-measurement",
  version: 1,
  device: "a GPU",
  driver: "a driver 1.0",
  date: "2026-11-29",
  tile_bytes: 65536,
};
const ROW = { row: "bind one tile, one call", n: 3, min_us: 1, median_us: 2, max_us: 3 };

function written(...lines: object[]): string {
  return tempFile("measured.jsonl", `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
}

describe("measurements of devices", () => {
  it("that ship are of a GPU, on which the cost of a bind grows with what is live in its buffer, and of lavapipe", async () => {
    const [gpu, lavapipe] = await bundledMeasurements();
    expect([gpu?.tileBytes, lavapipe?.tileBytes]).toEqual([65536, 4096]);
    const grows = gpu?.rows.find(({ row }) => row.startsWith("64 binds of one tile each into the same"));
    expect(grows?.amounts).toEqual({ live: [0, 1024, 4096, 16384], per_op_us: [24.5, 34.5, 63.4, 346.6] });
    const kept = lavapipe?.rows.find(({ row }) => row === "write all of it unbound, read again");
    expect(kept?.amounts["nonzero"]).toBe(25_000_000);
  });

  it("are read plain and packed", async () => {
    const found = await readMeasured(written(HEADER, ROW));
    const { row, ...amounts } = ROW;
    expect(found).toMatchObject({ device: "a GPU", tileBytes: 65536, rows: [{ row, amounts }] });
    const packed = tempFile("m.jsonl.gz", gzipSync(`${JSON.stringify(HEADER)}\n${JSON.stringify(ROW)}\n`));
    expect(await readMeasured(packed)).toEqual(found);
  });

  it.each([
    ["no row in it", [HEADER]],
    ["header.version: expected version 1", [{ ...HEADER, version: 2 }, ROW]],
    ["header.date: expected a date", [{ ...HEADER, date: "yesterday" }, ROW]],
    ["row.median_us: expected a number or a list of numbers", [HEADER, { ...ROW, median_us: "2" }]],
    ["row.max_us: expected 0 or more", [HEADER, { ...ROW, max_us: -1 }]],
    ["lists are not of one length", [HEADER, { ...ROW, live: [1, 2], per_op_us: [1] }]],
    [
      "this is a workload: `vmbind lower`",
      [{ format: "vmbind-workload", version: 1, name: "w", parametric: {} }],
    ],
  ])("with a fault are refused: %s", async (why, lines) => {
    await expect(readMeasured(written(...lines))).rejects.toThrow(why);
  });

  it("are part of a report only", async () => {
    const { status, err } = await vmbind(
      "compare",
      "--workload",
      "unbound",
      "--measured",
      written(HEADER, ROW),
    );
    expect([status, err]).toEqual([
      2,
      expect.stringContaining("--measured: has no meaning without --report"),
    ]);
  });
});
