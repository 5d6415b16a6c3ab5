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
    ["pgtable-hand.jsonl", 120],
    ["pgtable-clean-before-eexist.jsonl", 1],
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

describe("a check", () => {
  const [header, ...cases] = load("pgtable-hand.jsonl") as [VectorHeader & Record<string, unknown>];
  const check = vectorChecks["panthor-pgtable"];
  const named = (id: string) =>
    structuredClone((cases as Record<string, unknown>[]).find((c) => c["id"] === id)) as Any;

  // biome-ignore lint/suspicious/noExplicitAny: cases are bent out of shape on purpose
  type Any = any;

  it("finds the first field that differs", () => {
    const wrong: [string, (c: Any) => void][] = [
      ["ops[0].ret", (c) => (c.ops[0].ret = -22)],
      ["ops[1].stats.io_map", (c) => c.ops[1].stats.io_map++],
      ["ops[1].stats.lock[1]", (c) => (c.ops[1].stats.lock[1] = "0x13")],
      ["ops[1].stats.cleans[1]", (c) => (c.ops[1].stats.cleans[1] += 8)],
      ["ops[1].stats.warns", (c) => (c.ops[1].stats.warns = 1)],
      ["tables.count.l3", (c) => c.tables.count.l3++],
      ["entries", (c) => c.entries++],
      ["digest", (c) => (c.digest = c.digest.replace(/^./, (d: string) => (d === "0" ? "1" : "0")))],
      ["vmas[0][3]", (c) => (c.vmas[0][3] = "0x9000")],
      ["translate[0]", (c) => (c.translate[0][1] = "0x9000")],
    ];
    for (const [field, bend] of wrong) {
      const c = named("punmap-huge-mid4k");
      expect(check?.(c, header)).toBeNull();
      bend(c);
      expect(check?.(c, header)?.field).toBe(field);
    }
  });

  it("refuses what is not of the format, and says why", () => {
    expect(() => check?.({}, header)).toThrow(/EINVAL: id: is missing/);
    const c = named("evict");
    c.ops[0].op = "teleport";
    expect(() => check?.(c, header)).toThrow(/EINVAL: ops\[0\].op: expected one of map, .*, got "teleport"/);
    delete c.ops[0].va;
    c.ops[0].op = "map";
    expect(() => check?.(c, header)).toThrow(/EINVAL: ops\[0\].va: is missing/);
    expect(() => vectorChecks["panthor-units"]?.({ unit: "nothing" }, header)).toThrow(/EINVAL: unit/);
  });
});
