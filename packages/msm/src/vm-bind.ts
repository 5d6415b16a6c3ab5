/**
 * One VM_BIND: every check in the driver's order, then the mappings change, then a job is queued that makes the page table
 * follow (`msm_gem_vma.c`, Linux 7.3-rc7).
 *
 * All or nothing: what is refused leaves mappings, references and reservations as they were. What a job then meets is told to
 * nobody: its fence signals without an error, and only the next call learns from EPIPE that the VM is unusable.
 *
 * @module
 */

import {
  DrmError,
  EBUSY,
  EINTR,
  EINVAL,
  ENOENT,
  ENOMEM,
  EPIPE,
  errorOf,
  fail,
  readU64,
  type UserSpace,
} from "@vmbind/drm";
import type { BindJob } from "./bind-job.ts";
import { lookUpObjects, readInlineOp, readOps } from "./bind-ops.ts";
import { collectSignals, collectWaits, noSyncs, publish, type Syncs } from "./bind-syncs.ts";
import type { MsmBo } from "./bo.ts";
import type { MsmFile } from "./file.ts";
import { isBindQueue } from "./submit-queue.ts";
import { OP_UNMAP, VM_BIND, VM_BIND_FENCE_FD_IN, VM_BIND_FENCE_FD_OUT } from "./uapi.ts";
import type { MsmVm } from "./vm.ts";

const ARG = VM_BIND.fields;
const AT_FLAGS = ARG.flags.offset;
const AT_NR_OPS = ARG.nrOps.offset;
const AT_FENCE_FD = ARG.fenceFd.offset;
const AT_QUEUE_ID = ARG.queueId.offset;
const AT_IN = ARG.inSyncobjs.offset;
const AT_OUT = ARG.outSyncobjs.offset;
const AT_OP = ARG.op.offset;

// Folded into loops, which an imported constant is not.
const UNMAP = OP_UNMAP;

/** Most operations of a call: the record of a job is one allocation, of 4 MiB at most with pages of 4 KiB. */
export const MAX_OPS = 104850;
/** Above so many table pages set aside, a VM_BIND waits for jobs to end. */
export const IN_FLIGHT_MAX = 1024;

/**
 * VM_BIND.
 *
 * @param file - the open file
 * @param view - the argument struct; `fence_fd` may be written
 * @param user - the caller's memory
 * @throws `DrmError` ENOMEM, EPIPE, EINVAL, ENOENT, EFAULT, EBUSY, EINTR
 */
export function vmBind(file: MsmFile, view: DataView, user: UserSpace): void {
  const vm = file.needVm();
  const flags = view.getUint32(AT_FLAGS, true);
  const queueId = view.getUint32(AT_QUEUE_ID, true);
  checkTarget(file, vm, flags, queueId);
  const { counters } = file.device;
  const count = view.getUint32(AT_NR_OPS, true);
  counters.bindIoctls++;
  if (count > MAX_OPS) fail(ENOMEM, `nr_ops: no memory for a job of ${count} operations, above ${MAX_OPS}`);
  if (file.device.options.allocFault?.("op-array")) fail(ENOMEM, "vm_bind: no memory for the job (injected)");
  const { scheduler } = vm;
  const job = scheduler.take();
  let syncs: Syncs | null;
  try {
    job.setCount(count);
    job.queueId = queueId;
    syncs = collectSyncs(file, view, flags, user, job);
    if (count === 1) readInlineOp(file, view, AT_OP, job);
    else readOps(file, readU64(view, AT_OP), user, job);
    counters.bindOps += count;
    lookUpObjects(file, job);
    const tables = tablesFor(vm, job);
    pinObjects(job);
    const reason = vm.setTablesAside(job, tables);
    if (reason !== null) fail(ENOMEM, `vm_bind: ${reason}`);
    vm.carryIn(job);
  } catch (error) {
    vm.returnTables(job, 0);
    job.dropObjects();
    scheduler.giveBack(job);
    throw error;
  }
  counters.bindJobs++;
  finish(file, vm, view, flags, job, syncs);
}

function checkTarget(file: MsmFile, vm: MsmVm, flags: number, queueId: number): void {
  if (vm.unusable) fail(EPIPE, "vm: a job of it failed, it is unusable for good");
  if (!vm.userManaged) fail(EINVAL, "vm: EN_VM_BIND was not set before the VM was made");
  const unknown = flags & ~(VM_BIND_FENCE_FD_IN | VM_BIND_FENCE_FD_OUT);
  if (unknown !== 0) fail(EINVAL, `flags: 0x${(unknown >>> 0).toString(16)} is unknown`);
  const queue = file.queue(queueId) ?? fail(ENOENT, `queue_id: ${queueId} is not a queue of this file`);
  if (!isBindQueue(queue)) fail(EINVAL, `queue_id: ${queueId} was not made with SUBMITQUEUE_VM_BIND`);
}

/** What the job waits for and signals; null for nothing, as most have it. */
function collectSyncs(
  file: MsmFile,
  view: DataView,
  flags: number,
  user: UserSpace,
  job: BindJob,
): Syncs | null {
  const inPointer = readU64(view, AT_IN);
  const outPointer = readU64(view, AT_OUT);
  if (inPointer === 0 && outPointer === 0 && (flags & VM_BIND_FENCE_FD_IN) === 0) return null;
  const syncs = noSyncs();
  if ((flags & VM_BIND_FENCE_FD_IN) !== 0) {
    const fd = view.getInt32(AT_FENCE_FD, true);
    syncs.waits.push(file.syncFile(fd) ?? fail(EINVAL, `fence_fd: ${fd} is not a sync file`));
  }
  const stride = view.getUint32(ARG.syncobjStride.offset, true);
  if (inPointer !== 0) {
    const count = view.getUint32(ARG.nrInSyncobjs.offset, true);
    collectWaits(file, { name: "in_syncobjs", pointer: inPointer, count, stride }, user, syncs);
  }
  if (outPointer !== 0) {
    const count = view.getUint32(ARG.nrOutSyncobjs.offset, true);
    collectSignals(file, { name: "out_syncobjs", pointer: outPointer, count, stride }, user, syncs);
  }
  job.waits = syncs.waits;
  return syncs;
}

/** Tables to be set aside; a call waits while too many are. */
function tablesFor(vm: MsmVm, job: BindJob): number {
  const { tableReserve } = vm;
  const { count, kind, iova, range } = job;
  tableReserve.reset();
  for (let i = 0; i < count; i++) {
    if (kind[i] !== UNMAP) tableReserve.add(iova[i] as number, range[i] as number);
  }
  if (vm.inFlight > IN_FLIGHT_MAX) {
    fail(
      EINTR,
      `vm_bind: queued jobs have ${vm.inFlight} page tables set aside, above ${IN_FLIGHT_MAX}; the call waits for them, until a signal ends that`,
    );
  }
  return tableReserve.total();
}

/** The pages of every MAP's object, in order: then nobody can take them until the job is over. */
function pinObjects(job: BindJob): void {
  const { bos, maps } = job;
  let i = 0;
  try {
    for (; i < maps; i++) (bos[i] as MsmBo).pin();
  } catch (error) {
    throw nameMap(job, i, error);
  } finally {
    job.pinned = i;
  }
}

/** The error of the MAP whose object is the `index`th. */
function nameMap(job: BindJob, index: number, error: unknown): unknown {
  let maps = 0;
  for (let i = 0; i < job.count; i++) {
    if ((job.handle[i] as number) === 0 || maps++ !== index) continue;
    if (error instanceof DrmError && error.errno === EBUSY)
      return new DrmError(EBUSY, `${job.nameOf(i)}.handle: ${error.reason.replace(/^bo: /, "")}`);
    return errorOf(job.nameOf(i), error);
  }
  return error;
}

/** Nothing can fail any more: hand out the fence, and let the job run. */
function finish(
  file: MsmFile,
  vm: MsmVm,
  view: DataView,
  flags: number,
  job: BindJob,
  syncs: Syncs | null,
): void {
  const wantsFd = (flags & VM_BIND_FENCE_FD_OUT) !== 0;
  // The fence outlives the job, which may run now and be another's afterwards.
  const fence = wantsFd || (syncs !== null && syncs.signals.length > 0) ? job.done : null;
  vm.scheduler.push(job);
  if (syncs !== null) publish(syncs, fence);
  if (wantsFd && fence !== null) view.setInt32(AT_FENCE_FD, file.addSyncFile(fence), true);
}
