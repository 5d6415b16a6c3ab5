/** GMMU entries against literal values, and what is its own: two tables for the same addresses, and sparse entries of any size. */

import { describe, expect, test } from "vitest";
import {
  AddressSpace,
  checkTables,
  descriptor,
  type ExpectedRange,
  GMMU_SPARSE,
  type GmmuVersion,
  gmmu,
  gmmuAddressHi,
  gmmuAddressLo,
  gmmuLeafHi,
  gmmuLeafLo,
  gmmuNoSmall,
  gmmuTableHi,
  gmmuTableLo,
  leaves,
  PhysicalMemory,
  writeDirectory,
  writeRepeated,
} from "../src/index.ts";

const leaf = (
  version: GmmuVersion,
  ...[kind, aperture, pa]: [number, "vram" | "coherent" | "noncoherent", number]
) =>
  descriptor(
    gmmuLeafLo(version, kind, aperture) | gmmuAddressLo(version, pa),
    gmmuLeafHi(version, kind) | gmmuAddressHi(version, pa),
  );

test("entries have the bits of the driver", () => {
  expect(leaf(2, 0, "vram", 0x4000_0000)).toBe(0x400_0001n);
  expect(leaf(2, 6, "vram", 0x4000_0000)).toBe(0x0600_0000_0400_0001n);
  expect(leaf(2, 0, "coherent", 0x1_8000_0000)).toBe(0x1800_000dn);
  expect(leaf(2, 0xfe, "noncoherent", 0x12_3456_7000)).toBe(0xfe00_0001_2345_670fn);
  expect(leaf(3, 0, "vram", 0x4000_0000)).toBe(0x4000_0081n);
  expect(leaf(3, 6, "coherent", 0x1_8000_0000)).toBe(0x1_8000_068dn);
  expect(leaf(3, 0, "noncoherent", 0x1_8000_0000)).toBe(0x1_8000_0087n);
  expect(gmmuTableLo(2, 0, "vram")).toBe(0x2);
  expect(gmmuTableLo(2, 0, "coherent")).toBe(0xc);
  expect(gmmuTableLo(2, 0, "noncoherent")).toBe(0x6);
  expect(gmmuTableLo(3, 0, "vram")).toBe(0x12);
  expect(gmmuTableLo(3, 0, "coherent")).toBe(0xc);
  expect(gmmuTableLo(3, 0, "noncoherent")).toBe(0x6);
});

describe.each([2, 3] as const)("version %i", (version) => {
  /** One block of 2 MiB at 0, with an LPT and an SPT; slots in `memory.tables`. */
  function block() {
    const format = gmmu(version, "vram");
    const memory = new PhysicalMemory();
    const { tables } = memory;
    const take = (): number => tables.alloc();
    const root = take();
    let slot = root;
    const point = (at: number, to: number): void =>
      writeDirectory(
        tables,
        slot,
        at,
        gmmuTableLo(version, tables.address(to), "vram"),
        gmmuTableHi(version, tables.address(to)),
      );
    for (let level = version === 2 ? 4 : 5; level > 1; level--) {
      const next = take();
      point(0, next);
      slot = next;
    }
    const [lpt, spt] = [take(), take()];
    point(0, lpt);
    point(1, spt);
    const space = new AddressSpace(memory, format, tables.address(root));
    const put = (table: number, index: number, pa: number): void =>
      writeRepeated(
        tables,
        table,
        index,
        1,
        gmmuLeafLo(version, 0, "vram") | gmmuAddressLo(version, pa),
        gmmuLeafHi(version, 0) | gmmuAddressHi(version, pa),
      );
    return { format, memory, tables, lpt, spt, pd0: slot, space, put };
  }

  test("zero in the large table sends the walk to the small one, and nothing else does", () => {
    const { tables, lpt, spt, space, put } = block();
    put(spt, 17, 0x20_0000_0000);
    expect(space.walk(0x1_1234)).toMatchObject({ kind: "page", pa: 0x20_0000_0234, sizeBytes: 4096 });
    writeRepeated(tables, lpt, 1, 1, gmmuNoSmall(version), 0);
    expect(space.walk(0x1_1234)).toMatchObject({ kind: "fault", faultLevel: 0 });
    writeRepeated(tables, lpt, 1, 1, GMMU_SPARSE, 0);
    expect(space.walk(0x1_1234)).toMatchObject({ kind: "null", sizeBytes: 0x1_0000 });
    put(lpt, 1, 0x20_0100_0000);
    expect(space.walk(0x1_1234)).toMatchObject({ kind: "page", pa: 0x20_0100_1234, sizeBytes: 0x1_0000 });
    expect(space.walk(0x3000)).toMatchObject({ kind: "fault" });
  });

  test("leaves of both tables are listed in one order, without what is hidden", () => {
    const { memory, format, tables, lpt, spt, space, put } = block();
    put(spt, 3, 0x20_0000_0000);
    put(spt, 40, 0x20_0000_1000);
    writeRepeated(tables, lpt, 1, 1, GMMU_SPARSE, 0);
    put(spt, 20, 0x20_0000_2000); // behind the sparse entry
    const list = () =>
      [...leaves(memory, format, space.root)].map(({ va, sizeBytes, kind }) => [va, sizeBytes, kind]);
    expect(list()).toEqual([
      [0x3000, 0x1000, "page"],
      [0x1_0000, 0x1_0000, "null"],
      [0x2_8000, 0x1000, "page"],
    ]);
  });

  test("a check of the tables sees both, and a page that is hidden", () => {
    const { memory, format, tables, lpt, spt, space, put } = block();
    put(spt, 3, 0x20_0000_0000);
    writeRepeated(tables, lpt, 1, 1, GMMU_SPARSE, 0);
    const page: ExpectedRange = {
      start: 0x3000,
      end: 0x4000,
      leaf(_va, _geometry, out) {
        out.lo = gmmuLeafLo(version, 0, "vram") | gmmuAddressLo(version, 0x20_0000_0000);
        out.hi = gmmuLeafHi(version, 0) | gmmuAddressHi(version, 0x20_0000_0000);
        return true;
      },
    };
    const sparse: ExpectedRange = {
      start: 0x1_0000,
      end: 0x2_0000,
      leaf(_va, _geometry, out) {
        out.lo = GMMU_SPARSE;
        out.hi = 0;
        return true;
      },
    };
    const check = (...ranges: ExpectedRange[]) => {
      const seen = new Set<number>();
      checkTables(memory, format, { root: space.root, ranges }, seen);
      return seen.size;
    };
    expect(check(page, sparse)).toBe(version === 2 ? 6 : 7);
    expect(() => check(page)).toThrow("leaf-unexplained");
    put(spt, 20, 0x20_0000_2000);
    expect(() => check(page, sparse)).toThrow("leaf-hidden");
  });

  test("one sparse entry may stand for 256 GiB, and a load across its end is served by what comes next", () => {
    const { tables, pd0, space, format } = block();
    const root = tables.slotAt(space.root);
    const top = format.levels[0];
    writeRepeated(tables, root, 1, 1, GMMU_SPARSE, 0);
    const second = top?.entryBytes ?? 0;
    expect(space.walk(second + 0x1234_5678)).toMatchObject({ kind: "null", sizeBytes: second });
    expect(space.load(second * 2 - 16, 16)).toEqual(new Uint8Array(16));
    expect(() => space.load(second * 2 - 16, 32)).toThrow("not-present");
    // A sparse entry of 2 MiB beside the tables.
    writeRepeated(tables, pd0, 2, 1, GMMU_SPARSE, 0);
    expect(space.walk(0x20_0000)).toMatchObject({ kind: "null", sizeBytes: 0x20_0000 });
  });
});
