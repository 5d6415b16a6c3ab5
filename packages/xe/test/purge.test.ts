/** Objects that nobody needs, and what is left when their contents go (`xe_vm_madvise.c`, `xe_bo.c`, Linux 7.3-rc7). */
import { EACCES, EBUSY, EFAULT, EINVAL, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  MIB,
  map,
  mustBind,
  prefetch,
  systemBo,
  unmap,
  vramBo,
} from "./support.ts";

const RETAINED = 0x4000;
const FAULT_MODE = xe.VM_CREATE_FLAG_FAULT_MODE | xe.VM_CREATE_FLAG_LR_MODE;
const { VMA_PURGEABLE_STATE_DONTNEED: DONTNEED, VMA_PURGEABLE_STATE_WILLNEED: WILLNEED } = xe;

/** Tell of a range whether it is needed; returns what `retained` became. */
function say(file: xe.XeFile, start: number, range: number, val: number, vmId = 1): number {
  const bytes = new Uint8Array(4);
  const user = new UserMemory();
  user.place(RETAINED, bytes);
  const type = xe.VMA_ATTR_PURGEABLE_STATE;
  const arg = xe.MADVISE.encode({ vmId, start, range, type, val, retainedPtr: RETAINED });
  if (file.ioctl(xe.IOCTL_MADVISE, arg, user) !== 0) throw file.lastError;
  return new DataView(bytes.buffer).getUint32(0, true);
}

function secondVm(file: xe.XeFile, flags = 0): xe.XeVm {
  expect(file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags }))).toBe(0);
  return file.vm(2) as xe.XeVm;
}

const check = ({ device, file }: Fixture): void => xe.checkDeviceInvariants(device, [file]);
const boOf = (f: Fixture, handle: number): xe.XeBo => f.file.bo(handle) as xe.XeBo;
const sharedBo = (f: Fixture, size: number): number =>
  f.file.createBo(size, { placement: xe.PLACEMENT_VRAM, cpuCaching: xe.GEM_CPU_CACHING_WC });

describe("an object that is not needed", () => {
  it("is one without a mapping that is", () => {
    const f = fixture("bmg");
    const handle = sharedBo(f, MIB);
    const bo = boOf(f, handle);
    secondVm(f.file);
    mustBind(f.file, map(GIB, MIB, handle));
    expect(bind(f.file, [map(0, MIB, handle)], { vmId: 2 })).toBe(0);
    expect(say(f.file, GIB, MIB, DONTNEED)).toBe(1);
    expect(bo.dontNeed).toBe(false);
    expect(say(f.file, 0, MIB, DONTNEED, 2)).toBe(1);
    expect(bo.dontNeed).toBe(true);
    check(f);
    expect(say(f.file, GIB, MIB, WILLNEED)).toBe(1);
    expect(bo.dontNeed).toBe(false);
    // The needed mapping goes: those that are left are not needed. The last one going changes nothing.
    mustBind(f.file, unmap(GIB, MIB));
    expect(bo.dontNeed).toBe(true);
    expect(bind(f.file, [unmap(0, MIB)], { vmId: 2 })).toBe(0);
    expect(bo.dontNeed).toBe(true);
    check(f);
  });

  it("cannot be mapped or exported, and its mappings stay as they are", () => {
    const f = fixture("bmg");
    const handle = sharedBo(f, 4 * MIB);
    mustBind(f.file, map(GIB, 4 * MIB, handle));
    const { pteClears, tlbInvalidations } = f.device.counters;
    say(f.file, GIB + MIB, MIB, DONTNEED);
    expect(f.device.counters).toMatchObject({ pteClears, tlbInvalidations });
    expect(bind(f.file, [map(0, MIB, handle)])).toBe(-EBUSY);
    expect(() => f.file.exportBo(handle)).toThrow(/madvise/);
    // Pieces inherit what was said of the whole.
    mustBind(f.file, unmap(GIB + MIB, MIB));
    expect([...f.vm.mappings()].map(({ purgeable }) => purgeable)).toEqual([DONTNEED, DONTNEED]);
    expect(boOf(f, handle).dontNeed).toBe(true);
    say(f.file, GIB, MIB, WILLNEED);
    expect(boOf(f, handle).dontNeed).toBe(false);
    mustBind(f.file, map(0, MIB, handle));
    check(f);
  });

  it("is none that others hold", () => {
    const f = fixture("bmg");
    const handle = f.file.createBo(MIB, {
      placement: xe.PLACEMENT_SYSTEM,
      cpuCaching: xe.GEM_CPU_CACHING_WB,
    });
    const dmaBuf = f.file.exportBo(handle);
    mustBind(f.file, map(GIB, MIB, handle, 0, 2));
    say(f.file, GIB, MIB, DONTNEED);
    expect([boOf(f, handle).dontNeed, f.device.purge(boOf(f, handle))]).toEqual([false, false]);
    dmaBuf.put();
    expect(boOf(f, handle).dontNeed).toBe(true);
    check(f);
  });

  it("survives a call that fails behind it", () => {
    const f = fixture("bmg");
    const handle = systemBo(f, MIB);
    mustBind(f.file, map(GIB, MIB, handle, 0, 2), map(2 * GIB, MIB, handle, 0, 2));
    say(f.file, GIB, MIB, DONTNEED);
    const given = vramBo(f, MIB);
    boOf(f, given).dontNeed = true;
    expect(bind(f.file, [unmap(2 * GIB, MIB), map(0, MIB, given)])).toBe(-EBUSY);
    expect(boOf(f, handle).dontNeed).toBe(false);
    check(f);
  });
});

describe("a purged object", () => {
  it("is one that was not needed", () => {
    const f = fixture("bmg");
    const handle = vramBo(f, MIB);
    mustBind(f.file, map(GIB, MIB, handle));
    expect(f.device.purge(boOf(f, handle))).toBe(false);
    say(f.file, GIB, MIB, DONTNEED);
    const used = f.device.counters.backingBytes;
    expect(f.device.purge(boOf(f, handle))).toBe(true);
    expect(f.device.purge(boOf(f, handle))).toBe(false);
    expect(used - f.device.counters.backingBytes).toBe(MIB);
    check(f);
  });

  it.each<[string, number]>([
    ["no scratch page", 0],
    ["a scratch page", xe.VM_CREATE_FLAG_SCRATCH_PAGE],
    ["long-running work", xe.VM_CREATE_FLAG_LR_MODE],
  ])("shows null pages in a VM with %s", (_what, flags) => {
    const f = fixture("bmg", {}, flags);
    const handle = vramBo(f, 4 * MIB);
    mustBind(f.file, map(GIB + 4096, 4 * MIB - 8192, handle, 4096));
    const { addressSpace } = f.vm;
    addressSpace.store32(GIB + MIB, 0x1234);
    expect(addressSpace.load32(GIB + MIB)).toBe(0x1234);
    say(f.file, GIB + 4096, 4096, DONTNEED);
    f.device.purge(boOf(f, handle));
    check(f);
    expect(addressSpace.load32(GIB + MIB)).toBe(0);
    addressSpace.store32(GIB + MIB, 1); // dropped
    expect(addressSpace.load32(GIB + MIB)).toBe(0);
    expect(addressSpace.translate(GIB + 4096).kind).toBe("null");
    expect(addressSpace.walk(GIB + MIB).lo & 0x200).toBe(0x200);
    // What a cut leaves of it is bound anew, as null again.
    mustBind(f.file, unmap(GIB + MIB, 4096));
    check(f);
    expect(addressSpace.load32(GIB + 2 * MIB)).toBe(0);
    mustBind(f.file, unmap(0, 2 * GIB));
    check(f);
  });

  it("is gone for good", () => {
    const f = fixture("bmg");
    const handle = sharedBo(f, MIB);
    mustBind(f.file, map(GIB, MIB, handle));
    say(f.file, GIB, MIB, DONTNEED);
    f.device.purge(boOf(f, handle));
    expect(say(f.file, GIB, MIB, WILLNEED)).toBe(0);
    expect([boOf(f, handle).purged, boOf(f, handle).dontNeed]).toEqual([true, true]);
    expect(bind(f.file, [map(0, MIB, handle)])).toBe(-EINVAL);
    expect(bind(f.file, [prefetch(GIB, MIB)])).toBe(-EINVAL);
    expect(() => f.file.exportBo(handle)).toThrow(/purged/);
    // The range of another object: all of it is still there.
    const other = vramBo(f, MIB);
    mustBind(f.file, map(2 * GIB, MIB, other));
    expect([say(f.file, 2 * GIB, MIB, DONTNEED), say(f.file, GIB, 2 * GIB, DONTNEED)]).toEqual([1, 0]);
    expect(say(f.file, 8 * GIB, MIB, DONTNEED)).toBe(1);
    check(f);
    f.file.close();
    xe.checkDeviceInvariants(f.device, []);
  });

  it("goes from every VM that maps it", () => {
    const f = fixture("bmg");
    const handle = sharedBo(f, MIB);
    const other = secondVm(f.file, FAULT_MODE);
    mustBind(f.file, map(GIB, MIB, handle));
    expect(bind(f.file, [{ ...map(0, MIB, handle), flags: xe.VM_BIND_FLAG_IMMEDIATE }], { vmId: 2 })).toBe(0);
    f.vm.addressSpace.store32(GIB, 7);
    expect(other.addressSpace.load32(0)).toBe(7);
    say(f.file, GIB, MIB, DONTNEED);
    say(f.file, 0, MIB, DONTNEED, 2);
    f.device.purge(boOf(f, handle));
    check(f);
    expect(f.vm.addressSpace.load32(GIB)).toBe(0);
    // In fault mode nothing is bound before a fault, and without a scratch page the fault is refused.
    expect(() => other.addressSpace.load32(0)).toThrow(/not-present/);
    expect(() => other.fault(0)).toThrow(expect.objectContaining({ errno: EACCES }));
  });

  it("is bound as null by a fault in a VM with a scratch page", () => {
    const f = fixture("bmg", {}, FAULT_MODE | xe.VM_CREATE_FLAG_SCRATCH_PAGE);
    const handle = vramBo(f, 4 * MIB);
    mustBind(f.file, { ...map(GIB, 4 * MIB, handle), flags: xe.VM_BIND_FLAG_IMMEDIATE });
    say(f.file, GIB, MIB, DONTNEED);
    f.device.purge(boOf(f, handle));
    expect(() => f.vm.addressSpace.load32(GIB)).toThrow(/not-present/);
    check(f);
    f.vm.fault(GIB);
    expect(f.vm.addressSpace.load32(GIB + 3 * MIB)).toBe(0);
    check(f);
  });
});

describe("retained", () => {
  it("must be 0 before, and can be where nothing is written", () => {
    const { file } = fixture("bmg");
    const arg = xe.MADVISE.encode({
      vmId: 1,
      range: 4096,
      type: xe.VMA_ATTR_PURGEABLE_STATE,
      retainedPtr: RETAINED,
    });
    const user = new UserMemory();
    user.place(RETAINED, Uint8Array.of(1, 0, 0, 0));
    expect([file.ioctl(xe.IOCTL_MADVISE, arg, user), file.lastError?.reason]).toEqual([
      -EINVAL,
      "madvise.retained_ptr: must point to a 0",
    ]);
    expect(file.ioctl(xe.IOCTL_MADVISE, arg, new UserMemory())).toBe(-EFAULT);
  });

  it("is written last: a pointer that can only be read refuses a call that was done", () => {
    const f = fixture("bmg");
    const handle = vramBo(f, MIB);
    mustBind(f.file, map(GIB, MIB, handle));
    const readOnly = {
      view: () => new DataView(new ArrayBuffer(4)),
      write: () => new UserMemory().write(RETAINED, new Uint8Array(4)),
    };
    const type = xe.VMA_ATTR_PURGEABLE_STATE;
    const arg = xe.MADVISE.encode({ vmId: 1, start: GIB, range: MIB, type, val: 1, retainedPtr: RETAINED });
    expect(f.file.ioctl(xe.IOCTL_MADVISE, arg, readOnly)).toBe(-EFAULT);
    expect(boOf(f, handle).dontNeed).toBe(true);
  });
});
