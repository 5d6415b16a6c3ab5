import { EFAULT, EINVAL, ENOENT, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  IOCTL_VM_BIND,
  MAP_NOEXEC,
  MAP_SPARSE,
  OP_SYNC_ONLY,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  type SyncOp,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
} from "../src/index.ts";
import { bind, type Fixture, fixture, type TestOp } from "./support.ts";

const VA = 0x40000000;
const signal = (handle: number): Partial<SyncOp> => ({ flags: SYNC_OP_SIGNAL, handle });
const wait = (handle: number): Partial<SyncOp> => ({ flags: 0, handle });
const signalAt = (handle: number, timelineValue: number): Partial<SyncOp> => ({
  flags: SYNC_OP_SIGNAL + SYNC_OP_TIMELINE,
  handle,
  timelineValue,
});
const waitAt = (handle: number, timelineValue: number): Partial<SyncOp> => ({
  flags: SYNC_OP_TIMELINE,
  handle,
  timelineValue,
});

/** One asynchronous call whose operations do nothing but wait and signal. */
function sync(fx: Fixture, ...lists: Partial<SyncOp>[][]): { ret: number; reason: string } {
  const ops: TestOp[] = lists.map((syncs) => ({ flags: OP_SYNC_ONLY, syncs }));
  const { ret, reason } = bind(fx, ops, { async: true });
  return { ret, reason };
}

/** The same with arrays at addresses of the test's own: some may be missing. */
function syncAt(fx: Fixture, arrays: (Partial<SyncOp>[] | "unreadable")[]): number {
  const user = new UserMemory();
  const ops = new Uint8Array(48 * arrays.length);
  arrays.forEach((list, i) => {
    const array = 0x10000 + 0x1000 * i;
    const count = list === "unreadable" ? 1 : list.length;
    VM_BIND_OP.write(new DataView(ops.buffer), 48 * i, {
      flags: MAP_NOEXEC | MAP_SPARSE,
      va: VA + 0x1000 * i,
      size: 0x1000,
      syncs: { stride: 16, count, array },
    });
    if (list === "unreadable") return;
    const bytes = new Uint8Array(16 * count);
    list.forEach((s, k) => {
      SYNC_OP.write(new DataView(bytes.buffer), 16 * k, s);
    });
    user.place(array, bytes);
  });
  user.place(0x1000, ops);
  const array = { stride: 48, count: arrays.length, array: 0x1000 };
  return fx.file.ioctl(IOCTL_VM_BIND, VM_BIND.encode({ vmId: 1, flags: VM_BIND_ASYNC, ops: array }), user);
}

describe("the order of an asynchronous call", () => {
  it("copies all arrays in before it looks at any signal or wait", () => {
    for (const bad of [signal(99), { flags: 0x100 }, { flags: 2 }, { timelineValue: 1 }, wait(99)]) {
      const fx = fixture();
      expect(syncAt(fx, [[bad], "unreadable"])).toBe(-EFAULT);
      expect(fx.file.lastError?.reason).toMatch(/^ops\[1\]\.syncs\.array: /);
      expect([fx.vm.gpuvm.count, fx.vm.queue.length, fx.file.dummy.pins]).toEqual([0, 0, 0]);
    }
  });

  it("makes all jobs before it looks at any signal", () => {
    const fx = fixture();
    const ops: TestOp[] = [
      { flags: OP_SYNC_ONLY, syncs: [signal(99)] },
      { flags: MAP_NOEXEC, boHandle: 77, va: VA, size: 0x1000 },
    ];
    expect(bind(fx, ops, { async: true }).reason).toMatch(/^ops\[1\]\.bo_handle: 77/);
  });

  it("looks at the signals of all operations before the first wait, and then wait by wait", () => {
    const fx = fixture();
    expect(sync(fx, [wait(98)], [signal(99)]).reason).toMatch(/^ops\[1\]\.syncs\[0\]\.handle: 99/);
    expect(sync(fx, [wait(98)], [{ flags: 0x100 }]).ret).toBe(-ENOENT);
    expect(sync(fx, [{ flags: 0x100 }], [wait(98)]).ret).toBe(-EINVAL);
  });

  it("leaves syncobjs alone when it is refused", () => {
    const fx = fixture();
    const a = fx.file.syncobjs.create();
    expect(sync(fx, [signal(a)], [wait(99)]).ret).toBe(-ENOENT);
    expect(fx.file.syncobjs.get(a)?.fence).toBeNull();
  });
});

describe("a wait for what the same call signals", () => {
  it("finds it at exactly the same point only", () => {
    for (const [point, ret] of [
      [5, 0],
      [3, -EINVAL],
      [4, -EINVAL],
      [6, -EINVAL],
      [0, -EINVAL],
    ] as const) {
      const fx = fixture();
      const a = fx.file.syncobjs.create();
      expect(sync(fx, [signalAt(a, 5)], [waitAt(a, point)]).ret).toBe(ret);
    }
  });

  it("is looked up where the syncobj was before the call, at any other point", () => {
    const fx = fixture();
    const a = fx.file.syncobjs.create();
    fx.file.syncobjs.attachFence(a, 4).signal();
    expect(sync(fx, [signalAt(a, 5)], [waitAt(a, 3)]).ret).toBe(0);
  });

  it("goes by the handle: another handle of the same syncobj does not show the signal", () => {
    const fx = fixture();
    const a = fx.file.syncobjs.create();
    const b = fx.file.syncobjs.import(fx.file.syncobjs.export(a));
    expect(sync(fx, [signal(a)], [wait(b)]).ret).toBe(-EINVAL);
    expect(sync(fx, [signal(a)], [wait(a)]).ret).toBe(0);
    expect(sync(fx, [wait(b)]).ret).toBe(0);
  });

  it("does not find a later operation's, nor its own", () => {
    const fx = fixture();
    const a = fx.file.syncobjs.create();
    expect(sync(fx, [wait(a)], [signal(a)]).ret).toBe(-EINVAL);
    expect(sync(fx, [signal(a), wait(a)]).ret).toBe(-EINVAL);
    fx.file.syncobjs.attachFence(a).signal();
    expect(sync(fx, [wait(a)], [signal(a)]).ret).toBe(0);
  });
});

describe("one payload of a syncobj", () => {
  it("a binary wait, and a wait for point 0, wait for the whole chain", () => {
    for (const sought of [wait, (handle: number) => waitAt(handle, 0)]) {
      const fx = fixture();
      const a = fx.file.syncobjs.create();
      const first = fx.file.syncobjs.attachFence(a, 3);
      const second = fx.file.syncobjs.attachFence(a, 7);
      expect(sync(fx, [sought(a)]).ret).toBe(0);
      second.signal();
      expect(fx.vm.queue.length).toBe(1);
      first.signal();
      expect(fx.vm.queue.length).toBe(0);
    }
  });

  it("a binary signal, and a signal of point 0, replace the chain", () => {
    for (const replaced of [signal, (handle: number) => signalAt(handle, 0)]) {
      const fx = fixture();
      const a = fx.file.syncobjs.create();
      fx.file.syncobjs.attachFence(a, 3).signal();
      expect(sync(fx, [waitAt(a, 3)]).ret).toBe(0);
      expect(sync(fx, [replaced(a)]).ret).toBe(0);
      expect(sync(fx, [waitAt(a, 3)])).toMatchObject({
        ret: -EINVAL,
        reason: expect.stringMatching(/nothing will signal/),
      });
      expect(sync(fx, [wait(a)]).ret).toBe(0);
    }
  });

  it("takes each point once a call, with the end of the last job that signals it", () => {
    const fx = fixture();
    const [a, gate] = [fx.file.syncobjs.create(), fx.file.syncobjs.create()];
    const fence = fx.file.syncobjs.attachFence(gate);
    expect(sync(fx, [signalAt(a, 5)], [wait(gate), signalAt(a, 7)], [signalAt(a, 5)]).ret).toBe(0);
    expect(fx.file.syncobjs.get(a)?.points).toBe(2);
    const five = fx.file.syncobjs.get(a)?.find(5);
    expect(five?.signaled).toBe(false);
    fence.signal();
    expect(five?.signaled).toBe(true);
  });
});

describe("an array of operations with a large stride", () => {
  it("is copied one by one: an unknown byte of the first beats the second that is not there", () => {
    const fx = fixture();
    const user = new UserMemory();
    const bytes = new Uint8Array(64);
    bytes[60] = 1;
    user.place(0x1000, bytes);
    const arg = VM_BIND.encode({ vmId: 1, ops: { stride: 64, count: 2, array: 0x1000 } });
    expect(fx.file.ioctl(IOCTL_VM_BIND, arg, user)).toBe(-7);
    bytes[60] = 0;
    expect(fx.file.ioctl(IOCTL_VM_BIND, arg, user)).toBe(-EFAULT);
    expect(fx.file.lastError?.reason).toMatch(/^ops\.array: /);
  });
});
