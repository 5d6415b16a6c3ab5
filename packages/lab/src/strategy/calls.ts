/**
 * Small things about the calls of a lowering.
 *
 * @module
 */

import { type DrmFile, type IoctlCall, issue } from "@vmbind/drm";
import type { TraceArray } from "@vmbind/trace";
import { RefusedError } from "./refused.ts";

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
 * The array at a user address of a call.
 *
 * @param call - the call
 * @param field - its name in traces
 * @param addr - the pointer
 * @param count - elements
 * @param stride - bytes from one to the next
 * @returns the array, or nothing where it is empty
 */
export function arrayAt(
  call: IoctlCall,
  field: string,
  addr: number,
  count: number,
  stride: number,
): TraceArray[] {
  const buffer = call.buffers.find((b) => b.addr === addr);
  if (count === 0 || !buffer) return [];
  return [{ field, addr, count, stride, data: buffer.bytes.slice(0, count * stride) }];
}
