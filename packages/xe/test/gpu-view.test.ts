import { EINVAL } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import { dumpTables } from "../src/conformance/table-dump.ts";
import { checkDeviceInvariants, LINUX_QUIRKS } from "../src/index.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  KIB,
  MIB,
  map,
  mustBind,
  nul,
  prefetch,
  systemBo,
  unmap,
  vramBo,
} from "./support.ts";

const PAGE = 4 * KIB;
const TILE = 64 * KIB;

/** Zero is read, a store is dropped, nothing faults. */
function expectStrictNull({ vm }: Fixture, va: number): void {
  const { addressSpace } = vm;
  expect(addressSpace.load64(va)).toBe(0n);
  addressSpace.store(va, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  expect(addressSpace.load64(va)).toBe(0n);
  expect(addressSpace.faults).toEqual([]);
}

describe("a null range as the GPU sees it", () => {
  it.each([
    ["4 KiB", 0x7fff_f000, 4 * KIB, 0],
    ["2 MiB", 0x4000_0000 + 2 * MIB, 2 * MIB, 1],
    ["1 GiB", 5 * GIB, GIB, 2],
  ])("reads zero and drops stores: a %s leaf", (_name, va, range, level) => {
    const f = fixture("bmg");
    mustBind(f.file, nul(va, range));
    const walk = f.vm.addressSpace.walk(va);
    expect([walk.kind, walk.level, walk.sizeBytes]).toEqual(["null", level, range]);
    for (const at of [va, va + range / 2, va + range - 8]) expectStrictNull(f, at);
    expect(() => f.vm.addressSpace.load(va + range, 1)).toThrow(/not-present|no translation|fault/i);
  });

  it.each(["bmg", "lnl", "dg2", "mtl", "tgl"])(
    "%s: keeps its zeros around a tile that comes and goes",
    (platform) => {
      const f = fixture(platform, { forcedScratch: false });
      const { addressSpace } = f.vm;
      const bo = systemBo(f, MIB);
      const tile = 4 * GIB + 123 * TILE;
      mustBind(f.file, nul(4 * GIB, 2 * GIB));
      expect(f.vm.addressSpace.walk(tile).sizeBytes).toBe(GIB);

      mustBind(
        f.file,
        map(tile, TILE, bo, TILE, platform === "mtl" ? 3 : platform === "bmg" || platform === "lnl" ? 1 : 0),
      );
      addressSpace.store(tile, Uint8Array.of(42));
      expect(addressSpace.load(tile, 1)).toEqual(Uint8Array.of(42));
      for (const at of [tile - 8, tile + TILE, 4 * GIB, 6 * GIB - 8, 5 * GIB]) expectStrictNull(f, at);
      expect(addressSpace.walk(5 * GIB).sizeBytes).toBe(GIB);
      expect(addressSpace.walk(4 * GIB).sizeBytes).toBe(2 * MIB);

      mustBind(f.file, nul(tile, TILE));
      expectStrictNull(f, tile);
      const backing = new Uint8Array(1);
      f.device.memory.read(f.file.bo(bo)?.pages?.addressAt(TILE) as number, backing);
      expect(backing).toEqual(Uint8Array.of(42));

      mustBind(f.file, unmap(4 * GIB, 2 * GIB));
      expect(addressSpace.walk(tile).kind).toBe("fault");
      expect(f.device.memory.tables.live).toBe(1);
    },
  );

  it("keeps a read-only null range readable", () => {
    const f = fixture("bmg");
    mustBind(f.file, nul(GIB, GIB, 1));
    expect(f.vm.addressSpace.load32(GIB)).toBe(0);
    expect(f.vm.addressSpace.walk(GIB).writable).toBe(false);
  });
});

describe("a fault-mode VM", () => {
  it("binds at the fault", () => {
    const f = fixture("bmg", {}, 6);
    mustBind(f.file, nul(GIB, 2 * MIB));
    expect(f.vm.addressSpace.walk(GIB).kind).toBe("fault");
    f.vm.fault(GIB + 5);
    expect(f.vm.addressSpace.walk(GIB + MIB).kind).toBe("null");
    expect(() => f.vm.fault(0)).toThrow(/nothing is mapped at 0x0/);
  });

  it("a fault in a mapping whose leaves are there binds nothing, unless the access was atomic", () => {
    const f = fixture("lnl", {}, 6);
    mustBind(f.file, { ...map(GIB, 2 * MIB, systemBo(f, 2 * MIB), 0, 2), flags: 2 }, nul(2 * GIB, 2 * MIB));
    const work = (fault: () => void): number[] => {
      const { ptOps, ptQwords, pteWrites } = f.device.counters;
      fault();
      const after = f.device.counters;
      return [after.ptOps - ptOps, after.ptQwords - ptQwords, after.pteWrites - pteWrites];
    };
    expect(work(() => f.vm.fault(GIB + 0x1000))).toEqual([0, 0, 0]);
    expect(work(() => f.vm.fault(2 * GIB))).toEqual([1, 1, 1]);
    expect(work(() => f.vm.fault(2 * GIB))).toEqual([0, 0, 0]);
    expect(work(() => f.vm.fault(2 * GIB, { atomic: true }))).toEqual([1, 1, 1]);
    checkDeviceInvariants(f.device, [f.file]);
  });

  it("with scratch: faults where a mapping waits, and the remnant of a split goes back to scratch", () => {
    const f = fixture("bmg", {}, 7);
    mustBind(f.file, nul(4 * GIB, 3 * GIB));
    expect(f.vm.addressSpace.walk(4 * GIB).kind).toBe("fault");
    expect(f.vm.addressSpace.walk(GIB).kind).toBe("null");
    mustBind(f.file, unmap(5 * GIB, GIB));
    expect([4, 5, 6].map((g) => f.vm.addressSpace.walk(g * GIB).kind)).toEqual(["fault", "null", "fault"]);
    mustBind(f.file, unmap(4 * GIB, GIB), unmap(6 * GIB, GIB));
    expect([4, 5, 6].map((g) => f.vm.addressSpace.walk(g * GIB).kind)).toEqual(["null", "null", "null"]);
  });

  it("with scratch and the real driver's defect: the hole of a removed remnant goes on faulting", () => {
    const f = fixture("bmg", { quirks: { faultScratch: true } }, 7);
    mustBind(f.file, nul(4 * GIB, 3 * GIB));
    mustBind(f.file, unmap(5 * GIB, GIB));
    mustBind(f.file, unmap(4 * GIB, GIB));
    expect(f.vm.addressSpace.walk(4 * GIB).kind).toBe("fault");
  });
});

describe("named defects", () => {
  const array = [nul(0x3ff0_0000, 2 * MIB)];

  it("lostRemnant: an array loses the far side of a cut at 1 GiB; switched off, it does not", () => {
    for (const lostRemnant of [true, false]) {
      const f = fixture("dg2", { forcedScratch: false, quirks: { lostRemnant } });
      const bo = systemBo(f, TILE);
      mustBind(f.file, ...array, map(0x4000_0000, TILE, bo));
      expect(f.vm.addressSpace.walk(0x3ff0_0000).kind).toBe(lostRemnant ? "fault" : "null");
    }
    const two = fixture("dg2", { forcedScratch: false });
    mustBind(two.file, ...array);
    mustBind(two.file, map(0x4000_0000, TILE, systemBo(two, TILE)));
    expect(two.vm.addressSpace.walk(0x3ff0_0000).kind).toBe("null");
  });

  it.each([
    ["dg2", 2 ** 40],
    ["pvc", 2 ** 48],
  ])(
    "no quirk of %s leaves root entries that an unbind covers, each cleared and counted once",
    (platform, entry) => {
      const f = fixture(platform, { forcedScratch: false, quirks: LINUX_QUIRKS });
      mustBind(f.file, nul(entry, 2 * entry));
      const { ptQwords } = f.device.counters;
      mustBind(f.file, unmap(entry, 2 * entry));
      expect(f.device.counters.ptQwords - ptQwords).toBe(
        (2 * entry) / (platform === "dg2" ? 2 ** 39 : 2 ** 48),
      );
      expect(f.vm.addressSpace.walk(entry).kind).toBe("fault");
      expect(f.vm.addressSpace.walk(3 * entry - 4096).kind).toBe("fault");
      expect(dumpTables(f.vm).tables).toHaveLength(1);
    },
  );

  it("64K-only VRAM: a cut off the 64 KiB grid undoes the whole ioctl and warns", () => {
    const f = fixture("dg2");
    const bo = vramBo(f, 4 * MIB);
    mustBind(f.file, map(GIB, 4 * MIB, bo));
    const before = [...f.vm.mappings()];
    expect(bind(f.file, [nul(8 * GIB, MIB), unmap(GIB + TILE + 4 * KIB, TILE)])).toBe(-EINVAL);
    expect(f.file.lastError?.reason).toMatch(/64 KiB blocks/);
    expect(f.device.counters.kernelWarnings).toBe(1);
    expect([...f.vm.mappings()]).toEqual(before);
    expect(f.vm.addressSpace.walk(GIB + 3 * MIB).kind).toBe("page");
  });
});

describe("an array that maps and prefetches one range", () => {
  it.each([true, false])("countedTwice %s: the emptied table stays, or goes", (countedTwice) => {
    const f = fixture("dg2", { forcedScratch: false, quirks: { countedTwice } });
    const addr = 8 * GIB;
    // The first page makes the tables; the second is staged twice into one that exists.
    expect(bind(f.file, [nul(addr, PAGE)])).toBe(0);
    expect(bind(f.file, [nul(addr + PAGE, PAGE), prefetch(addr + PAGE, PAGE)])).toBe(0);
    checkDeviceInvariants(f.device, [f.file]);
    expect(bind(f.file, [unmap(addr, 2 * PAGE)])).toBe(0);
    checkDeviceInvariants(f.device, [f.file]);
    expect(f.vm.addressSpace.walk(addr).kind).toBe("fault");
    expect(dumpTables(f.vm).tables.length).toBe(countedTwice ? 4 : 1);
  });
});
