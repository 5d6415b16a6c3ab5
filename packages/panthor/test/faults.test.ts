/**
 * Jobs that fail or wait while the world goes on, and what eviction does to memory that is scarce. That any allocation may
 * fail is a law of all drivers: see `packages/driver-laws`.
 */
import { ECANCELED, EINVAL, ENOMEM, ERANGE } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkDeviceInvariants,
  type Fence,
  IOCTL_VM_GET_STATE,
  MAP_NOEXEC,
  MAP_SPARSE,
  OP_SYNC_ONLY,
  OP_UNMAP,
  type PanthorBo,
  PanthorDevice,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  VM_GET_STATE,
} from "../src/index.ts";
import {
  bind,
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

function expectNothingLeft({ counters, gems, memory }: PanthorDevice): void {
  const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = counters;
  const { residentBytes } = memory;
  expect({ tablesLive, gpuvasLive, vmBosLive, backingBytes, objects: gems.size, residentBytes }).toEqual({
    tablesLive: 0,
    gpuvasLive: 0,
    vmBosLive: 0,
    backingBytes: 0,
    objects: 0,
    residentBytes: 0,
  });
}

describe("memory that runs out for real", () => {
  it("refuses a queued call as a whole, and is there again once something is evicted", () => {
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
    const gate = file.syncobjs.attachFence(file.syncobjs.create());
    const done = [0, 1, 2, 3, 4].map(() => file.syncobjs.create());
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
    expect(done.map((handle) => file.syncobjs.get(handle)?.fence?.error)).toEqual([
      0,
      -ERANGE,
      -EINVAL,
      0,
      0,
    ]);
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
          const gates = order.map(() => file.syncobjs.create());
          const fences = gates.map((handle) => file.syncobjs.attachFence(handle));
          const timeline = file.syncobjs.create();
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
    const [gate, done] = [fx.file.syncobjs.create(), fx.file.syncobjs.create()];
    const fence = fx.file.syncobjs.attachFence(gate);
    mustBind(fx, [{ ...sparse(VA, PAGE), syncs: [{ handle: gate }, signal(done)] }], { async: true });
    fence.signal(-ECANCELED);
    expect(fx.file.syncobjs.get(done)?.fence).toMatchObject({ signaled: true, error: 0 });
    expect([fx.vm.gpuvm.count, fx.vm.unusable]).toEqual([1, false]);
  });

  it("look at what a syncobj holds when the call is made, not at what is put into it later", () => {
    const fx = fixture();
    const gate = fx.file.syncobjs.create();
    const first = fx.file.syncobjs.attachFence(gate);
    mustBind(fx, [{ ...sparse(VA, PAGE), syncs: [{ handle: gate }] }], { async: true });
    const second = fx.file.syncobjs.attachFence(gate);
    second.signal();
    expect(fx.vm.queue.length).toBe(1);
    first.signal();
    expect(fx.vm.queue.length).toBe(0);
  });

  it("of a timeline whose points are submitted out of order", () => {
    const fx = fixture();
    const line = fx.file.syncobjs.create();
    const [five, three] = [fx.file.syncobjs.attachFence(line, 5), fx.file.syncobjs.attachFence(line, 9)];
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
      const [gate, ...done] = [0, 1, 2, 3].map(() => file.syncobjs.create());
      const fence = file.syncobjs.attachFence(gate as number);
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
      const fences = done.map((handle) => file.syncobjs.get(handle)?.fence as Fence);
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
    const gate = file.syncobjs.create();
    const fence = file.syncobjs.attachFence(gate);
    const line = file.syncobjs.create();
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
