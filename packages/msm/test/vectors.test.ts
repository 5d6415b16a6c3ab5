import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { describe, expect, it } from "vitest";
import { vectorChecks } from "../src/conformance.ts";

type Json = Record<string, unknown>;

function load(name: string): [VectorHeader, ...Json[]] {
  const raw = readFileSync(new URL(`vectors/${name}`, import.meta.url));
  const text = (name.endsWith(".gz") ? gunzipSync(raw) : raw).toString();
  const [header, ...cases] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return [header, ...cases];
}

describe("what the real kernel code does", () => {
  for (const [name, count] of [
    ["units.jsonl.gz", 400],
    ["uapi.jsonl.gz", 704],
    ["vmbind-hand.jsonl.gz", 114],
    ["vmbind-random.jsonl.gz", 300],
  ] as const) {
    it(`is reproduced: all ${count} cases of ${name}`, { timeout: 60_000 }, () => {
      const [header, ...cases] = load(name);
      const check = vectorChecks[header.format];
      const failed = cases
        .map((c, i) => ({ id: c["id"] ?? i, found: check?.(c, header) }))
        .filter(({ found }) => found !== null);
      expect(failed.slice(0, 8)).toEqual([]);
      expect(cases).toHaveLength(count);
    });
  }
});

describe("a check", () => {
  const [header, ...cases] = load("vmbind-hand.jsonl.gz");
  const check = vectorChecks["msm-vmbind"];
  // biome-ignore lint/suspicious/noExplicitAny: cases are bent out of shape on purpose
  type Any = any;
  const named = (id: string): Any => structuredClone(cases.find((c) => c["id"] === id));

  it("finds the first member that differs", () => {
    const wrong: [string, string, (c: Any) => void][] = [
      ["evict-shared", "ops[0].ret", (c) => (c.ops[0].ret = -22)],
      ["evict-shared", "ops[1].stats.io_map", (c) => c.ops[1].stats.io_map++],
      ["evict-shared", "ops[1].stats.pt_back", (c) => delete c.ops[1].stats.pt_back],
      ["evict-shared", "ops[2].done", (c) => (c.ops[2].done = 0)],
      ["evict-shared", "ops[2].steps[1][2]", (c) => (c.ops[2].steps[1][2] = "0x5000")],
      ["evict-shared", "final.tables.l3", (c) => c.final.tables.l3++],
      ["evict-shared", "final.entries", (c) => c.final.entries++],
      ["evict-shared", "final.digest", (c) => (c.final.digest = "0".repeat(64))],
      ["evict-shared", "final.vmas[0][4]", (c) => (c.final.vmas[0][4] = 0)],
      ["evict-shared", "final.bos[0][2]", (c) => c.final.bos[0][2]++],
      ["evict-shared", "final.vm_refs", (c) => c.final.vm_refs++],
      ["evict-shared", "final.translate[1][1]", (c) => (c.final.translate[1][1] = "0x1000")],
      ["evict-shared", "close.tlb", (c) => c.close.tlb++],
      ["desc-noncoherent-wc", "ops[0].stats.cleans[1]", (c) => (c.ops[0].stats.cleans[1] += 8)],
      ["fences", "ops[1].out_fence_fd", (c) => (c.ops[1].out_fence_fd = 7)],
      ["purge", "ops[8].retained", (c) => (c.ops[8].retained = 1)],
      ["hold-three", "ops[6].ran", (c) => (c.ops[6].ran = 2)],
    ];
    for (const [id, field, bend] of wrong) {
      const c = named(id);
      expect(check?.(c, header)).toBeNull();
      bend(c);
      expect([id, check?.(c, header)?.field]).toEqual([id, field]);
    }
  });

  it("refuses what is not of the format, and says why", () => {
    expect(() => check?.({}, header)).toThrow(/EINVAL: id: is missing/);
    const c = named("fences");
    c.ops[0].op = "teleport";
    expect(() => check?.(c, header)).toThrow(/EINVAL: ops\[0\].op: expected one of bind, .*, got "teleport"/);
    c.ops[0].op = "bind";
    delete c.ops[0].ops;
    expect(() => check?.(c, header)).toThrow(/EINVAL: ops\[0\].ops: is missing/);
    expect(() => vectorChecks["msm-units"]?.({ unit: "nothing" }, header)).toThrow(/EINVAL: ops: is missing/);
  });
});
