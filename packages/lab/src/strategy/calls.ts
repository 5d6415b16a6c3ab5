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
