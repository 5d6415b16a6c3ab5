import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/drm/conformance";
import { describe, expect, test } from "vitest";
import { vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

function readLines(name: string): Record<string, unknown>[] {
  const raw = readFileSync(new URL(name, folder));
  const text = (name.endsWith(".gz") ? gunzipSync(raw) : raw).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(readdirSync(folder).filter((name) => name.includes(".jsonl.gz")))("%s", (name) => {
  const [header, ...cases] = readLines(name) as [unknown, ...Record<string, unknown>[]];
  const { format } = header as VectorHeader;

  test(`all ${cases.length} cases of ${format}`, { timeout: 180_000 }, () => {
    const check = vectorChecks[format];
    expect(check).toBeDefined();
    expect(cases.length).toBeGreaterThan(0);
    const failures = cases.flatMap((testCase, i) => {
      const mismatch = check?.(testCase, header as VectorHeader);
      return mismatch ? [{ case: testCase["id"] ?? i, ...mismatch }] : [];
    });
    expect(failures).toEqual([]);
  });
});
