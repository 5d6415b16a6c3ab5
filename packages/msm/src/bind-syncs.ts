/**
 * What a VM_BIND or a submit waits for and signals: syncobjs, in arrays of any stride (`msm_syncobj.c`, Linux 7.3-rc7).
 *
 * An element is read over the one before it, as many bytes as the stride has and the struct: with a stride below 16 the rest
 * keeps what the element before left there. Nothing changes before {@link publish}, which cannot fail.
 *
 * @module
 */

import {
  decimal,
  EINVAL,
  ENOENT,
  type Fence,
  fail,
  readU64,
  type Syncobj,
  type UserSpace,
} from "@vmbind/drm";
import type { MsmFile } from "./file.ts";
import { SYNCOBJ, SYNCOBJ_RESET } from "./uapi.ts";

const { fields, size: SYNCOBJ_BYTES } = SYNCOBJ;

/** An array of syncobjs as an argument names it. */
export interface SyncArray {
  /** Its name in messages. */
  readonly name: string;
  /** User pointer. */
  readonly pointer: number;
  /** Elements. */
  readonly count: number;
  /** Bytes from one to the next. */
  readonly stride: number;
}

/** A point that is to be signalled. */
interface Signal {
  readonly syncobj: Syncobj;
  readonly point: number;
}

/** What a job waits for and signals. */
export interface Syncs {
  /** To have happened first. */
  readonly waits: Fence[];
  /** Syncobjs to be emptied. */
  readonly resets: Syncobj[];
  /** To be signalled. */
  readonly signals: Signal[];
}

/** @returns nothing to wait for, nothing to signal */
export function noSyncs(): Syncs {
  return { waits: [], resets: [], signals: [] };
}

/**
 * Look up what is to be waited for.
 *
 * @param file - the open file
 * @param array - the waits
 * @param user - the caller's memory
 * @param syncs - receives the fences, and the syncobjs to be emptied
 * @throws `DrmError` EFAULT, EINVAL, ENOENT
 */
export function collectWaits(file: MsmFile, array: SyncArray, user: UserSpace, syncs: Syncs): void {
  readEach(file, array, user, (handle, flags, point, name) => {
    if ((flags & ~SYNCOBJ_RESET) !== 0) fail(EINVAL, `${name}.flags: 0x${flags.toString(16)} is unknown`);
    const syncobj =
      file.syncobjs.get(handle) ?? fail(ENOENT, `${name}.handle: ${handle} is not a syncobj of this file`);
    const fence = syncobj.find(point);
    if (fence === null)
      fail(EINVAL, `${name}.handle: nothing will signal syncobj ${handle} at point ${decimal(point)}`);
    syncs.waits.push(fence);
    if ((flags & SYNCOBJ_RESET) !== 0) syncs.resets.push(syncobj);
  });
}

/**
 * Look up what is to be signalled.
 *
 * @param file - the open file
 * @param array - the signals
 * @param user - the caller's memory
 * @param syncs - receives them
 * @throws `DrmError` EFAULT, EINVAL
 */
export function collectSignals(file: MsmFile, array: SyncArray, user: UserSpace, syncs: Syncs): void {
  readEach(file, array, user, (handle, flags, point, name) => {
    if (flags !== 0) fail(EINVAL, `${name}.flags: 0x${flags.toString(16)} with a signal`);
    const syncobj =
      file.syncobjs.get(handle) ?? fail(EINVAL, `${name}.handle: ${handle} is not a syncobj of this file`);
    syncs.signals.push({ syncobj, point });
  });
}

/**
 * Empty what is to be emptied, and put a fence where it is to be signalled.
 *
 * @param syncs - from {@link collectWaits} and {@link collectSignals}
 * @param fence - the job's; null where nothing is to be signalled
 */
export function publish({ resets, signals }: Syncs, fence: Fence | null): void {
  for (const syncobj of resets) syncobj.reset();
  if (fence === null) return;
  for (const { syncobj, point } of signals) syncobj.attach(point, fence);
}

function readEach(
  file: MsmFile,
  { name, pointer, count, stride }: SyncArray,
  user: UserSpace,
  visit: (handle: number, flags: number, point: number, name: string) => void,
): void {
  const element = new Uint8Array(SYNCOBJ_BYTES);
  const view = new DataView(element.buffer);
  const bytes = Math.min(stride, SYNCOBJ_BYTES);
  for (let i = 0; i < count; i++) {
    if (bytes > 0) {
      const from = user.view(pointer + i * stride, bytes);
      element.set(new Uint8Array(from.buffer, from.byteOffset, bytes));
      file.device.counters.payloadBytes += bytes;
    }
    const handle = view.getUint32(fields.handle.offset, true);
    const flags = view.getUint32(fields.flags.offset, true);
    visit(handle, flags, readU64(view, fields.point.offset), `${name}[${i}]`);
  }
}
