import {
  E2BIG,
  EBUSY,
  EFAULT,
  EINVAL,
  EIO,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
  UserMemory,
} from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  BO_MMAP_OFFSET,
  BO_NO_MMAP,
  BO_WB_MMAP,
  checkDeviceInvariants,
  DEV_QUERY,
  DEV_QUERY_ARG,
  GPU_INFO,
  IOCTL_BO_MMAP_OFFSET,
  IOCTL_DEV_QUERY,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  IOCTL_VM_GET_STATE,
  LINUX_QUIRKS,
  MAP_NOEXEC,
  MAP_REPEAT,
  MAP_SPARSE,
  MMU_INFO,
  NO_QUIRKS,
  OP_SYNC_ONLY,
  OP_UNMAP,
  PanthorDevice,
  REPEAT_PATCH_QUIRKS,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
  VM_GET_STATE,
} from "../src/index.ts";
import {
  bind,
  closeBo,
  createBo,
  destroyVm,
  type Fixture,
  fixture,
  mustBind,
  type TestOp,
  tableShape,
} from "./support.ts";

const VA = 0x40000000;
const map = (boHandle: number, op: TestOp = {}): TestOp => ({
  flags: MAP_NOEXEC,
  boHandle,
  va: VA,
  size: 0x1000,
  ...op,
});
const sparse = (op: TestOp = {}): TestOp => ({ flags: MAP_NOEXEC | MAP_SPARSE, va: VA, size: 0x1000, ...op });
const unmap = (op: TestOp = {}): TestOp => ({ flags: OP_UNMAP, va: VA, size: 0x1000, ...op });

function expectRefused(fx: Fixture, op: TestOp, errno: number, reason: RegExp, how = {}): void {
  const got = bind(fx, [op], how);
  expect([got.ret, got.reason]).toEqual([-errno, expect.stringMatching(reason)]);
}

describe("a refused operation names field and rule", () => {
  const fx = fixture();
  const bo = createBo(fx.file, 0x4000, fx.vmId);
  const foreign = createBo(fx.file, 0x4000, fx.file.createVm(2 ** 47));
  const cases: [TestOp, RegExp][] = [
    [map(bo, { va: VA + 1 }), /^ops\[0\]\.va: 0x40000001 is not a multiple of 4096/],
    [map(bo, { size: 0x1800 }), /^ops\[0\]\.size: 0x1800 is not/],
    [map(bo, { boOffset: 0x800 }), /^ops\[0\]\.bo_offset: 0x800 is not/],
    [unmap({ va: VA + 0xfff }), /^ops\[0\]\.va/],
    [map(bo, { va: 2 ** 47 }), /leaves the user VA range/],
    [map(bo, { va: 2 ** 47 - 0x1000, size: 0x2000 }), /leaves the user VA range/],
    [map(bo, { va: 2 ** 63, size: 2 ** 63 }), /leaves the user VA range/],
    [map(77), /^ops\[0\]\.bo_handle: 77 is not a handle/],
    [map(bo, { flags: 0x10 }), /^ops\[0\]\.flags: 0x10 is unknown/],
    [map(bo, { flags: 0x30000000 }), /type 0x30000000 is unknown/],
    [map(0, { flags: MAP_SPARSE }), /MAP_SPARSE without MAP_NOEXEC/],
    [map(bo, { size: 0x5000 }), /exceeds the object's 0x4000/],
    [map(bo, { boOffset: 0x4000 }), /exceeds the object's 0x4000/],
    [sparse({ boHandle: bo }), /^ops\[0\]\.bo_handle: 1 with MAP_SPARSE/],
    [sparse({ boOffset: 0x1000 }), /^ops\[0\]\.bo_offset: 0x1000 with MAP_SPARSE/],
    [map(foreign), /exclusive to another VM/],
    [unmap({ flags: OP_UNMAP + 2 }), /^ops\[0\]\.flags: 0x2 with UNMAP/],
    [unmap({ boHandle: bo }), /^ops\[0\]\.bo_handle: 1 with UNMAP/],
    [unmap({ boOffset: 0x1000 }), /^ops\[0\]\.bo_offset: 0x1000 with UNMAP/],
    [unmap({ flags: OP_SYNC_ONLY }), /^ops\[0\]\.va: 0x40000000 with SYNC_ONLY/],
    [map(bo, { syncs: [{}] }), /^ops\[0\]\.syncs.count: 1 in a synchronous call/],
  ];
  for (const [op, reason] of cases) {
    it(`${reason}`, () => {
      const before = { ...fx.device.counters };
      expectRefused(fx, op, EINVAL, reason);
      expect(fx.device.counters.tablesReserved).toBe(before.tablesReserved);
      expect(fx.vm.gpuvm.count).toBe(0);
    });
  }

  it("looks at the type only after alignment and range, at flags only after the handle", () => {
    expectRefused(fx, { flags: 0x30000010, va: 1 }, EINVAL, /is not a multiple/, { async: true });
    expectRefused(fx, map(77, { flags: 0x10 }), EINVAL, /not a handle/);
    expectRefused(fx, sparse({ flags: MAP_SPARSE, boHandle: bo }), EINVAL, /without MAP_NOEXEC/);
  });
});

describe("a synchronous call", () => {
  it("stops at the first error, keeps what was done, and says how much that is", () => {
    const fx = fixture();
    const bo = createBo(fx.file, 0x4000);
    const ops = [map(bo), map(bo, { va: VA + 0x1000 }), map(99), map(bo, { va: VA + 0x2000 })];
    expect(bind(fx, ops)).toMatchObject({ ret: -EINVAL, count: 2 });
    expect(fx.vm.gpuvm.count).toBe(2);
    expect(fx.vm.unusable).toBe(false);
  });

  it("leaves at size 0 before it looks at anything else", () => {
    const fx = fixture();
    const ops = [{ flags: 0xf0000fff, va: 123, boHandle: 9 }, { flags: OP_SYNC_ONLY }];
    expect(bind(fx, ops)).toMatchObject({ ret: 0, count: 2 });
  });

  it("ignores unknown bits of vm_bind.flags", () => {
    const fx = fixture();
    const arg = VM_BIND.encode({ vmId: fx.vmId, flags: 0xfffffffe });
    expect(fx.file.ioctl(IOCTL_VM_BIND, arg)).toBe(0);
  });
});

describe("the operation array", () => {
  it("follows the stride rules", () => {
    const fx = fixture();
    const bo = createBo(fx.file, 0x4000);
    expect(bind(fx, [map(bo)], { stride: 40 })).toMatchObject({
      ret: -EINVAL,
      reason: expect.stringMatching(/ops.stride: 40/),
    });
    expect(bind(fx, [map(bo)], { stride: 64 }).ret).toBe(0);
    const bytes = new Uint8Array(64);
    bytes[63] = 1;
    const user = new UserMemory();
    user.place(0x1000, bytes);
    const arg = VM_BIND.encode({ vmId: fx.vmId, ops: { stride: 64, count: 1, array: 0x1000 } });
    expect(fx.file.ioctl(IOCTL_VM_BIND, arg, user)).toBe(-E2BIG);
    expect(fx.file.lastError?.reason).toMatch(/byte 63 beyond the known 48/);
  });

  it("must be readable, and is not looked at when empty", () => {
    const fx = fixture();
    const call = (ops: { stride: number; count: number; array: number }) =>
      fx.file.ioctl(IOCTL_VM_BIND, VM_BIND.encode({ vmId: fx.vmId, ops }));
    expect(call({ stride: 48, count: 1, array: 0xdead000 })).toBe(-EFAULT);
    expect(call({ stride: 48, count: 0xffffffff, array: 0xdead000 })).toBe(-ENOMEM);
    expect(call({ stride: 1, count: 0, array: 0xdead000 })).toBe(0);
  });
});

describe("an asynchronous call", () => {
  it("queues nothing when one operation is refused", () => {
    const fx = fixture();
    const bo = createBo(fx.file, 0x4000);
    const got = bind(fx, [map(bo), map(99)], { async: true });
    expect(got).toMatchObject({ ret: -EINVAL, count: 2 });
    expect([fx.vm.gpuvm.count, fx.vm.queue.length, fx.device.counters.bindJobs]).toEqual([0, 0, 0]);
    expect([fx.file.bo(bo)?.refs, fx.file.bo(bo)?.pins]).toEqual([1, 0]);
    const { tablesReserved, tablesReturned } = fx.device.counters;
    expect(tablesReturned).toBe(tablesReserved);
  });

  it("waits for its fences, in order", () => {
    const fx = fixture();
    const bo = createBo(fx.file, 0x4000);
    const gate = fx.file.syncobjs.create();
    const done = fx.file.syncobjs.create();
    const fence = fx.file.syncobjs.attachFence(gate);
    const first = map(bo, { syncs: [{ handle: gate }, { flags: SYNC_OP_SIGNAL, handle: done }] });
    mustBind(fx, [first], { async: true });
    mustBind(fx, [map(bo, { va: VA + 0x1000 })], { async: true });
    expect([fx.vm.gpuvm.count, fx.vm.queue.length]).toEqual([0, 2]);
    // A later synchronous call does not wait for the queue.
    mustBind(fx, [map(bo, { va: VA + 0x2000 })]);
    expect(fx.vm.gpuvm.count).toBe(1);
    const finished = fx.file.syncobjs.get(done)?.fence;
    expect(finished?.signaled).toBe(false);
    fence.signal();
    expect([fx.vm.gpuvm.count, fx.vm.queue.length, finished?.signaled]).toEqual([3, 0, true]);
  });

  it("waits on timelines", () => {
    const fx = fixture();
    const timeline = fx.file.syncobjs.create();
    const point = fx.file.syncobjs.attachFence(timeline, 5);
    const wait = { flags: 1, handle: timeline, timelineValue: 3 };
    mustBind(fx, [sparse({ syncs: [wait] })], { async: true });
    expect(fx.vm.queue.length).toBe(1);
    expectRefused(fx, sparse({ syncs: [{ ...wait, timelineValue: 6 }] }), EINVAL, /nothing will signal/, {
      async: true,
    });
    point.signal();
    expect(fx.vm.queue.length).toBe(0);
    mustBind(fx, [sparse({ syncs: [{ flags: SYNC_OP_SIGNAL + 1, handle: timeline, timelineValue: 9 }] })], {
      async: true,
    });
    mustBind(fx, [sparse({ syncs: [{ ...wait, timelineValue: 9 }] })], { async: true });
    expect(fx.vm.queue.length).toBe(0);
  });

  it("checks its sync operations", () => {
    const fx = fixture();
    const refused = (sync: object, errno: number, reason: RegExp) =>
      expectRefused(fx, sparse({ syncs: [sync] }), errno, reason, { async: true });
    refused({ flags: 0x100 }, EINVAL, /unknown bits/);
    refused({ flags: 2 }, EINVAL, /handle type 2/);
    refused({ timelineValue: 1 }, EINVAL, /timeline_value: 1 with a binary/);
    refused({ flags: SYNC_OP_SIGNAL, handle: 8 }, EINVAL, /8 is not a syncobj/);
    refused({ handle: 8 }, ENOENT, /8 is not a syncobj/);
    expectRefused(fx, { flags: OP_SYNC_ONLY }, EINVAL, /syncs.count: 0 with SYNC_ONLY/, { async: true });
    expect(fx.device.counters.bindJobs).toBe(0);
  });

  it("that fails later makes the VM unusable: MAP and every asynchronous call are refused, UNMAP works", () => {
    const fx = fixture({
      paBits: 32,
      memory: { frames: { base: 0x80000000, limit: 0x180000000 } },
      boFragmentation: "contiguous",
    });
    const low = createBo(fx.file, 0x4000);
    mustBind(fx, [map(low, { va: VA + 0x10000 })]);
    const high = createBo(fx.file, 0x80000000);
    mustBind(fx, [map(high, { size: 0x80000000 })], { async: true });
    expect(fx.vm.queue.last?.error).toBe(-34);
    expect([fx.vm.unusable, fx.vm.gpuvm.count]).toEqual([true, 0]);
    const state = VM_GET_STATE.encode({ vmId: fx.vmId });
    expect(fx.file.ioctl(IOCTL_VM_GET_STATE, state)).toBe(0);
    expect(VM_GET_STATE.read(new DataView(state.buffer)).state).toBe(1);
    expectRefused(fx, map(low), EINVAL, /the VM is unusable/);
    expectRefused(fx, unmap(), EINVAL, /the VM is unusable/, { async: true });
    mustBind(fx, [unmap()]);
  });
});

describe("driver versions", () => {
  const query = (fx: Fixture, type: number) => {
    const arg = DEV_QUERY_ARG.encode({ type });
    return {
      ret: fx.file.ioctl(IOCTL_DEV_QUERY, arg),
      size: DEV_QUERY_ARG.read(new DataView(arg.buffer)).size,
    };
  };

  it("1.8 (Linux 7.2.13) has MAP_SPARSE, 1.9 (Linux 7.3-rc7) brings MMU_INFO", () => {
    const old = fixture({ driverVersion: "1.7" });
    expectRefused(old, sparse(), EINVAL, /bo_handle: 0 is not a handle/);
    const bo = createBo(old.file, 0x1000);
    expectRefused(old, sparse({ boHandle: bo }), EINVAL, /flags: 0x8 is unknown to driver 1.7/);
    const between = fixture({ driverVersion: "1.8" });
    mustBind(between, [sparse()]);
    expect(query(between, DEV_QUERY.mmuInfo).ret).toBe(-EINVAL);
    const now = fixture();
    mustBind(now, [sparse()]);
    expect(query(now, DEV_QUERY.mmuInfo)).toEqual({ ret: 0, size: 8 });
  });

  it("1.7 brings WB_MMAP", () => {
    expect(() => createBo(fixture({ driverVersion: "1.6" }).file, 0x1000, 0, BO_WB_MMAP)).toThrow(
      /0x2 is unknown/,
    );
    expect(createBo(fixture({ driverVersion: "1.7" }).file, 0x1000, 0, BO_WB_MMAP)).toBe(1);
  });

  it("a query copies what fits, zeroes the rest, and needs the first size of the struct", () => {
    const fx = fixture({ vaBits: 40, paBits: 36 });
    const out = new Uint8Array(128).fill(0xff);
    const user = new UserMemory();
    user.place(0x1000, out);
    const ask = (size: number) =>
      fx.file.ioctl(
        IOCTL_DEV_QUERY,
        DEV_QUERY_ARG.encode({ type: DEV_QUERY.gpuInfo, size, pointer: 0x1000 }),
        user,
      );
    expect(ask(0x5f)).toBe(-EINVAL);
    expect(ask(0x60)).toBe(0);
    expect(GPU_INFO.read(new DataView(out.buffer)).mmuFeatures).toBe((36 << 8) | 40);
    expect(out[0x60]).toBe(0xff);
    expect(ask(128)).toBe(0);
    expect([out[0x60], out[127]]).toEqual([0, 0]);
    out.fill(0xff);
    const { arrayBuffers } = process.memoryUsage();
    expect(ask(0xffff_ffff)).toBe(-EFAULT);
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(2 ** 30);
    expect(out.every((byte) => byte === 0xff)).toBe(true);
    expect(query(fx, DEV_QUERY.gpuInfo)).toEqual({ ret: 0, size: 112 });
    expect(query(fx, 5).ret).toBe(-EINVAL);
    expect(MMU_INFO.size).toBe(8);
  });
});

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

describe("a cut of a block", () => {
  it("widens whatever the folios are, with every quirk of Linux too", () => {
    for (const quirks of [NO_QUIRKS, LINUX_QUIRKS]) {
      for (const smallFolios of [false, true]) {
        const fx = fixture({ boFragmentation: "huge", quirks });
        const handle = fx.file.createBo(0x200000, { smallFolios });
        mustBind(fx, [map(handle, { size: 0x200000 })]);
        expect(tableShape(fx.vm).blocks).toBe(1);
        mustBind(fx, [unmap({ va: VA + 0x5000 })]);
        expect(tableShape(fx.vm)).toMatchObject({ blocks: 0, ptes: 511 });
        expect([fx.vm.unusable, fx.vm.addressSpace.walk(VA + 0x5000).kind]).toEqual([false, "fault"]);
      }
    }
  });
});

describe("quirks", () => {
  const repeat = (bo: number, op: TestOp): TestOp =>
    map(bo, { flags: MAP_NOEXEC | MAP_REPEAT, size: 0x4000, boRepeatRange: 0x1000, ...op });
  const withBo = (options: Parameters<typeof fixture>[0]) => {
    const fx = fixture({ repeat: "v4", ...options });
    return { fx, bo: createBo(fx.file, 0x8000) };
  };

  it("REPEAT is refused where the posted patch forgot to", () => {
    const { fx, bo } = withBo({});
    mustBind(fx, [repeat(bo, {})]);
    expectRefused(fx, repeat(bo, { boRepeatRange: 0 }), EINVAL, /bo_repeat_range: 0 with MAP_REPEAT/);
    expectRefused(
      fx,
      repeat(bo, { boRepeatRange: 0x800 }),
      EINVAL,
      /bo_repeat_range: 0x800 is not a multiple/,
    );
    expectRefused(fx, repeat(bo, { pad: 1 }), EINVAL, /^ops\[0\]\.pad: 0x1 is not 0/);
    expectRefused(fx, repeat(bo, { flags: MAP_NOEXEC }), EINVAL, /not 0 without MAP_REPEAT/);
    expectRefused(
      fx,
      repeat(bo, { boRepeatRange: 0x3000 }),
      EINVAL,
      /size: 0x4000 is not a multiple of bo_repeat_range/,
    );
    expectRefused(fx, repeat(bo, { boOffset: 0x8000 }), EINVAL, /exceeds the object's/);
    expect(bind(fx, [map(bo)], { stride: 48 }).ret).toBe(0);
  });

  it("REPEAT v5 has a 64-bit window of which 32 bits may be used, whatever else it forgot", () => {
    const { fx, bo } = withBo({ repeat: "v5", quirks: REPEAT_PATCH_QUIRKS });
    expectRefused(fx, repeat(bo, { pad: 1 }), EINVAL, /does not fit 32 bits/);
  });

  it("the posted patch: zero divides, half a page breaks the VM, ignored fields are ignored", () => {
    const { fx, bo } = withBo({ quirks: REPEAT_PATCH_QUIRKS });
    expectRefused(fx, repeat(bo, { boRepeatRange: 0 }), EIO, /divides by zero/);
    mustBind(fx, [repeat(bo, { pad: 1 }), repeat(bo, { flags: MAP_NOEXEC })]);
    expectRefused(fx, repeat(bo, { boRepeatRange: 0x800 }), ENOMEM, /mapped nothing/);
    expect(fx.vm.unusable).toBe(true);
  });

  it("the posted patch leaves one repetition mapped when a later one fails", () => {
    for (const faithful of [false, true]) {
      const { fx, bo } = withBo({ ...(faithful && { quirks: REPEAT_PATCH_QUIRKS }) });
      // An entry that no mapping knows of makes the third repetition fail.
      fx.vm.pageTable.io.reserved = 3;
      fx.vm.pageTable.io.mapPages(VA + 0x4000, 0x100000000, 0x1000, 1, 3);
      expect(bind(fx, [repeat(bo, { size: 0x8000, boRepeatRange: 0x2000 })]).ret).toBe(-17);
      const left = [0, 1, 2, 3].map((i) => fx.vm.addressSpace.walk(VA + i * 0x1000).kind === "page");
      expect(left).toEqual(faithful ? [false, false, true, true] : [false, false, false, false]);
    }
  });

  it("the posted patch shows the wrong bytes behind a cut, once they are mapped again", () => {
    for (const faithful of [false, true]) {
      const { fx, bo } = withBo({ ...(faithful && { quirks: { repeatPhaseShift: true } }) });
      mustBind(fx, [repeat(bo, { size: 0x8000, boRepeatRange: 0x4000 }), unmap({ va: VA + 0x1000 })]);
      const object = fx.file.bo(bo);
      if (!object) throw new Error("no object");
      fx.device.evict(object);
      fx.vm.validate();
      expect(fx.vm.addressSpace.walk(VA + 0x2000).pa).toBe(object.pages?.addressAt(faithful ? 0 : 0x2000));
    }
  });
});
