import { describe, expect, it } from "vitest";
import { bent, oneMore, readVectors } from "../../../test/vector-files.ts";
import { vectorChecks } from "../src/conformance.ts";

const load = (name: string) => readVectors(new URL(`vectors/${name}`, import.meta.url));

describe("what the real kernel code does", () => {
  for (const [name, count] of [
    ["units.jsonl", 650],
    ["pgtable-hand.jsonl", 120],
    ["pgtable-clean-before-eexist.jsonl", 1],
    ["pgtable-random.jsonl.gz", 200],
  ] as const) {
    it(`is reproduced: all ${count} cases of ${name}`, () => {
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
  const { header, cases } = load("pgtable-hand.jsonl");
  const check = vectorChecks["panthor-pgtable"];
  const named = (id: string) => cases.find((c) => c["id"] === id);

  it.each<[field: string, change: (value: unknown) => unknown, path?: string]>([
    ["ops[0].ret", () => -22],
    ["ops[1].stats.io_map", oneMore],
    ["ops[1].stats.lock[1]", () => "0x13"],
    ["ops[1].stats.cleans[1]", (bytes) => Number(bytes) + 8],
    ["ops[1].stats.warns", () => 1],
    ["tables.count.l3", oneMore],
    ["entries", oneMore],
    ["digest", (digest) => `${digest}`.replace(/^./, (d) => (d === "0" ? "1" : "0"))],
    ["vmas[0][3]", () => "0x9000"],
    ["translate[0]", () => "0x9000", "translate[0][1]"],
  ])("finds that another value is at %s", (field, change, path = field) => {
    const testCase = named("punmap-huge-mid4k");
    expect(check?.(testCase ?? {}, header)).toBeNull();
    expect(check?.(bent(testCase, path, change), header)?.field).toBe(field);
  });

  it("refuses what is not of the format, and says why", () => {
    expect(() => check?.({}, header)).toThrow(/EINVAL: id: is missing/);
    const evict = named("evict");
    expect(() =>
      check?.(
        bent(evict, "ops[0].op", () => "teleport"),
        header,
      ),
    ).toThrow(/EINVAL: ops\[0\].op: expected one of map, .*, got "teleport"/);
    expect(() =>
      check?.(
        bent(evict, "ops[0].va", () => undefined),
        header,
      ),
    ).toThrow(/EINVAL: ops\[0\].va: is missing/);
    expect(() => vectorChecks["panthor-units"]?.({ unit: "nothing" }, header)).toThrow(/EINVAL: unit/);
  });
});
