import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AddressSpace,
  clearEntries,
  mmuCounters,
  type PhysicalMemory,
  Tlb,
  type TlbOptions,
  Walk,
  writeRepeated,
} from "../src/index.ts";
import { SUBJECTS, type Subject, Tree } from "./tree.ts";

const lpae = SUBJECTS[0] as Subject;
const [, , blocks, pages] = lpae.format.levels;

/** A tree with a page at 0 and a 2 MiB block at 2 MiB, seen through a TLB. */
function machine(options: TlbOptions = {}): {
  memory: PhysicalMemory;
  tlb: Tlb;
  space: AddressSpace;
  tree: Tree;
} {
  const tree = new Tree(lpae);
  const { memory } = tree;
  if (pages === undefined || blocks === undefined) throw new Error("four levels expected");
  tree.map(pages, 0, 0x50_0000_0000, 7);
  tree.map(pages, 0x1000, 0x51_0000_0000, 7);
  tree.map(blocks, 0x20_0000, 0x52_0000_0000, 7);
  const tlb = new Tlb({ ...options, counters: memory.counters });
  return { memory, tlb, space: new AddressSpace(memory, lpae.format, tree.space.root, { tlb }), tree };
}

/** Slots follow the order of allocation: root, level 1, level 2, level 3. */
const L2 = 2;
const L3 = 3;

describe("a driver that forgets to invalidate", () => {
  test("the GPU goes on using the old page, until it is told", () => {
    const { memory, tlb, space } = machine();
    space.store32(0, 0x1111);
    clearEntries(memory.tables, L3, 0, 1);
    expect(space.walk(0).kind).toBe("fault");
    expect(space.load32(0)).toBe(0x1111);
    tlb.invalidateRange(space.asid, 0, 0x1000);
    expect(() => space.load32(0)).toThrow("not-present, level 3");
  });

  test("a new page under an old translation is not seen", () => {
    const { memory, tlb, space } = machine();
    space.store32(0, 0x1111);
    const [lo, hi] = lpae.leaf(3, 7);
    writeRepeated(memory.tables, L3, 0, 1, lo, hi | 0x60);
    space.store32(0, 0x2222);
    tlb.invalidateAll();
    expect(space.load32(0)).toBe(0);
    const old = new Uint8Array(4);
    memory.read(0x50_0000_0000, old);
    expect([...old]).toEqual([0x22, 0x22, 0, 0]);
  });

  test("stale rights are rights", () => {
    const { memory, tlb, space } = machine();
    space.load32(0);
    const [lo, hi] = lpae.leaf(3, 4);
    writeRepeated(memory.tables, L3, 0, 1, lo, hi | 0x50);
    expect(() => space.store32(0, 1)).not.toThrow();
    tlb.invalidateRange(0, 0, 1);
    expect(() => space.store32(0, 1)).toThrow("write-permission");
  });

  test("faults are not remembered", () => {
    const { memory, space } = machine();
    expect(() => space.load8(0x2000)).toThrow("not-present");
    const [lo, hi] = lpae.leaf(3, 7);
    writeRepeated(memory.tables, L3, 2, 1, lo, hi | 0x50);
    expect(space.load8(0x2000)).toBe(0);
  });
});

describe("leaf sizes", () => {
  test("one entry answers for a whole block", () => {
    const { memory, tlb, space } = machine();
    for (let va = 0x20_0000; va < 0x40_0000; va += 0x1000) {
      expect(space.translate(va + 4)).toMatchObject({
        pa: 0x52_0000_0000 + (va + 4 - 0x20_0000),
        sizeBytes: 0x20_0000,
      });
    }
    expect(tlb.live).toBe(1);
    expect(memory.counters).toMatchObject({ tlbMisses: 1, tlbHits: 511 });
  });

  test("invalidating any byte of a block drops the block; the bytes around it do not", () => {
    const { tlb, space } = machine();
    for (const [va, bytes, kept] of [
      [0x1f_f000, 0x1000, true],
      [0x1f_f000, 0x1001, false],
      [0x30_0000, 1, false],
      [0x3f_ffff, 1, false],
      [0x40_0000, 0x1000, true],
      [0x30_0000, 0, true],
    ] as const) {
      tlb.invalidateAll();
      space.translate(0x20_0000);
      tlb.invalidateRange(0, va, bytes);
      expect(tlb.live === 1, `${va.toString(16)}+${bytes}`).toBe(kept);
    }
  });

  test("a block that took the place of pages leaves the page's entry in charge", () => {
    const { memory, tlb, space } = machine();
    space.translate(0x1000);
    const [lo, hi] = lpae.leaf(2, 7);
    writeRepeated(memory.tables, L2, 0, 1, lo, hi | 0x70);
    expect(space.translate(0x5000)).toMatchObject({ pa: 0x70_0000_5000, sizeBytes: 0x20_0000 });
    expect(space.translate(0x1000)).toMatchObject({ pa: 0x51_0000_0000, sizeBytes: 0x1000 });
    tlb.invalidateRange(0, 0x1000, 0x1000);
    expect(space.translate(0x1000)).toMatchObject({ pa: 0x70_0000_1000 });
  });

  test("a page does not answer for the block that begins at the same address", () => {
    const { memory, space } = machine({ entries: 4, ways: 4 });
    space.translate(0x20_0000);
    space.translate(0);
    const [lo, hi] = lpae.leaf(2, 7);
    writeRepeated(memory.tables, L2, 0, 1, lo, hi | 0x70);
    expect(space.translate(0x5000)).toMatchObject({ pa: 0x70_0000_5000, sizeBytes: 0x20_0000 });
    expect(space.translate(0x10)).toMatchObject({ pa: 0x50_0000_0010, sizeBytes: 0x1000 });
  });

  const nullVariant = (subject: Subject): number =>
    Array.from({ length: subject.variants }, (_, i) => i).findIndex((i) => subject.isNull(i));

  test.each(SUBJECTS.filter((s) => nullVariant(s) >= 0))(
    "null pages of $name are remembered as null pages",
    (subject) => {
      const tree = new Tree(subject);
      const smallest = subject.format.levels.at(-1);
      if (smallest === undefined) throw new Error("a level of pages expected");
      tree.map(smallest, 0x20_0000, 0, nullVariant(subject));
      const tlb = new Tlb();
      const space = new AddressSpace(tree.memory, subject.format, tree.space.root, { tlb });
      for (let i = 0; i < 2; i++) {
        expect(space.load64(0x20_0000 + i * 8)).toBe(0n);
        space.store64(0x20_0000 + i * 8, 1n);
      }
      expect(tlb.counters).toMatchObject({ tlbMisses: 1, tlbHits: 3 });
    },
  );
});

describe("address spaces", () => {
  test("share a TLB without seeing each other's translations", () => {
    const { memory, tlb, space, tree } = machine();
    const other = new AddressSpace(memory, lpae.format, tree.space.root, { tlb, asid: 1 });
    space.translate(0);
    expect(memory.counters.tlbMisses).toBe(1);
    other.translate(0);
    expect(memory.counters.tlbMisses).toBe(2);
    tlb.invalidateRange(1, 0, 0x1000);
    expect(tlb.live).toBe(1);
    other.translate(0);
    tlb.invalidateAll(0);
    expect(tlb.live).toBe(1);
    tlb.invalidateAll();
    expect(tlb.live).toBe(0);
  });
});

describe("capacity", () => {
  const walk = new Walk();

  /** A TLB that holds the 4 KiB pages with these numbers, taken in this order. */
  function holding(options: TlbOptions, pageNumbers: number[]): (page: number) => boolean {
    const tlb = new Tlb(options);
    for (const page of pageNumbers) insertPage(tlb, page);
    return (page) => tlb.lookup(0, page * 4096, walk);
  }

  function insertPage(tlb: Tlb, page: number): void {
    walk.kind = "page";
    walk.pa = 0x7000_0000 + page * 4096;
    walk.geometry = pages ?? null;
    tlb.insert(0, page * 4096, walk);
  }

  test("a full set drops the least recently used entry", () => {
    // 4 sets of 2 ways: pages 0, 4 and 8 meet in one set.
    const has = holding({ entries: 8, ways: 2 }, [0, 4, 8, 1]);
    expect([0, 4, 8, 1].map(has)).toEqual([false, true, true, true]);
    const tlb = new Tlb({ entries: 8, ways: 2 });
    insertPage(tlb, 0);
    insertPage(tlb, 4);
    tlb.lookup(0, 0, walk);
    insertPage(tlb, 8);
    expect([0, 4, 8].map((page) => tlb.lookup(0, page * 4096, walk))).toEqual([true, false, true]);
  });

  test("one way is direct mapped, all ways are fully associative", () => {
    expect([0, 8].map(holding({ entries: 8, ways: 1 }, [0, 8]))).toEqual([false, true]);
    const strided = Array.from({ length: 8 }, (_, i) => i * 8);
    expect(strided.map(holding({ entries: 8, ways: 8 }, strided))).toEqual(strided.map(() => true));
  });

  test("entries / ways must be a power of two", () => {
    for (const options of [
      { entries: 12, ways: 4 },
      { entries: 4, ways: 8 },
      { entries: 4, ways: 0 },
    ]) {
      expect(() => new Tlb(options)).toThrow("power of two");
    }
  });
});

test("invalidations are counted, with the bytes that they name", () => {
  const counters = mmuCounters();
  const tlb = new Tlb({ counters });
  tlb.invalidateAll();
  tlb.invalidateRange(0, 0x1000, 0x3000);
  tlb.invalidateRange(7, 0, 2 ** 40);
  expect(counters).toMatchObject({ tlbInvalidations: 3, tlbInvalidatedBytes: 0x3000 + 2 ** 40 });
  // Told to two TLBs, and forgotten untold.
  tlb.invalidateAll(0, 2);
  tlb.invalidateRange(0, 0x1000, 0x3000, 2);
  tlb.invalidateAll(0, 0);
  expect(counters).toMatchObject({ tlbInvalidations: 7, tlbInvalidatedBytes: 3 * 0x3000 + 2 ** 40 });
});

test("with an invalidation after each change, a TLB of any shape changes nothing but the counts", () => {
  const step = fc.record({ page: fc.nat(40), pa: fc.nat(1000), unmap: fc.boolean(), probe: fc.nat(40) });
  const shape = fc.constantFrom<TlbOptions>(
    { entries: 1, ways: 1 },
    { entries: 8, ways: 2 },
    { entries: 64, ways: 64 },
  );
  fc.assert(
    fc.property(shape, fc.array(step, { maxLength: 60 }), (options, steps) => {
      const { memory, tlb, space } = machine(options);
      const [lo, hi] = lpae.leaf(3, 7);
      for (const { page, pa, unmap, probe } of steps) {
        space.translate(page * 4096);
        if (unmap) clearEntries(memory.tables, L3, page, 1);
        else writeRepeated(memory.tables, L3, page, 1, lo | (pa << 12), hi);
        tlb.invalidateRange(0, page * 4096, 4096);
        const { kind, pa: seen, lo: entry } = space.translate(probe * 4096 + 8);
        expect({ kind, pa: seen, lo: entry }).toEqual(
          (({ kind, pa, lo }) => ({ kind, pa, lo }))(space.walk(probe * 4096 + 8)),
        );
      }
    }),
  );
});
