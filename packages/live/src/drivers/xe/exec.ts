/**
 * EXEC: a job for a queue (`xe_exec.c`, `xe_sync.c`, Linux 7.3-rc7). Checks stand in the kernel's order.
 *
 * @module
 */

import {
  DrmError,
  ECANCELED,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  Fence,
  fail,
  type Syncobj,
  type UserSpace,
} from "@vmbind/drm";
import { GpuFault } from "@vmbind/mmu";
import {
  SYNC,
  SYNC_FLAG_SIGNAL,
  SYNC_TYPE_SYNCOBJ,
  SYNC_TYPE_TIMELINE_SYNCOBJ,
  SYNC_TYPE_USER_FENCE,
  type XeFile,
} from "@vmbind/xe";
import { GpuMemory } from "./gpu-memory.ts";
import type { Engines, JobQueue } from "./jobs.ts";
import { EXEC } from "./uapi.ts";

/** `DRM_XE_MAX_SYNCS`. */
const MAX_SYNCS = 1024;

/** What a job waits for, and what it signals. */
interface Syncs {
  readonly waits: Fence[];
  readonly points: { readonly syncobj: Syncobj; readonly point: number }[];
  readonly words: { readonly address: bigint; readonly value: bigint }[];
}

/** What EXEC needs. */
export interface ExecContext {
  /** The open file. */
  readonly model: XeFile;
  /** Its queues of engines by id. */
  readonly queues: ReadonlyMap<number, JobQueue>;
  /** What runs them. */
  readonly engines: Engines;
}

/**
 * EXEC.
 *
 * @param context - see {@link ExecContext}
 * @param arg - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, ENOENT, ECANCELED for a banned queue, EOPNOTSUPP, EFAULT, ENOMEM where
 * not all that the VM maps fits VRAM; nothing is queued then
 */
export function exec({ model, queues, engines }: ExecContext, arg: DataView, user: UserSpace): void {
  const args = EXEC.read(arg);
  const { execQueueId, numBatchBuffer, numSyncs } = args;
  if (args.extensions !== 0) fail(EINVAL, "exec.extensions: there are none");
  if ([...args.pad, ...args.reserved].some((value) => value !== 0))
    fail(EINVAL, "exec: pad and reserved must be 0");
  const queue = queues.get(execQueueId);
  if (queue === undefined) {
    if (model.execQueue(execQueueId) === undefined)
      fail(ENOENT, `exec.exec_queue_id: no queue ${execQueueId}`);
    fail(EINVAL, `exec.exec_queue_id: queue ${execQueueId} binds`);
  }
  if (numBatchBuffer !== 0 && numBatchBuffer !== queue.width) {
    fail(EINVAL, `exec.num_batch_buffer: ${numBatchBuffer}, but the queue is ${queue.width} wide`);
  }
  if (numSyncs > MAX_SYNCS) fail(EINVAL, `exec.num_syncs: ${numSyncs} is above ${MAX_SYNCS}`);
  if (queue.banned) fail(ECANCELED, `exec.exec_queue_id: queue ${execQueueId} is banned`);
  const syncs = syncsOf(model, queue, user, args.syncs, numSyncs);
  const batches = batchesOf(arg, numBatchBuffer, user);
  let fence = queue.last;
  if (batches.length > 0) {
    const { vm } = queue;
    // What a long-running VM maps is in its memory since VM_BIND.
    if (!vm.longRunning) vm.makeResident();
    fence = new Fence();
    engines.submit(queue, { waits: [...syncs.waits, ...vm.beforeBatch()], batches, fence });
    vm.submitted(fence);
  }
  for (const { syncobj, point } of syncs.points) syncobj.attach(point, fence);
  for (const { address, value } of syncs.words)
    fence.onSignal(() => signalWord(queue, fence, address, value));
}

/** One batch is named by its VA, several by an array of VAs. */
function batchesOf(arg: DataView, count: number, user: UserSpace): bigint[] {
  const address = arg.getBigUint64(EXEC.fields.address.offset, true);
  if (count <= 1) return count === 0 ? [] : [address];
  const view = user.view(Number(address), 8 * count);
  return Array.from({ length: count }, (_, i) => view.getBigUint64(8 * i, true));
}

function syncsOf(model: XeFile, queue: JobQueue, user: UserSpace, addr: number, count: number): Syncs {
  const syncs: Syncs = { waits: [], points: [], words: [] };
  for (let i = 0; i < count; i++) {
    const name = `syncs[${i}]`;
    const view = user.view(addr + i * SYNC.size, SYNC.size);
    const sync = SYNC.read(view);
    const signals = (sync.flags & SYNC_FLAG_SIGNAL) !== 0;
    if ((sync.flags & ~SYNC_FLAG_SIGNAL) !== 0) fail(EINVAL, `${name}.flags: unknown bits`);
    if (sync.reserved.some((word) => word !== 0)) fail(EINVAL, `${name}.reserved: must be 0`);
    if (sync.type === SYNC_TYPE_USER_FENCE) {
      if (!signals) fail(EOPNOTSUPP, `${name}.flags: a user fence can only be signalled`);
      const address = view.getBigUint64(ADDR, true);
      if ((address & 7n) !== 0n) fail(EINVAL, `${name}.addr: must be a multiple of 8`);
      syncs.words.push({ address, value: view.getBigUint64(VALUE, true) });
    } else if (sync.type === SYNC_TYPE_SYNCOBJ || sync.type === SYNC_TYPE_TIMELINE_SYNCOBJ) {
      readSyncobj(model, queue, view, name, syncs);
    } else fail(EINVAL, `${name}.type: ${sync.type} is no type`);
  }
  if (syncs.words.length > 1)
    fail(EINVAL, `syncs: ${syncs.words.length} user fences, at most one is allowed`);
  return syncs;
}

function readSyncobj(model: XeFile, queue: JobQueue, view: DataView, name: string, syncs: Syncs): void {
  const sync = SYNC.read(view);
  const signals = (sync.flags & SYNC_FLAG_SIGNAL) !== 0;
  const timeline = sync.type === SYNC_TYPE_TIMELINE_SYNCOBJ;
  if (signals && queue.vm.longRunning) {
    fail(EOPNOTSUPP, `${name}.type: a queue of a long-running VM signals only user fences`);
  }
  if (view.getUint32(ADDR + 4, true) !== 0)
    fail(EINVAL, `${name}.addr: the upper 32 bits must be 0 for a syncobj`);
  if (timeline && sync.timelineValue === 0) fail(EINVAL, `${name}.timeline_value: must not be 0`);
  const handle = view.getUint32(ADDR, true);
  const syncobj = model.syncobjs.get(handle);
  if (syncobj === undefined) fail(ENOENT, `${name}.handle: no syncobj ${handle}`);
  const point = timeline ? sync.timelineValue : 0;
  if (signals) syncs.points.push({ syncobj, point });
  else syncs.waits.push(syncobj.find(point) ?? fail(EINVAL, `${name}: nothing was submitted for it yet`));
}

const ADDR = SYNC.fields.addr.offset;
const VALUE = SYNC.fields.timelineValue.offset;

/** The GPU writes a user fence at the end of its job, into the VM; where it cannot, nobody is told. */
function signalWord(queue: JobQueue, fence: Fence, address: bigint, value: bigint): void {
  if (fence.error !== 0) return;
  const memory = new GpuMemory(queue.vm);
  try {
    memory.store64(memory.canonical(address), value);
  } catch (error) {
    if (!(error instanceof GpuFault) && !(error instanceof DrmError)) throw error;
  }
}
