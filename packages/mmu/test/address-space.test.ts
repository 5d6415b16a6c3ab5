import { beforeEach, describe, expect, test } from "vitest";
import {
  AddressSpace,
  addressHi,
  addressLo,
  directories,
  GpuFault,
  IOMMU_CACHE,
  IOMMU_NOEXEC,
  IOMMU_READ,
  IOMMU_WRITE,
  leaves,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeTableHi,
  lpaeTableLo,
  PhysicalMemory,
  Tlb,
  writeAscending,
  writeDirectory,
} from "../src/index.ts";

const READ_WRITE = IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE;
const format = lpae4k(48);

let memory: PhysicalMemory;
let root: number;
/** Slots of the tables for va 0, root first. */
let path: number[];

/** Writes `count` leaves of `level` from `index`, in the tables for va 0. */
function map(level: number, index: number, pa: number, count: number, prot: number): void {
  const lo = lpaeLeafLo(level, prot) | addressLo(pa);
  const hi = lpaeLeafHi(prot) | addressHi(pa);
  writeAscending(
    memory.tables,
    path[level] as number,
    index,
    count,
    lo,
    hi,
    level === 3 ? 0x1000 : 0x20_0000,
  );
}

/** The GpuFault that `access` throws. */
function faultOf(access: () => void): GpuFault {
  try {
    access();
  } catch (error) {
    if (error instanceof GpuFault) return error;
    throw error;
  }
  throw new Error("expected a GpuFault");
}

beforeEach(() => {
  memory = new PhysicalMemory();
  path = [0, 1, 2, 3].map(() => memory.tables.alloc());
  root = memory.tables.address(path[0] as number);
  for (let level = 0; level < 3; level++) {
    const next = memory.tables.address(path[level + 1] as number);
    writeDirectory(memory.tables, path[level] as number, 0, lpaeTableLo(next), lpaeTableHi(next, true));
  }
});

describe("worked examples of the LPAE format", () => {
  test("a page, four levels down", () => {
    const space = new AddressSpace(memory, format, root);
    map(3, 0x167, 0x8_1234_5000, 1, READ_WRITE);
    const found = space.walk(0x16_7abc);
    expect(found).toMatchObject({
      kind: "page",
      pa: 0x8_1234_5abc,
      level: 3,
      sizeBytes: 4096,
      faultLevel: -1,
    });
    expect([found.readable, found.writable, found.executable]).toEqual([true, true, true]);
    expect(memory.counters.walkSteps).toBe(4);
  });

  test("a 2 MiB block ends the walk early", () => {
    const space = new AddressSpace(memory, format, root);
    map(2, 1, 0x1_0020_0000, 1, READ_WRITE | IOMMU_NOEXEC);
    const found = space.walk(0x21_2345);
    expect(found).toMatchObject({ kind: "page", pa: 0x1_0021_2345, level: 2, sizeBytes: 0x20_0000 });
    expect(found.executable).toBe(false);
  });

  test("what is missing is a fault at the level where it is missing", () => {
    const space = new AddressSpace(memory, format, root);
    expect(space.walk(0x1000)).toMatchObject({ kind: "fault", faultLevel: 3, pa: 0, sizeBytes: 0 });
    expect(space.walk(0x20_0000)).toMatchObject({ kind: "fault", faultLevel: 2 });
    expect(space.walk(0x4000_0000)).toMatchObject({ kind: "fault", faultLevel: 1 });
    expect(space.walk(0x80_0000_0000)).toMatchObject({ kind: "fault", faultLevel: 0 });
    for (const va of [2 ** 48, -4096, Number.NaN]) {
      expect(space.walk(va), String(va)).toMatchObject({ kind: "fault", faultLevel: 0 });
    }
  });

  test("a directory entry that points nowhere is a fault at its level", () => {
    const space = new AddressSpace(memory, format, root);
    writeDirectory(memory.tables, path[1] as number, 7, lpaeTableLo(0x1234_5000), 0);
    expect(space.walk(7 * 0x4000_0000)).toMatchObject({ kind: "fault", faultLevel: 1 });
    expect(() => [...directories(memory, format, root)]).toThrow(
      "level 1 entry for 0x1c0000000 points to 0x12345000",
    );
  });
});

describe("loads and stores", () => {
  test("cross page boundaries, to pages that are not neighbours", () => {
    const space = new AddressSpace(memory, format, root);
    map(3, 510, 0x5000_0000, 1, READ_WRITE);
    map(3, 511, 0x4000_0000, 1, READ_WRITE);
    map(2, 1, 0x8000_0000, 1, READ_WRITE);
    const bytes = Uint8Array.from({ length: 0x2000 }, (_, i) => (i * 7) & 0xff);
    space.store(0x1f_e800, bytes);
    expect(space.load(0x1f_e800, bytes.length)).toEqual(bytes);
    const inMemory = new Uint8Array(0x800);
    memory.read(0x5000_0800, inMemory);
    expect(inMemory).toEqual(bytes.subarray(0, 0x800));
    memory.read(0x8000_0000, inMemory);
    expect(inMemory).toEqual(bytes.subarray(0x1800));
  });

  test("words are little endian, aligned or not", () => {
    const space = new AddressSpace(memory, format, root);
    map(3, 0, 0x5000_0000, 2, READ_WRITE);
    space.store64(0xffd, 0x1122334455667788n);
    expect(space.load64(0xffd)).toBe(0x1122334455667788n);
    expect(space.load8(0x1000)).toBe(0x55);
    expect(space.load32(0xffe)).toBe(0x44556677);
    space.store32(0xffe, 0xdeadbeef);
    space.store8(0x1000, 0x101);
    expect(space.load32(0xffe)).toBe(0xde01beef);
    space.store64(8, -1n);
    expect(space.load32(12)).toBe(0xffffffff);
  });

  test("a right that is missing is a fault that names it", () => {
    const space = new AddressSpace(memory, format, root, { asid: 3 });
    map(3, 0, 0x5000_0000, 1, IOMMU_READ | IOMMU_NOEXEC);
    expect(space.load8(0)).toBe(0);
    const write = faultOf(() => space.store8(5, 1));
    expect(write).toMatchObject({ va: 5, level: 3, kind: "write-permission", access: "write", asid: 3 });
    expect(write.message).toBe("GPU write fault at 0x5: write-permission, level 3, address space 3");
    expect(faultOf(() => space.fetch(8, 4))).toMatchObject({ kind: "exec-permission", access: "exec" });
    expect(faultOf(() => space.load(0xffe, 4))).toMatchObject({
      va: 0x1000,
      kind: "not-present",
      access: "read",
    });
    expect(space.faults.map((fault) => fault.va)).toEqual([5, 8, 0x1000]);
    expect(memory.residentBytes).toBe(0);
  });

  test("with soft faults the GPU goes on, and the faults are on record", () => {
    const space = new AddressSpace(memory, format, root, { softFaults: true });
    map(3, 0, 0x5000_0000, 1, READ_WRITE);
    map(3, 3, 0x6000_0000, 1, IOMMU_READ);
    space.store(0, new Uint8Array(0x4000).fill(9));
    const seen = space.load(0, 0x4000);
    expect([seen[0], seen[0xfff], seen[0x1000], seen[0x2fff], seen[0x3000]]).toEqual([9, 9, 0, 0, 0]);
    expect(space.faults.map((fault) => [fault.va, fault.kind])).toEqual([
      [0x1000, "not-present"],
      [0x2000, "not-present"],
      [0x3000, "write-permission"],
      [0x1000, "not-present"],
      [0x2000, "not-present"],
    ]);
  });

  test("a TLB answers in place of the tables", () => {
    const tlb = new Tlb({ counters: memory.counters });
    const space = new AddressSpace(memory, format, root, { tlb });
    map(3, 0, 0x5000_0000, 1, READ_WRITE);
    space.store8(1, 42);
    expect(space.load8(1)).toBe(42);
    expect(memory.counters).toMatchObject({ tlbHits: 1, tlbMisses: 1, walkSteps: 4 });
  });

  test("the root must be a table of the format's size", () => {
    expect(() => new AddressSpace(memory, format, root + 0x10_0000)).toThrow("no page-table page at root");
    const large = new PhysicalMemory({ tableBytes: 16384 });
    large.tables.alloc();
    expect(() => new AddressSpace(large, format, large.tables.base)).toThrow("expected tables of 4096 bytes");
  });
});

describe("listings", () => {
  test("leaves and directories come in ascending order, parents first", () => {
    map(3, 1, 0x5000_0000, 2, READ_WRITE);
    map(2, 3, 0x8000_0000, 1, READ_WRITE);
    expect([...leaves(memory, format, root)]).toEqual([
      { va: 0x1000, level: 3, entry: 0x50000f47n, sizeBytes: 0x1000, kind: "page", compact: false },
      { va: 0x2000, level: 3, entry: 0x50001f47n, sizeBytes: 0x1000, kind: "page", compact: false },
      { va: 0x60_0000, level: 2, entry: 0x80000f45n, sizeBytes: 0x20_0000, kind: "page", compact: false },
    ]);
    expect([...directories(memory, format, root)].map(({ level, slot }) => [level, slot])).toEqual([
      [0, path[1]],
      [1, path[2]],
      [2, path[3]],
    ]);
  });

  test("a part of the tree: by range, or without some tables", () => {
    map(3, 0, 0x5000_0000, 512, READ_WRITE);
    map(2, 1, 0x8000_0000, 511, READ_WRITE);
    const vas = (options: object) => [...leaves(memory, format, root, options)].map((leaf) => leaf.va);
    expect(vas({ start: 0x1f_e800, end: 0x20_0001 })).toEqual([0x1f_e000, 0x1f_f000, 0x20_0000]);
    expect(vas({ start: 0x3fe0_0000 })).toEqual([0x3fe0_0000]);
    expect(vas({ prune: (slot: number) => slot === path[3], end: 0x60_0000 })).toEqual([
      0x20_0000, 0x40_0000,
    ]);
    expect(vas({ start: 0x1000, end: 0x1000 })).toEqual([]);
    expect(vas({ start: 2 ** 48, end: 2 ** 49 })).toEqual([]);
  });

  test("a table that was freed but is still pointed to is an error", () => {
    memory.tables.free(path[3] as number);
    expect(() => [...leaves(memory, format, root)]).toThrow("level 2 entry for 0x0 points to 0x1000003000");
  });
});

describe("an address space that has to be entered", () => {
  test("uses the number that it is given, and faults while translation is off", () => {
    map(3, 0, 0x1_0000_0000, 1, READ_WRITE);
    const tlb = new Tlb();
    let number = 5;
    const space = new AddressSpace(memory, format, root, { tlb, enter: () => number });
    space.store32(0, 9);
    expect([space.asid, [...tlb.remembered(5)].length]).toEqual([5, 1]);
    number = 2;
    expect([space.load32(0), space.asid, [...tlb.remembered(2)].length]).toEqual([9, 2, 1]);
    number = -1;
    const fault = faultOf(() => space.load32(0));
    expect([fault.kind, fault.level, space.walk(0).kind]).toEqual(["not-present", 0, "page"]);
    expect(space.translate(0).kind).toBe("fault");
  });
});
