/**
 * Allocations that fail, one after the other and at random, and jobs that fail or wait while the world goes on. What a
 * call says it did is what it did: a second device on which nothing fails is given just that much, and must look the
 * same.
 */
import { ECANCELED, EINVAL, ENOMEM, ERANGE } from "@vmbind/drm";
import { leaves } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BO_CREATE,
  checkDeviceInvariants,
  type Fence,
  IOCTL_BO_CREATE,
  IOCTL_VM_CREATE,
  IOCTL_VM_GET_STATE,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  OP_SYNC_ONLY,
  OP_UNMAP,
  type PanthorBo,
  PanthorDevice,
  type PanthorFile,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  VM_CREATE,
  VM_GET_STATE,
} from "../src/index.ts";
import {
  bind,
  closeBo,
  createBo,
  type DeviceOptions,
  destroyVm,
  fixture,
  mustBind,
  openWithVm,
  type TestOp,
} from "./support.ts";

const VA = 0x40000000;
const PAGE = 0x1000;
const MIB2 = 0x200000;

const map = (boHandle: number, va: number, size: number, boOffset = 0): TestOp => ({
  flags: MAP_NOEXEC,
  boHandle,
  va,
  size,
  boOffset,
});
const sparse = (va: number, size: number): TestOp => ({ flags: MAP_NOEXEC | MAP_SPARSE, va, size });
const unmap = (va: number, size: number): TestOp => ({ flags: OP_UNMAP, va, size });

/** What user space and the GPU can tell of a file. Addresses of memory and of tables are left out. */
function digest(file: PanthorFile): string {
  const vms = [...file.vms()].map(([id, vm]) => {
    const { memory, format, root } = vm.addressSpace;
    return {
      id,
      unusable: vm.unusable,
      mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, refs: gem?.refs })),
      leaves: [...leaves(memory, format, root)].map(({ va, level }) => [va, level]),
    };
  });
  return JSON.stringify(vms, null, 1);
}

function expectNothingLeft({ counters, gems, memory }: PanthorDevice): void {
  const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = counters;
  expect([tablesLive, gpuvasLive, vmBosLive, backingBytes, gems.size, memory.residentBytes]).toEqual([
    0, 0, 0, 0, 0, 0,
  ]);
}

/** One step of a script: what is called. */
type Step =
  | { kind: "vm" }
  | { kind: "bo"; size: number; exclusive: boolean }
  | { kind: "bind"; ops: TestOp[]; async: boolean }
  | { kind: "evict"; bo: number }
  | { kind: "validate" }
  | { kind: "close-bo"; bo: number }
  | { kind: "destroy-vm" };

/** Result of a step: 0 or a negative errno, and how many operations of a VM_BIND were done. */
interface Outcome {
  ret: number;
  done: number;
}

function perform(file: PanthorFile, step: Step): Outcome {
  if (step.kind === "bind") {
    const { ret, count } = bind({ file, vmId: 1 }, step.ops, { async: step.async });
    // A call that fails before its first operation leaves `ops.count` as it was: then it is no index.
    const all = step.ops.length;
    return { ret, done: ret === 0 ? all : count === all ? 0 : count };
  }
  let ret = 0;
  if (step.kind === "vm") ret = file.ioctl(IOCTL_VM_CREATE, VM_CREATE.encode({}));
  else if (step.kind === "bo") {
    const { size, exclusive } = step;
    ret = file.ioctl(IOCTL_BO_CREATE, BO_CREATE.encode({ size, exclusiveVmId: exclusive ? 1 : 0 }));
  } else if (step.kind === "close-bo") ret = closeBo(file, step.bo);
  else if (step.kind === "destroy-vm") ret = destroyVm(file, 1);
  else if (step.kind === "evict")
    file.device.evict(step.bo === 0 ? file.dummy : (file.bo(step.bo) as PanthorBo));
  else {
    try {
      for (const [, vm] of file.vms()) vm.validate();
    } catch (error) {
      ret = -(error as { errno: number }).errno;
    }
  }
  return { ret, done: 0 };
}

/** Everything that allocates: VM, objects, maps of all kinds, cuts through blocks and pages, async calls, restore. */
const SCRIPT: readonly Step[] = [
  { kind: "vm" },
  { kind: "bo", size: 3 * MIB2, exclusive: true },
  { kind: "bo", size: 16 * PAGE, exclusive: false },
  {
    kind: "bind",
    async: false,
    ops: [
      map(1, VA, 3 * MIB2),
      sparse(VA + 4 * MIB2 + PAGE, 3 * MIB2),
      map(2, VA + MIB2 + PAGE, 16 * PAGE),
      unmap(VA + 5 * MIB2 + PAGE, PAGE),
      { ...map(2, VA + 2 ** 39, 4 * PAGE, 4 * PAGE), flags: MAP_READONLY },
    ],
  },
  {
    kind: "bind",
    async: true,
    ops: [sparse(VA + MIB2 / 2, MIB2), unmap(VA + PAGE, PAGE), map(2, VA + 8 * MIB2, 2 * PAGE)],
  },
  { kind: "evict", bo: 1 },
  { kind: "evict", bo: 0 },
  { kind: "bind", async: false, ops: [unmap(VA + 2 * MIB2, 3 * PAGE), map(1, VA + 9 * MIB2, MIB2)] },
  { kind: "validate" },
  { kind: "evict", bo: 1 },
  { kind: "validate" },
  { kind: "close-bo", bo: 2 },
  { kind: "destroy-vm" },
];

interface FaultRun {
  /** Allocations that were asked for. */
  asked: number;
  /** Steps that failed, with the operations that they had done. */
  failed: [step: number, done: number][];
}

/** Runs the script; what fails is checked against a device that never fails, and then done again, from where it stopped. */
function runScript(script: readonly Step[], failsAt: (asked: number) => boolean): FaultRun {
  let asked = 0;
  let faults = 0;
  const device = new PanthorDevice({
    allocFault: () => {
      const fails = failsAt(asked++);
      if (fails) faults++;
      return fails;
    },
  });
  const file = device.open();
  const twin = new PanthorDevice().open();
  const failed: [number, number][] = [];
  const check = (): void => {
    checkDeviceInvariants(device, [file]);
    expect(digest(file)).toBe(digest(twin));
    expect([file.dummy.pins, ...[...file.bos()].map(([, bo]) => bo.pins)].every((pins) => pins === 0)).toBe(
      true,
    );
    expect(device.counters.kernelWarnings).toBe(0);
  };
  for (const [i, whole] of script.entries()) {
    let step = whole;
    for (;;) {
      const faultsBefore = faults;
      const { ret, done } = perform(file, step);
      expect(ret).toBe(faults > faultsBefore ? -ENOMEM : 0);
      if (ret === 0) break;
      failed.push([i, done]);
      if (step.kind === "bind" && done > 0) {
        expect(done).toBeLessThan(step.ops.length);
        perform(twin, { ...step, ops: step.ops.slice(0, done) });
        step = { ...step, ops: step.ops.slice(done) };
      }
      // A restore brings back mapping by mapping; what it did stays, so only a step that is not one can be compared.
      if (step.kind === "validate") checkDeviceInvariants(device, [file]);
      else check();
    }
    expect(perform(twin, step).ret).toBe(0);
    if (failed.at(-1)?.[0] === i || i === script.length - 1) check();
  }
  file.close();
  expectNothingLeft(device);
  return { asked, failed };
}

describe("an allocation that fails", () => {
  const clean = runScript(SCRIPT, () => false);

  it("is survived, whichever it is: the call says how far it came, and can be done again from there", () => {
    expect(clean.failed).toEqual([]);
    const stopped = new Set<string>();
    for (let k = 0; k < clean.asked; k++) {
      const { failed } = runScript(SCRIPT, (asked) => asked === k);
      expect(failed).toHaveLength(1);
      stopped.add(String(failed[0]));
    }
    // A synchronous call stopped at each of its operations, an asynchronous one was refused as a whole.
    for (const at of ["3,0", "3,1", "3,2", "3,3", "3,4", "4,0", "7,0", "7,1"]) expect(stopped).toContain(at);
    expect([...stopped].filter((at) => at.startsWith("4,"))).toEqual(["4,0"]);
    for (const step of ["0,0", "1,0", "2,0", "8,0", "10,0"]) expect(stopped).toContain(step);
  }, 60_000);

  const ops = fc.array(
    fc
      .record({
        kind: fc.constantFrom("map", "map", "sparse", "unmap"),
        at: fc.integer({ min: 0, max: 3 * 512 }),
        pages: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.constant(512), fc.constant(600)),
        bo: fc.integer({ min: 1, max: 2 }),
      })
      .map(({ kind, at, pages, bo }): TestOp => {
        const va = VA - MIB2 + at * PAGE;
        if (kind === "unmap") return unmap(va, pages * PAGE);
        if (kind === "sparse") return sparse(va, pages * PAGE);
        return map(bo, va, (bo === 1 ? pages : Math.min(pages, 16)) * PAGE);
      }),
    { minLength: 1, maxLength: 4 },
  );
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("bind" as const), ops, async: fc.boolean() }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("evict" as const), bo: fc.integer({ min: 0, max: 2 }) }),
      },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: "validate" }) },
    ),
    { minLength: 1, maxLength: 8 },
  );

  it("is survived among many, in random calls", () => {
    let failures = 0;
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.integer({ min: 0, max: 11 })), (random, stream) => {
        const next = stream[Symbol.iterator]();
        // Restored at the end, so that the two devices can be compared once more.
        const script = [...SCRIPT.slice(0, 3), ...random, { kind: "validate" } as const];
        failures += runScript(script, () => next.next().value === 0).failed.length;
      }),
      { numRuns: 60, seed: 20260322 },
    );
    expect(failures).toBeGreaterThan(200);
  }, 60_000);
});

describe("memory that runs out for real", () => {
  it("refuses what does not fit, keeps the rest, and is all there again afterwards", () => {
    const fx = fixture({
      memory: { frames: { limit: 0x100000000 + 4 * MIB2 } },
      boFragmentation: "contiguous",
    });
    const [small, large] = [createBo(fx.file, 3 * MIB2), createBo(fx.file, 2 * MIB2)];
    const ops = [map(small, VA, 3 * MIB2), map(large, VA + MIB2, PAGE), unmap(VA, PAGE)];
    for (let round = 0; round < 3; round++) {
      expect(bind(fx, ops)).toMatchObject({ ret: -ENOMEM, count: 1 });
      expect(bind(fx, ops, { async: true })).toMatchObject({ ret: -ENOMEM, count: 3 });
      expect([...fx.vm.mappings()].map(({ addr, range }) => [addr, range])).toEqual([[VA, 3 * MIB2]]);
      checkDeviceInvariants(fx.device, [fx.file]);
      // What is evicted makes room; what is restored needs it again.
      fx.device.evict(fx.file.bo(small) as PanthorBo);
      mustBind(fx, [map(large, VA + 4 * MIB2, PAGE)]);
      expect(() => fx.vm.validate()).toThrow(/ENOMEM/);
      checkDeviceInvariants(fx.device, [fx.file]);
      fx.device.evict(fx.file.bo(large) as PanthorBo);
      mustBind(fx, [unmap(VA + 4 * MIB2, PAGE)]);
      fx.vm.validate();
    }
    fx.file.close();
    expectNothingLeft(fx.device);
  });
});

/** A device on which the high half of a large object cannot be mapped: ERANGE in the queue. */
const NARROW: NonNullable<DeviceOptions> = {
  paBits: 32,
  memory: { frames: { base: 0x80000000, limit: 0x180000000 } },
  boFragmentation: "contiguous",
};
const signal = (handle: number) => ({ flags: SYNC_OP_SIGNAL, handle });
const point = (handle: number, timelineValue: number, flags = 0) => ({
  flags: (flags | SYNC_OP_TIMELINE) >>> 0,
  handle,
  timelineValue,
});

describe("a job that fails in the queue", () => {
  it("makes its VM unusable: MAPs behind it fail, UNMAPs still run, other VMs go on", () => {
    const fx = fixture(NARROW);
    const { file } = fx;
    const low = createBo(file, 0x4000);
    const high = createBo(file, 0x80000000);
    mustBind(fx, [map(low, VA, 0x4000)]);
    const gate = file.attachFence(file.createSyncobj());
    const done = [0, 1, 2, 3, 4].map(() => file.createSyncobj());
    const ops = [
      map(low, VA + MIB2, 0x1000),
      map(high, 2 * VA, 0x80000000),
      map(low, VA + 2 * MIB2, 0x1000),
      unmap(VA, 0x2000),
      { flags: OP_SYNC_ONLY },
    ].map(
      (op, i): TestOp => ({ ...op, syncs: [...(i === 0 ? [{ handle: 1 }] : []), signal(done[i] as number)] }),
    );
    mustBind(fx, ops, { async: true });
    expect(fx.vm.queue.length).toBe(5);
    // All was well when it was queued, also for whoever asks.
    const state = VM_GET_STATE.encode({ vmId: fx.vmId });
    const ask = () => [
      file.ioctl(IOCTL_VM_GET_STATE, state),
      VM_GET_STATE.read(new DataView(state.buffer)).state,
    ];
    expect(ask()).toEqual([0, 0]);
    gate.signal();
    expect(done.map((handle) => file.syncobj(handle)?.fence?.error)).toEqual([0, -ERANGE, -EINVAL, 0, 0]);
    expect(ask()).toEqual([0, 1]);
    expect([...fx.vm.mappings()].map(({ addr, range }) => [addr, range])).toEqual([
      [VA + 0x2000, 0x2000],
      [VA + MIB2, 0x1000],
    ]);
    // Synchronous: no MAP, but UNMAP. Asynchronous: nothing at all.
    expect(bind(fx, [unmap(VA + 0x2000, 0x1000), map(low, VA, 0x1000)])).toMatchObject({
      ret: -EINVAL,
      count: 1,
    });
    for (const op of [map(low, VA, 0x1000), unmap(VA, 0x4000), { flags: OP_SYNC_ONLY, syncs: [signal(1)] }]) {
      expect(bind(fx, [op], { async: true })).toMatchObject({ ret: -EINVAL, count: 1 });
    }
    const vmId = file.createVm(2 ** 40);
    mustBind({ file, vmId }, [map(low, VA, 0x1000)], { async: true });
    checkDeviceInvariants(fx.device, [file]);
    file.close();
    expectNothingLeft(fx.device);
  });

  it("leaves the mappings that the failing MAP had not reached yet", () => {
    const fx = fixture(NARROW);
    const low = createBo(fx.file, 0x4000);
    const high = createBo(fx.file, 0x80000000);
    mustBind(fx, [map(low, 2 * VA, 0x1000), map(low, 4 * VA, 0x1000)]);
    mustBind(fx, [map(high, 2 * VA, 0x80000000)], { async: true });
    // The steps ran in order: what was there went, then the new mapping failed, and its own entries went.
    expect([...fx.vm.mappings()].map(({ addr }) => addr)).toEqual([4 * VA]);
    expect(fx.vm.addressSpace.walk(2 * VA).kind).toBe("fault");
    checkDeviceInvariants(fx.device, [fx.file]);
  });
});

describe("waits", () => {
  /** Jobs of several VMs; each waits for gates, and perhaps for another job's point on one timeline. */
  const jobs = fc.array(
    fc.record({
      vm: fc.integer({ min: 0, max: 2 }),
      gates: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
      after: fc.option(fc.nat(7)),
    }),
    { minLength: 1, maxLength: 8 },
  );

  it("are met in any order: a job runs when its gates, its timeline and the jobs before it say so", () => {
    let signals = 0;
    fc.assert(
      fc.property(
        jobs,
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
        fc.constantFrom(0, -ECANCELED),
        (list, order, error) => {
          const device = new PanthorDevice();
          const file = device.open();
          const vms = [0, 1, 2].map(() => file.createVm(2 ** 40));
          const gates = order.map(() => file.createSyncobj());
          const fences = gates.map((handle) => file.attachFence(handle));
          const timeline = file.createSyncobj();
          list.forEach(({ vm, gates: waits, after }, i) => {
            const syncs = waits.map((gate): object => ({ handle: gates[gate] as number }));
            if (after !== null && after < i) syncs.push(point(timeline, after + 1));
            syncs.push(point(timeline, i + 1, SYNC_OP_SIGNAL));
            const op = { ...sparse(VA + i * PAGE, PAGE), syncs };
            mustBind({ file, vmId: vms[vm] as number }, [op], { async: true });
          });
          const open = new Set<number>();
          const ran = new Set<number>();
          const compare = (): void => {
            for (let before = -1; before !== ran.size; ) {
              before = ran.size;
              list.forEach(({ vm, gates: waits, after }, i) => {
                const earlier = list.slice(0, i).every((job, k) => job.vm !== vm || ran.has(k));
                // A point of a timeline stands for all points before it.
                const line =
                  after === null || after >= i || list.slice(0, after + 1).every((_, k) => ran.has(k));
                if (earlier && line && waits.every((gate) => open.has(gate))) ran.add(i);
              });
            }
            const mapped = new Set<number>();
            for (const [, vm] of file.vms()) {
              for (const { addr } of vm.mappings()) mapped.add((addr - VA) / PAGE);
            }
            expect([...mapped].sort()).toEqual([...ran].sort());
          };
          compare();
          for (const gate of order) {
            (fences[gate] as Fence).signal(error);
            open.add(gate);
            signals++;
            compare();
          }
          expect(ran.size).toBe(list.length);
          expect([...file.vms()].every(([, vm]) => !vm.unusable)).toBe(true);
          checkDeviceInvariants(device, [file]);
          file.close();
          expectNothingLeft(device);
        },
      ),
      { numRuns: 200, seed: 11 },
    );
    expect(signals).toBe(1000);
  });

  it("that are cancelled let the job run, and its own fence does not fail", () => {
    const fx = fixture();
    const [gate, done] = [fx.file.createSyncobj(), fx.file.createSyncobj()];
    const fence = fx.file.attachFence(gate);
    mustBind(fx, [{ ...sparse(VA, PAGE), syncs: [{ handle: gate }, signal(done)] }], { async: true });
    fence.signal(-ECANCELED);
    expect(fx.file.syncobj(done)?.fence).toMatchObject({ signaled: true, error: 0 });
    expect([fx.vm.gpuvm.count, fx.vm.unusable]).toEqual([1, false]);
  });

  it("look at what a syncobj holds when the call is made, not at what is put into it later", () => {
    const fx = fixture();
    const gate = fx.file.createSyncobj();
    const first = fx.file.attachFence(gate);
    mustBind(fx, [{ ...sparse(VA, PAGE), syncs: [{ handle: gate }] }], { async: true });
    const second = fx.file.attachFence(gate);
    second.signal();
    expect(fx.vm.queue.length).toBe(1);
    first.signal();
    expect(fx.vm.queue.length).toBe(0);
  });

  it("of a timeline whose points are submitted out of order", () => {
    const fx = fixture();
    const line = fx.file.createSyncobj();
    const [five, three] = [fx.file.attachFence(line, 5), fx.file.attachFence(line, 9)];
    mustBind(fx, [{ ...sparse(VA, PAGE), syncs: [point(line, 4)] }], { async: true });
    mustBind(fx, [{ ...sparse(VA + PAGE, PAGE), syncs: [point(line, 6)] }], { async: true });
    three.signal();
    expect(fx.vm.queue.length).toBe(2);
    five.signal();
    expect(fx.vm.queue.length).toBe(0);
  });

  it("that outlive their file: jobs run when they are met, MAPs then fail, and nothing is left", () => {
    for (const error of [0, -ECANCELED]) {
      const device = new PanthorDevice();
      const { file, vmId } = openWithVm(device);
      const bo = createBo(file, 4 * MIB2);
      const [gate, ...done] = [0, 1, 2, 3].map(() => file.createSyncobj());
      const fence = file.attachFence(gate as number);
      mustBind({ file, vmId }, [map(bo, VA, 4 * MIB2)]);
      const ops = [map(bo, VA + 8 * MIB2, MIB2), sparse(VA + 16 * MIB2, MIB2), unmap(VA, MIB2 + PAGE)];
      const syncs = (i: number) => [
        ...(i === 0 ? [{ handle: gate as number }] : []),
        signal(done[i] as number),
      ];
      mustBind(
        { file, vmId },
        ops.map((op, i) => ({ ...op, syncs: syncs(i) })),
        { async: true },
      );
      const fences = done.map((handle) => file.syncobj(handle)?.fence as Fence);
      file.close();
      expect([device.gems.size > 0, device.counters.tablesLive > 0]).toEqual([true, true]);
      fence.signal(error);
      expect(fences.map((f) => [f.signaled, f.error])).toEqual([
        [true, -EINVAL],
        [true, -EINVAL],
        [true, 0],
      ]);
      expectNothingLeft(device);
    }
  });

  it("that outlive their VM do not keep the others from running", () => {
    const fx = fixture();
    const { file } = fx;
    const gate = file.createSyncobj();
    const fence = file.attachFence(gate);
    const line = file.createSyncobj();
    const syncs = [{ handle: gate }, point(line, 1, SYNC_OP_SIGNAL)];
    mustBind(fx, [{ ...sparse(VA, PAGE), syncs }], { async: true });
    const vmId = file.createVm(2 ** 40);
    mustBind({ file, vmId }, [{ ...sparse(VA, PAGE), syncs: [point(line, 1)] }], { async: true });
    destroyVm(file, fx.vmId);
    fence.signal();
    expect([file.vm(vmId)?.queue.length, file.vm(vmId)?.gpuvm.count]).toEqual([0, 1]);
    checkDeviceInvariants(fx.device, [file]);
    file.close();
    expectNothingLeft(fx.device);
  });
});

describe("an object that was evicted and mapped again before it was restored", () => {
  it("is unmapped everywhere by the next eviction", () => {
    const fx = fixture();
    const bo = createBo(fx.file, 16 * PAGE);
    const object = fx.file.bo(bo) as PanthorBo;
    mustBind(fx, [map(bo, VA, 4 * PAGE)]);
    fx.device.evict(object);
    mustBind(fx, [map(bo, VA + MIB2, 4 * PAGE)]);
    expect([...fx.vm.mappings()].map(({ evicted }) => evicted)).toEqual([true, false]);
    fx.device.evict(object);
    expect([VA, VA + MIB2].map((va) => fx.vm.addressSpace.walk(va).kind)).toEqual(["fault", "fault"]);
    checkDeviceInvariants(fx.device, [fx.file]);
    fx.vm.validate();
    expect([...fx.vm.mappings()].map(({ evicted }) => evicted)).toEqual([false, false]);
    checkDeviceInvariants(fx.device, [fx.file]);
  });
});
