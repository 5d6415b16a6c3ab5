/** VM_BIND: refusals by field and rule, synchronous and asynchronous calls, the operation array. */
import { E2BIG, EFAULT, EINVAL, ENOENT, ENOMEM, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  IOCTL_VM_BIND,
  IOCTL_VM_GET_STATE,
  MAP_SPARSE,
  OP_SYNC_ONLY,
  OP_UNMAP,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_GET_STATE,
} from "../src/index.ts";
import { expectRefused, map, sparse, unmap, VA } from "./operations.ts";
import { bind, createBo, fixture, mustBind, type TestOp } from "./support.ts";

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
