/**
 * Runs of ioctls: what a trace that is made for the figures of a model consists of.
 *
 * @module
 */

import type { TraceArray, TraceIoctl, TraceRun } from "./record.ts";

/**
 * @param run - a run
 * @param index - of one of its ioctls, from 0
 * @returns that ioctl; its array is in the memory of the run
 */
export function callOf({ call, calls, bytes }: TraceRun, index: number): TraceIoctl {
  const length = bytes.length / calls;
  const data = bytes.subarray(index * length, (index + 1) * length);
  return { ...call, seq: call.seq + index, arrays: [{ ...(call.arrays[0] as TraceArray), data }] };
}
