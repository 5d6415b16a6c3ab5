/** What-ifs: a part of the driver or of the GPU is another class, and the rest goes on as before. */
import type { MapStep } from "@vmbind/gpuvm-core";
import { IOMMU_READ, IOMMU_WRITE, lpae4k, lpaeLeafLo, type ScatterList, withLevels } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import {
  BLOCK_2M,
  checkDeviceInvariants,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  PAGE_BYTES,
  PageTable,
  PanthorDevice,
  type PanthorParts,
  VmSteps,
} from "../src/index.ts";
import { createBo, type Fixture, mustBind, openWithVm } from "./support.ts";

const VA = 0x4000_0000;
const SIZE = 3 * BLOCK_2M;
const CUT = VA + BLOCK_2M + 0x10000;

/** A sparse range of three blocks, a page of memory in its second one. */
function cutSparse(parts: Partial<PanthorParts>): Fixture {
  const device = new PanthorDevice({}, parts);
  const f = { device, ...openWithVm(device) };
  mustBind(f, [{ flags: MAP_SPARSE | MAP_NOEXEC, va: VA, size: SIZE }]);
  mustBind(f, [{ boHandle: createBo(f.file, PAGE_BYTES), va: CUT, size: PAGE_BYTES }]);
  return f;
}

describe("a page table of one's own", () => {
  class ReadOnlySparse extends PageTable {
    protected override mapSparse(flags: number, va: number, size: number, dummy: ScatterList): number {
      return super.mapSparse(flags | MAP_READONLY, va, size, dummy);
    }
  }

  it("maps sparse ranges, and what a cut leaves of them, and nothing else", () => {
    const { device, file, vm } = cutSparse({ PageTable: ReadOnlySparse });
    const { addressSpace: space } = vm;
    for (const va of [VA, CUT - PAGE_BYTES, CUT + PAGE_BYTES, VA + 2 * BLOCK_2M]) {
      expect(space.load32(va)).toBe(0);
      expect(() => space.store32(va, 1)).toThrow(/write-permission/);
    }
    space.store32(CUT, 7);
    expect(space.load32(CUT)).toBe(7);
    file.close();
    checkDeviceInvariants(device, []);
  });

  it("is that of the driver unless told", () => {
    const { vm } = cutSparse({});
    vm.addressSpace.store32(VA, 5);
    // The dummy is one object for all of the range.
    expect(vm.addressSpace.load32(VA + 2 * BLOCK_2M)).toBe(5);
  });
});

it("step handlers of one's own see each step", () => {
  const maps: [number, number][] = [];
  class Watched extends VmSteps {
    override map(step: MapStep): number {
      maps.push([step.addr, step.range]);
      return super.map(step);
    }
  }
  cutSparse({ VmSteps: Watched });
  expect(maps).toEqual([
    [VA, SIZE],
    [CUT, PAGE_BYTES],
  ]);
});

describe("a GPU with an entry that the real one has not", () => {
  /** A leaf whose access flag is clear: nothing is behind it, loads give 0, stores are dropped. */
  const ACCESS_FLAG = 1 << 10;
  const withNull = (vaBits: number) =>
    withLevels(lpae4k(vaBits), ({ level, mayBeLeaf, rights }) =>
      mayBeLeaf
        ? {
            nullMask: 3 | ACCESS_FLAG,
            nullBits: level === 3 ? 3 : 1,
            rights: (lo, hi) => rights(lo | ACCESS_FLAG, hi),
          }
        : {},
    );

  class NullEntries extends PageTable {
    protected override mapSparse(_flags: number, va: number, size: number): number {
      const prot = IOMMU_READ | IOMMU_WRITE;
      for (let at = va; at < va + size; ) {
        const left = va + size - at;
        const block = at % BLOCK_2M === 0 && left >= BLOCK_2M;
        const bytes = block ? BLOCK_2M : Math.min(left, BLOCK_2M - (at % BLOCK_2M));
        const lo = lpaeLeafLo(block ? 2 : 3, prot) & ~ACCESS_FLAG;
        const done = block
          ? this.io.mapSameBlock(at, 0, 1, lo, 0)
          : this.io.mapSamePage(at, 0, bytes / PAGE_BYTES, lo, 0);
        if (done < 0) return done;
        at += bytes;
      }
      return 0;
    }
  }

  it("reads 0 and drops what is stored, before and after a cut", () => {
    const { device, file, vm } = cutSparse({ PageTable: NullEntries, format: withNull });
    const { addressSpace: space } = vm;
    for (const va of [VA, CUT - PAGE_BYTES, CUT + PAGE_BYTES, VA + SIZE - 4]) {
      space.store32(va, 9);
      expect(space.load32(va)).toBe(0);
    }
    space.store32(CUT, 7);
    expect(space.load32(CUT)).toBe(7);
    expect(() => space.load32(VA + SIZE)).toThrow(/not-present/);
    file.close();
    checkDeviceInvariants(device, []);
  });
});
