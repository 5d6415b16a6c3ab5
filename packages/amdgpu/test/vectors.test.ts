import { readdirSync } from "node:fs";
import type { TraceFormat } from "@vmbind/drm/conformance";
import { describe, expect, test } from "vitest";
import { recordsOf } from "../../../test/recordings.ts";
import { bent, readVectors } from "../../../test/vector-files.ts";
import { traceFormats, vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

describe.each(readdirSync(folder).filter((name) => name.includes(".jsonl.gz")))("%s", (name) => {
  const { header, cases } = readVectors(new URL(name, folder));
  const { format } = header;

  test(`all ${cases.length} cases of ${format}`, { timeout: 180_000 }, () => {
    const check = vectorChecks[format];
    expect(check).toBeDefined();
    expect(cases.length).toBeGreaterThan(0);
    const failures = cases.flatMap((testCase, i) => {
      const mismatch = check?.(testCase, header);
      return mismatch ? [{ case: testCase["id"] ?? i, ...mismatch }] : [];
    });
    expect(failures).toEqual([]);
  });
});

describe("amdgpu-trace-expect.jsonl", () => {
  const { header, cases } = readVectors(new URL("amdgpu-trace-expect.jsonl", folder));
  const { shape, check } = traceFormats["amdgpu-trace-expect"] as TraceFormat;

  test.each(cases.map((testCase) => [testCase["trace"] as string, testCase] as const))(
    "%s costs what it cost the kernel, and leaves the same tables",
    { timeout: 60_000 },
    async (name, testCase) => {
      expect(shape(testCase)).toBeNull();
      expect(check(testCase, header, await recordsOf(name))).toBeNull();
    },
  );

  test("another number is found, at the mark where it belongs", async () => {
    const changed = structuredClone(cases[0]) as { trace: string; states: { mappings: number }[] };
    (changed.states[1] as { mappings: number }).mappings++;
    const found = check({ ...changed }, header, await recordsOf(changed.trace));
    expect(found?.field).toBe("states[1].mappings");
  });
});

describe("the checks themselves", () => {
  const { header, cases } = readVectors(new URL("amdgpu-vm-hand.jsonl.gz", folder));
  const source = cases.find((testCase) => testCase["id"] === "clear-bo-mid-ind-g9_0");
  const run = (format: string, testCase: unknown) =>
    vectorChecks[format]?.(testCase as Record<string, unknown>, header);

  const changed = (path: string, value: unknown) => bent(source, path, () => value);

  test.each([
    ["ops.0.ret", -22, "ops[0].ret"],
    ["ops.1.stats.entries", 15, "ops[1].stats.entries"],
    ["ops.1.digest", "0000000000000000", "ops[1].digest"],
    ["ops.0.log", 1, "ops[0].log"],
    ["final.tables.1.2", "0x200009000", "final.tables[1][2]"],
    ["final.table_count.4", 2, "final.table_count[4]"],
    ["final.entries.0.2", "0x1", "final.entries[0]+0[2]"],
    ["final.mappings.1.2", "0x0", "final.mappings[1][2]"],
    ["final.freed", [["0x0", "0x1000"]], "final.freed.length"],
    ["final.lists.individual.idle", [1, 2], "final.lists.individual.idle[0]"],
    ["final.bo_va.1.valids", [], "final.bo_va[1].valids.length"],
    ["translate.1.2", "0x1000", "translate[1][2]"],
  ])("find another value at %s", (path, value, field) => {
    expect(run("amdgpu-vm", changed(path, value))?.field).toBe(field);
  });

  test("refuse what is not of the format", () => {
    expect(() => run("amdgpu-vm", {})).toThrow("EINVAL: id: is missing");
    expect(() => run("amdgpu-va-args", { id: "a" })).toThrow("EINVAL: gfx: is missing");
    expect(() => run("amdgpu-vm", changed("ops.0.va", "12"))).toThrow("EINVAL: ops[0].va: expected a u64");
  });
});
