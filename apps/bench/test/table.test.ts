import { formatNumber } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderTable, transposed } from "../src/text/table.ts";
import { foldLines, paragraph, wrapWords } from "../src/text/wrap.ts";

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

describe("a table that is too wide", () => {
  const wide = {
    columns: ["strategy", "leaf entries written", "TLB invalidations", "says"],
    rows: [
      ["per-page", 24415, 24415, "one MAP of a dummy page for each page of the resource"],
      ["none", 0, 1, "nothing"],
    ],
  };

  it("wraps titles, then its longest text", () => {
    expect(renderTable(wide, "text", 60)).toBe(
      [
        "             leaf",
        "          entries            TLB",
        "strategy  written  invalidations  says",
        "per-page   24,415         24,415  one MAP of a dummy page",
        "                                  for each page of the",
        "                                  resource",
        "none            0              1  nothing",
        "",
      ].join("\n"),
    );
  });

  it("goes on below, each block with the first column", () => {
    expect(renderTable(wide, "text", 34)).toBe(
      [
        "             leaf",
        "          entries            TLB",
        "strategy  written  invalidations",
        "per-page   24,415         24,415",
        "none            0              1",
        "",
        "strategy  says",
        "per-page  one MAP of a",
        "          dummy page for",
        "          each page of the",
        "          resource",
        "none      nothing",
        "",
      ].join("\n"),
    );
  });

  it("can have rows as columns", () => {
    expect(transposed(wide).columns).toEqual(["strategy", "per-page", "none"]);
    expect(transposed(wide).rows[0]).toEqual(["leaf entries written", 24415, 0]);
    expect(transposed(transposed(wide))).toEqual(wide);
  });

  it("says each cell once, whatever the width", () => {
    const word = fc.stringMatching(/^[a-z]{1,9}$/);
    const words = fc.array(word, { minLength: 1, maxLength: 9 }).map((found) => found.join(" "));
    const cells = fc.array(fc.tuple(words, fc.nat(), words, fc.nat()), { maxLength: 5 });
    fc.assert(
      fc.property(
        cells,
        fc.tuple(words, words, words, words),
        fc.integer({ min: 1, max: 150 }),
        (rows, columns, width) => {
          const text = renderTable({ columns, rows }, "text", width);
          const said = (all: string): string[] => (all.match(/[^\s]+/g) ?? []).sort();
          const numbers = rows.flatMap((row) => [formatNumber(row[1]), formatNumber(row[3])]);
          for (const number of numbers) expect(said(text)).toContain(number);
          const room = columns[0].length + Math.max(0, ...rows.map((row) => row[0].length)) + 40;
          if (width >= room)
            for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});

describe("wrapping", () => {
  it("keeps every word in order, and no line is too long", () => {
    const texts = fc
      .array(fc.stringMatching(/^[a-z]{1,20}$/), { minLength: 1 })
      .map((words) => words.join(" "));
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 60 }), (text, width) => {
        const lines = wrapWords(text, width);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
        expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
        if (width >= 20) expect(lines.join(" ")).toBe(text);
      }),
    );
  });

  it("folds what is too long deeper than it began", () => {
    expect(foldLines("#1 short\n    MAP of many words that go on and on\nend\n", 30)).toBe(
      "#1 short\n    MAP of many words that go\n            on and on\nend\n",
    );
    expect(paragraph("one two three", 9, "  ")).toBe("one two\n  three\n");
    expect(paragraph("  one two three", 9, "    ")).toBe("  one two\n    three\n");
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
