/**
 * Facts of `msm_drm.h` (Linux 7.3-rc7): struct layouts and request numbers; what waits, signals and submits
 * is in `uapi-submit.ts`, flags and other values in `uapi-values.ts`.
 * What a comment says of the kernel's checks is the driver's (`msm_gem_vma.c`, `msm_drv.c`).
 *
 * Every offset that the model uses comes from these tables; the bind loop reads members at their offsets instead of
 * building an object per operation.
 *
 * @module
 */

import {
  bytes,
  DRM_COMMAND_BASE,
  drmIow,
  drmIowr,
  nested,
  type StructLayout,
  struct,
  u32,
  u64,
} from "@vmbind/drm";
import * as values from "./uapi-values.ts";

export { GEM_CLOSE, type GemClose } from "@vmbind/drm";
export * from "./uapi-submit.ts";
export * from "./uapi-values.ts";

/** `drm_msm_param`. */
export interface Param {
  /** `PIPE_3D0`. */
  pipe: number;
  /** One of `PARAM`. */
  param: number;
  /** Its value; a user pointer for strings. */
  value: number;
  /** Bytes of the string, 0 for numbers. */
  len: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link Param}. */
export const PARAM_ARG: StructLayout<Param> = struct("drm_msm_param", 24, {
  pipe: u32(0x00),
  param: u32(0x04, values.PARAM_NAMES),
  value: u64(0x08),
  len: u32(0x10),
  pad: u32(0x14),
});

/** `drm_msm_gem_new`. */
export interface GemNew {
  /** Bytes, rounded up to pages; not written back. */
  size: number;
  /** `BO_` flags, exactly one cache mode among them. */
  flags: number;
  /** Out: GEM handle. */
  handle: number;
}

/** Layout of {@link GemNew}. */
export const GEM_NEW: StructLayout<GemNew> = struct("drm_msm_gem_new", 16, {
  size: u64(0x00),
  flags: u32(0x08, values.BO_NAMES),
  handle: u32(0x0c),
});

/** `drm_msm_gem_info`. */
export interface GemInfo {
  /** GEM handle. */
  handle: number;
  /** One of `INFO`. */
  info: number;
  /** In or out; a user pointer for names and metadata. */
  value: number;
  /** Bytes behind the pointer. */
  len: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link GemInfo}. */
export const GEM_INFO: StructLayout<GemInfo> = struct("drm_msm_gem_info", 24, {
  handle: u32(0x00),
  info: u32(0x04, values.INFO_NAMES),
  value: u64(0x08),
  len: u32(0x10),
  pad: u32(0x14),
});

/** `drm_msm_gem_madvise`. */
export interface GemMadvise {
  /** GEM handle. */
  handle: number;
  /** `MADV_WILLNEED` or `MADV_DONTNEED`. */
  madv: number;
  /** Out: 0 when the pages are gone for good. */
  retained: number;
}

/** Layout of {@link GemMadvise}. */
export const GEM_MADVISE: StructLayout<GemMadvise> = struct("drm_msm_gem_madvise", 12, {
  handle: u32(0x00),
  madv: u32(0x04, values.MADV_NAMES),
  retained: u32(0x08),
});

/** `drm_msm_submitqueue`. */
export interface SubmitqueueNew {
  /** `SUBMITQUEUE_` flags. */
  flags: number;
  /** Priority, 0 for a queue of VM_BIND. */
  prio: number;
  /** Out: id, from 1. */
  id: number;
}

/** Layout of {@link SubmitqueueNew}. */
export const SUBMITQUEUE_NEW: StructLayout<SubmitqueueNew> = struct("drm_msm_submitqueue", 12, {
  flags: u32(0x00, values.SUBMITQUEUE_NAMES),
  prio: u32(0x04),
  id: u32(0x08),
});

/** The argument of SUBMITQUEUE_CLOSE: a number without a struct. */
export interface SubmitqueueClose {
  /** Queue id. */
  id: number;
}

/** Layout of {@link SubmitqueueClose}. */
export const SUBMITQUEUE_CLOSE: StructLayout<SubmitqueueClose> = struct("u32", 4, { id: u32(0x00) });

/** `drm_msm_submitqueue_query`. */
export interface SubmitqueueQuery {
  /** User pointer. */
  data: number;
  /** Queue id, 0 for the default queue. */
  id: number;
  /** 0: faults. */
  param: number;
  /** Bytes behind the pointer; 0 to ask for the size. */
  len: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link SubmitqueueQuery}. */
export const SUBMITQUEUE_QUERY: StructLayout<SubmitqueueQuery> = struct("drm_msm_submitqueue_query", 24, {
  data: u64(0x00),
  id: u32(0x08),
  param: u32(0x0c),
  len: u32(0x10),
  pad: u32(0x14),
});

/** `drm_msm_vm_bind_op`. */
export interface VmBindOp {
  /** `OP_UNMAP`, `OP_MAP` or `OP_MAP_NULL`. */
  op: number;
  /** GEM handle, only for `OP_MAP`. */
  handle: number;
  /** Byte offset into the object. */
  objOffset: number;
  /** GPU address in bytes. */
  iova: number;
  /** Bytes. */
  range: number;
  /** `OP_DUMP` or 0. */
  flags: number;
  /** Not looked at. */
  pad: number;
}

/** Layout of {@link VmBindOp}: 40 bytes, whatever `op_stride` says. */
export const VM_BIND_OP: StructLayout<VmBindOp> = struct("drm_msm_vm_bind_op", 40, {
  op: u32(0x00, values.OP_NAMES),
  handle: u32(0x04),
  objOffset: u64(0x08),
  iova: u64(0x10),
  range: u64(0x18),
  flags: u32(0x20, values.OP_FLAG_NAMES),
  pad: u32(0x24),
});

/** What the union at the end of `drm_msm_vm_bind` is where there is not exactly one operation. */
export interface VmBindOps {
  /** User pointer of the operations. */
  ops: number;
  /** Not looked at. */
  rest: Uint8Array;
}

/** Layout of {@link VmBindOps}. */
export const VM_BIND_OPS_UNION: StructLayout<VmBindOps> = struct("drm_msm_vm_bind.ops", 40, {
  ops: u64(0x00),
  rest: bytes(0x08, 32),
});

/** `drm_msm_vm_bind`. */
export interface VmBind {
  /** `VM_BIND_` flags. */
  flags: number;
  /** Operations: exactly one lies in the struct itself, others behind `op.ops`. */
  nrOps: number;
  /** Sync file, in or out; -1 as 0xffffffff. */
  fenceFd: number;
  /** Submit queue with `SUBMITQUEUE_VM_BIND`. */
  queueId: number;
  /** User pointer of the waits, 0 for none. */
  inSyncobjs: number;
  /** User pointer of the signals, 0 for none. */
  outSyncobjs: number;
  /** Waits. */
  nrInSyncobjs: number;
  /** Signals. */
  nrOutSyncobjs: number;
  /** Bytes from one wait or signal to the next. */
  syncobjStride: number;
  /** Never read. */
  opStride: number;
  /** The one operation; else the union of {@link VmBindOps}. */
  op: VmBindOp;
}

/** Layout of {@link VmBind}. */
export const VM_BIND: StructLayout<VmBind> = struct("drm_msm_vm_bind", 88, {
  flags: u32(0x00, values.VM_BIND_NAMES),
  nrOps: u32(0x04),
  fenceFd: u32(0x08),
  queueId: u32(0x0c),
  inSyncobjs: u64(0x10),
  outSyncobjs: u64(0x18),
  nrInSyncobjs: u32(0x20),
  nrOutSyncobjs: u32(0x24),
  syncobjStride: u32(0x28),
  opStride: u32(0x2c),
  op: nested(0x30, VM_BIND_OP),
});

/** First address that user space may map (`MSM_PARAM_VA_START`, `msm_iommu.c`): the first 4 GiB are left out. */
export const VA_START = 0x1_0000_0000;

const base = DRM_COMMAND_BASE;
/** `DRM_IOCTL_MSM_GET_PARAM`. */
export const IOCTL_GET_PARAM: number = drmIowr(base + 0x00, PARAM_ARG.size);
/** `DRM_IOCTL_MSM_SET_PARAM`; turnip adds the direction bit of a read, which changes nothing. */
export const IOCTL_SET_PARAM: number = drmIow(base + 0x01, PARAM_ARG.size);
/** `DRM_IOCTL_MSM_GEM_NEW`. */
export const IOCTL_GEM_NEW: number = drmIowr(base + 0x02, GEM_NEW.size);
/** `DRM_IOCTL_MSM_GEM_INFO`. */
export const IOCTL_GEM_INFO: number = drmIowr(base + 0x03, GEM_INFO.size);
/** `DRM_IOCTL_MSM_GEM_MADVISE`. */
export const IOCTL_GEM_MADVISE: number = drmIowr(base + 0x08, GEM_MADVISE.size);
/** `DRM_IOCTL_MSM_SUBMITQUEUE_NEW`. */
export const IOCTL_SUBMITQUEUE_NEW: number = drmIowr(base + 0x0a, SUBMITQUEUE_NEW.size);
/** `DRM_IOCTL_MSM_SUBMITQUEUE_CLOSE`. */
export const IOCTL_SUBMITQUEUE_CLOSE: number = drmIow(base + 0x0b, SUBMITQUEUE_CLOSE.size);
/** `DRM_IOCTL_MSM_SUBMITQUEUE_QUERY`. */
export const IOCTL_SUBMITQUEUE_QUERY: number = drmIow(base + 0x0c, SUBMITQUEUE_QUERY.size);
/** `DRM_IOCTL_MSM_VM_BIND`. */
export const IOCTL_VM_BIND: number = drmIowr(base + 0x0d, VM_BIND.size);
/** `DRM_IOCTL_MSM_PERFCNTR_CONFIG`, 32 bytes, which the model has not. */
export const IOCTL_PERFCNTR_CONFIG: number = drmIow(base + 0x0e, 32);
