import { formatNumber } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { renderTable } from "../src/text/table.ts";

const table = {
  columns: ["strategy", "ops", "note"],
  rows: [
    ["per-page", 24415, "a|b"],
    ["sparse", 1, 'say "no", twice'],
    ["none", null, null],
  ],
};

describe("a table", () => {
  it("as text pads columns, groups digits and right-aligns numbers", () => {
    expect(renderTable(table)).toBe(
      [
        "strategy     ops  note",
        "per-page  24,415  a|b",
        'sparse         1  say "no", twice',
        "none           -  -",
        "",
      ].join("\n"),
    );
  });

  it("as CSV keeps raw numbers and quotes", () => {
    expect(renderTable(table, "csv")).toBe(
      'strategy,ops,note\nper-page,24415,a|b\nsparse,1,"say ""no"", twice"\nnone,,\n',
    );
  });

  it("as Markdown escapes bars", () => {
    expect(renderTable(table, "markdown")).toBe(
      [
        "| strategy | ops | note |",
        "|---|---:|---|",
        "| per-page | 24,415 | a\\|b |",
        '| sparse | 1 | say "no", twice |',
        "| none | - | - |",
        "",
      ].join("\n"),
    );
  });
});

it("numbers for people", () => {
  expect(formatNumber(0)).toBe("0");
  expect(formatNumber(999)).toBe("999");
  expect(formatNumber(1000)).toBe("1,000");
  expect(formatNumber(16586518528)).toBe("16,586,518,528");
  expect(formatNumber(-1234567)).toBe("-1,234,567");
  expect(formatNumber(1.23456)).toBe("1.23");
  expect(formatNumber(123.6)).toBe("124");
});
