import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { describe, expect, test } from "vitest";
import { vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

describe.each(readdirSync(folder))("%s", (name) => {
  const lines = gunzipSync(readFileSync(new URL(name, folder)))
    .toString("utf8")
    .trim()
    .split("\n");
  const [header, ...cases] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const { format } = header as unknown as VectorHeader;

  test(`all ${cases.length} cases of ${format}`, { timeout: 60_000 }, () => {
    const check = vectorChecks[format];
    const failures = cases.flatMap((testCase, i) => {
      const found = check?.(testCase, header as unknown as VectorHeader);
      return found ? [{ case: testCase["id"] ?? i, ...found }] : [];
    });
    expect(failures).toEqual([]);
    expect(cases).toHaveLength(header?.["cases"] as number);
  });
});
