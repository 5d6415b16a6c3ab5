import { describe, expect, test } from "vitest";
import { addressHi, addressLo, OutOfTables, POISON, TableMemory } from "../src/index.ts";

describe("page-table pages", () => {
  test("a page is zero when taken, also when it was used before", () => {
    const tables = new TableMemory();
    const slot = tables.alloc();
    tables.quads.fill(0xdeadn);
    tables.free(slot);
    expect(tables.alloc()).toBe(slot);
    expect(tables.quads.subarray(0, 512).every((entry) => entry === 0n)).toBe(true);
  });

  test("a page that its taker fills is not cleared first", () => {
    const tables = new TableMemory();
    const slot = tables.allocUncleared();
    expect(tables.entry(slot, 511)).toBe(0n);
    tables.quads[511] = 0xdeadn;
    tables.free(slot);
    expect(tables.allocUncleared()).toBe(slot);
    expect(tables.entry(slot, 511)).toBe(0xdeadn);
    expect(tables.isLive(slot)).toBe(true);
    expect(tables.counters).toMatchObject({ tablesAllocated: 2, tablesFreed: 1, tablesLive: 1 });
  });

  test("the last page freed is the first one taken again, across growth", () => {
    const tables = new TableMemory();
    const slots = Array.from({ length: 40 }, () => tables.alloc());
    for (const slot of slots) tables.free(slot);
    expect(slots.map(() => tables.alloc())).toEqual(slots.toReversed());
    expect(tables.alloc()).toBe(40);
  });

  test("contents survive growth", () => {
    const tables = new TableMemory({ tableBytes: 16384 });
    const slots = Array.from({ length: 100 }, () => {
      const slot = tables.alloc();
      tables.quads[slot * 2048 + 7] = BigInt(slot) + 1n;
      return slot;
    });
    expect(slots.map((slot) => tables.entry(slot, 7))).toEqual(slots.map((slot) => BigInt(slot) + 1n));
    expect(tables.entryLo(99, 7)).toBe(100);
    expect(tables.entryHi(99, 7)).toBe(0);
  });

  test("what one memory leaves behind serves the next, which knows nothing of it", () => {
    const old = new TableMemory();
    for (let slot = 0; slot < 100; slot++) {
      old.allocUncleared();
      old.quads.fill(BigInt(slot) + 1n, slot * 512, (slot + 1) * 512);
    }
    old.free(3);
    old.allocFilled(5, 6);
    const { length } = old.bytes;
    const { buffer } = old.bytes;
    old.retire();
    expect([old.words.length, old.quads.length, old.bytes.length]).toEqual([0, 0, 0]);
    // Who may have fewer pages takes the beginning of it.
    const small = new TableMemory({ tableLimitBytes: 8192 });
    expect([small.bytes.buffer, small.bytes.length, small.alloc(), small.alloc()]).toEqual([
      buffer,
      8192,
      0,
      1,
    ]);
    expect(() => small.alloc()).toThrow(OutOfTables);
    small.quads.fill(7n);
    small.retire();
    const next = new TableMemory();
    expect([next.bytes.buffer, next.bytes.length]).toEqual([buffer, length]);
    expect([next.live, next.filled, next.isLive(0), next.generation(3)]).toEqual([0, 0, false, 0]);
    expect(next.bytes.every((byte) => byte === 0)).toBe(true);
    const slots = Array.from({ length: 200 }, () => next.alloc());
    expect(slots).toEqual(slots.map((_, i) => i));
    expect(slots.every((slot) => next.entryLo(slot, 0) === 0 && next.entryHi(slot, 511) === 0)).toBe(true);
    expect(new TableMemory().bytes.buffer).not.toBe(buffer);
  });

  test("who keeps arrays beside the tables is told once that they are gone", () => {
    const tables = new TableMemory();
    let told = 0;
    tables.whenRetired(() => told++);
    expect(told).toBe(0);
    tables.retire();
    tables.retire();
    expect(told).toBe(1);
  });

  test("there is never much more memory than pages, once these are many", () => {
    const tables = new TableMemory();
    let most = 0;
    for (let pages = 1; pages <= 6000; pages++) {
      tables.alloc();
      if (pages > 1024) most = Math.max(most, tables.bytes.length / (pages * tables.pageBytes));
    }
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(1.125);
  });

  test.each([
    { tableBase: 0 },
    { tableBase: 0xffff_f000 },
    { tableBase: 0x12_3456_8000, tableStride: 0x4000 },
    { tableBase: 0xffff_ffff_f000 - 0xffff000, tableLimitBytes: 0x1000_000 },
  ])("addresses and slots belong together: %o", (options) => {
    const tables = new TableMemory(options);
    for (let i = 0; i < 40; i++) {
      const slot = tables.alloc();
      const pa = (options.tableBase as number) + i * (options.tableStride ?? 4096);
      expect(tables.address(slot)).toBe(pa);
      expect(tables.slotAt(pa)).toBe(slot);
    }
    const end = tables.address(40);
    const between = tables.address(3) + tables.stride / 2;
    for (const pa of [end, between, tables.address(0) + 2 ** 44, tables.address(0) + 2 ** 40]) {
      expect(tables.slotOf(addressLo(pa), addressHi(pa)), pa.toString(16)).toBe(-1);
    }
    if (tables.base > 0) expect(tables.slotAt(tables.base - tables.stride)).toBe(-1);
  });

  test("the counters follow", () => {
    const tables = new TableMemory();
    const [first, second] = [tables.alloc(), tables.alloc()];
    tables.free(first);
    tables.free(second);
    tables.alloc();
    expect(tables.live).toBe(1);
    expect(tables.counters).toMatchObject({
      tablesAllocated: 3,
      tablesFreed: 2,
      tablesLive: 1,
      tablesPeak: 2,
    });
  });

  test("misuse is an error", () => {
    const tables = new TableMemory({ tableLimitBytes: 3 * 4096 - 1 });
    const slot = tables.alloc();
    tables.free(slot);
    expect(() => tables.free(slot)).toThrow("slot 0 is not in use");
    expect(() => tables.free(1)).toThrow("slot 1 is not in use");
    tables.alloc();
    tables.alloc();
    expect(() => tables.alloc()).toThrow(
      new OutOfTables(
        "all 2 page-table pages of 4096 bytes that memory.tableLimitBytes 12287 allows are in use",
      ),
    );
    expect(() => new TableMemory({ tableLimitBytes: 4095 })).toThrow("tableLimitBytes");
    expect(() => new TableMemory({ tableLimitBytes: Number.NaN })).toThrow("tableLimitBytes");
    expect(() => new TableMemory({ tableBytes: 8192 })).toThrow("tableBytes");
    expect(() => new TableMemory({ tableStride: 0x3000 })).toThrow("tableStride");
    expect(() => new TableMemory({ tableBase: 0x800 })).toThrow("tableBase");
    expect(() => new TableMemory({ tableBase: 2 ** 44 - 4096 })).toThrow("crosses");
  });

  test("a slot's generation is odd while it is in use, and never comes back", () => {
    const tables = new TableMemory();
    const seen: number[] = [tables.generation(0), tables.generation(1e6)];
    for (let i = 0; i < 2; i++) {
      tables.alloc();
      seen.push(tables.generation(0));
      tables.free(0);
      seen.push(tables.generation(0));
    }
    expect(seen).toEqual([0, 0, 1, 2, 3, 4]);
  });

  test("a poisoned page reads as nonsense until it is taken again", () => {
    const tables = new TableMemory({ poison: true });
    const slots = [tables.alloc(), tables.allocFilled(1, 2)] as const;
    for (const slot of slots) {
      tables.free(slot);
      expect(tables.page(slot).every((byte) => byte === POISON)).toBe(true);
    }
    expect(tables.alloc()).toBe(slots[1]);
    expect(tables.entry(slots[1], 511)).toBe(0n);
  });
});
