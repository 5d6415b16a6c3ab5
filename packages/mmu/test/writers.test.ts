import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  clearEntries,
  clearFilled,
  TableMemory,
  writeAscending,
  writeDirectory,
  writeRepeated,
} from "../src/index.ts";

const run = fc
  .tuple(fc.nat(511), fc.nat(511))
  .map(([a, b]) => ({ index: Math.min(a, b), count: Math.abs(a - b) + 1 }));
const half = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

function quad(lo: number, hi: number): bigint {
  return BigInt.asUintN(64, (BigInt(hi) << 32n) + BigInt(lo >>> 0));
}

/** Three tables full of ones; the middle one is written to. */
function threeTables(): { tables: TableMemory; slot: number } {
  const tables = new TableMemory();
  for (let i = 0; i < 3; i++) tables.alloc();
  tables.quads.fill(2n ** 64n - 1n);
  return { tables, slot: 1 };
}

function expectTables(tables: TableMemory, slot: number, start: number, entries: bigint[]): void {
  const model = new Array<bigint>(3 * 512).fill(2n ** 64n - 1n);
  entries.forEach((entry, i) => {
    model[slot * 512 + start + i] = entry;
  });
  expect([...tables.quads.subarray(0, 3 * 512)]).toEqual(model);
}

describe("writers of runs", () => {
  test("a repeated run holds the same entry everywhere, and touches nothing else", () => {
    fc.assert(
      fc.property(run, half, half, ({ index, count }, lo, hi) => {
        const { tables, slot } = threeTables();
        writeRepeated(tables, slot, index, count, lo, hi);
        expectTables(tables, slot, index, new Array(count).fill(quad(lo, hi)));
        expect(tables.counters.pteWrites).toBe(count);
      }),
    );
  });

  test("an ascending run is 64-bit addition, with carries", () => {
    const stride = fc.constantFrom(0x1000, 0x4000, 0x1_0000, 0x20_0000, 0x200_0000, 0x4000_0000);
    fc.assert(
      fc.property(run, half, fc.nat(0xffff), stride, ({ index, count }, lo, hi, strideBytes) => {
        const { tables, slot } = threeTables();
        writeAscending(tables, slot, index, count, lo, hi, strideBytes);
        const first = quad(lo, hi);
        const entries = Array.from({ length: count }, (_, i) => first + BigInt(i) * BigInt(strideBytes));
        expectTables(tables, slot, index, entries);
        expect(tables.counters.pteWrites).toBe(count);
      }),
    );
  });

  test("a run that ends exactly at 4 GiB carries only for the next entry", () => {
    const { tables, slot } = threeTables();
    writeAscending(tables, slot, 0, 3, 0xffff_ef47 | 0, 0x0060_0000, 0x1000);
    expectTables(tables, slot, 0, [0x0060_0000_ffff_ef47n, 0x0060_0000_ffff_ff47n, 0x0060_0001_0000_0f47n]);
  });

  test("clearing writes zeros and counts them", () => {
    fc.assert(
      fc.property(run, ({ index, count }) => {
        const { tables, slot } = threeTables();
        clearEntries(tables, slot, index, count);
        expectTables(tables, slot, index, new Array(count).fill(0n));
        expect(tables.counters).toMatchObject({ pteWrites: 0, pteClears: count });
      }),
    );
  });

  test("clearing what is filled ends at the first empty entry", () => {
    fc.assert(
      fc.property(run, fc.nat(511), ({ index, count }, hole) => {
        const { tables, slot } = threeTables();
        tables.words[(slot * 512 + hole) * 2] = 0;
        tables.words[(slot * 512 + hole) * 2 + 1] = 0;
        const filled = hole >= index && hole < index + count ? hole - index : count;
        expect(clearFilled(tables, slot, index, count)).toBe(filled);
        const after = Array.from({ length: 512 }, (_, i) =>
          i === hole || (i >= index && i < index + filled) ? 0n : 2n ** 64n - 1n,
        );
        expectTables(tables, slot, 0, after);
        expect(tables.counters).toMatchObject({ pteWrites: 0, pteClears: filled });
      }),
    );
  });

  test("a directory entry is counted apart", () => {
    const { tables, slot } = threeTables();
    writeDirectory(tables, slot, 511, 0x1003, 0x80);
    expectTables(tables, slot, 511, [0x80_0000_1003n]);
    expect(tables.counters).toMatchObject({ pteWrites: 0, tableWrites: 1 });
  });

  test("a run never leaves its table", () => {
    const { tables, slot } = threeTables();
    for (const [index, count] of [
      [-1, 1],
      [511, 2],
      [0, 513],
      [512, 1],
      [3, -1],
    ] as const) {
      expect(() => writeRepeated(tables, slot, index, count, 1, 0)).toThrow("leave a table of 512 entries");
      expect(() => writeAscending(tables, slot, index, count, 1, 0, 4096)).toThrow("leave a table");
      expect(() => clearEntries(tables, slot, index, count)).toThrow("leave a table");
      expect(() => clearFilled(tables, slot, index, count)).toThrow("leave a table");
    }
    expectTables(tables, slot, 0, []);
  });
});
