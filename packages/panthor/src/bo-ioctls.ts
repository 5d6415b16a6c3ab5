/**
 * The ioctls that make, find and drop objects, with their checks in the order of `panthor_drv.c` (Linux 7.3-rc7).
 *
 * @module
 */

import {
  EINVAL,
  ENOENT,
  ENOMEM,
  EPERM,
  fail,
  hex,
  hexU64,
  OBJECT_BYTES_MAX,
  readWholePages,
} from "@vmbind/drm";
import type { PanthorFile } from "./file.ts";
import { PAGE_BYTES } from "./page-sizes.ts";
import * as uapi from "./uapi.ts";

/** Where BO_CREATE has its size. */
const SIZE: number = uapi.BO_CREATE.fields.size.offset;

/**
 * BO_CREATE: an object of whole pages, which come with its first mapping.
 *
 * @param file - the open file
 * @param view - the struct; `size` and `handle` are written
 * @throws `DrmError` EINVAL, ENOMEM
 */
export function boCreate(file: PanthorFile, view: DataView): void {
  const { device } = file;
  const arg = uapi.BO_CREATE.read(view);
  const known = uapi.BO_NO_MMAP | (device.since("1.7") ? uapi.BO_WB_MMAP : 0);
  if (arg.size === 0) fail(EINVAL, "bo_create.size: 0");
  if (arg.pad !== 0) fail(EINVAL, `bo_create.pad: ${arg.pad} is not 0`);
  if ((arg.flags & ~known) !== 0) {
    fail(
      EINVAL,
      `bo_create.flags: ${hex(arg.flags & ~known)} is unknown to driver ${device.options.driverVersion}`,
    );
  }
  if ((arg.flags & uapi.BO_NO_MMAP) !== 0 && (arg.flags & uapi.BO_WB_MMAP) !== 0) {
    fail(EINVAL, "bo_create.flags: NO_MMAP and WB_MMAP exclude each other");
  }
  const exclusiveVm =
    arg.exclusiveVmId === 0
      ? null
      : (file.vm(arg.exclusiveVmId) ??
        fail(EINVAL, `bo_create.exclusive_vm_id: ${arg.exclusiveVmId} is not a VM of this file`));
  const size = readWholePages(view, SIZE, PAGE_BYTES);
  if (size >= OBJECT_BYTES_MAX)
    fail(EINVAL, `bo_create.size: ${hexU64(view, SIZE)} is more than a file can have`);
  if (device.options.allocFault?.("gem")) fail(ENOMEM, "bo_create: no memory (injected)");
  const handle = file.createBo(size, { flags: arg.flags, exclusiveVm });
  uapi.BO_CREATE.fields.size.write(view, 0, size);
  uapi.BO_CREATE.fields.handle.write(view, 0, handle);
}

/**
 * BO_MMAP_OFFSET: where mmap finds the object.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOENT, EPERM, ENOSPC
 */
export function boMmapOffset(file: PanthorFile, arg: uapi.BoMmapOffset): Partial<uapi.BoMmapOffset> {
  if (arg.pad !== 0) fail(EINVAL, `bo_mmap_offset.pad: ${arg.pad} is not 0`);
  const bo =
    file.bo(arg.handle) ?? fail(ENOENT, `bo_mmap_offset.handle: ${arg.handle} is not a handle of this file`);
  if ((bo.flags & uapi.BO_NO_MMAP) !== 0)
    fail(EPERM, `bo_mmap_offset.handle: ${arg.handle} was made with NO_MMAP`);
  return { offset: bo.createMmapOffset() };
}

/**
 * GEM_CLOSE (`drm.h`): the handle goes; mappings keep the object.
 *
 * @param file - the open file
 * @param handle - GEM handle
 * @throws `DrmError` EINVAL
 */
export function gemClose(file: PanthorFile, handle: number): void {
  const bo = file.takeBo(handle) ?? fail(EINVAL, `gem_close.handle: ${handle} is not a handle of this file`);
  bo.put();
}
