/**
 * The ioctls that make, find and drop objects (`xe_bo.c`, Linux 7.3-rc7). Checks stand in the kernel's order.
 *
 * @module
 */

import { decimal, EINVAL, ENODEV, ENOENT, ENOMEM, EOPNOTSUPP, fail, type UserSpace } from "@vmbind/drm";
import { PLACEMENT_VRAM, XeBo } from "./bo.ts";
import { mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import { BLOCK_64K, PAGE_BYTES } from "./page-sizes.ts";
import { regionMask } from "./platforms.ts";
import * as uapi from "./uapi.ts";
import { eachProperty } from "./user-extensions.ts";
import { XE2_GRAPHICS } from "./vm-bind-args.ts";

/** Fake offset of the PCI barrier page. */
const PCI_BARRIER_OFFSET = 0x5000_0000_0000 / 16;

/** `DRM_XE_GEM_CREATE_SET_PROPERTY_PXP_TYPE` (`xe_drm.h`): the one property that an object is made with. */
const PROPERTY_PXP_TYPE = 0;
/** `DRM_XE_PXP_TYPE_NONE`. */
const PXP_TYPE_NONE = 0;
/** `DRM_XE_PXP_TYPE_HWDRM`. */
const PXP_TYPE_HWDRM = 1;

const GEM_FLAGS =
  uapi.GEM_CREATE_FLAG_DEFER_BACKING |
  uapi.GEM_CREATE_FLAG_SCANOUT |
  uapi.GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM |
  uapi.GEM_CREATE_FLAG_NO_COMPRESSION;

/**
 * GEM_CREATE: an object with its pages, unless they are to come at first use. Its extensions are read once it is made, so
 * what keeps it from being made comes before what is wrong with them (`xe_gem_create_ioctl`, Linux 7.3-rc7).
 *
 * @param file - the open file
 * @param create - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EOPNOTSUPP, ENOENT, ENOMEM; ENOSPC for a size that no offset for mmap is left for, close to
 * 1 TiB; EFAULT, E2BIG, ENODEV for the extensions
 */
export function gemCreate(file: XeFile, create: uapi.GemCreate, user: UserSpace): Partial<uapi.GemCreate> {
  const { device } = file;
  const { platform, options } = device;
  const { size, placement, flags, cpuCaching } = create;
  const vram = (placement & PLACEMENT_VRAM) !== 0;
  mustBeZero(create.pad, "gem_create.pad");
  mustBeZero(create.reserved, "gem_create.reserved");
  if (placement === 0 || (placement & ~regionMask(platform)) !== 0) {
    fail(
      EINVAL,
      `gem_create.placement: 0x${placement.toString(16)} names no region or one that the device lacks`,
    );
  }
  if ((flags & ~GEM_FLAGS) !== 0) fail(EINVAL, `gem_create.flags: 0x${flags.toString(16)} has unknown bits`);
  if (create.handle !== 0) fail(EINVAL, "gem_create.handle: must be 0");
  if (size === 0) fail(EINVAL, "gem_create.size: must not be 0");
  if (size % PAGE_BYTES !== 0) fail(EINVAL, "gem_create.size: must be a multiple of 4096");
  if ((flags & uapi.GEM_CREATE_FLAG_NO_COMPRESSION) !== 0 && platform.graphics < XE2_GRAPHICS) {
    fail(EOPNOTSUPP, `gem_create.flags: NO_COMPRESSION does not exist on ${platform.title}`);
  }
  if ((flags & uapi.GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM) !== 0 && !vram) {
    fail(EINVAL, "gem_create.flags: NEEDS_VISIBLE_VRAM without a VRAM placement");
  }
  if (cpuCaching === 0 || cpuCaching > uapi.GEM_CPU_CACHING_WC) {
    fail(EINVAL, `gem_create.cpu_caching: ${cpuCaching} is neither WB nor WC`);
  }
  if (vram && cpuCaching !== uapi.GEM_CPU_CACHING_WC) fail(EINVAL, "gem_create.cpu_caching: VRAM needs WC");
  if ((flags & uapi.GEM_CREATE_FLAG_SCANOUT) !== 0 && cpuCaching === uapi.GEM_CPU_CACHING_WB) {
    fail(EINVAL, "gem_create.cpu_caching: SCANOUT needs WC");
  }
  const vm = create.vmId === 0 ? null : file.vm(create.vmId);
  if (vm === undefined) fail(ENOENT, `gem_create.vm_id: no VM ${create.vmId}`);
  if (vram && platform.vram64kOnly && size % BLOCK_64K !== 0) {
    fail(EINVAL, `gem_create.size: must be a multiple of 65536 for VRAM on ${platform.title}`);
  }
  if (options.allocFault?.("gem")) fail(ENOMEM, "gem_create: no memory for the object (injected)");
  const bo = new XeBo(device, size, { placement, cpuCaching, flags, vm });
  try {
    if ((flags & uapi.GEM_CREATE_FLAG_DEFER_BACKING) === 0) bo.populate();
    eachProperty(user, create.extensions, "gem_create.extensions", setProperty);
  } catch (error) {
    bo.put();
    throw error;
  }
  return { handle: file.handles.add(bo) };
}

function setProperty({ property, propertyPad, value }: uapi.ExtSetProperty, place: string): void {
  if (property !== PROPERTY_PXP_TYPE) fail(EINVAL, `${place}.property: ${property} is no property`);
  if (propertyPad !== 0) fail(EINVAL, `${place}.pad: must be 0`);
  if (value === PXP_TYPE_NONE) return;
  if (value !== PXP_TYPE_HWDRM)
    fail(EINVAL, `${place}.value: ${decimal(value)} is no type of protected content`);
  fail(ENODEV, `${place}.value: protected content (PXP) is not modelled`);
}

/**
 * GEM_MMAP_OFFSET: where mmap finds the object.
 *
 * @param file - the open file
 * @param query - the struct
 * @throws `DrmError` EINVAL, ENOENT, ENOSPC
 */
export function gemMmapOffset(file: XeFile, query: uapi.GemMmapOffset): Partial<uapi.GemMmapOffset> {
  mustBeZero([query.extensions], "gem_mmap_offset.extensions");
  mustBeZero(query.reserved, "gem_mmap_offset.reserved");
  if ((query.flags & ~uapi.MMAP_OFFSET_FLAG_PCI_BARRIER) !== 0) {
    fail(EINVAL, `gem_mmap_offset.flags: 0x${query.flags.toString(16)} has unknown bits`);
  }
  if (query.flags !== 0) {
    if (file.device.platform.vramBytes === 0) {
      fail(EINVAL, "gem_mmap_offset.flags: PCI_BARRIER does not exist on an integrated GPU");
    }
    if (query.handle !== 0) fail(EINVAL, "gem_mmap_offset.handle: must be 0 with PCI_BARRIER");
    return { offset: PCI_BARRIER_OFFSET };
  }
  const bo = file.bo(query.handle);
  if (bo === undefined) fail(ENOENT, `gem_mmap_offset.handle: no object with handle ${query.handle}`);
  return { offset: bo.createMmapOffset() };
}

/**
 * GEM_CLOSE (`drm.h`): the handle goes; mappings keep the object.
 *
 * @param file - the open file
 * @param handle - GEM handle
 * @throws `DrmError` EINVAL
 */
export function gemClose(file: XeFile, handle: number): void {
  const bo = file.handles.remove(handle);
  if (bo === undefined) fail(EINVAL, `gem_close.handle: no object with handle ${handle}`);
  bo.put();
}
