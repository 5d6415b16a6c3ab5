/**
 * Facts of `panthor_drm.h` (Linux 7.3-rc7): the values of flags, types and states, and their names for people. The structs that hold
 * them are in `uapi.ts`.
 *
 * @module
 */

import { flagNames, type ValueNames, valueNames } from "@vmbind/drm";

/** Types of a `DevQuery`. */
export const DEV_QUERY = {
  /** `DRM_PANTHOR_DEV_QUERY_GPU_INFO`. */
  gpuInfo: 0,
  /** `DRM_PANTHOR_DEV_QUERY_CSIF_INFO`. */
  csifInfo: 1,
  /** `DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO`, since driver version 1.1. */
  timestampInfo: 2,
  /** `DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO`, since driver version 1.2. */
  groupPrioritiesInfo: 3,
  /** `DRM_PANTHOR_DEV_QUERY_MMU_INFO`, since driver version 1.9. */
  mmuInfo: 4,
} as const;
/** Names of the types. */
export const DEV_QUERY_NAMES: ValueNames = valueNames({
  DEV_QUERY_GPU_INFO: DEV_QUERY.gpuInfo,
  DEV_QUERY_CSIF_INFO: DEV_QUERY.csifInfo,
  DEV_QUERY_TIMESTAMP_INFO: DEV_QUERY.timestampInfo,
  DEV_QUERY_GROUP_PRIORITIES_INFO: DEV_QUERY.groupPrioritiesInfo,
  DEV_QUERY_MMU_INFO: DEV_QUERY.mmuInfo,
});

/** `DRM_PANTHOR_VM_BIND_ASYNC`. */
export const VM_BIND_ASYNC = 0x1;
/** Names of the flags of a `VmBind`. */
export const VM_BIND_NAMES: ValueNames = flagNames({ VM_BIND_ASYNC });

/** `DRM_PANTHOR_VM_BIND_OP_MAP_READONLY`: the GPU may not write. */
export const MAP_READONLY = 0x1;
/** `DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC`: the GPU may not fetch instructions. */
export const MAP_NOEXEC = 0x2;
/** `DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED`: bypass the L2 cache. */
export const MAP_UNCACHED = 0x4;
/** `DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE`, since driver version 1.8 (Linux 7.2.13): back the range with the file's dummy object. */
export const MAP_SPARSE = 0x8;
/** `MAP_REPEAT` of the proposal (v2 to v5): the bit that upstream gave to {@link MAP_SPARSE} instead. */
export const MAP_REPEAT = 0x8;

/** `DRM_PANTHOR_VM_BIND_OP_TYPE_MASK`, unsigned. */
export const OP_TYPE_MASK = 0xf0000000;
/** `DRM_PANTHOR_VM_BIND_OP_TYPE_MAP`. */
export const OP_MAP = 0x00000000;
/** `DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP`. */
export const OP_UNMAP = 0x10000000;
/** `DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY`. */
export const OP_SYNC_ONLY = 0x20000000;

const OP_TYPES = { mask: OP_TYPE_MASK, values: { OP_MAP, OP_UNMAP, OP_SYNC_ONLY } };
/** Names of the flags of a `VmBindOp`. */
export const VM_BIND_OP_NAMES: ValueNames = flagNames(
  { MAP_READONLY, MAP_NOEXEC, MAP_UNCACHED, MAP_SPARSE },
  OP_TYPES,
);
/** Names of the flags of a `VmBindOpRepeat`. */
export const VM_BIND_OP_REPEAT_NAMES: ValueNames = flagNames(
  { MAP_READONLY, MAP_NOEXEC, MAP_UNCACHED, MAP_REPEAT },
  OP_TYPES,
);

/** `DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK`. */
export const SYNC_OP_TYPE_MASK = 0xff;
/** `DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_SYNCOBJ`. */
export const SYNC_OP_SYNCOBJ = 0;
/** `DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ`. */
export const SYNC_OP_TIMELINE = 1;
/** `DRM_PANTHOR_SYNC_OP_SIGNAL`, unsigned; clear means wait. */
export const SYNC_OP_SIGNAL = 0x80000000;
/** Names of the flags of a `SyncOp`. */
export const SYNC_OP_NAMES: ValueNames = flagNames(
  { SYNC_OP_SIGNAL },
  { mask: SYNC_OP_TYPE_MASK, values: { SYNC_OP_SYNCOBJ, SYNC_OP_TIMELINE } },
);

/** `DRM_PANTHOR_BO_NO_MMAP`. */
export const BO_NO_MMAP = 0x1;
/** `DRM_PANTHOR_BO_WB_MMAP`, since driver version 1.7. */
export const BO_WB_MMAP = 0x2;
/** Names of the flags of a `BoCreate`. */
export const BO_NAMES: ValueNames = flagNames({ BO_NO_MMAP, BO_WB_MMAP });

/** `DRM_PANTHOR_VM_STATE_USABLE`. */
export const VM_STATE_USABLE = 0;
/** `DRM_PANTHOR_VM_STATE_UNUSABLE`. */
export const VM_STATE_UNUSABLE = 1;
/** Names of the states of a `VmGetState`. */
export const VM_STATE_NAMES: ValueNames = valueNames({ VM_STATE_USABLE, VM_STATE_UNUSABLE });

/** Bits of a `TimestampInfo`'s `flags`, since driver version 1.8. */
export const TIMESTAMP = {
  /** `DRM_PANTHOR_TIMESTAMP_GPU`: the GPU's time. */
  gpu: 0x01,
  /** `DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC`: the CPU's, by CLOCK_MONOTONIC. */
  cpuMonotonic: 0x02,
  /** `DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW`: the CPU's, by CLOCK_MONOTONIC_RAW. */
  cpuMonotonicRaw: 0x04,
  /** `DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK`: which clock; 0 for none, other values than the two are refused. */
  cpuTypeMask: 0x0e,
  /** `DRM_PANTHOR_TIMESTAMP_GPU_OFFSET`: the offset of the GPU's timer. */
  gpuOffset: 0x10,
  /** `DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT`: the GPU's cycles. */
  gpuCycleCount: 0x20,
  /** `DRM_PANTHOR_TIMESTAMP_FREQ`: the timer's frequency. */
  frequency: 0x40,
  /** `DRM_PANTHOR_TIMESTAMP_DURATION`: how long the query took. */
  duration: 0x80,
} as const;

/** `PANTHOR_GROUP_PRIORITY_LOW` and `_MEDIUM`, which every process may use, as a mask. */
export const GROUP_PRIORITIES_OF_ALL = 0x3;
/** The mask with `PANTHOR_GROUP_PRIORITY_HIGH` and `_REALTIME`, which need CAP_SYS_NICE or the DRM master. */
export const GROUP_PRIORITIES_PRIVILEGED = 0xf;

/** `DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH`, since driver version 1.7. */
export const BO_SYNC_CPU_CACHE_FLUSH = 0;
/** `DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE`, since driver version 1.7. */
export const BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE = 1;
/** Names of the types of a `BoSyncOp`. */
export const BO_SYNC_NAMES: ValueNames = valueNames({
  BO_SYNC_CPU_CACHE_FLUSH,
  BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE,
});

/** `DRM_PANTHOR_BO_IS_IMPORTED`: the object is another driver's or device's. */
export const BO_IS_IMPORTED = 0x1;
/** Names of the extra flags of a `BoQueryInfo`. */
export const BO_EXTRA_NAMES: ValueNames = flagNames({ BO_IS_IMPORTED });
