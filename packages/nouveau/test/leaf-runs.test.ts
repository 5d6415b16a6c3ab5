/**
 * Runs of leaves, entry by entry against a naive writer: all page sizes, memory in single pages and in long pieces, addresses that
 * pass 2^32 in the entry.
 */

import { ScatterList, TableMemory } from "@vmbind/mmu";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type LeafAttributes, writeLeaves } from "../src/leaf-runs.ts";

/** Where the address in an entry passes 2^32: entries of version 2 have it four bits lower. */
const PASSES = { 2: 2 ** 36, 3: 2 ** 32 } as const;
const GARBAGE = 0x5a5a_5a5a;
const ATTRIBUTES = { lo: 3, hi: 0x5600_0000 };

/** A piece of the object's memory: so many pages, from a page around the place of {@link PASSES}. */
const pieces = (most: number, from: number, to: number): fc.Arbitrary<{ pages: number; at: number }[]> =>
  fc.array(fc.record({ pages: fc.integer({ min: 1, max: most }), at: fc.integer({ min: from, max: to }) }), {
    minLength: 6,
  });

const drawn = fc.record({
  version: fc.constantFrom(2 as const, 3 as const),
  tagged: fc.boolean(),
  shift: fc.constantFrom(12, 16, 21),
  index: fc.nat(40),
  skip: fc.nat(5),
  pieces: fc.oneof(pieces(1, -60, 60), pieces(90, -90, 20)),
  count: fc.integer({ min: 1, max: 215 }),
});

test("a run has the address of each page, and touches nothing else", () => {
  fc.assert(
    fc.property(drawn, ({ version, tagged, shift, index, skip, pieces, count: wanted }) => {
      const bytes = 2 ** shift;
      const list = ScatterList.of(
        pieces.map(({ pages, at }) => ({ pa: PASSES[version] + at * bytes, bytes: pages * bytes })),
      );
      const count = Math.min(wanted, list.totalBytes / bytes - skip);
      const leaf: LeafAttributes = { version, ...ATTRIBUTES, tagged };
      const tables = new TableMemory();
      const slot = tables.alloc();
      tables.words.fill(GARBAGE);
      const expected = tables.quads.slice();
      const halves = shift === 21 ? 2 : 1;
      const first = (slot * tables.wordsPerTable) / 2 + index * halves;
      for (let i = 0; i < count; i++) {
        expected[first + i * halves] = entryOf(leaf, shift, list.addressAt((skip + i) * bytes));
        if (halves === 2) expected[first + i * 2 + 1] = 0n;
      }

      const behind = writeLeaves(tables, slot, index, count, shift, list, skip * bytes, leaf);
      expect(behind).toBe((skip + count) * bytes);
      expect(tables.counters.pteWrites).toBe(count);
      expect(tables.quads.findIndex((entry, i) => entry !== expected[i])).toBe(-1);
    }),
  );
});

function entryOf({ version, lo, hi, tagged }: LeafAttributes, shift: number, pa: number): bigint {
  const address = BigInt(pa) >> (version === 2 ? 4n : 0n);
  const tag = tagged && shift > 12 ? BigInt(1 + Math.floor(pa / 2 ** 16)) << 36n : 0n;
  return BigInt.asUintN(64, (BigInt(hi) << 32n) | BigInt(lo) | address | tag);
}
