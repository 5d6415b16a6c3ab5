/**
 * Facts of `xe_drm.h` (Linux 7.3-rc7) about what runs on a GPU, which `@vmbind/xe` does not model: layouts of EXEC, of waits
 * for user fences, and of the queries that describe engines.
 *
 * @module
 */

import {
  array,
  DRM_COMMAND_BASE,
  drmIow,
  drmIowr,
  nested,
  type StructLayout,
  struct,
  u16,
  u32,
  u64,
} from "@vmbind/drm";
import { ENGINE_CLASS_INSTANCE, type EngineClassInstance } from "@vmbind/xe";

/** `DRM_XE_DEVICE_QUERY_*` that are answered here. */
export const QUERY = {
  engines: 0,
  gtList: 3,
  hwconfig: 4,
  topology: 5,
  engineCycles: 6,
  firmware: 7,
  oaUnits: 8,
  pxpStatus: 9,
} as const;

/** `DRM_XE_ENGINE_CLASS_*` of engines that run batches. */
export const ENGINE_CLASS = { render: 0, copy: 1, videoDecode: 2, videoEnhance: 3, compute: 4 } as const;

/** `drm_xe_exec`. */
export interface Exec {
  /** Must be 0. */
  extensions: number;
  /** Exec queue id. */
  execQueueId: number;
  /** Elements of `syncs`. */
  numSyncs: number;
  /** User address of the syncs. */
  syncs: number;
  /** VA of the batch, or with several the user address of their VAs. */
  address: number;
  /** Batches: the queue's width, or 0 for none. */
  numBatchBuffer: number;
  /** Must be 0. */
  pad: number[];
  /** Must be 0. */
  reserved: number[];
}

/** Layout of {@link Exec}. */
export const EXEC: StructLayout<Exec> = struct("drm_xe_exec", 56, {
  extensions: u64(0),
  execQueueId: u32(8),
  numSyncs: u32(12),
  syncs: u64(16),
  address: u64(24),
  numBatchBuffer: u16(32),
  pad: array(34, 3, u16),
  reserved: array(40, 2, u64),
});

/** Request number of EXEC. */
export const IOCTL_EXEC: number = drmIow(DRM_COMMAND_BASE + 0x09, EXEC.size);

/** `drm_xe_wait_user_fence`. */
export interface WaitUserFence {
  /** Must be 0. */
  extensions: number;
  /** User address of the u64 that is waited for. */
  addr: number;
  /** One of {@link UFENCE_OP}. */
  op: number;
  /** {@link UFENCE_ABSTIME}. */
  flags: number;
  /** Must be 0. */
  pad: number;
  /** What it is compared with. */
  value: number;
  /** Which of its bits count. */
  mask: number;
  /** Nanoseconds, an s64; below 0 for ever. */
  timeout: number;
  /** Exec queue that is to signal it, 0 for any. */
  execQueueId: number;
  /** Must be 0. */
  pad2: number;
  /** Must be 0. */
  reserved: number[];
}

/** Layout of {@link WaitUserFence}. */
export const WAIT_USER_FENCE: StructLayout<WaitUserFence> = struct("drm_xe_wait_user_fence", 72, {
  extensions: u64(0),
  addr: u64(8),
  op: u16(16),
  flags: u16(18),
  pad: u32(20),
  value: u64(24),
  mask: u64(32),
  timeout: u64(40),
  execQueueId: u32(48),
  pad2: u32(52),
  reserved: array(56, 2, u64),
});

/** Request number of WAIT_USER_FENCE. */
export const IOCTL_WAIT_USER_FENCE: number = drmIowr(DRM_COMMAND_BASE + 0x0a, WAIT_USER_FENCE.size);

/** `DRM_XE_UFENCE_WAIT_FLAG_ABSTIME`: the timeout is a time of CLOCK_MONOTONIC. */
export const UFENCE_ABSTIME = 1;

/** `DRM_XE_UFENCE_WAIT_OP_*`: how the word is compared, by number. */
export const UFENCE_OP: readonly ((word: bigint, value: bigint) => boolean)[] = [
  (a, b) => a === b,
  (a, b) => a !== b,
  (a, b) => a > b,
  (a, b) => a >= b,
  (a, b) => a < b,
  (a, b) => a <= b,
];

/** `drm_xe_exec_queue_get_property`. */
export interface ExecQueueGetProperty {
  /** Must be 0. */
  extensions: number;
  /** Exec queue id. */
  execQueueId: number;
  /** {@link EXEC_QUEUE_GET_PROPERTY_BAN}. */
  property: number;
  /** Its value (out). */
  value: number;
  /** Must be 0. */
  reserved: number[];
}

/** Layout of {@link ExecQueueGetProperty}. */
export const EXEC_QUEUE_GET_PROPERTY: StructLayout<ExecQueueGetProperty> = struct(
  "drm_xe_exec_queue_get_property",
  40,
  { extensions: u64(0), execQueueId: u32(8), property: u32(12), value: u64(16), reserved: array(24, 2, u64) },
);

/** `DRM_XE_EXEC_QUEUE_GET_PROPERTY_BAN`: whether the queue was thrown off the GPU. */
export const EXEC_QUEUE_GET_PROPERTY_BAN = 0;

/** Request number of EXEC_QUEUE_GET_PROPERTY. */
export const IOCTL_EXEC_QUEUE_GET_PROPERTY: number = drmIowr(
  DRM_COMMAND_BASE + 0x08,
  EXEC_QUEUE_GET_PROPERTY.size,
);

/** `drm_xe_engine`. */
export interface Engine {
  /** Class, instance and GT. */
  instance: EngineClassInstance;
  /** 0. */
  reserved: number[];
}

/** Layout of {@link Engine}. */
export const ENGINE: StructLayout<Engine> = struct("drm_xe_engine", 32, {
  instance: nested(0, ENGINE_CLASS_INSTANCE),
  reserved: array(8, 3, u64),
});

/** `drm_xe_gt`. */
export interface Gt {
  /** 0 the main one, 1 media. */
  type: number;
  /** Tile. */
  tileId: number;
  /** Its number. */
  gtId: number;
  /** 0. */
  pad: number[];
  /** Hz of the timestamp counter. */
  referenceClock: number;
  /** Instances of memory regions that are near, a bit each. */
  nearMemRegions: number;
  /** Instances that are far. */
  farMemRegions: number;
  /** Version of the IP; 0 where the hardware does not tell. */
  ipVerMajor: number;
  /** Version of the IP. */
  ipVerMinor: number;
  /** Version of the IP. */
  ipVerRev: number;
  /** 0. */
  pad2: number;
  /** 0. */
  reserved: number[];
}

/** Layout of {@link Gt}. */
export const GT: StructLayout<Gt> = struct("drm_xe_gt", 96, {
  type: u16(0),
  tileId: u16(2),
  gtId: u16(4),
  pad: array(6, 3, u16),
  referenceClock: u32(12),
  nearMemRegions: u64(16),
  farMemRegions: u64(24),
  ipVerMajor: u16(32),
  ipVerMinor: u16(34),
  ipVerRev: u16(36),
  pad2: u16(38),
  reserved: array(40, 7, u64),
});

/** `drm_xe_query_topology_mask`, in front of its bytes. */
export interface TopologyMask {
  /** GT. */
  gtId: number;
  /** One of {@link TOPOLOGY}. */
  type: number;
  /** Bytes of the mask behind it. */
  numBytes: number;
}

/** Layout of {@link TopologyMask}. */
export const TOPOLOGY_MASK: StructLayout<TopologyMask> = struct("drm_xe_query_topology_mask", 8, {
  gtId: u16(0),
  type: u16(2),
  numBytes: u32(4),
});

/** `DRM_XE_TOPO_*`. */
export const TOPOLOGY = { dssGeometry: 1, dssCompute: 2, l3Bank: 3, euPerDss: 4, simd16EuPerDss: 5 } as const;

/** `drm_xe_query_engine_cycles`. */
export interface EngineCycles {
  /** Engine that is asked. */
  eci: EngineClassInstance;
  /** Clock of the CPU timestamp, `CLOCK_*`. */
  clockid: number;
  /** Bits of the counter (out). */
  width: number;
  /** Counter (out). */
  engineCycles: number;
  /** Nanoseconds of the clock (out). */
  cpuTimestamp: number;
  /** How long it took to read it, in nanoseconds (out). */
  cpuDelta: number;
}

/** Layout of {@link EngineCycles}. */
export const ENGINE_CYCLES: StructLayout<EngineCycles> = struct("drm_xe_query_engine_cycles", 40, {
  eci: nested(0, ENGINE_CLASS_INSTANCE),
  clockid: u32(8),
  width: u32(12),
  engineCycles: u64(16),
  cpuTimestamp: u64(24),
  cpuDelta: u64(32),
});

/** `drm_xe_query_uc_fw_version`. */
export interface FirmwareVersion {
  /** 0 GuC submission, 1 HuC. */
  ucType: number;
  /** Must be 0. */
  pad: number;
  /** Version (out). */
  branchVer: number;
  /** Version (out). */
  majorVer: number;
  /** Version (out). */
  minorVer: number;
  /** Version (out). */
  patchVer: number;
  /** Must be 0. */
  pad2: number;
  /** Must be 0. */
  reserved: number;
}

/** Layout of {@link FirmwareVersion}. */
export const FIRMWARE_VERSION: StructLayout<FirmwareVersion> = struct("drm_xe_query_uc_fw_version", 32, {
  ucType: u16(0),
  pad: u16(2),
  branchVer: u32(4),
  majorVer: u32(8),
  minorVer: u32(12),
  patchVer: u32(16),
  pad2: u32(20),
  reserved: u64(24),
});
