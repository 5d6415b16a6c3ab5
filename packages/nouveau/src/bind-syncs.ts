/**
 * The syncs of VM_BIND and EXEC: what the work waits for and what its end signals (`nouveau_sched.c`, Linux 7.3-rc7). The arrays
 * are copied in first, waits before signals; then each wait is looked at, then each signal.
 *
 * @module
 */

import {
  decimal,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  type Fence,
  fail,
  type Syncobj,
  type UserSpace,
} from "@vmbind/drm";
import { SYNC, SYNC_TIMELINE_SYNCOBJ, SYNC_TYPE_MASK, type Sync } from "./uapi.ts";

/** Where syncobjs are found; see `NouveauFile`. */
export interface SyncFile {
  /** A syncobj by its handle. */
  syncobj(handle: number): Syncobj | undefined;
}

/** The members of an argument struct that say where syncs are. */
export interface SyncArrays {
  /** Elements at `waitPtr`. */
  waitCount: number;
  /** Elements at `sigPtr`. */
  sigCount: number;
  /** User address of what to wait for. */
  waitPtr: number;
  /** User address of what to signal. */
  sigPtr: number;
}

/** Syncs that were copied in. */
export interface CopiedSyncs {
  /** What to wait for. */
  readonly waits: readonly Sync[];
  /** What to signal. */
  readonly signals: readonly Sync[];
}

const NO_SYNCS: readonly Sync[] = [];
const NONE: CopiedSyncs = { waits: NO_SYNCS, signals: NO_SYNCS };

/**
 * Copy both arrays.
 *
 * @param args - where they are
 * @param user - the caller's memory
 * @throws DrmError EFAULT
 */
export function copySyncs(args: SyncArrays, user: UserSpace): CopiedSyncs {
  if ((args.waitCount | args.sigCount) === 0) return NONE;
  return { waits: copy(args.waitPtr, args.waitCount, user), signals: copy(args.sigPtr, args.sigCount, user) };
}

function copy(addr: number, count: number, user: UserSpace): readonly Sync[] {
  if (count === 0) return NO_SYNCS;
  const view = user.view(addr, count * SYNC.size);
  return Array.from({ length: count }, (_, i) => SYNC.read(view, i * SYNC.size));
}

/**
 * Look at them.
 *
 * @param file - the open file
 * @param syncs - copied
 * @param waits - receives the fences to wait for
 * @returns attaches a fence to what is to be signalled; to be called once nothing can fail any more
 * @throws DrmError EOPNOTSUPP, ENOENT, EINVAL
 */
export function resolveSyncs(file: SyncFile, syncs: CopiedSyncs, waits: Fence[]): (fence: Fence) => void {
  for (const [i, { flags, handle, timelineValue }] of syncs.waits.entries()) {
    const name = `wait_ptr[${i}]`;
    const type = flags & SYNC_TYPE_MASK;
    if (type > SYNC_TIMELINE_SYNCOBJ) fail(EOPNOTSUPP, `${name}.flags: sync type ${type} is unknown`);
    const syncobj =
      file.syncobj(handle) ?? fail(ENOENT, `${name}.handle: ${handle} is not a syncobj of this file`);
    const point = type === SYNC_TIMELINE_SYNCOBJ ? timelineValue : 0;
    const fence = syncobj.find(point);
    waits.push(
      fence ??
        fail(EINVAL, `${name}.handle: nothing will signal syncobj ${handle} at point ${decimal(point)}`),
    );
  }
  const found = syncs.signals.map(({ flags, handle, timelineValue }, i) => {
    const name = `sig_ptr[${i}]`;
    const type = flags & SYNC_TYPE_MASK;
    if (type > SYNC_TIMELINE_SYNCOBJ) fail(EINVAL, `${name}.flags: sync type ${type} is unknown`);
    const syncobj =
      file.syncobj(handle) ?? fail(ENOENT, `${name}.handle: ${handle} is not a syncobj of this file`);
    return { syncobj, point: type === SYNC_TIMELINE_SYNCOBJ ? timelineValue : 0 };
  });
  return (fence) => {
    for (const { syncobj, point } of found) syncobj.attach(point, fence);
  };
}
