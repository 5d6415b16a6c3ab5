import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { describe, expect, it } from "vitest";
import { vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

// Vectors made by running the real driver's VM_BIND and page-table code: every case of every file has to pass.
describe.each(readdirSync(folder))("%s", (file) => {
  const bytes = readFileSync(new URL(file, folder));
  const [first, ...lines] = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes)
    .toString()
    .trimEnd()
    .split("\n");
  const header = JSON.parse(first as string) as VectorHeader;

  it("agrees with the kernel in every case", { timeout: 60_000 }, () => {
    const check = vectorChecks[header.format];
    expect(check, `a check for ${header.format}`).toBeDefined();
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const testCase = JSON.parse(line) as Record<string, unknown>;
      expect(check?.(testCase, header), `case ${testCase["id"]}`).toBeNull();
    }
  });
});
