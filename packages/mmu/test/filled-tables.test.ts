import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AddressSpace,
  checkTables,
  clearEntries,
  type ExpectedRange,
  leaves,
  PhysicalMemory,
  PPGTT_NULL,
  PPGTT_WRITE,
  ppgtt,
  ppgttLeafHi,
  ppgttLeafLo,
  ppgttTableHi,
  ppgttTableLo,
  TableMemory,
  writeAscending,
  writeDirectory,
  writeRepeated,
} from "../src/index.ts";

const ENTRIES = 512;

/** Stores each table, which is all that a table memory seems to do. */
class NaiveTables {
  readonly pages: bigint[][] = [];
  readonly free: number[] = [];

  alloc(entry: bigint): number {
    const slot = this.free.pop() ?? this.pages.length;
    this.pages[slot] = new Array<bigint>(ENTRIES).fill(entry);
    return slot;
  }
}

const half = fc.oneof(fc.constantFrom(0, 1, -1), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const pick = fc.nat(1000);
const run = fc
  .tuple(fc.nat(ENTRIES - 1), fc.nat(ENTRIES - 1))
  .map(([a, b]) => ({ index: Math.min(a, b), count: Math.abs(a - b) + 1 }));
const whole = fc.constant({ index: 0, count: ENTRIES });
const operation = fc.oneof(
  fc.record({ kind: fc.constant("alloc" as const) }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("allocFilled" as const), lo: half, hi: half }) },
  fc.record({ kind: fc.constant("free" as const), pick }),
  fc.record({ kind: fc.constant("repeat" as const), pick, run: fc.oneof(run, whole), lo: half, hi: half }),
  fc.record({ kind: fc.constant("ascend" as const), pick, run, lo: half, hi: half }),
  fc.record({ kind: fc.constant("clear" as const), pick, run: fc.oneof(run, whole) }),
  fc.record({
    kind: fc.constant("directory" as const),
    pick,
    index: fc.nat(ENTRIES - 1),
    lo: half,
    hi: half,
  }),
  fc.record({ kind: fc.constant("bytes" as const), pick, at: fc.nat(4000), value: fc.nat(255) }),
  fc.record({
    kind: fc.constant("zero" as const),
    pick,
    at: fc.nat(400),
    count: fc.integer({ min: 1, max: 100 }),
  }),
);

function quad(lo: number, hi: number): bigint {
  return BigInt.asUintN(64, (BigInt(hi) << 32n) + BigInt(lo >>> 0));
}

/** As `words` and `quads` have a table, behind `own`. */
function stored(tables: TableMemory, slot: number): bigint[] {
  tables.own(slot);
  return [...tables.quads.subarray(slot * ENTRIES, (slot + 1) * ENTRIES)];
}

describe("filled tables", () => {
  test("are like tables that are stored, whatever is done to them", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 20, maxLength: 80 }), (operations) => {
        const memory = new PhysicalMemory();
        const { tables, counters } = memory;
        const naive = new NaiveTables();
        const live: number[] = [];
        let [writes, clears, directories, taken] = [0, 0, 0, 0];
        for (const op of operations) {
          if (op.kind === "alloc" || op.kind === "allocFilled") {
            const entry = op.kind === "alloc" ? 0n : quad(op.lo, op.hi);
            const slot = op.kind === "alloc" ? tables.alloc() : tables.allocFilled(op.lo, op.hi);
            expect(slot).toBe(naive.alloc(entry));
            live.push(slot);
            taken++;
            continue;
          }
          if (live.length === 0) continue;
          const slot = live[op.pick % live.length] as number;
          const page = naive.pages[slot] as bigint[];
          const pa = tables.address(slot);
          switch (op.kind) {
            case "free":
              tables.free(slot);
              naive.free.push(slot);
              live.splice(live.indexOf(slot), 1);
              break;
            case "repeat":
              writeRepeated(tables, slot, op.run.index, op.run.count, op.lo, op.hi);
              page.fill(quad(op.lo, op.hi), op.run.index, op.run.index + op.run.count);
              writes += op.run.count;
              break;
            case "ascend":
              writeAscending(tables, slot, op.run.index, op.run.count, op.lo, op.hi, 4096);
              for (let i = 0; i < op.run.count; i++) {
                page[op.run.index + i] = BigInt.asUintN(64, quad(op.lo, op.hi) + BigInt(i * 4096));
              }
              writes += op.run.count;
              break;
            case "clear":
              clearEntries(tables, slot, op.run.index, op.run.count);
              page.fill(0n, op.run.index, op.run.index + op.run.count);
              clears += op.run.count;
              break;
            case "directory":
              writeDirectory(tables, slot, op.index, op.lo, op.hi);
              page[op.index] = quad(op.lo, op.hi);
              directories++;
              break;
            case "bytes": {
              memory.write(pa + op.at, Uint8Array.of(op.value));
              const bytes = new Uint8Array(new BigUint64Array(page).buffer);
              bytes[op.at] = op.value;
              naive.pages[slot] = [...new BigUint64Array(bytes.buffer)];
              break;
            }
            case "zero":
              memory.zero(pa + op.at * 8, op.count * 8);
              page.fill(0n, op.at, op.at + op.count);
              break;
          }
        }
        // A page that was freed still holds what the hardware last saw.
        naive.pages.forEach((page, slot) => {
          const entries = page.map((_, i) => quad(tables.entryLo(slot, i), tables.entryHi(slot, i)));
          expect(entries).toEqual(page);
          expect(tables.entry(slot, 7)).toBe(page[7]);
          const read = new Uint8Array(4096);
          memory.read(tables.address(slot), read);
          expect([...new BigUint64Array(read.buffer)]).toEqual(page);
          if (!tables.isFilled(slot)) return;
          expect(
            tables.quads.subarray(slot * ENTRIES, (slot + 1) * ENTRIES).some((word) => word !== 0n),
          ).toBe(false);
        });
        expect(tables.filled).toBe(naive.pages.filter((_, slot) => tables.isFilled(slot)).length);
        naive.pages.forEach((page, slot) => {
          expect(stored(tables, slot)).toEqual(page);
        });
        expect(tables.filled).toBe(0);
        expect(tables.live).toBe(live.length);
        expect(counters).toMatchObject({
          pteWrites: writes,
          pteClears: clears,
          tableWrites: directories,
          tablesAllocated: taken,
          tablesLive: live.length,
        });
      }),
    );
  });

  test("keep their entries across growth, beside stored ones", () => {
    const tables = new TableMemory();
    const slots = Array.from({ length: 100 }, (_, i) => {
      if (i % 3 !== 0) return tables.allocFilled(i, -i);
      const slot = tables.alloc();
      writeRepeated(tables, slot, 0, ENTRIES, i, -i);
      return slot;
    });
    expect(tables.filled).toBe(66);
    for (const slot of slots)
      expect(stored(tables, slot)).toEqual(new Array(ENTRIES).fill(quad(slot, -slot)));
  });

  test("a page taken again holds nothing of the filled table that it was", () => {
    const tables = new TableMemory();
    const slot = tables.allocFilled(1, 2);
    tables.free(slot);
    expect(tables.entry(slot, 3)).toBe(0x2_0000_0001n);
    expect(tables.alloc()).toBe(slot);
    expect(tables.entry(slot, 3)).toBe(0n);
    writeRepeated(tables, slot, 0, ENTRIES, 5, 6);
    tables.free(slot);
    expect(tables.allocFilled(1, 2)).toBe(slot);
    expect(stored(tables, slot)).toEqual(new Array(ENTRIES).fill(0x2_0000_0001n));
  });

  test("are walked, listed and checked like stored ones", () => {
    const format = ppgtt(3, 48);
    const memory = new PhysicalMemory();
    const { tables } = memory;
    const root = tables.alloc();
    const [lo, hi] = [ppgttLeafLo(2, 3, PPGTT_NULL | PPGTT_WRITE), ppgttLeafHi(3)];
    for (let i = 0; i < 3; i++) {
      const address = tables.address(tables.allocFilled(lo, hi));
      writeDirectory(tables, root, i, ppgttTableLo(address, 0, false), ppgttTableHi(address));
    }
    clearEntries(tables, 2, 0, 1);
    const GIB = 2 ** 30;
    const space = new AddressSpace(memory, format, tables.address(root));
    for (const [va, kind] of [
      [0, "null"],
      [511.5 * GIB, "null"],
      [512 * GIB, "fault"],
      [513 * GIB, "null"],
      [1024 * GIB, "null"],
      [1536 * GIB, "fault"],
    ] as const) {
      const walk = space.walk(va);
      expect({ va, kind: walk.kind, level: walk.level }).toEqual({
        va,
        kind,
        level: va === 1536 * GIB ? 3 : 2,
      });
    }
    const listed = [...leaves(memory, format, space.root)];
    expect(listed.length).toBe(3 * ENTRIES - 1);
    expect(new Set(listed.map((leaf) => leaf.entry))).toEqual(new Set([quad(lo, hi)]));
    const leaf = (_va: number, _geometry: unknown, out: { lo: number; hi: number }) => {
      out.lo = lo;
      out.hi = hi;
      return true;
    };
    for (const uniform of [false, true]) {
      const ranges = [
        { start: 0, end: 512 * GIB, uniform, leaf },
        { start: 513 * GIB, end: 1536 * GIB, uniform, leaf },
      ] as const;
      const visited: unknown[] = [];
      const check = (ranges: readonly ExpectedRange[]) => {
        visited.length = 0;
        checkTables(memory, format, { root: space.root, ranges }, new Set(), (slot, { level }, va, used) => {
          visited.push([slot, level, va / GIB, used]);
        });
      };
      check(ranges);
      expect(visited).toEqual([
        [1, 2, 0, 512],
        [2, 2, 512, 511],
        [3, 2, 1024, 512],
        [0, 3, 0, 3],
      ]);
      const [first, second] = ranges;
      expect(() => check([first])).toThrow("leaf-unexplained");
      expect(() => check([second])).toThrow("leaf-unexplained");
      expect(() => check([first, { ...second, end: 1537 * GIB }])).toThrow("leaf-missing");
      expect(() => check([first, { ...second, start: 512 * GIB }])).toThrow("leaf-missing");
      const other = (...[va, geometry, out]: Parameters<typeof leaf>) =>
        leaf(va, geometry, out) && ++out.lo > 0;
      expect(() => check([{ ...first, leaf: other }, second])).toThrow("leaf-value");
      expect(() => check([{ ...first, leaf: () => false }, second])).toThrow("leaf-size");
    }
  });
});
