import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type VectorHeader, vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

// Vectors made by running the kernel's drm_gpuvm.c: every case of every file has to pass.
describe.each(readdirSync(folder))("%s", (file) => {
  const [first, ...lines] = gunzipSync(readFileSync(new URL(file, folder)))
    .toString()
    .trimEnd()
    .split("\n");
  const header = JSON.parse(first as string) as VectorHeader;

  it("agrees with the kernel in every case", () => {
    const check = vectorChecks[header.format];
    expect(check, `a check for ${header.format}`).toBeDefined();
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const testCase = JSON.parse(line) as Record<string, unknown>;
      expect(check?.(testCase, header), `case ${testCase["id"]}`).toBeNull();
    }
  });
});

it("knows vectors of the proposed build by their requests, whatever the header calls it", () => {
  const [, ...lines] = gunzipSync(readFileSync(new URL("repeat.jsonl.gz", folder)))
    .toString()
    .trimEnd()
    .split("\n");
  const cases = lines.slice(0, 50).map((line) => JSON.parse(line) as { ops: { flags?: string[] }[] });
  const repeating = cases.filter(({ ops }) => ops.some(({ flags }) => flags?.includes("repeat")));
  expect(repeating.length).toBeGreaterThan(10);
  const header = { format: "gpuvm-steps", version: 1, source: "a tree of one's own" };
  for (const testCase of repeating) expect(vectorChecks["gpuvm-steps"]?.({ ...testCase }, header)).toBeNull();
});
