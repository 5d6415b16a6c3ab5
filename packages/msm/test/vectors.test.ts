import { describe, expect, it } from "vitest";
import { bent, oneMore, readVectors } from "../../../test/vector-files.ts";
import { vectorChecks } from "../src/conformance.ts";

const load = (name: string) => readVectors(new URL(`vectors/${name}`, import.meta.url));

describe("what the real kernel code does", () => {
  for (const [name, count] of [
    ["units.jsonl.gz", 400],
    ["uapi.jsonl.gz", 704],
    ["vmbind-hand.jsonl.gz", 114],
    ["vmbind-random.jsonl.gz", 300],
  ] as const) {
    it(`is reproduced: all ${count} cases of ${name}`, { timeout: 60_000 }, () => {
      const { header, cases } = load(name);
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
  const { header, cases } = load("vmbind-hand.jsonl.gz");
  const check = vectorChecks["msm-vmbind"];
  const named = (id: string) => cases.find((c) => c["id"] === id);

  it.each<[string, string, (value: unknown) => unknown]>([
    ["evict-shared", "ops[0].ret", () => -22],
    ["evict-shared", "ops[1].stats.io_map", oneMore],
    ["evict-shared", "ops[1].stats.pt_back", () => undefined],
    ["evict-shared", "ops[2].done", () => 0],
    ["evict-shared", "ops[2].steps[1][2]", () => "0x5000"],
    ["evict-shared", "final.tables.l3", oneMore],
    ["evict-shared", "final.entries", oneMore],
    ["evict-shared", "final.digest", () => "0".repeat(64)],
    ["evict-shared", "final.vmas[0][4]", () => 0],
    ["evict-shared", "final.bos[0][2]", oneMore],
    ["evict-shared", "final.vm_refs", oneMore],
    ["evict-shared", "final.translate[1][1]", () => "0x1000"],
    ["evict-shared", "close.tlb", oneMore],
    ["desc-noncoherent-wc", "ops[0].stats.cleans[1]", (bytes) => Number(bytes) + 8],
    ["fences", "ops[1].out_fence_fd", () => 7],
    ["purge", "ops[8].retained", () => 1],
    ["hold-three", "ops[6].ran", () => 2],
  ])("finds that in %s another value is at %s", (id, field, change) => {
    const testCase = named(id);
    expect(check?.(testCase ?? {}, header)).toBeNull();
    expect(check?.(bent(testCase, field, change), header)?.field).toBe(field);
  });

  it("refuses what is not of the format, and says why", () => {
    expect(() => check?.({}, header)).toThrow(/EINVAL: id: is missing/);
    const fences = named("fences");
    expect(() =>
      check?.(
        bent(fences, "ops[0].op", () => "teleport"),
        header,
      ),
    ).toThrow(/EINVAL: ops\[0\].op: expected one of bind, .*, got "teleport"/);
    expect(() =>
      check?.(
        bent(fences, "ops[0].ops", () => undefined),
        header,
      ),
    ).toThrow(/EINVAL: ops\[0\].ops: is missing/);
    expect(() => vectorChecks["msm-units"]?.({ unit: "nothing" }, header)).toThrow(/EINVAL: ops: is missing/);
  });
});
