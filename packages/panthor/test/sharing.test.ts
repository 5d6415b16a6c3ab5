/** Objects that go from file to file, of one device and of two. */
import { EBUSY, EINVAL } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import { BO_MMAP_OFFSET, checkDeviceInvariants, IOCTL_BO_MMAP_OFFSET, PanthorDevice } from "../src/index.ts";
import { createBo, type Fixture, mustBind, openWithVm } from "./support.ts";

const VA = 0x4000_0000;
const MIB2 = 0x20_0000;

const bindAll = (f: Pick<Fixture, "file" | "vmId">, boHandle: number): void =>
  mustBind(f, [{ boHandle, va: VA, size: MIB2 }]);

describe("an object in two files", () => {
  it("is one object with a handle in each, whoever closes first", () => {
    for (const first of [0, 1]) {
      const device = new PanthorDevice();
      const files = [openWithVm(device), openWithVm(device)] as const;
      const [a, b] = files;
      createBo(a.file, 4096);
      const dmaBuf = a.file.exportBo(createBo(a.file, MIB2));
      expect([a.file.importBo(dmaBuf), b.file.importBo(dmaBuf)]).toEqual([2, 1]);
      dmaBuf.put();
      bindAll(a, 2);
      bindAll(b, 1);
      a.vm.addressSpace.store32(VA, 99);
      expect(b.vm.addressSpace.load32(VA)).toBe(99);
      expect(files.map(({ vm }) => [...vm.mappings()].map(({ bo }) => bo))).toEqual([[2], [1]]);
      const arg = BO_MMAP_OFFSET.encode({ handle: 1 });
      expect(b.file.ioctl(IOCTL_BO_MMAP_OFFSET, arg)).toBe(0);
      const { offset } = BO_MMAP_OFFSET.read(new DataView(arg.buffer));
      expect(a.file.objectAt(offset + 5)).toEqual({ object: b.file.bo(1), offset: 5 });
      checkDeviceInvariants(device, [a.file, b.file]);
      files[first as 0 | 1].file.close();
      checkDeviceInvariants(device, [files[(1 - first) as 0 | 1].file]);
      files[(1 - first) as 0 | 1].file.close();
      expect([device.gems.size, device.counters.backingBytes]).toEqual([0, 0]);
    }
  });

  it("is not exported when it is exclusive to a VM", () => {
    const { file, vmId } = openWithVm(new PanthorDevice());
    const bo = createBo(file, MIB2, vmId);
    expect(() => file.exportBo(bo)).toThrow(expect.objectContaining({ errno: EINVAL }));
  });
});

describe("an object of another device", () => {
  it("shows the same memory, which its own device may not move meanwhile", () => {
    const backing = new DataPages();
    const one = new PanthorDevice({ memory: { backing, frames: { base: 2 ** 32, limit: 2 ** 33 } } });
    const two = new PanthorDevice({ memory: { backing, frames: { base: 2 ** 33, limit: 2 ** 34 } } });
    const [a, b] = [openWithVm(one), openWithVm(two)];
    const dmaBuf = a.file.exportBo(createBo(a.file, MIB2));
    const handle = b.file.importBo(dmaBuf);
    dmaBuf.put();
    bindAll(a, 1);
    bindAll(b, handle);
    b.vm.addressSpace.store32(VA + 4, 5);
    expect([a.vm.addressSpace.load32(VA + 4), b.file.bo(handle)?.imported]).toEqual([5, true]);
    const bo = a.file.bo(1);
    if (bo === undefined) throw new Error("no object");
    expect(() => one.evict(bo)).toThrow(expect.objectContaining({ errno: EBUSY }));
    checkDeviceInvariants(one, [a.file]);
    checkDeviceInvariants(two, [b.file]);
    b.file.close();
    one.evict(bo);
    expect(bo.residentBytes).toBe(0);
    // A CPU access brings it back.
    expect([...bo.segments(0, 8)].map(({ bytes }) => bytes)).toEqual([8]);
    expect(bo.residentBytes).toBe(MIB2);
    a.file.close();
    expect([one.gems.size, two.gems.size]).toEqual([0, 0]);
  });
});
