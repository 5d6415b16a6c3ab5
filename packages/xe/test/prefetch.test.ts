/** PREFETCH: objects move to the region that it names, and leaves follow wherever they are shown. */
import { type AllocFault, EBUSY, EINVAL, ENOBUFS, ENOMEM } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { bindBehind, gate } from "./gates.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  MIB,
  map,
  mustBind,
  nul,
  type Op,
  prefetch,
  unmap,
} from "./support.ts";

const PAT = 2;
const BOTH = xe.PLACEMENT_SYSTEM | xe.PLACEMENT_VRAM;
const [SYSTEM, VRAM] = [0, 1];
const VRAM_BASE = 2 ** 45;

const to = (region: number, addr: number, range: number): Op => ({
  ...prefetch(addr, range),
  prefetchMemRegionInstance: region,
});

function object(
  f: Fixture,
  placement: number,
  size = 2 * MIB,
  options: Partial<xe.XeBoOptions> = {},
): number {
  const cpuCaching = placement & xe.PLACEMENT_VRAM ? xe.GEM_CPU_CACHING_WC : xe.GEM_CPU_CACHING_WB;
  return f.file.createBo(size, { placement, cpuCaching, ...options });
}

const inVram = (vm: xe.XeVm, va: number): boolean => vm.addressSpace.walk(va).pa >= VRAM_BASE;

function check(f: Fixture): void {
  xe.checkDeviceInvariants(f.device, [f.file]);
}

describe("PREFETCH", () => {
  it("brings objects to the region, with their contents, and back", () => {
    const f = fixture("bmg");
    const bo = object(f, BOTH);
    mustBind(f.file, map(GIB, 2 * MIB, bo, 0, PAT));
    const { addressSpace, pageTable } = f.vm;
    addressSpace.store32(GIB + MIB + 8, 0xabcd);
    const leaf = (): number => pageTable.tables.memory.counters.pteWrites;
    const before = [f.device.counters.backingBytes, f.device.memory.residentBytes];
    for (const region of [SYSTEM, VRAM, SYSTEM]) {
      const writes = leaf();
      mustBind(f.file, to(region, GIB, 2 * MIB));
      expect(inVram(f.vm, GIB)).toBe(region === VRAM);
      expect(f.file.bo(bo)?.vram).toBe(region === VRAM);
      expect(addressSpace.load32(GIB + MIB + 8)).toBe(0xabcd);
      expect(leaf() - writes).toBe(1);
      check(f);
    }
    expect([f.device.counters.backingBytes, f.device.memory.residentBytes]).toEqual(before);
    const [segment] = f.file.bo(bo)?.segments(0, 4096) ?? [];
    expect(segment?.pa).toBe(addressSpace.walk(GIB).pa);
    f.file.close();
    expect(f.device.counters.backingBytes).toBe(0);
  });

  it.each([
    ["a system-only object to VRAM", xe.PLACEMENT_SYSTEM, VRAM],
    ["a VRAM-only object to system memory", xe.PLACEMENT_VRAM, SYSTEM],
  ])("refuses %s with EINVAL, and undoes the ioctl", (_what, placement, region) => {
    const f = fixture("bmg");
    mustBind(f.file, nul(2 * GIB, 2 * MIB), map(GIB, 2 * MIB, object(f, placement), 0, PAT));
    const before = [...f.vm.mappings()];
    const { ptOps, tablesAllocated } = f.device.counters;
    expect(bind(f.file, [unmap(2 * GIB, MIB), to(region, GIB, 4096), nul(3 * GIB, MIB)])).toBe(-EINVAL);
    expect(f.file.lastError?.reason).toBe(
      `vector_of_binds[1].prefetch_mem_region_instance: the object at 0x40000000 may not live in region ${region}`,
    );
    expect([...f.vm.mappings()]).toEqual(before);
    expect([f.device.counters.ptOps, f.device.counters.tablesAllocated]).toEqual([ptOps, tablesAllocated]);
    // Where it is already, it may be.
    mustBind(f.file, to(1 - region, GIB, 4096));
    check(f);
  });

  it("refuses what madvise gave up with EBUSY, wherever it is", () => {
    const f = fixture("bmg");
    const bo = object(f, BOTH);
    mustBind(f.file, map(GIB, 2 * MIB, bo, 0, PAT));
    (f.file.bo(bo) as xe.XeBo).dontNeed = true;
    for (const region of [SYSTEM, VRAM]) expect(bind(f.file, [to(region, GIB, MIB)])).toBe(-EBUSY);
    (f.file.bo(bo) as xe.XeBo).dontNeed = false;
    mustBind(f.file, to(SYSTEM, GIB, MIB));
    check(f);
  });

  it("leaves null mappings, and asks nothing of them", () => {
    const f = fixture("bmg");
    mustBind(f.file, nul(GIB, GIB));
    mustBind(f.file, to(VRAM, 0, 4 * GIB), to(SYSTEM, 0, 4 * GIB));
    expect(f.vm.addressSpace.walk(GIB).kind).toBe("null");
  });

  it("that leaves the place to madvise binds objects where they are", () => {
    const f = fixture("bmg");
    mustBind(f.file, map(GIB, 2 * MIB, object(f, BOTH), 0, PAT), map(2 * GIB, 2 * MIB, object(f, 1), 0, PAT));
    mustBind(f.file, to(0xffff_ffff, 0, 4 * GIB));
    expect([GIB, 2 * GIB].map((va) => inVram(f.vm, va))).toEqual([true, false]);
  });

  it("gives a deferred object its first memory in the region", () => {
    const f = fixture("bmg", {}, xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE);
    const bo = object(f, BOTH);
    mustBind(f.file, map(GIB, 2 * MIB, bo, 0, PAT));
    expect(f.file.bo(bo)?.pages).toBeNull();
    mustBind(f.file, to(SYSTEM, GIB, 2 * MIB));
    expect([inVram(f.vm, GIB), f.device.counters.backingBytes]).toEqual([false, 2 * MIB]);
    check(f);
  });

  it("makes other mappings of the object follow, in the VM and in others, as the TLB does", () => {
    const f = fixture("bmg");
    const other = (flags: number): xe.XeVm => {
      const arg = xe.VM_CREATE.encode({ flags });
      expect(f.file.ioctl(xe.IOCTL_VM_CREATE, arg)).toBe(0);
      return f.file.vm(xe.VM_CREATE.read(new DataView(arg.buffer)).vmId) as xe.XeVm;
    };
    const plain = other(0);
    const longRunning = other(xe.VM_CREATE_FLAG_LR_MODE);
    const faulting = other(xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE);
    const bo = object(f, BOTH, 4 * MIB);
    mustBind(f.file, map(GIB, 4 * MIB, bo, 0, PAT), map(2 * GIB, MIB, bo, MIB, PAT));
    const immediate = map(GIB, 4 * MIB, bo, 0, PAT, xe.VM_BIND_FLAG_IMMEDIATE);
    for (const vmId of [2, 3, 4]) expect(bind(f.file, [immediate], { vmId })).toBe(0);
    f.vm.addressSpace.store32(GIB + MIB, 77);
    const show = [
      [f.vm, GIB + MIB],
      [f.vm, 2 * GIB],
      [plain, GIB + MIB],
      [longRunning, GIB + MIB],
    ] as const;
    // Through the TLB, which knows the old place.
    for (const [vm, va] of [...show, [faulting, GIB + MIB] as const])
      expect(vm.addressSpace.load32(va)).toBe(77);
    mustBind(f.file, to(SYSTEM, GIB, 4096));
    for (const [vm, va] of show) {
      expect(inVram(vm, va)).toBe(false);
      expect(vm.addressSpace.load32(va)).toBe(77);
    }
    // A fault-mode VM loses its leaves, and gets them with the next fault.
    expect(() => faulting.addressSpace.load32(GIB + MIB)).toThrow();
    faulting.fault(GIB + MIB);
    expect(faulting.addressSpace.load32(GIB + MIB)).toBe(77);
    f.vm.addressSpace.store32(2 * GIB, 78);
    expect(faulting.addressSpace.load32(GIB + MIB)).toBe(78);
    check(f);
  });

  it("in a fault-mode VM invalidates what it bound elsewhere", () => {
    const f = fixture("bmg", {}, xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE);
    const bo = object(f, BOTH);
    mustBind(f.file, map(GIB, 2 * MIB, bo, 0, PAT, xe.VM_BIND_FLAG_IMMEDIATE));
    f.vm.addressSpace.store32(GIB, 5);
    const { tlbInvalidations } = f.device.counters;
    mustBind(f.file, to(VRAM, GIB, MIB));
    expect(f.device.counters.tlbInvalidations).toBe(tlbInvalidations);
    mustBind(f.file, to(SYSTEM, GIB, MIB));
    expect(f.device.counters.tlbInvalidations).toBeGreaterThan(tlbInvalidations);
    expect([f.vm.addressSpace.load32(GIB), inVram(f.vm, GIB)]).toEqual([5, false]);
    check(f);
  });

  // Found by fuzzing: the TLB went on with the leaves of before, which no request invalidates.
  it.each([0, 2, 6])("shows null leaves of the PAT index that MADVISE gave them, VM flags %i", (flags) => {
    const f = fixture("bmg", {}, flags);
    mustBind(f.file, nul(GIB, MIB, xe.VM_BIND_FLAG_IMMEDIATE));
    f.vm.addressSpace.load32(GIB);
    const advice = xe.MADVISE.encode({
      vmId: 1,
      start: GIB,
      range: MIB,
      type: xe.MEM_RANGE_ATTR_PAT,
      val: 1,
    });
    expect(f.file.ioctl(xe.IOCTL_MADVISE, advice)).toBe(0);
    const { tlbInvalidations } = f.device.counters;
    mustBind(f.file, prefetch(GIB, MIB));
    check(f);
    expect([f.vm.addressSpace.load32(GIB), f.device.counters.tlbInvalidations]).toEqual([
      0,
      tlbInvalidations,
    ]);
  });

  it("moves back when the ioctl fails later, whichever allocation does", () => {
    for (let failing = 0; ; failing++) {
      let left = Number.POSITIVE_INFINITY;
      const allocFault: AllocFault = () => left-- <= 0;
      const f = fixture("bmg", { allocFault });
      const bo = object(f, BOTH);
      mustBind(f.file, map(GIB, 2 * MIB, bo, 0, PAT));
      f.vm.addressSpace.store32(GIB + 4, 9);
      const { pa } = f.vm.addressSpace.walk(GIB);
      const { backingBytes } = f.device.counters;
      left = failing;
      const ret = bind(f.file, [to(SYSTEM, GIB, MIB), nul(2 ** 40, 4096)]);
      left = Number.POSITIVE_INFINITY;
      check(f);
      expect(f.vm.addressSpace.load32(GIB + 4)).toBe(9);
      expect(f.device.counters.backingBytes).toBe(backingBytes);
      if (ret === 0) {
        expect([failing > 2, inVram(f.vm, GIB)]).toEqual([true, false]);
        break;
      }
      expect([-ENOMEM, -ENOBUFS]).toContain(ret);
      expect(f.vm.addressSpace.walk(GIB).pa).toBe(pa);
    }
  });

  it("that moved an object twice before the ioctl failed leaves no leaf where it was in between, while binds wait", () => {
    const f = fixture("bmg");
    const [twice, fixed] = [object(f, BOTH), object(f, xe.PLACEMENT_VRAM)];
    const [waits, fence] = gate(f);
    const ops = [map(GIB, 2 * MIB, twice, 0, PAT), map(2 * GIB, 2 * MIB, fixed, 0, PAT)];
    expect(bindBehind(f, ops, { waits: [waits] }).ret).toBe(0);
    const there = [to(SYSTEM, GIB, MIB), to(VRAM, GIB, MIB), to(SYSTEM, 2 * GIB, MIB)];
    expect(bind(f.file, there)).toBe(-EINVAL);
    check(f);
    fence.signal();
    check(f);
    expect(inVram(f.vm, GIB)).toBe(true);
  });

  it("moves an object whose mapping the same ioctl cuts, while binds wait, and every piece follows", () => {
    const f = fixture("bmg");
    // Around a whole table, and not aligned to it: leaves of 4 KiB.
    const size = 2 * MIB + 128 * 1024;
    const bo = object(f, BOTH, size);
    const [waits, fence] = gate(f);
    const cut = GIB - 5 * 4096;
    const made = [map(3 * GIB, size, bo, 0, PAT), map(cut, size, bo, 0, PAT)];
    expect(bindBehind(f, made, { waits: [waits] }).ret).toBe(0);
    // Refused at the end, it leaves the mapping whole.
    const refused = object(f, xe.PLACEMENT_VRAM);
    mustBind(f.file, map(5 * GIB, 2 * MIB, refused, 0, PAT));
    const ops = [map(GIB + 42 * 4096, 80 * 1024, bo, 0, PAT), to(SYSTEM, 3 * GIB, MIB)];
    expect(bind(f.file, [...ops, to(SYSTEM, 5 * GIB, MIB)])).toBe(-EINVAL);
    check(f);
    // Pieces are left on both sides, in a table that the mapping filled.
    mustBind(f.file, map(GIB + 42 * 4096, 80 * 1024, bo, 0, PAT), to(SYSTEM, 3 * GIB, MIB));
    check(f);
    fence.signal();
    check(f);
    for (const va of [cut, GIB, GIB + MIB, 3 * GIB]) {
      expect(f.vm.addressSpace.walk(va).kind).toBe("page");
      expect(inVram(f.vm, va)).toBe(false);
    }
  });

  it("goes by the last of two regions, and by the first refusal", () => {
    const f = fixture("bmg");
    const bo = object(f, BOTH);
    const fixed = object(f, xe.PLACEMENT_VRAM);
    mustBind(f.file, map(GIB, 2 * MIB, bo, 0, PAT), map(2 * GIB, 2 * MIB, fixed, 0, PAT));
    mustBind(f.file, to(SYSTEM, GIB, MIB), to(VRAM, GIB, MIB));
    expect(inVram(f.vm, GIB)).toBe(true);
    check(f);
    (f.file.bo(bo) as xe.XeBo).dontNeed = true;
    expect(bind(f.file, [to(SYSTEM, 2 * GIB, MIB), to(SYSTEM, GIB, MIB)])).toBe(-EINVAL);
    expect(bind(f.file, [to(SYSTEM, GIB, MIB), to(SYSTEM, 2 * GIB, MIB)])).toBe(-EBUSY);
    (f.file.bo(bo) as xe.XeBo).dontNeed = false;
    expect(bind(f.file, [to(SYSTEM, GIB, MIB), to(SYSTEM, 2 * GIB, MIB)])).toBe(-EINVAL);
    expect(inVram(f.vm, GIB)).toBe(true);
    check(f);
  });

  it("into memory that is full is ENOMEM", () => {
    const f = fixture("bmg", { memory: { frames: { limit: 2 ** 32 + MIB } } });
    mustBind(f.file, map(GIB, 2 * MIB, object(f, BOTH), 0, PAT));
    expect(bind(f.file, [to(SYSTEM, GIB, MIB)])).toBe(-ENOMEM);
    expect(inVram(f.vm, GIB)).toBe(true);
    check(f);
  });
});

describe("the region of a PREFETCH over several mappings", () => {
  const make = (prefetchFirstOnly: boolean, first: number, second: number): Fixture => {
    const f = fixture("bmg", { quirks: { ...xe.NO_QUIRKS, prefetchFirstOnly } });
    mustBind(
      f.file,
      map(GIB, 2 * MIB, object(f, first), 0, PAT),
      map(GIB + 2 * MIB, 2 * MIB, object(f, second), 0, PAT),
    );
    return f;
  };
  const run = (f: Fixture, region: number): [number, ...boolean[]] => [
    bind(f.file, [to(region, GIB, 4 * MIB)]),
    ...[GIB, GIB + 2 * MIB].map((va) => inVram(f.vm, va)),
  ];

  it("is that of all of them", () => {
    expect(run(make(false, BOTH, BOTH), SYSTEM)).toEqual([0, false, false]);
    expect(run(make(false, xe.PLACEMENT_VRAM, xe.PLACEMENT_VRAM), VRAM)).toEqual([0, true, true]);
    expect(run(make(false, xe.PLACEMENT_VRAM, xe.PLACEMENT_SYSTEM), VRAM)).toEqual([-EINVAL, true, false]);
  });

  it("prefetchFirstOnly: is that of the first, and system memory behind it", () => {
    expect(run(make(true, BOTH, BOTH), VRAM)).toEqual([0, true, false]);
    expect(run(make(true, xe.PLACEMENT_VRAM, xe.PLACEMENT_VRAM), VRAM)).toEqual([-EINVAL, true, true]);
    expect(run(make(true, xe.PLACEMENT_VRAM, xe.PLACEMENT_SYSTEM), VRAM)).toEqual([0, true, false]);
    // Each operation has a first mapping of its own.
    const f = make(true, xe.PLACEMENT_VRAM, xe.PLACEMENT_VRAM);
    mustBind(f.file, to(VRAM, GIB, 2 * MIB), to(VRAM, GIB + 2 * MIB, 2 * MIB));
  });
});

it("an object that another device uses stays where it is", () => {
  const a = fixture("bmg");
  const bo = object(a, BOTH);
  mustBind(a.file, map(GIB, 2 * MIB, bo, 0, PAT), to(SYSTEM, GIB, MIB));
  const b = fixture("lnl", {
    memory: { backing: a.device.memory.backing, frames: { base: 2 ** 37, limit: 2 ** 38 } },
  });
  const imported = b.file.importBo(a.file.exportBo(bo));
  expect(bind(a.file, [to(VRAM, GIB, MIB)])).toBe(-EBUSY);
  mustBind(a.file, to(SYSTEM, GIB, MIB));
  mustBind(b.file, map(GIB, 2 * MIB, imported, 0, PAT), to(SYSTEM, GIB, MIB));
  a.vm.addressSpace.store32(GIB, 4);
  expect(b.vm.addressSpace.load32(GIB)).toBe(4);
  b.file.close();
});
