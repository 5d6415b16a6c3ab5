/**
 * Small things about the calls of a lowering.
 *
 * @module
 */

import { arraysOf, type DrmFile, fromBuffers, type IoctlCall, issue } from "@vmbind/drm";
import { RefusedError } from "./refused.ts";
import type { ReadArray, SparseSession } from "./strategy.ts";

/**
 * Issue a call that a working user-mode driver expects to succeed.
 *
 * @param file - the open file
 * @param call - the call
 * @throws {@link RefusedError} with the driver's reason
 */
export function mustIssue(file: DrmFile, call: IoctlCall): void {
  if (issue(file, call) === 0) return;
  throw new RefusedError(`${call.name}: ${file.lastError?.message ?? "failed"}`);
}

/**
 * How many calls, from one of a list on, are alike but for what their one buffer holds, which lies behind that of the call before.
 *
 * @param calls - the list
 * @param from - index of the first
 * @param most - how many are looked at
 * @returns how many, and their buffers in one; null where the second call is another one
 */
export function runFrom(
  calls: readonly IoctlCall[],
  from: number,
  most: number,
): { count: number; bytes: Uint8Array } | null {
  const first = calls[from] as IoctlCall;
  const [buffer] = first.buffers;
  const end = Math.min(calls.length, from + most);
  if (buffer === undefined || first.buffers.length > 1) return null;
  const { bytes, addr } = buffer;
  let i = from + 1;
  for (let at = bytes.byteOffset + bytes.length; i < end; i++, at += bytes.length) {
    const { request, arg, buffers } = calls[i] as IoctlCall;
    const own = buffers[0];
    const alike =
      buffers.length === 1 &&
      own?.addr === addr &&
      own.bytes.buffer === bytes.buffer &&
      own.bytes.byteOffset === at &&
      own.bytes.length === bytes.length &&
      request === first.request &&
      sameBytes(arg, first.arg);
    if (!alike) break;
  }
  const count = i - from;
  if (count < 2) return null;
  return { count, bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, count * bytes.length) };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * The arrays that a call points to.
 *
 * @param ioctls - the driver's ioctls
 * @param call - the call
 * @returns those that the driver reads, named as in traces
 */
export function arraysOfCall(ioctls: SparseSession["ioctls"], call: IoctlCall): ReadArray[] {
  const { arrays = [] } = ioctls.row(call.request) ?? {};
  return arraysOf(arrays, call.arg, fromBuffers(call.buffers)).flatMap((found) =>
    found.data === null ? [] : [{ ...found, data: found.data }],
  );
}
