import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readVectors } from "../../../test/vector-files.ts";
import { vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

describe.each(readdirSync(folder))("%s", (name) => {
  const { header, cases } = readVectors(new URL(name, folder));
  const { format } = header;

  test(`all ${cases.length} cases of ${format}`, { timeout: 60_000 }, () => {
    const check = vectorChecks[format];
    const failures = cases.flatMap((testCase, i) => {
      const found = check?.(testCase, header);
      return found ? [{ case: testCase["id"] ?? i, ...found }] : [];
    });
    expect(failures).toEqual([]);
    expect(cases).toHaveLength(header["cases"] as number);
  });
});
