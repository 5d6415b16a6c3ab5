/**
 * The ioctls around objects, with their checks in the driver's order (`msm_drv.c`, `msm_gem.c`, Linux 7.3-rc7).
 *
 * @module
 */

import {
  EINVAL,
  ENOENT,
  ENOMEM,
  EOVERFLOW,
  ETOOSMALL,
  fail,
  hexU64,
  OBJECT_BYTES_MAX,
  readWholePages,
  type UserSpace,
} from "@vmbind/drm";
import type { MsmBo } from "./bo.ts";
import type { MsmFile } from "./file.ts";
import { PAGE_BYTES } from "./page-table.ts";
import * as uapi from "./uapi.ts";

const { INFO } = uapi;
/** Where GEM_NEW has its size. */
const SIZE: number = uapi.GEM_NEW.fields.size.offset;
const TWO_64: number = 2 ** 64;
/** Bytes of a name, its zero included. */
const NAME_BYTES = 32;
/** Most bytes that user space may keep with an object. */
const METADATA_MAX = 128;

/**
 * GEM_NEW: an object of whole pages, which come with its first map. So it may have any size that a file can have.
 *
 * @param file - the open file
 * @param view - the struct; `handle` is written
 * @throws `DrmError` EINVAL, ENOMEM
 */
export function gemNew(file: MsmFile, view: DataView): void {
  const { flags } = uapi.GEM_NEW.read(view);
  const { allocFault } = file.device.options;
  if ((flags & ~uapi.BO_FLAGS) !== 0)
    fail(EINVAL, `gem_new.flags: 0x${((flags & ~uapi.BO_FLAGS) >>> 0).toString(16)} is unknown`);
  if ((flags & uapi.BO_NO_SHARE) !== 0) file.needVm();
  const size = readWholePages(view, SIZE, PAGE_BYTES);
  if (size === 0) fail(EINVAL, "gem_new.size: 0");
  if (size === TWO_64)
    fail(EINVAL, `gem_new.size: ${hexU64(view, SIZE)}, and the next whole page is at 2^64`);
  checkCacheMode(file, flags);
  if (size >= OBJECT_BYTES_MAX)
    fail(EINVAL, `gem_new.size: ${hexU64(view, SIZE)} is more than a file can have`);
  if (allocFault?.("gem")) fail(ENOMEM, "gem_new: no memory (injected)");
  uapi.GEM_NEW.fields.handle.write(view, 0, file.createBo(size, { flags }));
}

function checkCacheMode(file: MsmFile, flags: number): void {
  const mode = flags & uapi.BO_CACHE_MASK;
  if (mode === uapi.BO_CACHED || mode === uapi.BO_WC) return;
  if (mode === uapi.BO_CACHED_COHERENT) {
    if (file.device.options.cachedCoherent) return;
    fail(EINVAL, "gem_new.flags: BO_CACHED_COHERENT, which this device has not");
  }
  fail(EINVAL, `gem_new.flags: 0x${mode.toString(16)} is not one of BO_CACHED, BO_WC and BO_CACHED_COHERENT`);
}

/**
 * GEM_CLOSE (`drm.h`): the handle goes. Mappings keep the object; where the kernel manages the VM, its address goes, too.
 *
 * @param file - the open file
 * @param handle - GEM handle
 * @throws `DrmError` EINVAL
 */
export function gemClose(file: MsmFile, handle: number): void {
  const bo = file.takeBo(handle) ?? fail(EINVAL, `gem_close.handle: ${handle} is not a handle of this file`);
  bo.put();
}

/**
 * GEM_MADVISE: whether the pages are wanted.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOENT
 */
export function gemMadvise(file: MsmFile, arg: uapi.GemMadvise): Partial<uapi.GemMadvise> {
  if (arg.madv > uapi.MADV_DONTNEED) fail(EINVAL, `gem_madvise.madv: ${arg.madv} is unknown`);
  const bo = boOf(file, "gem_madvise", arg.handle);
  if (bo.madv !== uapi.MADV_PURGED) bo.madv = arg.madv;
  return { retained: bo.madv === uapi.MADV_PURGED ? 0 : 1 };
}

function boOf(file: MsmFile, ioctl: string, handle: number): MsmBo {
  return file.bo(handle) ?? fail(ENOENT, `${ioctl}.handle: ${handle} is not a handle of this file`);
}

/**
 * GEM_INFO.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, ENOENT, EFAULT, EBUSY, ENOSPC, ENOMEM, EOVERFLOW, ETOOSMALL
 */
export function gemInfo(file: MsmFile, arg: uapi.GemInfo, user: UserSpace): Partial<uapi.GemInfo> {
  const { info, value, len } = arg;
  if (arg.pad !== 0) fail(EINVAL, `gem_info.pad: ${arg.pad} is not 0`);
  if (info > INFO.getMetadata) fail(EINVAL, `gem_info.info: ${info} is unknown`);
  const isNumber =
    info === INFO.getOffset || info === INFO.getIova || info === INFO.setIova || info === INFO.getFlags;
  if (isNumber && len !== 0) fail(EINVAL, `gem_info.len: ${len} with a number`);
  const bo = boOf(file, "gem_info", arg.handle);
  switch (info) {
    case INFO.getOffset:
      return { value: bo.createMmapOffset() };
    case INFO.getIova:
      return { value: file.kernelIovas.get(bo, vaEndOf(file)) };
    case INFO.setIova:
      file.kernelIovas.set(bo, value, vaEndOf(file));
      return {};
    case INFO.getFlags:
      return { value: bo.flags };
    case INFO.setName:
      setName(bo, value, len, user);
      return {};
    case INFO.getName:
      return getName(bo, value, len, user);
    case INFO.setMetadata:
      if (len > METADATA_MAX) fail(EOVERFLOW, `gem_info.len: ${len} is above ${METADATA_MAX}`);
      bo.metadata = bytesOf(user, value, len);
      return {};
    default:
      return getMetadata(bo, value, len, user);
  }
}

/** First address behind the VM, where the kernel gives addresses. */
function vaEndOf(file: MsmFile): number {
  if (file.needVm().userManaged)
    fail(EINVAL, "gem_info.info: GET_IOVA and SET_IOVA, and user space manages the VM");
  return 2 ** file.device.options.vaBits;
}

function bytesOf(user: UserSpace, pointer: number, length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0);
  const { buffer, byteOffset } = user.view(pointer, length);
  return new Uint8Array(buffer, byteOffset, length).slice();
}

/** What cannot be printed ends a name. */
function setName(bo: MsmBo, pointer: number, length: number, user: UserSpace): void {
  if (length >= NAME_BYTES) fail(EINVAL, `gem_info.len: ${length} is not below ${NAME_BYTES}`);
  const text = String.fromCharCode(...bytesOf(user, pointer, length));
  const end = text.search(/[^ -~]/);
  bo.label = end < 0 ? text : text.slice(0, end);
}

function getName(bo: MsmBo, pointer: number, length: number, user: UserSpace): Partial<uapi.GemInfo> {
  const { label } = bo;
  if (pointer === 0) return { len: label.length };
  if (length < label.length) fail(EINVAL, `gem_info.len: ${length}, the name has ${label.length}`);
  user.write(
    pointer,
    Uint8Array.from(label, (character) => character.charCodeAt(0)),
  );
  return { len: label.length };
}

function getMetadata(bo: MsmBo, pointer: number, length: number, user: UserSpace): Partial<uapi.GemInfo> {
  const { metadata } = bo;
  if (pointer === 0) return { len: metadata.length };
  if (length < metadata.length) fail(ETOOSMALL, `gem_info.len: ${length}, there are ${metadata.length}`);
  user.write(pointer, metadata);
  return { len: metadata.length };
}

/**
 * GEM_CPU_PREP: wait until the GPU is done with an object. Nothing here runs while anybody could wait.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOENT
 */
export function gemCpuPrep(file: MsmFile, arg: uapi.GemCpuPrep): void {
  if ((arg.op & ~uapi.PREP_FLAGS) !== 0) fail(EINVAL, `gem_cpu_prep.op: 0x${arg.op.toString(16)} is unknown`);
  boOf(file, "gem_cpu_prep", arg.handle);
}

/**
 * GEM_CPU_FINI.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` ENOENT
 */
export function gemCpuFini(file: MsmFile, arg: uapi.GemCpuFini): void {
  boOf(file, "gem_cpu_fini", arg.handle);
}
