import { describe, expect, test } from "vitest";
import {
  AddressSpace,
  addressHi,
  addressLo,
  clearEntries,
  descriptor,
  leaves,
  PhysicalMemory,
  PPGTT_ATOMIC,
  PPGTT_DEVICE_MEMORY,
  PPGTT_NULL,
  PPGTT_PS64,
  PPGTT_WRITE,
  ppgtt,
  ppgttFlags,
  ppgttLeafHi,
  ppgttLeafLo,
  ppgttPat,
  ppgttTableHi,
  ppgttTableLo,
  writeDirectory,
  writeRepeated,
} from "../src/index.ts";

const RW = PPGTT_WRITE;
const NULL_RW = PPGTT_NULL | PPGTT_WRITE;
const VRAM = PPGTT_DEVICE_MEMORY | PPGTT_ATOMIC | PPGTT_WRITE;
const SYSTEM = PPGTT_ATOMIC | PPGTT_WRITE;

function leaf(level: number, pa: number, pat: number, flags: number): bigint {
  return descriptor(addressLo(pa) | ppgttLeafLo(level, pat, flags), addressHi(pa) | ppgttLeafHi(pat));
}

describe("PPGTT descriptors", () => {
  test.each([
    ["4 KiB", 0, 0x1_2345_6000, 0, RW, 0x0000000123456003n],
    ["4 KiB", 0, 0x1_2345_6000, 3, RW, 0x000000012345601bn],
    ["4 KiB of a 64 KiB block", 0, 0x1_2345_6000, 0, RW | PPGTT_PS64, 0x0000000123456103n],
    ["4 KiB", 0, 0x1_2345_6000, 4, RW, 0x0000000123456083n],
    ["2 MiB", 1, 0x1_2340_0000, 0, RW, 0x0000000123400083n],
    ["2 MiB", 1, 0x1_2340_0000, 4, RW, 0x0000000123401083n],
    ["1 GiB", 2, 0x1_4000_0000, 2, RW, 0x0000000140000093n],
    ["4 KiB read-only", 0, 0x1_2345_6000, 0, 0, 0x0000000123456001n],
    ["4 KiB", 0, 0x1_2345_6000, 9, RW, 0x400000012345600bn],
    ["4 KiB", 0, 0x1_2345_6000, 20, RW, 0x2000000123456083n],
    ["null 4 KiB", 0, 0, 0, NULL_RW, 0x203n],
    ["null 4 KiB of a 64 KiB block", 0, 0, 0, NULL_RW | PPGTT_PS64, 0x303n],
    ["null 2 MiB", 1, 0, 0, NULL_RW, 0x283n],
    ["null 1 GiB", 2, 0, 0, NULL_RW, 0x283n],
    ["null 4 KiB read-only of a 64 KiB block", 0, 0, 0, PPGTT_NULL | PPGTT_PS64, 0x301n],
    ["null 4 KiB of a 64 KiB block", 0, 0, 2, NULL_RW | PPGTT_PS64, 0x313n],
    ["null 2 MiB", 1, 0, 4, NULL_RW, 0x1283n],
    ["VRAM 64 KiB block", 0, 0, 2, VRAM | PPGTT_PS64, 0xd13n],
    ["VRAM 2 MiB", 1, 0, 2, VRAM, 0xc93n],
    ["system memory", 0, 0, 2, SYSTEM, 0x413n],
    ["system memory 64 KiB block", 0, 0, 2, SYSTEM | PPGTT_PS64, 0x513n],
    ["system memory 2 MiB", 1, 0, 2, SYSTEM, 0x493n],
    ["scratch of a discrete GPU, level 0", 0, 0, 2, NULL_RW | PPGTT_DEVICE_MEMORY, 0xa13n],
    ["scratch of a discrete GPU, level 1", 1, 0, 2, NULL_RW | PPGTT_DEVICE_MEMORY, 0xa93n],
    ["scratch of an integrated GPU, level 2", 2, 0, 3, NULL_RW, 0x29bn],
  ])("%s at level %i, address %i, PAT index %i, flags %i", (_name, level, pa, pat, flags, expected) => {
    expect(leaf(level, pa, pat, flags)).toBe(expected);
  });

  test("every PAT index and every flag survive the way through a descriptor", () => {
    for (let pat = 0; pat < 32; pat++) {
      for (let bits = 0; bits < 32; bits++) {
        const flags = ((bits & 1) * PPGTT_WRITE) | ((bits >> 1) << 8);
        for (const level of [0, 1, 2]) {
          const [lo, hi] = [ppgttLeafLo(level, pat, flags), ppgttLeafHi(pat)];
          expect([ppgttPat(level, lo, hi), ppgttFlags(lo)], `level ${level}`).toEqual([pat, flags]);
        }
      }
    }
  });

  test.each([
    [0, 0x003],
    [1, 0x00b],
    [2, 0x013],
    [3, 0x01b],
  ])("a directory entry with PAT index %i ends in %i", (pat, bits) => {
    const pa = 0x1f_2345_6000;
    const entry = (compact: boolean) => descriptor(ppgttTableLo(pa, pat, compact), ppgttTableHi(pa));
    expect(entry(false)).toBe(BigInt(pa + bits));
    expect(entry(true)).toBe(BigInt(pa + bits + 0x40));
  });

  test.each([
    [2, undefined],
    [5, undefined],
    [3, 49],
    [4, 58],
    [4, 29],
  ])("root level %i with %o address bits is refused", (rootLevel, vaBits) => {
    expect(() => ppgtt(rootLevel, vaBits)).toThrow("ppgtt: expected");
  });
});

describe("PPGTT walks", () => {
  /** A tree with one table on each level, for va 0. */
  function tree(rootLevel: number, compact = false) {
    const memory = new PhysicalMemory();
    const { tables } = memory;
    /** Slots by level. */
    const slots = Array.from({ length: rootLevel + 1 }, () => tables.alloc()).reverse();
    for (let level = rootLevel; level > 0; level--) {
      const pa = tables.address(slots[level - 1] as number);
      const lo = ppgttTableLo(pa, 3, compact && level === 1);
      writeDirectory(tables, slots[level] as number, 0, lo, ppgttTableHi(pa));
    }
    const root = tables.address(slots[rootLevel] as number);
    const space = new AddressSpace(memory, ppgtt(rootLevel), root);
    const set = (level: number, index: number, pa: number, pat: number, flags: number, count = 1): void => {
      const lo = addressLo(pa) | ppgttLeafLo(level, pat, flags);
      writeRepeated(tables, slots[level] as number, index, count, lo, addressHi(pa) | ppgttLeafHi(pat));
    };
    return { memory, space, root, slots, set };
  }

  test.each([3, 4])(
    "leaves of three sizes below a root of level %i, PAT bits apart from addresses",
    (rootLevel) => {
      const { space, set } = tree(rootLevel);
      set(0, 5, 0x1_2345_6000, 0b11100, RW);
      set(1, 5, 0x1_2340_0000, 0b11100, RW);
      set(2, 5, 0x1_4000_0000, 0b11111, 0);
      expect(space.walk(0x5123)).toMatchObject({
        kind: "page",
        pa: 0x1_2345_6123,
        level: 0,
        sizeBytes: 0x1000,
      });
      expect(space.walk(0xa1_2345)).toMatchObject({ pa: 0x1_2341_2345, level: 1, sizeBytes: 0x20_0000 });
      const gib = space.walk(0x1_4123_4567);
      expect(gib).toMatchObject({ pa: 0x1_4123_4567, level: 2, sizeBytes: 0x4000_0000 });
      expect([gib.readable, gib.writable]).toEqual([true, false]);
    },
  );

  test.each([3, 4])("faults name the level of the missing entry, root %i", (rootLevel) => {
    const { space } = tree(rootLevel);
    const levels = [0x1000, 0x20_0000, 0x4000_0000, 2 ** 39].map((va) => space.walk(va).faultLevel);
    expect(levels).toEqual([0, 1, 2, 3]);
    if (rootLevel === 4) expect(space.walk(2 ** 48).faultLevel).toBe(4);
    expect(space.walk(2 ** 57)).toMatchObject({ kind: "fault", faultLevel: rootLevel });
  });

  test("fewer address bits than the levels reach", () => {
    const { memory, root } = tree(4);
    const space = new AddressSpace(memory, ppgtt(4, 48), root);
    expect(space.walk(2 ** 48 - 4096).faultLevel).toBe(3);
    expect(space.walk(2 ** 48).faultLevel).toBe(4);
  });

  test("a compact table has 32 entries of 64 KiB", () => {
    const { memory, space, root, set, slots } = tree(3, true);
    set(0, 3, 0x1_2345_0000, 2, VRAM);
    set(0, 31, 0x2_0000_0000, 2, VRAM);
    expect(space.walk(0x3_4567)).toMatchObject({ pa: 0x1_2345_4567, level: 0, sizeBytes: 0x1_0000 });
    expect(space.walk(0x1f_ffff)).toMatchObject({ pa: 0x2_0000_ffff });
    expect(space.walk(0x2_ffff)).toMatchObject({ kind: "fault", faultLevel: 0 });
    const found = [...leaves(memory, ppgtt(3), root)];
    expect(found.map(({ va, sizeBytes, compact }) => [va, sizeBytes, compact])).toEqual([
      [0x3_0000, 0x1_0000, true],
      [0x1f_0000, 0x1_0000, true],
    ]);
    // What lies behind the 32 entries is not part of the table.
    set(0, 32, 0x7_0000_0000, 2, VRAM);
    expect([...leaves(memory, ppgtt(3), root)]).toHaveLength(2);
    clearEntries(memory.tables, slots[0] as number, 0, 32);
    expect([...leaves(memory, ppgtt(3), root)]).toHaveLength(0);
  });

  test.each([0, 1, 2])("a null leaf of level %i reads 0, drops writes, and never faults", (level) => {
    const { memory, space, set, root } = tree(3);
    set(level, 1, 0, 2, NULL_RW);
    set(level, 2, 0, 2, PPGTT_NULL);
    const size = 2 ** (12 + 9 * level);
    expect(space.walk(size + 5)).toMatchObject({
      kind: "null",
      pa: 0,
      sizeBytes: size,
      level,
      faultLevel: -1,
    });
    space.store(size * 2 - 4, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    expect(space.load64(size * 2 - 4)).toBe(0n);
    expect(space.faults).toEqual([]);
    expect(memory.residentBytes).toBe(0);
    expect([...leaves(memory, ppgtt(3), root)].map((found) => found.kind)).toEqual(["null", "null"]);
  });

  test("a scratch tree that many entries share is listed once, or not at all", () => {
    const { memory, root, set, slots } = tree(3);
    const pa = memory.tables.address(slots[2] as number);
    writeRepeated(memory.tables, slots[3] as number, 0, 512, ppgttTableLo(pa, 3, false), ppgttTableHi(pa));
    set(2, 0, 0, 2, NULL_RW, 512);
    const seen = new Set<number>();
    const once = (slot: number) => seen.size === seen.add(slot).size;
    expect([...leaves(memory, ppgtt(3), root, { prune: once })]).toHaveLength(512);
    expect([...leaves(memory, ppgtt(3), root, { prune: (slot) => slot === slots[2] })]).toHaveLength(0);
  });
});
