import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bent, readVectors } from "../../../test/vector-files.ts";
import { vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

describe.each(readdirSync(folder).filter((name) => name.includes(".jsonl")))("%s", (name) => {
  const { header, cases } = readVectors(new URL(name, folder));
  const { format } = header;

  test(`all ${cases.length} cases of ${format}`, { timeout: 60_000 }, () => {
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

describe("the checks themselves", () => {
  const { header, cases } = readVectors(new URL("pgtable-directed.jsonl", folder));
  const source = cases.find((testCase) => testCase["id"] === "single-split-middle-bind-memory");
  const check = (format: string, testCase: unknown) =>
    vectorChecks[format]?.(testCase as Record<string, unknown>, header);

  const changed = (path: string, value: unknown) => bent(source, path, () => value);

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
    expect(() => check("asahi-tlbi", { asid: 1, va: "0x0", len: "0xffffffffffffffff", insns: [] })).toThrow(
      "EINVAL: len: expected at most 0x1000000000000",
    );
    expect(() => check("asahi-uapi", { struct: "nothing" })).toThrow("EINVAL: struct");
  });
});
