/**
 * Facts of `panthor_drm.h` (Linux 7.3-rc7): the structs that DEV_QUERY answers with. Smallest sizes are the driver's
 * (`panthor_drv.c`).
 *
 * @module
 */

import { array, type StructLayout, struct, u8, u32, u64 } from "@vmbind/drm";

/** `drm_panthor_gpu_info`. */
export interface GpuInfo {
  /** GPU id register. */
  gpuId: number;
  /** Revision. */
  gpuRev: number;
  /** Command stream front-end id. */
  csfId: number;
  /** L2 cache features. */
  l2Features: number;
  /** Tiler features. */
  tilerFeatures: number;
  /** Memory features. */
  memFeatures: number;
  /** Bits 7:0 VA bits, bits 15:8 PA bits. */
  mmuFeatures: number;
  /** Thread features. */
  threadFeatures: number;
  /** Threads per core. */
  maxThreads: number;
  /** Threads per workgroup. */
  threadMaxWorkgroupSize: number;
  /** Threads per barrier. */
  threadMaxBarrierSize: number;
  /** Coherency protocols. */
  coherencyFeatures: number;
  /** Texture features. */
  textureFeatures: number[];
  /** Bit mask of address-space slots. */
  asPresent: number;
  /** 31 = none. Since driver version 1.7. */
  selectedCoherency: number;
  /** Bit mask of shader cores. */
  shaderPresent: number;
  /** Bit mask of L2 slices. */
  l2Present: number;
  /** Bit mask of tilers. */
  tilerPresent: number;
  /** Core features. */
  coreFeatures: number;
  /** Zero. */
  pad: number;
  /** GPU features. */
  gpuFeatures: number;
}

/** Layout of {@link GpuInfo}. */
export const GPU_INFO: StructLayout<GpuInfo> = struct("drm_panthor_gpu_info", 112, {
  gpuId: u32(0x00),
  gpuRev: u32(0x04),
  csfId: u32(0x08),
  l2Features: u32(0x0c),
  tilerFeatures: u32(0x10),
  memFeatures: u32(0x14),
  mmuFeatures: u32(0x18),
  threadFeatures: u32(0x1c),
  maxThreads: u32(0x20),
  threadMaxWorkgroupSize: u32(0x24),
  threadMaxBarrierSize: u32(0x28),
  coherencyFeatures: u32(0x2c),
  textureFeatures: array(0x30, 4, u32),
  asPresent: u32(0x40),
  selectedCoherency: u32(0x44),
  shaderPresent: u64(0x48),
  l2Present: u64(0x50),
  tilerPresent: u64(0x58),
  coreFeatures: u32(0x60),
  pad: u32(0x64),
  gpuFeatures: u64(0x68),
});

/** Smallest user size of {@link GPU_INFO} that the kernel accepts, in bytes (`panthor_drv.c`, Linux 7.3-rc7). */
export const GPU_INFO_MIN_SIZE = 0x60;

/** `drm_panthor_mmu_info`, since driver version 1.9. */
export interface MmuInfo {
  /** Page sizes of the page table, one bit each: always 0x201000 in Linux 7.3-rc7. */
  pageSizeBitmap: number;
}

/** Layout of {@link MmuInfo}. */
export const MMU_INFO: StructLayout<MmuInfo> = struct("drm_panthor_mmu_info", 8, {
  pageSizeBitmap: u64(0x00),
});

/** `drm_panthor_csif_info`. */
export interface CsifInfo {
  /** Slots for groups of command streams that the firmware has. */
  csgSlotCount: number;
  /** Command streams of a group. */
  csSlotCount: number;
  /** Registers of a command stream. */
  csRegCount: number;
  /** Scoreboard slots. */
  scoreboardSlotCount: number;
  /** Of the registers, the last ones that the kernel uses to call a command stream. */
  unpreservedCsRegCount: number;
  /** Zero. */
  pad: number;
}

/** Layout of {@link CsifInfo}; also the smallest user size. */
export const CSIF_INFO: StructLayout<CsifInfo> = struct("drm_panthor_csif_info", 24, {
  csgSlotCount: u32(0x00),
  csSlotCount: u32(0x04),
  csRegCount: u32(0x08),
  scoreboardSlotCount: u32(0x0c),
  unpreservedCsRegCount: u32(0x10),
  pad: u32(0x14),
});

/** `drm_panthor_timestamp_info`, since driver version 1.1; from `flags` on since 1.8. */
export interface TimestampInfo {
  /** Hz of the timer, 0 when it is not known or not asked for. */
  timestampFrequency: number;
  /** The GPU's time in ticks. */
  currentTimestamp: number;
  /** Offset of the GPU's timer in ticks. */
  timestampOffset: number;
  /** In: bits of {@link TIMESTAMP}, 0 for GPU, GPU_OFFSET and FREQ. */
  flags: number;
  /** How long the query took, in ns. */
  durationNsec: number;
  /** The GPU's cycles. */
  cycleCount: number;
  /** Seconds of the CPU's clock. */
  cpuTimestampSec: number;
  /** Nanoseconds of the CPU's clock beside the seconds. */
  cpuTimestampNsec: number;
}

/** Layout of {@link TimestampInfo}. */
export const TIMESTAMP_INFO: StructLayout<TimestampInfo> = struct("drm_panthor_timestamp_info", 56, {
  timestampFrequency: u64(0x00),
  currentTimestamp: u64(0x08),
  timestampOffset: u64(0x10),
  flags: u32(0x18),
  durationNsec: u32(0x1c),
  cycleCount: u64(0x20),
  cpuTimestampSec: u64(0x28),
  cpuTimestampNsec: u64(0x30),
});

/** Smallest user size of {@link TIMESTAMP_INFO} that the kernel accepts, in bytes: frequency and timestamp. */
export const TIMESTAMP_INFO_MIN_SIZE = 0x10;
/** Bytes of {@link TIMESTAMP_INFO} before driver version 1.8: without `flags` and what is behind. */
export const TIMESTAMP_INFO_OLD_SIZE = 0x18;

/** `drm_panthor_group_priorities_info`, since driver version 1.2. */
export interface GroupPrioritiesInfo {
  /** A bit for each priority that the process may use: 0 low, 1 medium, 2 high, 3 realtime. */
  allowedMask: number;
  /** Zero. */
  pad: number[];
}

/** Layout of {@link GroupPrioritiesInfo}; also the smallest user size. */
export const GROUP_PRIORITIES_INFO: StructLayout<GroupPrioritiesInfo> = struct(
  "drm_panthor_group_priorities_info",
  4,
  { allowedMask: u8(0x00), pad: array(0x01, 3, u8) },
);
