/** What a VM_BIND promises: all or nothing, the order of jobs, fences, and what becomes of jobs that cannot be carried out. */

import {
  type AllocPoint,
  DRM_IOCTL_GEM_CLOSE,
  EINTR,
  ENOMEM,
  EPIPE,
  Fence,
  FenceChain,
  issue,
  viewOf,
} from "@vmbind/drm";
import { expect, test } from "vitest";
import {
  checkDeviceInvariants,
  GEM_CLOSE,
  IN_FLIGHT_MAX,
  MsmDevice,
  type MsmFile,
  type MsmQuirks,
  NO_QUIRKS,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  VM_BIND,
  VM_BIND_FENCE_FD_IN,
  VM_BIND_FENCE_FD_OUT,
  type VmBindOp,
} from "../src/index.ts";
import { bind, bindCall, newObject, openWithQueues } from "./calls.ts";

const PAGE = 0x1000;
const AT = 0x40_0000_0000;

type Op = Partial<VmBindOp>;
const map = (handle: number, page: number, pages: number, objOffset = 0): Op => ({
  op: OP_MAP,
  handle,
  iova: AT + page * PAGE,
  range: pages * PAGE,
  objOffset,
});
const nothing = (op: number, page: number, pages: number): Op => ({
  op,
  iova: AT + page * PAGE,
  range: pages * PAGE,
});

/** Mappings as `first page + pages: handle`. */
function mapped(file: MsmFile): string[] {
  return [...file.needVm().mappings()].map(
    ({ addr, range, bo }) => `${(addr - AT) / PAGE}+${range / PAGE}: ${bo}`,
  );
}

/** What the GPU finds at the first bytes of a page. */
function seen(file: MsmFile, page: number): number | "fault" {
  const { addressSpace } = file.needVm();
  const at = AT + page * PAGE;
  return addressSpace.walk(at).kind === "fault" ? "fault" : addressSpace.load32(at);
}

test.each(["gpuva", "op-array", "page-table", "bo-pages"] as const)(
  "is all or nothing, wherever an allocation of %s fails",
  (point: AllocPoint) => {
    let failures = 0;
    for (let nth = 1; ; nth++) {
      let left = 0;
      const device = new MsmDevice({ allocFault: (at) => at === point && left > 0 && --left === 0 });
      const file = openWithQueues(device);
      const [first, second] = [newObject(file, 64 * PAGE), newObject(file, 64 * PAGE)] as const;
      expect(bind(file, [nothing(OP_MAP_NULL, 0, 600), map(first, 8, 64)])).toBe(0);
      const before = mapped(file);
      const { ptMaps, ptUnmaps } = device.counters;
      left = nth;
      const ret = bind(file, [
        map(second, 4, 8),
        nothing(OP_UNMAP, 16, 16),
        map(first, 8, 64),
        nothing(OP_MAP_NULL, 20, 2),
      ]);
      const injected = left === 0;
      left = 0;
      checkDeviceInvariants(device, [file]);
      if (!injected) break;
      failures++;
      expect([ret, mapped(file)]).toEqual([-ENOMEM, before]);
      expect([device.counters.ptMaps, device.counters.ptUnmaps]).toEqual([ptMaps, ptUnmaps]);
      expect(device.tablesAside).toBe(0);
      file.close();
      expect([device.gems.size, device.memory.tables.live, device.counters.backingBytes]).toEqual([0, 0, 0]);
    }
    expect(failures).toBeGreaterThan(0);
  },
);

/** Two jobs on two queues, of which the first waits. Which file is read, and the fence that it waits for. */
function twoJobs(quirks: Partial<MsmQuirks>, page: number) {
  const device = new MsmDevice({ quirks: { ...NO_QUIRKS, ...quirks } });
  const file = openWithQueues(device);
  const handle = newObject(file, 8 * PAGE);
  expect(bind(file, [map(handle, 0, 8)])).toBe(0);
  file.needVm().addressSpace.store32(AT, 7);
  const syncobj = file.syncobjs.create();
  const fence = file.syncobjs.attachFence(syncobj);
  const waits = file.addSyncFile(fence);
  const late = { queueId: 1, flags: VM_BIND_FENCE_FD_IN, fenceFd: waits };
  expect(bind(file, [nothing(OP_UNMAP, 0, 4)], late)).toBe(0);
  expect(bind(file, [map(handle, page, 4)], { queueId: 2 })).toBe(0);
  return { device, file, fence };
}

test("a job waits for the earlier ones of its queue, and of others where they overlap", () => {
  const { device, file, fence } = twoJobs({}, 0);
  expect(file.needVm().scheduler.jobs.length).toBe(2);
  fence.signal();
  expect(file.needVm().scheduler.jobs.length).toBe(0);
  expect(seen(file, 0)).toBe(7);
  checkDeviceInvariants(device, [file]);
});

test("a job of another queue passes where it does not overlap", () => {
  const { file, fence } = twoJobs({}, 4);
  expect(file.needVm().scheduler.jobs.length).toBe(1);
  fence.signal();
  expect([seen(file, 0), seen(file, 4)]).toEqual(["fault", 7]);
});

test("with the quirk queuesApart it passes anyway, and the page table is not what the mappings say", () => {
  const { file, fence } = twoJobs({ queuesApart: true }, 0);
  expect(file.needVm().scheduler.jobs.length).toBe(1);
  fence.signal();
  expect(mapped(file)).toEqual(["0+4: 1", "4+4: 1"]);
  expect(seen(file, 0)).toBe("fault");
});

test("FENCE_FD_OUT gives a sync file that stands for the job, and FENCE_FD_IN waits for one", () => {
  const file = openWithQueues(new MsmDevice());
  const handle = newObject(file, PAGE);
  const { scheduler } = file.needVm();
  scheduler.hold();
  const call = bindCall([map(handle, 0, 1)], { flags: VM_BIND_FENCE_FD_OUT });
  expect(issue(file, call)).toBe(0);
  const { fenceFd } = VM_BIND.read(viewOf(call.arg));
  expect(file.syncFile(fenceFd)?.signaled).toBe(false);
  expect(bind(file, [map(handle, 9, 1)], { queueId: 2, flags: VM_BIND_FENCE_FD_IN, fenceFd })).toBe(0);
  expect([scheduler.jobs.length, seen(file, 0)]).toEqual([2, "fault"]);
  scheduler.resume();
  expect(file.syncFile(fenceFd)?.signaled).toBe(true);
  expect([scheduler.jobs.length, seen(file, 0), seen(file, 9)]).toEqual([0, 0, 0]);
  file.closeSyncFile(fenceFd);
  expect(file.syncFile(fenceFd)).toBeUndefined();
});

test("a call waits while too many tables are set aside, and a signal ends that", () => {
  const device = new MsmDevice();
  const file = openWithQueues(device);
  const vm = file.needVm();
  vm.scheduler.hold();
  // Blocks of 512 GiB, each with tables of its own.
  const spread = Array.from({ length: 400 }, (_, i) => ({
    op: OP_MAP_NULL,
    iova: (i + 1) * 2 ** 39,
    range: PAGE,
  }));
  expect(bind(file, spread)).toBe(0);
  expect(vm.inFlight).toBeGreaterThan(IN_FLIGHT_MAX);
  expect(bind(file, [nothing(OP_MAP_NULL, 0, 1)])).toBe(-EINTR);
  expect(file.lastError?.reason).toMatch(/table/);
  vm.scheduler.resume();
  expect(vm.inFlight).toBe(0);
  expect(bind(file, [nothing(OP_MAP_NULL, 0, 1)])).toBe(0);
  checkDeviceInvariants(device, [file]);
});

test("a job that cannot be carried out signals all the same, and the VM answers EPIPE from then on", () => {
  const device = new MsmDevice({ paBits: 32 });
  const file = openWithQueues(device);
  // Memory of the device begins where the addresses of 32 bits end.
  const handle = newObject(file, PAGE);
  const call = bindCall([nothing(OP_MAP_NULL, 4, 1), map(handle, 0, 1)], { flags: VM_BIND_FENCE_FD_OUT });
  expect(issue(file, call)).toBe(0);
  expect(file.syncFile(VM_BIND.read(viewOf(call.arg)).fenceFd)?.signaled).toBe(true);
  expect(file.needVm().unusable).toBe(true);
  expect(bind(file, [nothing(OP_UNMAP, 0, 1)])).toBe(-EPIPE);
  expect(file.lastError?.reason).toMatch(/unusable/);
  checkDeviceInvariants(device, [file]);
  file.close();
  expect([device.gems.size, device.memory.tables.live]).toEqual([0, 0]);
});

test("closing the file drops queued jobs, and their fences signal", () => {
  const device = new MsmDevice();
  const file = openWithQueues(device);
  const handle = newObject(file, 600 * PAGE);
  file.needVm().scheduler.hold();
  const call = bindCall([map(handle, 0, 600)], { flags: VM_BIND_FENCE_FD_OUT });
  expect(issue(file, call)).toBe(0);
  const fence = file.syncFile(VM_BIND.read(viewOf(call.arg)).fenceFd);
  expect([fence?.signaled, device.tablesAside > 0]).toEqual([false, true]);
  file.close();
  expect([fence?.signaled, device.tablesAside, device.gems.size, device.counters.backingBytes]).toEqual([
    true,
    0,
    0,
    0,
  ]);
  checkDeviceInvariants(device, []);
});

test("what a refused VM_BIND took away comes back with its object, which nothing else held", () => {
  let left = 0;
  const device = new MsmDevice({ allocFault: (at) => at === "gpuva" && left > 0 && --left === 0 });
  const file = openWithQueues(device);
  const handle = newObject(file, 4 * PAGE);
  expect(bind(file, [map(handle, 0, 4)])).toBe(0);
  const bo = file.bo(handle);
  if (bo === undefined) throw new Error("no object");
  device.evict(bo);
  expect(file.ioctl(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle }))).toBe(0);
  // An evicted mapping is in no page table, so taking it away allocates nothing.
  left = 1;
  expect(bind(file, [nothing(OP_UNMAP, 0, 4), nothing(OP_MAP_NULL, 8, 1)])).toBe(-ENOMEM);
  expect([bo.refs, [...device.gems.values()].includes(bo)]).toEqual([1, true]);
  checkDeviceInvariants(device, [file]);
  file.close();
  expect(device.gems.size).toBe(0);
});

test("a timeline that is seen to have happened while the queue looks for a job starts nothing inside of that", () => {
  const device = new MsmDevice();
  const file = openWithQueues(device);
  const fence = new Fence();
  const timeline = (): number => file.addSyncFile(new FenceChain(null, fence, 1));
  for (let i = 0; i < 3; i++) {
    const late = { flags: VM_BIND_FENCE_FD_IN, fenceFd: timeline() };
    expect(bind(file, [nothing(OP_MAP_NULL, i, 1)], late)).toBe(0);
  }
  expect(file.needVm().scheduler.jobs.length).toBe(3);
  fence.signal();
  expect([file.needVm().scheduler.jobs.length, seen(file, 2)]).toEqual([0, 0]);
  checkDeviceInvariants(device, [file]);
});
