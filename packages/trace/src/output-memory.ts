/**
 * Memory of the process that a driver writes to: results, and words that it sets when it is done. A recording does not have
 * it, for the driver said what is there; but the process had it, so a replay must, or the model finds nothing at the address.
 *
 * @module
 */

import { arraysOf, EFAULT, fromRecorded, type UserArray } from "@vmbind/drm";
import type { CallBuffer } from "./check/checker.ts";
import type { TraceIoctl } from "./record.ts";

/** Most bytes of one piece of it. What a call says of a size is a word, up to 2^64. */
const MOST_BYTES: number = 2 ** 20;

/**
 * @param arrays - what the structs of an ioctl point to
 * @returns those that the driver writes to, or that lead to such
 */
export function written(arrays: readonly UserArray<object>[]): readonly UserArray<object>[] {
  return arrays.filter(({ access, arrays: inner }) => access === "out" || written(inner).length > 0);
}

/**
 * The memory that a recorded call has the driver write to.
 *
 * @param arrays - of its ioctl, see {@link written}
 * @param call - the call
 * @returns zeroes, since nobody knows what was there; nothing for a call that failed for want of memory at an address
 */
export function outputsOf(arrays: readonly UserArray<object>[], call: TraceIoctl): CallBuffer[] {
  if (arrays.length === 0 || call.ret === -EFAULT) return [];
  // What another array leads to is nowhere where that one is not recorded.
  if (call.arrays.length === 0 && !arrays.some(({ access }) => access === "out")) return [];
  return arraysOf(arrays, call.argIn, fromRecorded(call.arrays))
    .filter(({ array, addr, count, stride }) => {
      return array.access === "out" && !Number.isNaN(addr) && count * stride <= MOST_BYTES;
    })
    .map(({ field, addr, count, stride }) => ({ field, addr, bytes: new Uint8Array(count * stride) }));
}
