import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListedEntries, type ListedRun, type TableEntry } from "../src/conformance.ts";

const hex = (value: bigint): string =>
  `${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)}`;
const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat(3).map((below) => 2n ** 32n - BigInt(below) - 1n),
);
const run = fc
  .record({
    va: fc.nat(2 ** 20).map((page) => BigInt(page) * 4096n),
    level: fc.nat(2),
    compact: fc.boolean(),
    entry: u64,
    count: fc.integer({ min: 1, max: 5 }),
    strideVa: fc.constantFrom(0n, 4096n, 2n ** 33n, -4096n),
    strideEntry: fc.oneof(
      u64,
      fc.nat(2 ** 20).map((step) => -BigInt(step)),
    ),
  })
  .map((r) => ({
    ...r,
    text: {
      ...r,
      va: hex(r.va),
      entry: hex(r.entry),
      strideVa: hex(r.strideVa),
      strideEntry: hex(r.strideEntry),
    } satisfies ListedRun,
  }));

describe("entries that are held against a list", () => {
  it("differ where an array of them does", () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 5 }), fc.nat(24), fc.nat(6), (runs, changed, change) => {
        const all = runs.flatMap((r, item) =>
          Array.from({ length: r.count }, (_, nth) => ({
            item,
            nth,
            va: Number(r.va + BigInt(nth) * r.strideVa),
            level: r.level,
            compact: r.compact,
            entry: BigInt.asUintN(64, r.entry + BigInt(nth) * r.strideEntry),
          })),
        );
        const found: TableEntry[] = all.map(({ va, level, compact, entry }) => ({
          va,
          level,
          compact,
          entry,
        }));
        const at = changed % (found.length + 1);
        const old = found[at];
        if (change === 0) found.length = at;
        else if (old === undefined) {
          if (change > 3) found.push({ va: 0, level: 0, compact: false, entry: 0n });
        } else if (change === 1) found[at] = { ...old, entry: old.entry ^ 1n };
        else if (change === 2) found[at] = { ...old, entry: old.entry ^ (1n << 63n) };
        else if (change === 3) found[at] = { ...old, va: old.va + 4096 };
        else if (change === 4) found[at] = { ...old, level: old.level + 1 };
        else if (change === 5) found[at] = { ...old, compact: !old.compact };

        const listed = new ListedEntries(runs, (item) => (item as { text: ListedRun }).text);
        for (const { va, level, entry, compact } of found) {
          const [lo, hi] = [Number(BigInt.asIntN(32, entry)), Number(BigInt.asIntN(32, entry >> 32n))];
          listed.take(va, level, lo, hi, compact);
        }
        const same = (a: TableEntry | undefined, b: TableEntry | undefined): boolean =>
          a?.va === b?.va && a?.level === b?.level && a?.compact === b?.compact && a?.entry === b?.entry;
        const first = all.findIndex((expected, i) => !same(expected, found[i]));
        expect(listed.found).toBe(found.length);
        expect(listed.met).toBe(first < 0 ? all.length : first);
        const expected = all[first];
        const { item, nth, ...entry } = expected ?? { item: 0, nth: 0 };
        const got = found[first] ?? null;
        expect(listed.difference()).toEqual(
          expected === undefined ? null : { item, nth, at: first, expected: entry, got },
        );
      }),
      { numRuns: 500 },
    );
  });
});
