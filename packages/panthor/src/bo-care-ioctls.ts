/**
 * The ioctls that look after objects: BO_SET_LABEL, BO_SYNC, BO_QUERY_INFO, with their checks in the order of `panthor_drv.c` and
 * `panthor_gem.c` (Linux 7.3-rc7). None of them changes what the GPU sees.
 *
 * @module
 */

import { DrmError, E2BIG, EFAULT, EINVAL, ENOENT, fail, type UserSpace } from "@vmbind/drm";
import type { PanthorBo } from "./bo.ts";
import type { PanthorFile } from "./file.ts";
import { copyArray } from "./obj-array.ts";
import type { DriverVersion } from "./options.ts";
import * as uapi from "./uapi.ts";

/** Bytes of a string that are read at a time, as long as they are there. */
const CHUNK_BYTES = 64;

/** A driver that does not know an ioctl's number says so as the DRM core does. */
function needs(file: PanthorFile, version: DriverVersion, name: string): void {
  const { device } = file;
  if (!device.since(version)) {
    fail(EINVAL, `ioctl: ${name} is unknown to driver ${device.options.driverVersion}`);
  }
}

function lookUp(file: PanthorFile, name: string, handle: number): PanthorBo {
  return file.bo(handle) ?? fail(ENOENT, `${name}.handle: ${handle} is not a handle of this file`);
}

/**
 * BO_SET_LABEL: a name for debugging.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - memory with the string
 * @throws `DrmError` EINVAL, ENOENT, EFAULT, E2BIG for a string without a zero byte among its first 4096
 */
export function boSetLabel(file: PanthorFile, arg: uapi.BoSetLabel, user: UserSpace): void {
  needs(file, "1.4", "BO_SET_LABEL");
  if (arg.pad !== 0) fail(EINVAL, `bo_set_label.pad: ${arg.pad} is not 0`);
  const bo = lookUp(file, "bo_set_label", arg.handle);
  bo.label = arg.label === 0 ? null : readString(user, arg.label);
}

function readString(user: UserSpace, addr: number): string {
  let text = "";
  while (text.length < uapi.BO_LABEL_MAX_BYTES) {
    const part = viewOfSome(user, addr + text.length);
    for (let i = 0; i < part.byteLength && text.length < uapi.BO_LABEL_MAX_BYTES; i++) {
      const byte = part.getUint8(i);
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
  }
  return fail(E2BIG, `bo_set_label.label: longer than ${uapi.BO_LABEL_MAX_BYTES} bytes, the zero included`);
}

/** What is there of a string of unknown length: a piece, or one byte where a piece would pass the end of the memory. */
function viewOfSome(user: UserSpace, addr: number): DataView {
  try {
    return user.view(addr, CHUNK_BYTES);
  } catch (error) {
    if (!(error instanceof DrmError) || error.errno !== EFAULT) throw error;
    return user.view(addr, 1);
  }
}

/**
 * BO_SYNC: clean CPU caches of parts of objects. Stops at the first operation that is refused; those before it are done.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - memory with the operations
 * @throws `DrmError` EINVAL, ENOMEM, EFAULT, E2BIG, ENOENT
 */
export function boSync(file: PanthorFile, arg: uapi.BoSync, user: UserSpace): void {
  needs(file, "1.7", "BO_SYNC");
  const { count } = arg.ops;
  if (count === 0) return;
  const { view, stride } = copyArray(file, "ops", arg.ops, uapi.BO_SYNC_OP.size, uapi.BO_SYNC_OP.size, user);
  for (let i = 0; i < count; i++) syncOne(file, uapi.BO_SYNC_OP.read(view, i * stride), `ops[${i}]`);
}

function syncOne(file: PanthorFile, { handle, type, offset, size }: uapi.BoSyncOp, name: string): void {
  const bo = lookUp(file, name, handle);
  // NaN is a u64 that a double cannot hold.
  if (!(offset + size <= bo.size)) {
    fail(EINVAL, `${name}.size: offset + size exceeds the object's 0x${bo.size.toString(16)}`);
  }
  if (bo.imported) fail(EINVAL, `${name}.handle: ${handle} is imported`);
  if (type > uapi.BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE) fail(EINVAL, `${name}.type: ${type} is unknown`);
  if (bo.writeCombined || size === 0 || bo.pages === null) return;
  const { counters } = file.device;
  counters.boSyncs++;
  counters.boSyncBytes += size;
}

/**
 * BO_QUERY_INFO: what an object was made with, and whether it is another driver's.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOENT
 */
export function boQueryInfo(file: PanthorFile, arg: uapi.BoQueryInfo): Partial<uapi.BoQueryInfo> {
  needs(file, "1.7", "BO_QUERY_INFO");
  const bo = lookUp(file, "bo_query_info", arg.handle);
  return { extraFlags: bo.imported ? uapi.BO_IS_IMPORTED : 0, createFlags: bo.flags, pad: 0 };
}
