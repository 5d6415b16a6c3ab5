/**
 * Values of `msm_drm.h` (Linux 7.3-rc7) under the header's names: parameters, flags, operations and states.
 *
 * @module
 */

import { flagNames, type ValueNames, valueNames } from "@vmbind/drm";

/** `MSM_PIPE_3D0`: the one pipe that parameters and submits may name. */
export const PIPE_3D0 = 0x10;

/** Parameters of GET_PARAM and SET_PARAM (`MSM_PARAM_`). */
export const PARAM = {
  /** The old GPU id, 0 where a chip id says more. */
  gpuId: 0x01,
  /** Bytes of the tile memory. */
  gmemSize: 0x02,
  /** Chip id. */
  chipId: 0x03,
  /** Highest frequency in Hz. */
  maxFreq: 0x04,
  /** The GPU's counter. */
  timestamp: 0x05,
  /** Address of the tile memory. */
  gmemBase: 0x06,
  /** Priorities of submit queues. */
  priorities: 0x07,
  /** Always 0. */
  ppPgtable: 0x08,
  /** Faults of this context's GPU. */
  faults: 0x09,
  /** How often the GPU was suspended. */
  suspends: 0x0a,
  /** To be set only: profiling of the system. */
  sysprof: 0x0b,
  /** To be set only: name of the task, for logs. */
  comm: 0x0c,
  /** To be set only: its command line. */
  cmdline: 0x0d,
  /** First address that user space may map. */
  vaStart: 0x0e,
  /** Bytes from there on. */
  vaSize: 0x0f,
  /** Highest bank bit of the memory. */
  highestBankBit: 0x10,
  /** Whether there is hardware for ray tracing. */
  raytracing: 0x11,
  /** Swizzle modes of compressed images. */
  ubwcSwizzle: 0x12,
  /** Macrotile mode. */
  macrotileMode: 0x13,
  /** An address that traps. */
  ucheTrapBase: 0x14,
  /** Whether the SMMU has a partially resident region, so that MAP_NULL exists. */
  hasPrr: 0x15,
  /** To be set only: user space manages the VM, VM_BIND exists. */
  enVmBind: 0x16,
  /** Whether there is an AQE. */
  aqe: 0x17,
} as const;
/** Names of the parameters. */
export const PARAM_NAMES: ValueNames = valueNames({
  PARAM_GPU_ID: PARAM.gpuId,
  PARAM_GMEM_SIZE: PARAM.gmemSize,
  PARAM_CHIP_ID: PARAM.chipId,
  PARAM_MAX_FREQ: PARAM.maxFreq,
  PARAM_TIMESTAMP: PARAM.timestamp,
  PARAM_GMEM_BASE: PARAM.gmemBase,
  PARAM_PRIORITIES: PARAM.priorities,
  PARAM_PP_PGTABLE: PARAM.ppPgtable,
  PARAM_FAULTS: PARAM.faults,
  PARAM_SUSPENDS: PARAM.suspends,
  PARAM_SYSPROF: PARAM.sysprof,
  PARAM_COMM: PARAM.comm,
  PARAM_CMDLINE: PARAM.cmdline,
  PARAM_VA_START: PARAM.vaStart,
  PARAM_VA_SIZE: PARAM.vaSize,
  PARAM_HIGHEST_BANK_BIT: PARAM.highestBankBit,
  PARAM_RAYTRACING: PARAM.raytracing,
  PARAM_UBWC_SWIZZLE: PARAM.ubwcSwizzle,
  PARAM_MACROTILE_MODE: PARAM.macrotileMode,
  PARAM_UCHE_TRAP_BASE: PARAM.ucheTrapBase,
  PARAM_HAS_PRR: PARAM.hasPrr,
  PARAM_EN_VM_BIND: PARAM.enVmBind,
  PARAM_AQE: PARAM.aqe,
});

/** `MSM_BO_SCANOUT`: a display may show it. */
export const BO_SCANOUT = 0x1;
/** `MSM_BO_GPU_READONLY`: the GPU may not write. */
export const BO_GPU_READONLY = 0x2;
/** `MSM_BO_NO_SHARE`: never exported, and locked with the VM. */
export const BO_NO_SHARE = 0x4;
/** `MSM_BO_CACHE_MASK`: the cache mode. */
export const BO_CACHE_MASK = 0x000f0000;
/** `MSM_BO_CACHED`: cached by the CPU; the GPU maps it uncached. */
export const BO_CACHED = 0x00010000;
/** `MSM_BO_WC`: write-combined. */
export const BO_WC = 0x00020000;
/** `MSM_BO_UNCACHED`: deprecated, and refused. */
export const BO_UNCACHED = 0x00040000;
/** `MSM_BO_CACHED_COHERENT`: cached, and the GPU snoops. */
export const BO_CACHED_COHERENT = 0x00080000;
/** All flags of GEM_NEW. */
export const BO_FLAGS: number = BO_SCANOUT | BO_GPU_READONLY | BO_NO_SHARE | BO_CACHE_MASK;
/** Names of the flags of a `GemNew`. */
export const BO_NAMES: ValueNames = flagNames({
  BO_SCANOUT,
  BO_GPU_READONLY,
  BO_NO_SHARE,
  BO_CACHED,
  BO_WC,
  BO_UNCACHED,
  BO_CACHED_COHERENT,
});

/** What GEM_INFO tells or sets (`MSM_INFO_`). */
export const INFO = {
  /** Offset for mmap. */
  getOffset: 0x00,
  /** Address that the kernel gave it. */
  getIova: 0x01,
  /** Name, for people. */
  setName: 0x02,
  /** The name. */
  getName: 0x03,
  /** Address that user space chose, 0 to give it up. */
  setIova: 0x04,
  /** Flags of GEM_NEW. */
  getFlags: 0x05,
  /** Bytes that user space keeps with it. */
  setMetadata: 0x06,
  /** Those bytes. */
  getMetadata: 0x07,
} as const;
/** Names of the kinds of GEM_INFO. */
export const INFO_NAMES: ValueNames = valueNames({
  INFO_GET_OFFSET: INFO.getOffset,
  INFO_GET_IOVA: INFO.getIova,
  INFO_SET_NAME: INFO.setName,
  INFO_GET_NAME: INFO.getName,
  INFO_SET_IOVA: INFO.setIova,
  INFO_GET_FLAGS: INFO.getFlags,
  INFO_SET_METADATA: INFO.setMetadata,
  INFO_GET_METADATA: INFO.getMetadata,
});

/** `MSM_MADV_WILLNEED`: the pages are wanted. */
export const MADV_WILLNEED = 0;
/** `MSM_MADV_DONTNEED`: they may be thrown away. */
export const MADV_DONTNEED = 1;
/** `__MSM_MADV_PURGED`: they were, for good; the driver's own state. */
export const MADV_PURGED = 2;
/** Names of the states that GEM_MADVISE takes. */
export const MADV_NAMES: ValueNames = valueNames({ MADV_WILLNEED, MADV_DONTNEED });

/** `MSM_SUBMITQUEUE_ALLOW_PREEMPT`. */
export const SUBMITQUEUE_ALLOW_PREEMPT = 0x1;
/** `MSM_SUBMITQUEUE_VM_BIND`: a queue for VM_BIND, and for nothing else. */
export const SUBMITQUEUE_VM_BIND = 0x2;
/** Names of the flags of a `SubmitqueueNew`. */
export const SUBMITQUEUE_NAMES: ValueNames = flagNames({ SUBMITQUEUE_ALLOW_PREEMPT, SUBMITQUEUE_VM_BIND });

/** `MSM_SYNCOBJ_RESET`: empty it when the job is queued; for waits only. */
export const SYNCOBJ_RESET = 0x1;
/** Names of the flags of a `SubmitSyncobj`. */
export const SYNCOBJ_NAMES: ValueNames = flagNames({ SYNCOBJ_RESET });

/** `MSM_VM_BIND_FENCE_FD_IN`: wait for the sync file. */
export const VM_BIND_FENCE_FD_IN = 0x1;
/** `MSM_VM_BIND_FENCE_FD_OUT`: make one. */
export const VM_BIND_FENCE_FD_OUT = 0x2;
/** Names of the flags of a `VmBind`. */
export const VM_BIND_NAMES: ValueNames = flagNames({ VM_BIND_FENCE_FD_IN, VM_BIND_FENCE_FD_OUT });

/** `MSM_VM_BIND_OP_UNMAP`. */
export const OP_UNMAP = 0;
/** `MSM_VM_BIND_OP_MAP`. */
export const OP_MAP = 1;
/** `MSM_VM_BIND_OP_MAP_NULL`: the partially resident region. */
export const OP_MAP_NULL = 2;
/** Names of the operations. */
export const OP_NAMES: ValueNames = valueNames({ OP_UNMAP, OP_MAP, OP_MAP_NULL });

/** `MSM_VM_BIND_OP_DUMP`: worth having in a crash dump. */
export const OP_DUMP = 0x1;
/** Names of the flags of a `VmBindOp`. */
export const OP_FLAG_NAMES: ValueNames = flagNames({ OP_DUMP });

/** `MSM_SUBMIT_NO_IMPLICIT`, unsigned: no implicit fences. */
export const SUBMIT_NO_IMPLICIT = 0x80000000;
/** `MSM_SUBMIT_FENCE_FD_IN`. */
export const SUBMIT_FENCE_FD_IN = 0x40000000;
/** `MSM_SUBMIT_FENCE_FD_OUT`. */
export const SUBMIT_FENCE_FD_OUT = 0x20000000;
/** `MSM_SUBMIT_SUDO`: for root only. */
export const SUBMIT_SUDO = 0x10000000;
/** `MSM_SUBMIT_SYNCOBJ_IN`. */
export const SUBMIT_SYNCOBJ_IN = 0x08000000;
/** `MSM_SUBMIT_SYNCOBJ_OUT`. */
export const SUBMIT_SYNCOBJ_OUT = 0x04000000;
/** `MSM_SUBMIT_FENCE_SN_IN`: user space says the fence's number. */
export const SUBMIT_FENCE_SN_IN = 0x02000000;
/** All flags of GEM_SUBMIT, unsigned. */
export const SUBMIT_FLAGS = 0xfe000000;
/** Bits of a submit's flags that name its pipe. */
export const SUBMIT_PIPE_MASK = 0xffff;
/** Names of the flags of a `GemSubmit`. */
export const SUBMIT_NAMES: ValueNames = flagNames(
  {
    SUBMIT_NO_IMPLICIT,
    SUBMIT_FENCE_FD_IN,
    SUBMIT_FENCE_FD_OUT,
    SUBMIT_SUDO,
    SUBMIT_SYNCOBJ_IN,
    SUBMIT_SYNCOBJ_OUT,
    SUBMIT_FENCE_SN_IN,
  },
  { mask: SUBMIT_PIPE_MASK, values: { PIPE_3D0 } },
);

/** `MSM_PREP_READ`, `MSM_PREP_WRITE`, `MSM_PREP_NOSYNC`, `MSM_PREP_BOOST` of GEM_CPU_PREP. */
export const PREP_FLAGS = 0x0f;
/** `MSM_WAIT_FENCE_BOOST`, the one flag of WAIT_FENCE. */
export const WAIT_FENCE_BOOST = 0x1;
