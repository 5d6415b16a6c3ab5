/**
 * Facts of `xe_drm.h` (Linux 7.3-rc7) about DEVICE_QUERY; the rest of the header is in `uapi.ts`.
 *
 * @module
 */

import {
  array,
  DRM_COMMAND_BASE,
  drmIowr,
  type StructLayout,
  struct,
  u16,
  u32,
  u64,
  type ValueNames,
  valueNames,
} from "@vmbind/drm";

/** `DRM_XE_DEVICE_QUERY_MEM_REGIONS`. */
export const DEVICE_QUERY_MEM_REGIONS = 1;
/** `DRM_XE_DEVICE_QUERY_CONFIG`. */
export const DEVICE_QUERY_CONFIG = 2;
/** Highest query number of 7.3-rc7, `DRM_XE_DEVICE_QUERY_EU_STALL`. */
export const DEVICE_QUERY_LAST = 10;
/** Names of the queries. */
export const DEVICE_QUERY_NAMES: ValueNames = valueNames({
  DEVICE_QUERY_ENGINES: 0,
  DEVICE_QUERY_MEM_REGIONS,
  DEVICE_QUERY_CONFIG,
  DEVICE_QUERY_GT_LIST: 3,
  DEVICE_QUERY_HWCONFIG: 4,
  DEVICE_QUERY_GT_TOPOLOGY: 5,
  DEVICE_QUERY_ENGINE_CYCLES: 6,
  DEVICE_QUERY_UC_FW_VERSION: 7,
  DEVICE_QUERY_OA_UNITS: 8,
  DEVICE_QUERY_PXP_STATUS: 9,
  DEVICE_QUERY_EU_STALL: DEVICE_QUERY_LAST,
});

/** `drm_xe_device_query` of `xe_drm.h`, Linux 7.3-rc7. */
export interface DeviceQuery {
  /** Chain of extensions; none exist. */
  extensions: number;
  /** One of {@link DEVICE_QUERY_CONFIG}, {@link DEVICE_QUERY_MEM_REGIONS} and the queries up to {@link DEVICE_QUERY_LAST}. */
  query: number;
  /** Bytes at `data`; 0 asks for the size, which is written back here. */
  size: number;
  /** User pointer. */
  data: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link DeviceQuery}. */
export const DEVICE_QUERY: StructLayout<DeviceQuery> = struct("drm_xe_device_query", 40, {
  extensions: u64(0),
  query: u32(8, DEVICE_QUERY_NAMES),
  size: u32(12),
  data: u64(16),
  reserved: array(24, 2, u64),
});

/** `drm_xe_query_config` of `xe_drm.h`, Linux 7.3-rc7: `num_params` u64 values, indexed by the `QUERY_CONFIG_*` numbers. */
export interface QueryConfig {
  /** Values that follow. */
  numParams: number;
  /** Zero. */
  pad: number;
  /** The five values of 7.3-rc7. */
  info: number[];
}

/** Layout of {@link QueryConfig}. */
export const QUERY_CONFIG: StructLayout<QueryConfig> = struct("drm_xe_query_config", 48, {
  numParams: u32(0),
  pad: u32(4),
  info: array(8, 5, u64),
});

/** `DRM_XE_QUERY_CONFIG_REV_AND_DEVICE_ID`: index in `info` of device id (bits 15:0) and revision (from bit 16). */
export const QUERY_CONFIG_REV_AND_DEVICE_ID = 0;
/** `DRM_XE_QUERY_CONFIG_FLAGS`: index in `info` of the `QUERY_CONFIG_FLAG_*` bits. */
export const QUERY_CONFIG_FLAGS = 1;
/**
 * `DRM_XE_QUERY_CONFIG_MIN_ALIGNMENT`: index in `info` of the alignment in bytes: 65536 where VRAM has 64 KiB pages
 * only, else 4096.
 */
export const QUERY_CONFIG_MIN_ALIGNMENT = 2;
/** `DRM_XE_QUERY_CONFIG_VA_BITS`: index in `info` of the width of virtual addresses in bits. */
export const QUERY_CONFIG_VA_BITS = 3;
/** `DRM_XE_QUERY_CONFIG_MAX_EXEC_QUEUE_PRIORITY`: index in `info` of the highest priority of an exec queue. */
export const QUERY_CONFIG_MAX_EXEC_QUEUE_PRIORITY = 4;

/** `DRM_XE_QUERY_CONFIG_FLAG_HAS_VRAM`: the device has VRAM. */
export const QUERY_CONFIG_FLAG_HAS_VRAM = 0x01;
/** `DRM_XE_QUERY_CONFIG_FLAG_HAS_LOW_LATENCY`: low-latency hint for exec queues. */
export const QUERY_CONFIG_FLAG_HAS_LOW_LATENCY = 0x02;
/** `DRM_XE_QUERY_CONFIG_FLAG_HAS_CPU_ADDR_MIRROR`: `VM_BIND_FLAG_CPU_ADDR_MIRROR` works. */
export const QUERY_CONFIG_FLAG_HAS_CPU_ADDR_MIRROR = 0x04;
/** `DRM_XE_QUERY_CONFIG_FLAG_HAS_NO_COMPRESSION_HINT`: `GEM_CREATE_FLAG_NO_COMPRESSION` works. */
export const QUERY_CONFIG_FLAG_HAS_NO_COMPRESSION_HINT = 0x08;
/** `DRM_XE_QUERY_CONFIG_FLAG_HAS_DISABLE_STATE_CACHE_PERF_FIX`: a queue may do without a workaround; always set. */
export const QUERY_CONFIG_FLAG_HAS_DISABLE_STATE_CACHE_PERF_FIX = 0x10;
/** `DRM_XE_QUERY_CONFIG_FLAG_HAS_PURGING_SUPPORT`: MADVISE knows `VMA_ATTR_PURGEABLE_STATE`; always set. */
export const QUERY_CONFIG_FLAG_HAS_PURGING_SUPPORT = 0x20;

/** `drm_xe_mem_region` of `xe_drm.h`, Linux 7.3-rc7. */
export interface MemRegion {
  /** {@link MEM_REGION_CLASS_SYSMEM} or {@link MEM_REGION_CLASS_VRAM}. */
  memClass: number;
  /** Number of the region: bit `1 << instance` names it in a placement. */
  instance: number;
  /** Smallest page in bytes: 4096, or 65536 where VRAM has 64 KiB pages only. */
  minPageSize: number;
  /** Size in bytes. */
  totalSize: number;
  /** Bytes in use, for every caller (Linux 7.3-rc7; once for privileged ones only). */
  used: number;
  /** Bytes that the CPU can reach. */
  cpuVisibleSize: number;
  /** Bytes of these in use. */
  cpuVisibleUsed: number;
  /** Zero. */
  reserved: number[];
}

/** Layout of {@link MemRegion}. */
export const MEM_REGION: StructLayout<MemRegion> = struct("drm_xe_mem_region", 88, {
  memClass: u16(0),
  instance: u16(2),
  minPageSize: u32(4),
  totalSize: u64(8),
  used: u64(16),
  cpuVisibleSize: u64(24),
  cpuVisibleUsed: u64(32),
  reserved: array(40, 6, u64),
});

/** `DRM_XE_MEM_REGION_CLASS_SYSMEM`: system memory. */
export const MEM_REGION_CLASS_SYSMEM = 0;
/** `DRM_XE_MEM_REGION_CLASS_VRAM`: device-local memory. */
export const MEM_REGION_CLASS_VRAM = 1;

/** `DRM_IOCTL_XE_DEVICE_QUERY`, 0xc0286440. */
export const IOCTL_DEVICE_QUERY: number = drmIowr(DRM_COMMAND_BASE + 0x00, DEVICE_QUERY.size);
