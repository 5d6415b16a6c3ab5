/** Updates of which later ones of the same list leave nothing: leaving them out changes no entry. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Overwrites } from "../src/pt-overwrites.ts";

const TABLES = 3;
const ENTRIES = 16;

/** Table, first entry, entries. */
type Run = readonly [number, number, number];

const runs: fc.Arbitrary<Run[]> = fc.array(
  fc
    .tuple(fc.nat(TABLES - 1), fc.nat(ENTRIES - 1), fc.nat(ENTRIES))
    .map(([table, first, count]): Run => [table, first, Math.min(count, ENTRIES - first)]),
  { maxLength: 24 },
);

function listOf(updates: readonly Run[]): Int32Array {
  return Int32Array.from(updates.flatMap(([table, first, count]) => [table, first, count, 0, 0]));
}

/** Entries after each update that is not left out wrote its number. */
function written(updates: readonly Run[], leftOut: (i: number) => boolean): Int32Array {
  const entries = new Int32Array(TABLES * ENTRIES);
  updates.forEach(([table, first, count], i) => {
    if (!leftOut(i)) entries.fill(i + 1, table * ENTRIES + first, table * ENTRIES + first + count);
  });
  return entries;
}

describe("updates that later ones overwrite", () => {
  it("can be left out, list after list", () => {
    const overwrites = new Overwrites();
    fc.assert(
      fc.property(runs, (updates) => {
        overwrites.find(listOf(updates), updates.length, TABLES);
        expect(written(updates, (i) => overwrites.has(i))).toEqual(written(updates, () => false));
      }),
    );
  });

  it("are found where an array cuts its way through a mapping", () => {
    const overwrites = new Overwrites();
    const updates: Run[] = [];
    for (let at = 0; at < 12; at += 4) updates.push([0, at, 16 - at], [0, at + 4, 12 - at], [0, at, 4]);
    overwrites.find(listOf(updates), updates.length, TABLES);
    const left = updates.filter((_, i) => !overwrites.has(i));
    expect(left).toEqual([
      [0, 0, 4],
      [0, 4, 4],
      [0, 12, 4],
      [0, 8, 4],
    ]);
  });
});
