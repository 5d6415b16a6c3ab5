/**
 * Facts of `msm_drm.h` (Linux 7.3-rc7) around jobs: the syncobjs that submits and VM_BINDs wait for and signal, submits
 * themselves, and what waits for them.
 *
 * @module
 */

import { DRM_COMMAND_BASE, drmIow, drmIowr, nested, type StructLayout, struct, u32, u64 } from "@vmbind/drm";
import * as values from "./uapi-values.ts";

/** `drm_msm_timespec`. */
export interface Timespec {
  /** Seconds. */
  tvSec: number;
  /** Nanoseconds. */
  tvNsec: number;
}

/** Layout of {@link Timespec}. */
export const TIMESPEC: StructLayout<Timespec> = struct("drm_msm_timespec", 16, {
  tvSec: u64(0x00),
  tvNsec: u64(0x08),
});

/** `drm_msm_gem_cpu_prep`. */
export interface GemCpuPrep {
  /** GEM handle. */
  handle: number;
  /** `MSM_PREP_` flags. */
  op: number;
  /** Absolute time to wait until. */
  timeout: Timespec;
}

/** Layout of {@link GemCpuPrep}. */
export const GEM_CPU_PREP: StructLayout<GemCpuPrep> = struct("drm_msm_gem_cpu_prep", 24, {
  handle: u32(0x00),
  op: u32(0x04),
  timeout: nested(0x08, TIMESPEC),
});

/** `drm_msm_gem_cpu_fini`. */
export interface GemCpuFini {
  /** GEM handle. */
  handle: number;
}

/** Layout of {@link GemCpuFini}. */
export const GEM_CPU_FINI: StructLayout<GemCpuFini> = struct("drm_msm_gem_cpu_fini", 4, {
  handle: u32(0x00),
});

/** `drm_msm_syncobj`: a wait or a signal of a submit or a VM_BIND. */
export interface SubmitSyncobj {
  /** Syncobj handle. */
  handle: number;
  /** `SYNCOBJ_RESET` or 0. */
  flags: number;
  /** Timeline point, 0 for the binary payload. */
  point: number;
}

/** Layout of {@link SubmitSyncobj}. */
export const SYNCOBJ: StructLayout<SubmitSyncobj> = struct("drm_msm_syncobj", 16, {
  handle: u32(0x00),
  flags: u32(0x04, values.SYNCOBJ_NAMES),
  point: u64(0x08),
});

/** `drm_msm_gem_submit`. */
export interface GemSubmit {
  /** Pipe in the low 16 bits, `SUBMIT_` flags above. */
  flags: number;
  /** Out: number of the fence, in with `SUBMIT_FENCE_SN_IN`. */
  fence: number;
  /** Elements of the table of objects. */
  nrBos: number;
  /** Command buffers. */
  nrCmds: number;
  /** User pointer of the table. */
  bos: number;
  /** User pointer of the command buffers. */
  cmds: number;
  /** Sync file, in or out; -1 as 0xffffffff. */
  fenceFd: number;
  /** Submit queue. */
  queueid: number;
  /** User pointer of the waits. */
  inSyncobjs: number;
  /** User pointer of the signals. */
  outSyncobjs: number;
  /** Waits. */
  nrInSyncobjs: number;
  /** Signals. */
  nrOutSyncobjs: number;
  /** Bytes from one to the next. */
  syncobjStride: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link GemSubmit}. */
export const GEM_SUBMIT: StructLayout<GemSubmit> = struct("drm_msm_gem_submit", 72, {
  flags: u32(0x00, values.SUBMIT_NAMES),
  fence: u32(0x04),
  nrBos: u32(0x08),
  nrCmds: u32(0x0c),
  bos: u64(0x10),
  cmds: u64(0x18),
  fenceFd: u32(0x20),
  queueid: u32(0x24),
  inSyncobjs: u64(0x28),
  outSyncobjs: u64(0x30),
  nrInSyncobjs: u32(0x38),
  nrOutSyncobjs: u32(0x3c),
  syncobjStride: u32(0x40),
  pad: u32(0x44),
});

/** `drm_msm_wait_fence`. */
export interface WaitFence {
  /** Number of the fence. */
  fence: number;
  /** `WAIT_FENCE_BOOST` or 0. */
  flags: number;
  /** Absolute time to wait until. */
  timeout: Timespec;
  /** Submit queue. */
  queueid: number;
  /** Padding. */
  pad: number;
}

/** Layout of {@link WaitFence}. */
export const WAIT_FENCE: StructLayout<WaitFence> = struct("drm_msm_wait_fence", 32, {
  fence: u32(0x00),
  flags: u32(0x04),
  timeout: nested(0x08, TIMESPEC),
  queueid: u32(0x18),
  pad: u32(0x1c),
});

const base = DRM_COMMAND_BASE;
/** `DRM_IOCTL_MSM_GEM_CPU_PREP`. */
export const IOCTL_GEM_CPU_PREP: number = drmIow(base + 0x04, GEM_CPU_PREP.size);
/** `DRM_IOCTL_MSM_GEM_CPU_FINI`. */
export const IOCTL_GEM_CPU_FINI: number = drmIow(base + 0x05, GEM_CPU_FINI.size);
/** `DRM_IOCTL_MSM_GEM_SUBMIT`. */
export const IOCTL_GEM_SUBMIT: number = drmIowr(base + 0x06, GEM_SUBMIT.size);
/** `DRM_IOCTL_MSM_WAIT_FENCE`. */
export const IOCTL_WAIT_FENCE: number = drmIow(base + 0x07, WAIT_FENCE.size);
