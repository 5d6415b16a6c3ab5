/** Objects and VMs around VM_BIND: how they come and go, what fails for want of memory, what is evicted. */
import { EBUSY, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOTTY, EOPNOTSUPP, EPERM } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  BO_CREATE,
  BO_MMAP_OFFSET,
  BO_NO_MMAP,
  checkDeviceInvariants,
  IOCTL_BO_CREATE,
  IOCTL_BO_MMAP_OFFSET,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  PanthorDevice,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
} from "../src/index.ts";
import { map, sparse, unmap, VA } from "./operations.ts";
import { bind, closeBo, createBo, destroyVm, fixture, mustBind } from "./support.ts";

describe("objects and VMs", () => {
  it("gives out 32 VMs a file", () => {
    const { file } = fixture();
    for (let i = 2; i <= 32; i++) expect(file.ioctl(IOCTL_VM_CREATE, VM_CREATE.encode({}))).toBe(0);
    expect(file.ioctl(IOCTL_VM_CREATE, VM_CREATE.encode({}))).toBe(-EBUSY);
    expect(destroyVm(file, 7)).toBe(0);
    const arg = VM_CREATE.encode({});
    expect(file.ioctl(IOCTL_VM_CREATE, arg)).toBe(0);
    expect(VM_CREATE.read(new DataView(arg.buffer)).id).toBe(7);
    expect(file.ioctl(IOCTL_VM_DESTROY, VM_DESTROY.encode({ id: 7, pad: 1 }))).toBe(-EINVAL);
    expect(destroyVm(file, 40)).toBe(-EINVAL);
  });

  it("refuses output addresses that io-pgtable does not know", () => {
    const file = new PanthorDevice({ paBits: 41 }).open();
    expect(file.ioctl(IOCTL_VM_CREATE, VM_CREATE.encode({}))).toBe(-EINVAL);
  });

  it("mmap offsets: unknown, forbidden, stable", () => {
    const { file } = fixture();
    const ask = (handle: number) => {
      const arg = BO_MMAP_OFFSET.encode({ handle });
      const ret = file.ioctl(IOCTL_BO_MMAP_OFFSET, arg);
      return ret || BO_MMAP_OFFSET.read(new DataView(arg.buffer)).offset;
    };
    expect(ask(1)).toBe(-ENOENT);
    expect(ask(createBo(file, 0x1000, 0, BO_NO_MMAP))).toBe(-EPERM);
    const [a, b] = [createBo(file, 0x5000), createBo(file, 0x1000)];
    expect([ask(a), ask(b), ask(a)]).toEqual([0x100000000, 0x100005000, 0x100000000]);
    expect(ask(createBo(file, 2 ** 52))).toBe(-ENOSPC);
  });

  it("makes objects as large as files can be, and finds no memory for them", () => {
    const fx = fixture();
    const { file } = fx;
    const create = (size: number): number => file.ioctl(IOCTL_BO_CREATE, BO_CREATE.encode({ size }));
    expect([2 ** 53, 2 ** 63 - 4096, 2 ** 63].map(create)).toEqual([0, 0, -EINVAL]);
    expect(file.lastError?.reason).toBe("bo_create.size: 0x8000000000000000 is more than a file can have");
    // A size that no double holds, before it is rounded up to whole pages.
    const odd = BO_CREATE.encode({});
    new DataView(odd.buffer).setBigUint64(BO_CREATE.fields.size.offset, 2n ** 53n + 1n, true);
    expect(file.ioctl(IOCTL_BO_CREATE, odd)).toBe(0);
    expect(BO_CREATE.read(new DataView(odd.buffer)).size).toBe(2 ** 53 + 4096);
    expect(bind(fx, [map(1)]).ret).toBe(-ENOMEM);
    expect(file.ioctl(IOCTL_BO_CREATE, BO_CREATE.encode({ size: 1, flags: 0x8000_0000 }))).toBe(-EINVAL);
    expect(file.lastError?.reason).toBe("bo_create.flags: 0x80000000 is unknown to driver 1.9");
  });

  it("keeps a closed object while it is mapped, and its memory no longer", () => {
    const fx = fixture();
    const handle = createBo(fx.file, 0x200000);
    expect(fx.device.counters.backingBytes).toBe(0);
    mustBind(fx, [map(handle, { size: 0x200000 })]);
    expect(closeBo(fx.file, handle)).toBe(0);
    expect(closeBo(fx.file, handle)).toBe(-EINVAL);
    fx.vm.addressSpace.store32(VA, 1);
    expect(fx.device.counters.backingBytes).toBe(0x200000);
    mustBind(fx, [unmap({ size: 0x200000 })]);
    expect(fx.device.counters.backingBytes).toBe(0);
  });

  it("survives requests that are not its own", () => {
    const { file } = fixture();
    expect(file.ioctl(0x1234, new Uint8Array(8))).toBe(-ENOTTY);
    expect(file.ioctl(0xc0106440 + 0x3f, new Uint8Array(16))).toBe(-EINVAL);
    expect(file.ioctl(0xc0106440 + 8, new Uint8Array(16))).toBe(-EOPNOTSUPP);
    expect(file.ioctl(IOCTL_VM_BIND, new Uint8Array(3))).toBe(-EFAULT);
    // An older user's smaller struct: 16 of 24 bytes, so no array.
    expect(
      file.ioctl((IOCTL_VM_BIND & ~0x3fff0000) | (16 << 16), VM_BIND.encode({ vmId: 1 }).slice(0, 16)),
    ).toBe(0);
  });

  it("maps nothing into a destroyed VM, unless it is as wrong as the driver: then mapping, object and VM stay", () => {
    for (const wrong of [false, true]) {
      const fx = fixture({ ...(wrong && { quirks: { mapsAfterDestroy: true } }) });
      const [gate, done] = [fx.file.syncobjs.create(), fx.file.syncobjs.create()];
      const fence = fx.file.syncobjs.attachFence(gate);
      const syncs = [{ handle: gate }, { flags: SYNC_OP_SIGNAL, handle: done }];
      mustBind(fx, [map(createBo(fx.file, 0x1000), { syncs })], { async: true });
      const last = fx.file.syncobjs.get(done)?.fence;
      destroyVm(fx.file, fx.vmId);
      checkDeviceInvariants(fx.device, [fx.file]);
      fence.signal();
      checkDeviceInvariants(fx.device, [fx.file]);
      expect([last?.error, fx.vm.gpuvm.count]).toEqual(wrong ? [0, 1] : [-EINVAL, 0]);
      fx.file.close();
      checkDeviceInvariants(fx.device, []);
      expect([fx.device.gems.size > 0, fx.device.counters.tablesLive > 0]).toEqual([wrong, wrong]);
    }
  });

  it("runs queued jobs of a destroyed VM, and then lets it go", () => {
    const fx = fixture();
    const gate = fx.file.syncobjs.create();
    const fence = fx.file.syncobjs.attachFence(gate);
    mustBind(fx, [unmap({ syncs: [{ handle: gate }] })], { async: true });
    destroyVm(fx.file, fx.vmId);
    expect(fx.device.counters.tablesLive).toBe(1);
    fence.signal();
    expect(fx.device.counters.tablesLive).toBe(0);
  });
});

describe("allocation failures", () => {
  it("leave nothing behind, whichever allocation it is", () => {
    for (let failing = 0; ; failing++) {
      let calls = 0;
      let armed = false;
      const fx = fixture({ allocFault: () => armed && calls++ === failing });
      const bo = createBo(fx.file, 0x400000);
      mustBind(fx, [map(bo, { size: 0x200000 })]);
      const before = [...fx.vm.mappings()];
      armed = true;
      const got = bind(fx, [sparse({ va: VA + 0x100000, size: 0x200000 })]);
      armed = false;
      if (got.ret === 0) {
        expect(failing).toBe(7);
        return;
      }
      expect([got.ret, got.count, [...fx.vm.mappings()]]).toEqual([-ENOMEM, got.count, before]);
      const { tablesReserved, tablesReturned, tablesLive } = fx.device.counters;
      expect(tablesReserved - tablesReturned).toBe(tablesLive - 1);
      expect([fx.file.dummy.pins, fx.file.dummy.refs, fx.vm.unusable]).toEqual([0, 2, false]);
      fx.file.close();
      expect(fx.device.gems.size).toBe(0);
    }
  });
});

describe("eviction", () => {
  it("takes the pages away and brings contents back, somewhere else", () => {
    const fx = fixture();
    const handle = createBo(fx.file, 0x400000);
    mustBind(fx, [map(handle, { size: 0x400000 })]);
    const bo = fx.file.bo(handle);
    if (!bo) throw new Error("no object");
    fx.vm.addressSpace.store32(VA + 0x345678, 0xabcdef);
    const where = bo.pages?.pa[0];
    fx.device.evict(bo);
    expect([bo.reclaimState, fx.device.counters.backingBytes]).toEqual(["evicted", 0]);
    expect(fx.vm.addressSpace.walk(VA).kind).toBe("fault");
    createBo(fx.file, 0x200000);
    mustBind(fx, [map(2, { va: VA + 0x800000, size: 0x200000 })]);
    fx.vm.validate();
    expect(bo.pages?.pa[0]).not.toBe(where);
    expect(fx.vm.addressSpace.load32(VA + 0x345678)).toBe(0xabcdef);
    expect(bo.reclaimState).toBe("mapped-by-one-vm");
  });

  it("cannot take what a queued job pins", () => {
    const fx = fixture();
    const gate = fx.file.syncobjs.create();
    const fence = fx.file.syncobjs.attachFence(gate);
    const handle = createBo(fx.file, 0x1000);
    mustBind(fx, [map(handle, { syncs: [{ handle: gate }] })], { async: true });
    const bo = fx.file.bo(handle);
    if (!bo) throw new Error("no object");
    expect(() => fx.device.evict(bo)).toThrow(/EBUSY/);
    fence.signal();
    fx.device.evict(bo);
    expect(bo.pages).toBeNull();
  });
});
