import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { describe, expect, it } from "vitest";
import { vectorChecks } from "../src/conformance.ts";

function load(name: string): Record<string, unknown>[] {
  const raw = readFileSync(new URL(`vectors/${name}`, import.meta.url));
  const text = (name.endsWith(".gz") ? gunzipSync(raw) : raw).toString();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("what the real kernel code does", () => {
  for (const [name, count] of [
    ["units.jsonl", 650],
    ["pgtable-hand.jsonl", 121],
    ["pgtable-random.jsonl.gz", 200],
  ] as const) {
    it(`is reproduced: all ${count} cases of ${name}`, () => {
      const [header, ...cases] = load(name) as [VectorHeader & Record<string, unknown>];
      const check = vectorChecks[header.format];
      const failed = cases
        .map((c, i) => ({ id: (c as Record<string, unknown>)["id"] ?? i, found: check?.(c, header) }))
        .filter(({ found }) => found !== null);
      expect(failed.slice(0, 8)).toEqual([]);
      expect(cases).toHaveLength(count);
    });
  }
});
