/** Objects that go from one device to another. Between files of one it is a law: see `packages/driver-laws`. */
import { EOPNOTSUPP } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { type Fixture, fixture, map, mustBind, vramBo } from "./support.ts";

const VA = 0x4000_0000;
const MIB = 0x10_0000;
const SHARED: xe.XeBoOptions = { placement: xe.PLACEMENT_SYSTEM, cpuCaching: xe.GEM_CPU_CACHING_WB };

function mmapOffset(file: xe.XeFile, handle: number): number {
  const arg = xe.GEM_MMAP_OFFSET.encode({ handle });
  if (file.ioctl(xe.IOCTL_GEM_MMAP_OFFSET, arg) !== 0) throw file.lastError;
  return xe.GEM_MMAP_OFFSET.read(new DataView(arg.buffer)).offset;
}

describe("an object of another device", () => {
  const machine = (): [Fixture, Fixture] => {
    const backing = new DataPages();
    const one = fixture("bmg", { memory: { backing, frames: { base: 2 ** 32, limit: 2 ** 33 } } });
    return [one, fixture("lnl", { memory: { backing, frames: { base: 2 ** 33, limit: 2 ** 34 } } })];
  };

  it("shows the same memory without a caching mode, and keeps it alive", () => {
    const [a, b] = machine();
    const dmaBuf = a.file.exportBo(a.file.createBo(MIB, { ...SHARED, fragmentation: "scattered" }));
    const handle = b.file.importBo(dmaBuf);
    expect(b.file.importBo(dmaBuf)).toBe(handle);
    dmaBuf.put();
    const bo = b.file.bo(handle);
    expect([bo?.imported, bo?.size, bo?.vram]).toEqual([true, MIB, false]);
    mustBind(a.file, map(VA, MIB, 1, 0, 1));
    mustBind(b.file, map(VA, MIB, handle, 0, 1));
    a.vm.addressSpace.store32(VA + 0x8004, 77);
    expect(b.vm.addressSpace.load32(VA + 0x8004)).toBe(77);
    for (const f of [a, b]) xe.checkDeviceInvariants(f.device, [f.file]);
    a.file.close();
    b.vm.addressSpace.store32(VA, 78);
    xe.checkDeviceInvariants(a.device, []);
    expect([a.device.gems.size, b.device.counters.backingBytes]).toEqual([1, 0]);
    b.file.close();
    expect([a.device.gems.size, a.device.counters.backingBytes, b.device.gems.size]).toEqual([0, 0, 0]);
  });

  it("is refused in VRAM, and in memory of another machine", () => {
    const [a, b] = machine();
    const vram = a.file.createBo(MIB, { placement: xe.PLACEMENT_VRAM, cpuCaching: xe.GEM_CPU_CACHING_WC });
    const dmaBuf = a.file.exportBo(vram);
    expect(() => b.file.importBo(dmaBuf)).toThrow(expect.objectContaining({ errno: EOPNOTSUPP }));
    const elsewhere = fixture("bmg").file;
    expect(() => elsewhere.importBo(a.file.exportBo(a.file.createBo(MIB, SHARED)))).toThrow("does not reach");
    expect([dmaBuf.attachments, b.device.gems.size]).toEqual([0, 1]);
  });
});

describe("offsets for mmap", () => {
  it("do not overlap for objects above 4 GiB, and say what they stand for", () => {
    const f = fixture("bmg");
    const deferred = (size: number): number => {
      const arg = xe.GEM_CREATE.encode({
        size,
        placement: xe.PLACEMENT_SYSTEM,
        flags: xe.GEM_CREATE_FLAG_DEFER_BACKING,
        cpuCaching: xe.GEM_CPU_CACHING_WB,
      });
      if (f.file.ioctl(xe.IOCTL_GEM_CREATE, arg) !== 0) throw f.file.lastError;
      return xe.GEM_CREATE.read(new DataView(arg.buffer)).handle;
    };
    const sizes = [6 * 2 ** 30, 4096, 2 ** 33];
    const handles = sizes.map(deferred);
    const offsets = handles.map((handle) => mmapOffset(f.file, handle));
    expect(offsets).toEqual([2 ** 32, 2 ** 32 + 6 * 2 ** 30, 2 ** 32 + 6 * 2 ** 30 + 4096]);
    expect(offsets.map((offset, i) => f.file.objectAt(offset + (sizes[i] as number) - 1))).toEqual(
      handles.map((handle, i) => ({ object: f.file.bo(handle), offset: (sizes[i] as number) - 1 })),
    );
    expect(f.device.open().objectAt(2 ** 32)).toBeUndefined();
    expect(mmapOffset(f.file, 1)).toBe(2 ** 32);
    expect(() => mmapOffset(f.file, deferred(2 ** 40))).toThrow("ENOSPC");
  });

  it("lead to the pages of an object in VRAM", () => {
    const f = fixture("bmg");
    const bo = f.file.bo(vramBo(f, 2 * MIB));
    expect(bo?.residentBytes).toBe(0);
    const [first] = bo?.segments(MIB, 4096) ?? [];
    expect([bo?.residentBytes, first?.pa]).toEqual([2 * MIB, bo?.pages?.addressAt(MIB)]);
  });
});
