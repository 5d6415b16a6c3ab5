/** Memory for data and its backing store. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PhysicalBacking, PhysicalMemory, ScatterList } from "../src/index.ts";

const MIB = 0x10_0000;

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function read(memory: PhysicalMemory, pa: number, count: number): number[] {
  const into = new Uint8Array(count).fill(0xaa);
  memory.read(pa, into);
  return [...into];
}

/** Every byte by itself; knows where page tables are and refuses to hold them. */
class Bytes implements PhysicalBacking {
  readonly bytes = new Map<number, number>();
  memory: PhysicalMemory | null = null;

  read(pa: number, out: Uint8Array): void {
    this.#check(pa, out.length);
    for (let i = 0; i < out.length; i++) out[i] = this.bytes.get(pa + i) ?? 0;
  }

  write(pa: number, bytes: Uint8Array): void {
    this.#check(pa, bytes.length);
    for (const [i, byte] of bytes.entries()) this.bytes.set(pa + i, byte);
  }

  discard(pa: number, bytes: number): void {
    this.#check(pa, bytes);
    for (let i = 0; i < bytes; i++) this.bytes.delete(pa + i);
  }

  #check(pa: number, bytes: number): void {
    const tables = this.memory?.tables;
    if (tables === undefined) return;
    for (let at = pa; at < pa + bytes; at++) {
      const inSlot = (at - tables.base) % tables.stride;
      const isTable = at >= tables.base && inSlot < tables.pageBytes && tables.slotAt(at - inSlot) >= 0;
      if (isTable) throw new Error(`a page table at 0x${at.toString(16)}`);
    }
  }
}

describe("a backing store of one's own", () => {
  test("holds the same data as the default, never a page table, and gets back what is freed", () => {
    const tableBase = 0x40_0000;
    const options = { tableBytes: 4096, tableBase, tableStride: 8192, tableLimitBytes: 4 * 4096 } as const;
    const step = fc.record({
      what: fc.constantFrom("read", "write", "zero"),
      pa: fc.integer({ min: tableBase - 6000, max: tableBase + 4 * 8192 + 6000 }),
      count: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 4000, max: 20000 })),
      byte: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) => {
        const backing = new Bytes();
        const own = new PhysicalMemory({ ...options, backing });
        const usual = new PhysicalMemory(options);
        const naive = new Map<number, number>();
        backing.memory = own;
        for (const memory of [own, usual]) for (let i = 0; i < 2; i++) memory.tables.alloc();
        for (const { what, pa, count, byte } of steps) {
          const expected = Array.from({ length: count }, (_, i) => naive.get(pa + i) ?? 0);
          if (what === "read") {
            for (const memory of [own, usual]) expect(read(memory, pa, count)).toEqual(expected);
            continue;
          }
          for (let i = 0; i < count; i++) naive.set(pa + i, what === "write" ? byte : 0);
          for (const memory of [own, usual]) {
            if (what === "write") memory.write(pa, new Uint8Array(count).fill(byte));
            else memory.zero(pa, count);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is told when an object's memory is freed", () => {
    const backing = new Bytes();
    const memory = new PhysicalMemory({ backing });
    const bo = memory.frames.alloc(8192);
    memory.write((bo.pa[0] as number) + 4094, bytes(1, 2, 3, 4));
    expect([backing.bytes.size, memory.residentBytes]).toEqual([4, 0]);
    memory.frames.free(bo);
    expect(backing.bytes.size).toBe(0);
  });
});

describe("data memory", () => {
  test("reads as zero until it is stored to, and costs nothing until then", () => {
    const memory = new PhysicalMemory();
    const bo = memory.frames.alloc(1024 * MIB);
    expect(read(memory, bo.pa[0] as number, 4)).toEqual([0, 0, 0, 0]);
    expect(memory.residentBytes).toBe(0);
    memory.write((bo.pa[0] as number) + 4094, bytes(1, 2, 3, 4));
    expect(memory.residentBytes).toBe(8192);
    expect(read(memory, (bo.pa[0] as number) + 4093, 6)).toEqual([0, 1, 2, 3, 4, 0]);
    expect(memory.counters.backingBytes).toBe(1024 * MIB);
  });

  test("any physical address can hold data", () => {
    const memory = new PhysicalMemory();
    const top = 2 ** 52 - 4;
    memory.write(top, bytes(9, 8, 7, 6));
    expect(read(memory, top, 4)).toEqual([9, 8, 7, 6]);
  });

  test("a page table can be read and written as memory", () => {
    const memory = new PhysicalMemory({ tableBytes: 16384, tableStride: 0x8000 });
    memory.tables.alloc();
    const slot = memory.tables.alloc();
    memory.tables.quads[slot * 2048 + 2047] = 0x0102030405060708n;
    const end = memory.tables.address(slot) + 16384;
    expect(read(memory, end - 8, 10)).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
    // Between two tables there is ordinary memory.
    memory.write(memory.tables.address(slot), bytes(0xff));
    expect(read(memory, memory.tables.address(0) + 16384, 1)).toEqual([0]);
    memory.write(memory.tables.address(0) + 16384, bytes(7));
    expect(read(memory, memory.tables.address(0) + 16384, 1)).toEqual([7]);
    expect(memory.tables.entry(slot, 0)).toBe(0xffn);
    memory.zero(memory.tables.address(slot), 16384);
    expect(memory.tables.entry(slot, 0) | memory.tables.entry(slot, 2047)).toBe(0n);
  });

  test("zero clears exactly the bytes it is told", () => {
    fc.assert(
      fc.property(fc.nat(3 * 4096), fc.nat(3 * 4096), fc.boolean(), (start, length, crowded) => {
        const memory = new PhysicalMemory();
        const base = 0x5000_0000;
        if (crowded) for (let i = 8; i < 20; i++) memory.write(base + i * 4096, bytes(1));
        memory.write(base, new Uint8Array(7 * 4096).fill(5));
        memory.zero(base + start, length);
        const model = new Uint8Array(7 * 4096).fill(5).fill(0, start, start + length);
        const into = new Uint8Array(7 * 4096);
        memory.read(base, into);
        expect(into.findIndex((value, i) => value !== model[i])).toBe(-1);
      }),
    );
  });
});

describe("scatter lists", () => {
  test("offsets are prefix sums and find their segment", () => {
    const list = ScatterList.of([
      { pa: 0x9000, bytes: 0x1000 },
      { pa: 0x4000, bytes: 0x3000 },
      { pa: 0xf000, bytes: 0x2000 },
    ]);
    expect([...list.offset]).toEqual([0, 0x1000, 0x4000]);
    expect(list.totalBytes).toBe(0x6000);
    expect([0, 0xfff, 0x1000, 0x3fff, 0x4000, 0x5fff].map((at) => list.segmentAt(at))).toEqual([
      0, 0, 1, 1, 2, 2,
    ]);
    expect([-1, 0x6000, Number.NaN].map((at) => list.segmentAt(at))).toEqual([-1, -1, -1]);
    expect(list.addressAt(0x1234)).toBe(0x4234);
    expect(list.addressAt(0x6000)).toBeNaN();
  });

  test("each byte is in one segment, of whatever lengths they are", () => {
    const length = fc.integer({ min: 1, max: 40 });
    const lengths = fc.oneof(
      fc.array(length, { minLength: 1, maxLength: 60 }),
      // All of one length, but for the last.
      fc.tuple(length, fc.nat(60), length).map(([one, n, last]) => [...new Array<number>(n).fill(one), last]),
    );
    fc.assert(
      fc.property(lengths, (drawn) => {
        const list = ScatterList.of(drawn.map((bytes, i) => ({ pa: i * 64, bytes })));
        const expected = drawn.flatMap((bytes, i) => new Array<number>(bytes).fill(i));
        expect(Array.from(expected, (_, at) => list.segmentAt(at))).toEqual(expected);
        expect(list.segmentAt(expected.length)).toBe(-1);
      }),
    );
  });

  test("an empty segment is refused", () => {
    expect(() => ScatterList.of([{ pa: 0, bytes: 0 }])).toThrow("segment 0 is 0x0+0x0");
  });
});

test("says what may hold anything but zeros, page by page", () => {
  const memory = new PhysicalMemory();
  const at = 0x20_0000;
  expect(memory.mayHoldData(at, 0x4000)).toBe(false);
  memory.write(at + 0x1ffc, bytes(1, 2, 3, 4));
  expect([0, 0x1000, 0x2000].map((page) => memory.mayHoldData(at + page, 0x1000))).toEqual([
    false,
    true,
    false,
  ]);
  // A page of which the range has one byte counts.
  expect(memory.mayHoldData(at + 0xfff, 2)).toBe(true);
  memory.zero(at, 0x2000);
  expect(memory.mayHoldData(at, 0x4000)).toBe(false);
  expect(new PhysicalMemory({ backing: new Bytes() }).mayHoldData(at, 0x1000)).toBe(true);
});
