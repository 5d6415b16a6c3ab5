import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
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

describe.each(readdirSync(folder).filter((name) => name.includes(".jsonl")))("%s", (name) => {
  const [header, ...cases] = readLines(name) as [unknown, ...Record<string, unknown>[]];
  const { format } = header as VectorHeader;

  test(`all ${cases.length} cases of ${format}`, { timeout: 60_000 }, () => {
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

describe("the checks themselves", () => {
  const [header, ...cases] = readLines("pgtable-directed.jsonl") as [unknown, ...Record<string, unknown>[]];
  const source = cases.find((testCase) => testCase["id"] === "single-split-middle-bind-memory");
  const check = (format: string, testCase: unknown) =>
    vectorChecks[format]?.(testCase as Record<string, unknown>, header as VectorHeader);

  /** The case with another value at a path such as `ops.0.ret`. */
  function changed(path: string, value: unknown): unknown {
    const copy = structuredClone(source) as Record<string, unknown>;
    const names = path.split(".");
    const last = names.pop() as string;
    let at = copy;
    for (const name of names) at = at[name] as Record<string, unknown>;
    expect(at[last]).not.toEqual(value);
    at[last] = value;
    return copy;
  }

  test.each([
    ["ops.0.ret", -22, "ops[0].ret"],
    ["ops.1.steps.0.3", "0x0", "ops[1].steps[0][3]"],
    ["tables.count.l3", 2, "tables.count.l3"],
    ["tables.entries.0.2", "0x0000000000000003", "tables.entries[0][2]"],
    ["ptes.0.desc", "0x00c0000700004c8b", "ptes[0]+0"],
    ["ptes", [], "ptes.length"],
    ["vas.1.3", "0x8000", "vas[1][3]"],
    ["vm_bo_refs.0.1", 9, "vm_bo_refs[0][1]"],
    ["translate.0.1", "0x1", "translate[0][1]"],
  ])("find another value at %s", (path, value, field) => {
    expect(check("asahi-pgtable", changed(path, value))?.field).toBe(field);
  });

  test("refuse what is not of the format", () => {
    expect(() => check("asahi-pgtable", {})).toThrow("EINVAL: id: is missing");
    expect(() => check("asahi-pgtable", changed("ops.0.addr", "12"))).toThrow(
      'EINVAL: ops[0].addr: expected a u64 in hex, got "12"',
    );
    expect(() => check("asahi-tlbi", {})).toThrow("EINVAL: asid: is missing");
    expect(() => check("asahi-uapi", { struct: "nothing" })).toThrow("EINVAL: struct");
  });
});
