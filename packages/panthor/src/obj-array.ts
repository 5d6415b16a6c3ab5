/**
 * Arrays in user memory whose elements may grow from one kernel to the next (`drm_panthor_obj_array`; copied in as
 * `panthor_drv.c` of Linux 7.3-rc7 does it).
 *
 * ```text
 * stride == size    one copy
 * stride <  size    element by element, members behind the stride read as zero (never below the first size)
 * stride >  size    element by element, what this kernel does not know must be zero: else E2BIG
 * ```
 *
 * @module
 */

import { DrmError, E2BIG, EFAULT, EINVAL, ENOMEM, fail, type UserSpace } from "@vmbind/drm";
import type { PanthorCounters } from "./cost-sheet.ts";
import type { PanthorDeviceOptions } from "./options.ts";
import type { ObjArray } from "./uapi.ts";

/** Biggest array that the kernel allocates. */
const MAX_ARRAY_BYTES = 2 ** 31 - 1;

/** The bytes of a user array, and the distance of its elements. */
export interface CopiedArray {
  /** All elements; members behind a short stride are not in it. */
  view: DataView;
  /** Bytes from one element to the next. */
  stride: number;
}

/** What copying an array needs of the open file; see `PanthorFile`. */
export interface ArrayFile {
  /** Its device. */
  readonly device: {
    /** What was chosen. */
    readonly options: Readonly<PanthorDeviceOptions>;
    /** Where payload is counted. */
    readonly counters: Pick<PanthorCounters, "payloadBytes">;
  };
}

/**
 * Copy in a user array (`panthor_get_uobj_array`).
 *
 * @param file - the open file
 * @param field - what messages call it
 * @param array - stride, count (not 0) and pointer
 * @param minStride - size of the element when it entered the uAPI, in bytes
 * @param size - size of the element in this kernel, in bytes
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, ENOMEM, EFAULT, E2BIG
 */
export function copyArray(
  file: ArrayFile,
  field: string,
  array: ObjArray,
  minStride: number,
  size: number,
  user: UserSpace,
): CopiedArray {
  const { stride, count } = array;
  if (stride < minStride) fail(EINVAL, `${field}.stride: ${stride} is below ${minStride}`);
  if (count * size > MAX_ARRAY_BYTES || file.device.options.allocFault?.("op-array")) {
    fail(ENOMEM, `${field}.count: no memory for ${count} elements`);
  }
  let view: DataView;
  try {
    view = user.view(array.array, count * stride);
  } catch (error) {
    throw asArrayFault(field, array, size, user, error);
  }
  file.device.counters.payloadBytes += count * stride;
  for (let i = 0; stride > size && i < count; i++)
    checkTail(`${field}[${i}]`, view, i * stride, size, stride);
  return { view, stride };
}

/** Bytes of an element that this kernel does not know. */
function checkTail(name: string, view: DataView, start: number, size: number, stride: number): void {
  for (let at = size; at < stride; at++) {
    if (view.getUint8(start + at) !== 0) fail(E2BIG, `${name}: byte ${at} beyond the known ${size} is not 0`);
  }
}

/** Why an array could not be copied: where elements are copied one by one, one that is there may be refused first. */
function asArrayFault(
  field: string,
  { stride, count, array }: ObjArray,
  size: number,
  user: UserSpace,
  error: unknown,
): unknown {
  if (!(error instanceof DrmError) || error.errno !== EFAULT) return error;
  for (let i = 0; stride > size && i < count; i++) {
    let element: DataView;
    try {
      element = user.view(array + i * stride, stride);
    } catch {
      break;
    }
    checkTail(`${field}[${i}]`, element, 0, size, stride);
  }
  return new DrmError(EFAULT, `${field}.array: ${error.reason}`);
}
