/**
 * The sync operations of an asynchronous VM_BIND: what each job waits for, and what its end signals (`panthor_drv.c`,
 * Linux 7.3-rc7). GROUP_SUBMIT takes its own in the same way.
 *
 * Signals are collected first, from all operations: one entry for each handle and point, which starts as what the syncobj
 * has there and becomes the end of each job that signals it. Waits come then, job by job. A wait that names an entry
 * exactly gets what is in it; any other one is looked up in the syncobj, where this call's signals are not yet:
 *
 * ```text
 * ops[0]  signal 7@5      entry 7@5 = end of job 0
 * ops[1]  wait   7@5      the entry: the end of job 0
 * ops[2]  wait   7@3      the syncobj: EINVAL, unless it has reached 3 already
 * ```
 *
 * Only when nothing can fail any more the entries go into their syncobjs, in the order in which they were first named.
 *
 * @module
 */

import {
  decimal,
  EINVAL,
  ENOENT,
  type Fence,
  fail,
  type Syncobj,
  type Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import type { PanthorBindOp } from "./bind-op.ts";
import { type ArrayFile, copyArray } from "./obj-array.ts";
import { SYNC_OP, SYNC_OP_SIGNAL, SYNC_OP_TIMELINE, SYNC_OP_TYPE_MASK, type SyncOp } from "./uapi.ts";

/** Where syncobjs are found; see `PanthorFile`. */
export interface SyncFile {
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
}

/** A job of a call, as far as syncs go. */
export interface SyncedJob {
  /** What must happen first. */
  waits: readonly Fence[];
  /** Its end. */
  readonly done: Fence;
}

/** A point that jobs of the call signal. */
interface SignalEntry {
  point: number;
  syncobj: Syncobj;
  /** The end of the last job so far that signals it; before, what the syncobj has there. */
  fence: Fence | null;
}

/** By handle and point, in the order in which they were first named. */
type Entries = Map<string, SignalEntry>;

const NO_SYNCS: readonly SyncOp[] = [];

/**
 * Copy in the sync operations of one operation. Nothing about them is looked at yet.
 *
 * @param file - the open file
 * @param op - decoded
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, ENOMEM, EFAULT, E2BIG
 */
export function copySyncs(file: ArrayFile, op: PanthorBindOp, user: UserSpace): readonly SyncOp[] {
  if (op.syncsCount === 0) return NO_SYNCS;
  const array = { stride: op.syncsStride, count: op.syncsCount, array: op.syncsArray };
  const { view, stride } = copyArray(file, `${op.name}.syncs`, array, SYNC_OP.size, SYNC_OP.size, user);
  return Array.from({ length: op.syncsCount }, (_, i) => SYNC_OP.read(view, i * stride));
}

/**
 * Give each job its waits, and say what is to be signalled.
 *
 * @param file - the open file
 * @param jobs - of the call, in order
 * @param syncs - the sync operations of each
 * @param array - what messages call the array of jobs
 * @returns puts the ends of the jobs into the syncobjs; to be called once nothing can fail any more
 * @throws `DrmError` EINVAL, ENOENT; then no syncobj has changed
 */
export function resolveSyncs(
  file: SyncFile,
  jobs: readonly SyncedJob[],
  syncs: readonly (readonly SyncOp[])[],
  array = "ops",
): () => void {
  const entries: Entries = new Map();
  for (let job = 0; job < syncs.length; job++) {
    const list = syncs[job] as readonly SyncOp[];
    for (let i = 0; i < list.length; i++) {
      const sync = list[i] as SyncOp;
      if (isSignal(sync)) collect(file, entries, sync, array, job, i);
    }
  }
  for (let index = 0; index < syncs.length; index++) {
    const list = syncs[index] as readonly SyncOp[];
    // Of an array of thousands mostly the last job has any.
    if (list.length === 0) continue;
    const job = jobs[index] as SyncedJob;
    const waits: Fence[] = [];
    for (let i = 0; i < list.length; i++) {
      const sync = list[i] as SyncOp;
      if (!isSignal(sync)) waits.push(fenceOf(file, entries, sync, array, index, i));
    }
    // The queue is in order: the end of an earlier job of this call needs no waiting, but does no harm.
    if (waits.length > 0) job.waits = waits;
    for (const sync of list) {
      const entry = isSignal(sync) ? entries.get(keyOf(sync)) : undefined;
      if (entry !== undefined) entry.fence = job.done;
    }
  }
  return () => {
    for (const { syncobj, point, fence } of entries.values()) syncobj.attach(point, fence as Fence);
  };
}

function nameOf(array: string, job: number, sync: number): string {
  return `${array}[${job}].syncs[${sync}]`;
}

function isSignal({ flags }: SyncOp): boolean {
  return (flags & SYNC_OP_SIGNAL) !== 0;
}

/** A string, because a point that a double cannot hold is NaN. */
function keyOf({ handle, timelineValue }: SyncOp): string {
  return `${handle}@${timelineValue}`;
}

function collect(
  file: SyncFile,
  entries: Entries,
  sync: SyncOp,
  array: string,
  job: number,
  index: number,
): void {
  checkSync(sync, array, job, index);
  const key = keyOf(sync);
  if (entries.has(key)) return;
  const { handle, timelineValue: point } = sync;
  const syncobj =
    file.syncobjs.get(handle) ??
    fail(EINVAL, `${nameOf(array, job, index)}.handle: ${handle} is not a syncobj of this file`);
  entries.set(key, { point, syncobj, fence: syncobj.find(point) });
}

function fenceOf(
  file: SyncFile,
  entries: Entries,
  sync: SyncOp,
  array: string,
  job: number,
  index: number,
): Fence {
  checkSync(sync, array, job, index);
  const { handle, timelineValue: point } = sync;
  const entry = entries.get(keyOf(sync));
  const found =
    entry !== undefined
      ? entry.fence
      : (
          file.syncobjs.get(handle) ??
          fail(ENOENT, `${nameOf(array, job, index)}.handle: ${handle} is not a syncobj of this file`)
        ).find(point);
  return (
    found ??
    fail(
      EINVAL,
      `${nameOf(array, job, index)}.handle: nothing will signal syncobj ${handle} at point ${decimal(point)}`,
    )
  );
}

function checkSync({ flags, timelineValue }: SyncOp, array: string, job: number, index: number): void {
  const type = flags & SYNC_OP_TYPE_MASK;
  if ((flags & ~SYNC_OP_SIGNAL & ~SYNC_OP_TYPE_MASK) !== 0) {
    fail(EINVAL, `${nameOf(array, job, index)}.flags: 0x${flags.toString(16)} has unknown bits`);
  }
  if (type > SYNC_OP_TIMELINE)
    fail(EINVAL, `${nameOf(array, job, index)}.flags: handle type ${type} is unknown`);
  if (type !== SYNC_OP_TIMELINE && timelineValue !== 0) {
    fail(
      EINVAL,
      `${nameOf(array, job, index)}.timeline_value: ${decimal(timelineValue)} with a binary syncobj`,
    );
  }
}
