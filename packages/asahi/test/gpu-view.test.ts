import { issue, UserMemory } from "@vmbind/drm";
import { beforeEach, describe, expect, test } from "vitest";
import {
  type AsahiBo,
  AsahiDevice,
  type AsahiFile,
  type AsahiVm,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  DUMMY_PAGE_VA,
  FEATURE_SOFT_FAULTS,
  GEM_VM_PRIVATE,
  GET_PARAMS,
  type HkSession,
  IOCTL_GET_PARAMS,
  openHk,
  PAGE_BYTES,
  PARAMS_GLOBAL,
} from "../src/index.ts";

const RW = BIND_READ | BIND_WRITE;
const GIB = 2 ** 30;

describe("what the GPU sees of hk's sparse resources", () => {
  const SIZE = 100_000_000;
  let device: AsahiDevice;
  let file: AsahiFile;
  let hk: HkSession;
  let vm: AsahiVm;
  let va: number;
  let mirror: number;

  beforeEach(() => {
    device = new AsahiDevice();
    file = device.open();
    hk = openHk(file);
    vm = file.vm(hk.vmId) as AsahiVm;
    va = hk.plan.heap;
    mirror = va + hk.plan.mirrorOffset;
    for (const call of hk.umd.create(va, SIZE)) expect(issue(file, call)).toBe(0);
  });

  test("every page of the mirror reads zero, before and after writes at A", () => {
    const space = vm.addressSpace;
    for (const at of [0, 0x5f5c000, SIZE - 4]) {
      space.store(va + at, Uint8Array.of(1, 2, 3, 4));
      expect([...space.load(mirror + at, 4)]).toEqual([0, 0, 0, 0]);
    }
    expect(space.faults).toEqual([]);
  });

  test("writes at A land in the one scratch page, wherever they go", () => {
    const space = vm.addressSpace;
    expect(space.load8(va)).toBe(0xca);
    space.store(va + 0x123_4567, Uint8Array.of(0x11));
    space.store(va + 0x5f5_c008, Uint8Array.of(0x22));
    const scratch = file.bo(hk.scratchHandle);
    expect(scratch?.read(0x4567 % PAGE_BYTES, 1)[0]).toBe(0x11);
    expect(scratch?.read(8, 1)[0]).toBe(0x22);
    expect(space.load8(va + (0x123_4567 % PAGE_BYTES))).toBe(0x11);
    expect(
      file
        .bo(hk.zeroHandle)
        ?.read(0, PAGE_BYTES)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  test("nothing in the resource faults, and the page behind it does", () => {
    const space = vm.addressSpace;
    const pages = Math.ceil(SIZE / PAGE_BYTES);
    for (let i = 0; i < pages; i++) {
      expect(space.walk(va + i * PAGE_BYTES)).toMatchObject({ kind: "page", writable: true });
      expect(space.walk(mirror + i * PAGE_BYTES)).toMatchObject({ kind: "page", writable: false });
    }
    expect(space.walk(va + pages * PAGE_BYTES).kind).toBe("fault");
  });

  test("a write to the mirror is refused", () => {
    expect(() => vm.addressSpace.store(mirror, Uint8Array.of(1))).toThrow("write-permission");
  });

  test("bound memory is read through the mirror as written at A, and unbinding brings the zeros back", () => {
    const handle = file.gemCreate({ size: 0x10000, flags: GEM_VM_PRIVATE, vmId: hk.vmId });
    const bind = { resourceOffset: 0x8000, size: 0x10000, memory: { handle, offset: 0 } };
    const space = vm.addressSpace;
    expect(space.load8(mirror + 0x8000)).toBe(0);
    for (const call of hk.umd.bind(va, SIZE, [bind])) expect(issue(file, call)).toBe(0);
    space.store(va + 0x8000, Uint8Array.of(42));
    expect(space.load8(mirror + 0x8000)).toBe(42);
    for (const call of hk.umd.bind(va, SIZE, [{ ...bind, memory: null }])) expect(issue(file, call)).toBe(0);
    expect(space.load8(mirror + 0x8000)).toBe(0);
    expect(file.bo(handle)?.read(0, 1)[0]).toBe(42);
  });

  test("binds that continue each other become one pair of ops, other binds do not", () => {
    const at = (resourceOffset: number, offset: number | null, handle = 7) => ({
      resourceOffset,
      size: PAGE_BYTES,
      memory: offset === null ? null : { handle, offset },
    });
    const opsOf = (binds: ReturnType<typeof at>[]) =>
      hk.umd.bind(va, SIZE, binds).map(({ arg }) => new DataView(arg.buffer).getUint32(4, true));
    expect(opsOf([at(0, 0), at(0x4000, 0x4000), at(0x8000, 0x8000)])).toEqual([2]);
    expect(opsOf([at(0, 0), at(0x4000, 0)])).toEqual([4]);
    expect(opsOf([at(0, 0), at(0x4000, 0x4000, 8)])).toEqual([4]);
    expect(opsOf([at(0, 0), at(0x8000, 0x4000)])).toEqual([4]);
    expect(opsOf([at(0, null), at(0x4000, null), at(0x8000, 0)])).toEqual([4]);
    expect(opsOf([])).toEqual([]);
  });

  test("destroy unmaps both halves; with leaveMirror the mirror stays until its object is closed", () => {
    const before = vm.gpuvm.count;
    for (const call of hk.umd.destroy(va, SIZE)) expect(issue(file, call)).toBe(0);
    expect(vm.gpuvm.count).toBe(before - 2);

    const leaving = openHk(device.open(), { leaveMirror: true });
    expect(leaving.umd.destroy(va, SIZE)).toHaveLength(1);
    for (const call of hk.umd.create(va, SIZE)) issue(file, call);
    for (const call of leaving.umd.destroy(va, SIZE)) expect(issue(file, call)).toBe(0);
    expect(vm.addressSpace.walk(va).kind).toBe("fault");
    expect(vm.addressSpace.load8(mirror)).toBe(0);
    file.gemClose(hk.zeroHandle);
    expect(vm.addressSpace.walk(mirror).kind).toBe("fault");
  });

  test("the address plan is hk's", () => {
    expect(hk.plan).toEqual({
      zeroPage: 0x1_0000_0000,
      scratchPage: 0x1_0000_4000,
      uscHeap: 0x11_0000_0000,
      uscHeapBytes: 2 ** 32,
      kernelStart: 0x77_ffff_8000,
      kernelEnd: 0x7f_ffff_8000,
      heap: 0x20_0000_0000,
      heapBytes: 0x10_0000_0000,
      mirrorOffset: 0x10_0000_0000,
    });
  });
});

describe("TLB", () => {
  const ADDR = 0x10_0000_0000;

  function fortyGib(stuckTlbiStart: boolean): { vm: AsahiVm; file: AsahiFile; vmId: number } {
    const device = new AsahiDevice({ quirks: { stuckTlbiStart } });
    const file = device.open();
    const vmId = file.vmCreate({
      kernelStart: 0x77_ffff_8000,
      kernelEnd: 0x7f_ffff_8000,
      vmId: 0,
      pad: 0,
    });
    const handle = file.gemCreate({ size: PAGE_BYTES, flags: GEM_VM_PRIVATE, vmId });
    file.bind(vmId, [{ flags: RW | BIND_SINGLE_PAGE, handle, offset: 0, range: 40 * GIB, addr: ADDR }]);
    const vm = file.vm(vmId) as AsahiVm;
    for (const at of [0, 31 * GIB, 33 * GIB, 40 * GIB - 1]) vm.addressSpace.load8(ADDR + at);
    file.bind(vmId, [{ flags: BIND_UNBIND, handle: 0, offset: 0, range: 40 * GIB, addr: ADDR }]);
    return { vm, file, vmId };
  }

  test("after an unbind of more than 32 GiB every translation is gone", () => {
    const { vm } = fortyGib(false);
    for (const at of [0, 31 * GIB, 33 * GIB, 40 * GIB - 1]) {
      expect(() => vm.addressSpace.load8(ADDR + at)).toThrow("not-present");
    }
  });

  test("with the driver's defect what lies behind 32 GiB is still read through stale entries", () => {
    const { vm } = fortyGib(true);
    expect(() => vm.addressSpace.load8(ADDR + 31 * GIB)).toThrow("not-present");
    expect(vm.addressSpace.walk(ADDR + 33 * GIB).kind).toBe("fault");
    expect(vm.addressSpace.load8(ADDR + 33 * GIB)).toBe(0);
    expect(vm.addressSpace.load8(ADDR + 40 * GIB - 1)).toBe(0);
  });

  test("a VM that never ran issues no invalidation; one that runs issues one per mapping", () => {
    const device = new AsahiDevice();
    const file = device.open();
    const vmId = file.vmCreate({
      kernelStart: 0x77_ffff_8000,
      kernelEnd: 0x7f_ffff_8000,
      vmId: 0,
      pad: 0,
    });
    const handle = file.gemCreate({ size: 0x10000, flags: GEM_VM_PRIVATE, vmId });
    const page = (i: number) => ({
      flags: RW,
      handle,
      offset: 0,
      range: PAGE_BYTES,
      addr: ADDR + i * PAGE_BYTES,
    });
    const unbind = { flags: BIND_UNBIND, handle: 0, offset: 0, range: 4 * PAGE_BYTES, addr: ADDR };
    file.bind(vmId, [0, 1, 2, 3].map(page));
    file.bind(vmId, [unbind]);
    expect(device.counters.tlbInvalidations).toBe(0);
    expect(file.vm(vmId)?.run()).toBe(1);
    file.bind(vmId, [...[0, 1, 2, 3].map(page), unbind]);
    expect(device.counters).toMatchObject({
      tlbRequests: 4,
      tlbInvalidations: 4,
      tlbRequestedBytes: 0x10000,
    });
  });

  test("the 64th VM to run takes the slot of the one that ran longest ago", () => {
    const device = new AsahiDevice();
    const file = device.open();
    const kernel = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
    const vms = Array.from({ length: 64 }, () => file.vm(file.vmCreate(kernel)) as AsahiVm);
    const slots = vms.slice(0, 63).map((vm) => vm.run());
    expect(slots).toEqual(Array.from({ length: 63 }, (_, i) => i + 1));
    vms[0]?.run();
    expect(vms[63]?.run()).toBe(2);
    expect(vms.slice(0, 3).map((vm) => vm.asid)).toEqual([1, 0, 3]);
    expect(device.counters.contextSteals).toBe(1);
    // A view that is kept goes through the slot that its VM has when it is used.
    const bo = file.gemCreate({ size: PAGE_BYTES, flags: 0, vmId: 0 });
    const [, loser] = vms as [AsahiVm, AsahiVm];
    const view = loser.addressSpace;
    loser.bind(file.bo(bo) as AsahiBo, ADDR, PAGE_BYTES, 0, RW);
    view.store32(ADDR, 7);
    expect([loser.asid, view.asid]).toEqual([3, 3]);
    expect(vms[1]?.run()).toBe(3);
  });

  test("what the TLB held for a slot is gone when another VM gets it", () => {
    const device = new AsahiDevice();
    const file = device.open();
    const kernel = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
    const [first, second] = [file.vmCreate(kernel), file.vmCreate(kernel)];
    const handle = file.gemCreate({ size: PAGE_BYTES, flags: GEM_VM_PRIVATE, vmId: first });
    file.bind(first, [{ flags: RW, handle, offset: 0, range: PAGE_BYTES, addr: ADDR }]);
    file.vm(first)?.addressSpace.store8(ADDR, 7);
    device.contexts.release(file.vm(first) as AsahiVm);
    expect(file.vm(second)?.run()).toBe(1);
    expect(() => file.vm(second)?.addressSpace.load8(ADDR)).toThrow("not-present");
    expect(file.vm(first)?.addressSpace.load8(ADDR)).toBe(7);
  });
});

describe("faults", () => {
  function emptyVm(softFaults: boolean): { device: AsahiDevice; file: AsahiFile; vm: AsahiVm } {
    const device = new AsahiDevice({ softFaults });
    const file = device.open();
    const id = file.vmCreate({ kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 });
    return { device, file, vm: file.vm(id) as AsahiVm };
  }

  test("soft faults are a feature bit: loads give zero, stores are dropped", () => {
    const { file, vm } = emptyVm(true);
    expect([...vm.addressSpace.load(0x20_0000_0000, 4)]).toEqual([0, 0, 0, 0]);
    vm.addressSpace.store(0x20_0000_0000, Uint8Array.of(1));
    const params = new Uint8Array(PARAMS_GLOBAL.size);
    const user = new UserMemory();
    user.place(0x1000, params);
    const arg = GET_PARAMS.encode({ pointer: 0x1000, size: params.length });
    expect(file.ioctl(IOCTL_GET_PARAMS, arg, user)).toBe(0);
    expect(PARAMS_GLOBAL.read(new DataView(params.buffer)).features).toBe(FEATURE_SOFT_FAULTS);
  });

  test("without them an access to an unmapped address throws", () => {
    const { vm } = emptyVm(false);
    expect(() => vm.addressSpace.load8(0x20_0000_0000)).toThrow("not-present");
  });

  test("every VM has a dummy page of its own just above the window, and only that one", () => {
    const { device, file, vm } = emptyVm(false);
    const other = file.vm(
      file.vmCreate({ kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 }),
    ) as AsahiVm;
    vm.addressSpace.store8(DUMMY_PAGE_VA, 5);
    expect(other.addressSpace.load8(DUMMY_PAGE_VA)).toBe(0);
    expect(vm.addressSpace.walk(DUMMY_PAGE_VA + PAGE_BYTES).kind).toBe("fault");
    expect(vm.gpuvm.count).toBe(0);
    expect(device.memory.tables.live).toBe(6);
  });
});
