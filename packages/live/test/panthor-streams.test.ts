import { E2BIG, ECANCELED, EFAULT, EINVAL, ENOENT, Fence, HandleTable, UserMemory } from "@vmbind/drm";
import { GpuFault } from "@vmbind/mmu";
import * as panthor from "@vmbind/panthor";
import { describe, expect, it } from "vitest";
import { runStream, StreamHang, streamRegisters } from "../src/drivers/panthor/command-stream.ts";
import { groupCreate, groupGetState, groupSubmit } from "../src/drivers/panthor/group-ioctls.ts";
import { type Group, GroupScheduler } from "../src/drivers/panthor/groups.ts";
import * as uapi from "../src/drivers/panthor/uapi.ts";

const BASE = 0x100_0000;
const BYTES = 0x20_0000;
const DATA = BASE + 0x1000;
const ARRAY = 0x7000_0000_0000;

function machine() {
  const device = new panthor.PanthorDevice();
  const model = device.open();
  const user = new UserMemory();
  const must = (result: number) => {
    if (result !== 0) throw model.lastError;
  };
  must(model.ioctl(panthor.IOCTL_VM_CREATE, panthor.VM_CREATE.encode({})));
  const bo = panthor.BO_CREATE.encode({ size: BYTES });
  must(model.ioctl(panthor.IOCTL_BO_CREATE, bo));
  const { handle } = panthor.BO_CREATE.read(new DataView(bo.buffer));
  const { size: stride } = panthor.VM_BIND_OP;
  user.place(ARRAY, panthor.VM_BIND_OP.encode({ boHandle: handle, va: BASE, size: BYTES }));
  must(
    model.ioctl(
      panthor.IOCTL_VM_BIND,
      panthor.VM_BIND.encode({ vmId: 1, ops: { stride, count: 1, array: ARRAY } }),
      user,
    ),
  );
  const vm = model.vm(1) as panthor.PanthorVm;
  const notes: string[] = [];
  const scheduler = new GroupScheduler((text) => notes.push(text));
  const groups = new HandleTable<Group>();
  return { model, user, vm, space: vm.addressSpace, notes, file: { model, scheduler, groups } };
}

/** An instruction: opcode, two registers, and the immediate. */
const op = (opcode: number, target: number, source: number, low: number) => [
  low >>> 0,
  ((opcode << 24) | (target << 16) | (source << 8)) >>> 0,
];
const move48 = (register: number, value: number) => op(1, register, 0, value);
const move32 = (register: number, value: number) => op(2, register, 0, value);
const storeOne = (register: number, address: number, offset = 0) =>
  op(21, register, address, (1 << 16) | (offset & 0xffff));

function write({ space }: ReturnType<typeof machine>, words: readonly number[], at = BASE): number {
  words.forEach((word, i) => {
    space.store32(at + 4 * i, word);
  });
  return 4 * words.length;
}

describe("command streams of panthor", () => {
  it("move, add, store and load through the VM", () => {
    const m = machine();
    const unknown: string[] = [];
    const bytes = write(m, [
      ...move48(10, DATA),
      ...move32(20, 40),
      ...op(16, 21, 20, 2),
      ...storeOne(21, 10),
      ...op(17, 12, 10, 8),
      ...op(20, 30, 10, 1 << 16),
      ...storeOne(30, 12, -4),
      ...op(36, 0, 0, 0),
    ]);
    const registers = streamRegisters();
    runStream(m.space, registers, BASE, bytes, (text) => unknown.push(text));
    expect([m.space.load32(DATA), m.space.load32(DATA + 4), registers[12]]).toEqual([42, 42, DATA + 8]);
    expect(unknown).toEqual([]);
  });

  it("come back from a call, and not from a jump", () => {
    for (const [opcode, expected] of [
      [32, 2],
      [33, 1],
    ] as const) {
      const m = machine();
      const inner = BASE + 0x100;
      const length = write(m, [...move32(20, 1), ...storeOne(20, 10)], inner);
      const bytes = write(m, [
        ...move48(10, DATA),
        ...move48(12, inner),
        ...move32(14, length),
        ...op(opcode, 0, 12, 14 << 8),
        ...move32(20, 2),
        ...storeOne(20, 10),
      ]);
      runStream(m.space, streamRegisters(), BASE, bytes, () => {});
      expect(m.space.load32(DATA)).toBe(expected);
    }
  });

  it("fault where nothing is mapped, and hang where they never end", () => {
    const m = machine();
    const fault = write(m, [...move48(10, BASE + BYTES), ...storeOne(20, 10)]);
    expect(() => runStream(m.space, streamRegisters(), BASE, fault, () => {})).toThrow(GpuFault);
    const loop = write(m, [...move48(12, BASE), ...move32(14, 24), ...op(33, 0, 12, 14 << 8)]);
    expect(() => runStream(m.space, streamRegisters(), BASE, loop, () => {})).toThrow(StreamHang);
  });
});

describe("groups of panthor", () => {
  function withGroup() {
    const m = machine();
    const queues = { stride: 8, count: 2, array: ARRAY };
    const queue = uapi.QUEUE_CREATE.encode({ ringbufSize: 4096 });
    m.user.place(ARRAY, Uint8Array.from([...queue, ...queue]));
    const arg = uapi.GROUP_CREATE.encode({ queues, vmId: 1 });
    groupCreate(m.file, new DataView(arg.buffer), m.user);
    return { ...m, handle: uapi.GROUP_CREATE.read(new DataView(arg.buffer)).groupHandle };
  }
  type Machine = ReturnType<typeof withGroup>;

  function submit(m: Machine, jobs: Partial<uapi.QueueSubmit>[]) {
    m.user.place(ARRAY, Uint8Array.from(Buffer.concat(jobs.map((job) => uapi.QUEUE_SUBMIT.encode(job)))));
    const queueSubmits = { stride: uapi.QUEUE_SUBMIT.size, count: jobs.length, array: ARRAY };
    const arg = uapi.GROUP_SUBMIT.encode({ groupHandle: m.handle, queueSubmits });
    groupSubmit(m.file, new DataView(arg.buffer), m.user);
    m.file.scheduler.progress();
  }
  function syncs(m: Machine, at: number, list: Partial<panthor.SyncOp>[]) {
    m.user.place(at, Uint8Array.from(Buffer.concat(list.map((sync) => panthor.SYNC_OP.encode(sync)))));
    return { stride: panthor.SYNC_OP.size, count: list.length, array: at };
  }

  it("run a job behind what it waits for, and signal; what the same call signals can be waited for", () => {
    const m = withGroup();
    const [gate, out] = [m.model.syncobjs.create(), m.model.syncobjs.create()];
    const fence = new Fence();
    m.model.syncobjs.get(gate)?.attach(0, fence);
    const bytes = write(m, [...move48(10, DATA), ...move32(20, 5), ...storeOne(20, 10)]);
    const SIGNAL = panthor.SYNC_OP_SIGNAL;
    submit(m, [
      {
        streamAddr: BASE,
        streamSize: bytes,
        syncs: syncs(m, 0x7100_0000_0000, [
          { handle: gate },
          { handle: out, flags: SIGNAL + 1, timelineValue: 3 },
        ]),
      },
      { queueIndex: 1, syncs: syncs(m, 0x7200_0000_0000, [{ handle: out, flags: 1, timelineValue: 3 }]) },
    ]);
    expect([m.space.load32(DATA), m.model.syncobjs.get(out)?.find(3)?.signaled]).toEqual([0, false]);
    fence.signal();
    m.file.scheduler.progress();
    expect([m.space.load32(DATA), m.model.syncobjs.get(out)?.find(3)?.signaled]).toEqual([5, true]);
  });

  it("take syncs as VM_BIND does: all is copied in first, and only the very point of the call itself is found", () => {
    const m = withGroup();
    const out = m.model.syncobjs.create();
    const SIGNAL = panthor.SYNC_OP_SIGNAL;
    const nowhere = { stride: panthor.SYNC_OP.size, count: 1, array: 0x7900_0000_0000 };
    const errno = (jobs: Partial<uapi.QueueSubmit>[]) => {
      try {
        submit(m, jobs);
      } catch (error) {
        return (error as { errno?: number }).errno;
      }
      return 0;
    };
    const list = (...ops: Partial<panthor.SyncOp>[]) => ({ syncs: syncs(m, 0x7100_0000_0000, ops) });
    const wait = (timelineValue: number, handle = out) => ({
      syncs: syncs(m, 0x7200_0000_0000, [{ handle, flags: 1, timelineValue }]),
    });
    const signal = () => list({ handle: out, flags: SIGNAL + 1, timelineValue: 5 });
    expect(errno([list({ handle: 99, flags: SIGNAL }), { syncs: nowhere }])).toBe(EFAULT);
    expect(errno([list({ handle: 99, flags: SIGNAL })])).toBe(EINVAL);
    expect(errno([list({ handle: 99 })])).toBe(ENOENT);
    expect(errno([signal(), wait(3)])).toBe(EINVAL);
    expect(m.model.syncobjs.get(out)?.fence).toBeNull();
    expect(errno([signal(), wait(5)])).toBe(0);
    // What this header does not know of an element must be zero.
    const grown = new Uint8Array(24);
    m.user.place(0x7300_0000_0000, grown);
    const wide = { syncs: { stride: 24, count: 1, array: 0x7300_0000_0000 } };
    grown.set(panthor.SYNC_OP.encode({ handle: out, flags: SIGNAL }));
    expect(errno([wide])).toBe(0);
    grown[23] = 1;
    expect(errno([wide])).toBe(E2BIG);
    expect(errno([{ syncs: { ...wide.syncs, stride: 8 } }])).toBe(EINVAL);
  });

  it("have 1 to 8 queues, which is looked at before they are", () => {
    const m = machine();
    for (const count of [0, 9, 0xffffffff]) {
      const arg = uapi.GROUP_CREATE.encode({ queues: { stride: 8, count, array: 1 }, vmId: 1 });
      const create = () => groupCreate(m.file, new DataView(arg.buffer), m.user);
      expect(create).toThrow(expect.objectContaining({ errno: EINVAL }));
    }
  });

  it("are over after a fault: the state says which queue, jobs end with an error, submits are refused", () => {
    const m = withGroup();
    const out = m.model.syncobjs.create();
    const bytes = write(m, [...move48(10, BASE + BYTES), ...storeOne(20, 10)]);
    const signal = syncs(m, 0x7100_0000_0000, [{ handle: out, flags: panthor.SYNC_OP_SIGNAL }]);
    submit(m, [{ queueIndex: 1, streamAddr: BASE, streamSize: bytes, syncs: signal }]);
    expect(m.model.syncobjs.get(out)?.find(0)?.error).toBe(-ECANCELED);
    const arg = uapi.GROUP_GET_STATE.encode({ groupHandle: m.handle });
    groupGetState(m.file, new DataView(arg.buffer));
    expect(uapi.GROUP_GET_STATE.read(new DataView(arg.buffer))).toMatchObject({ state: 2, fatalQueues: 2 });
    expect(() => submit(m, [{}])).toThrow(expect.objectContaining({ errno: EINVAL }));
    expect(m.notes.join()).toContain("not-present");
  });
});
