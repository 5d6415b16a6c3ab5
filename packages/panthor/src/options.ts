/**
 * What can be chosen about a panthor device, and what is so unless chosen. Versions and what they brought are those of
 * `panthor_drv.c`, Linux 7.3-rc7.
 *
 * @module
 */

import type { AllocFault, DeviceDefaults, OptionNames } from "@vmbind/drm";
import {
  FRAGMENTATIONS,
  type Fragmentation,
  type PhysicalMemoryOptions,
  type ScatterList,
  type TlbOptions,
} from "@vmbind/mmu";
import { NO_QUIRKS, type PanthorQuirks } from "./quirks.ts";
import type { GpuInfo } from "./uapi-query.ts";
import { GROUP_PRIORITIES_OF_ALL } from "./uapi-values.ts";

/**
 * Driver versions that the model knows, oldest first. The timestamp query came with 1.1, group priorities with 1.2,
 * BO_SET_LABEL with 1.4, WB_MMAP, `selected_coherency`, BO_SYNC and BO_QUERY_INFO with 1.7, flags of the timestamp query with
 * 1.8. 1.8 is what Linux 7.2.13 says, which has MAP_SPARSE; 1.9 is Linux 7.3-rc7, which adds the MMU_INFO query.
 */
export const DRIVER_VERSIONS = [
  "1.0",
  "1.1",
  "1.2",
  "1.3",
  "1.4",
  "1.5",
  "1.6",
  "1.7",
  "1.8",
  "1.9",
] as const;

/** A driver version. */
export type DriverVersion = (typeof DRIVER_VERSIONS)[number];

/** The postings of the REPEAT proposal, and `off`. */
export const REPEAT_VERSIONS = ["off", "v2", "v3", "v4", "v5"] as const;

/**
 * Whether the REPEAT proposal is in the driver, and which posting of it (v2 of July 2025 to v5 of March 2026). It takes
 * MAP_SPARSE's flag bit. Up to v4 the window is a u32 and a pad, in v5 a u64 of which 32 bits may be used; legal values
 * have the same bytes.
 */
export type RepeatVersion = (typeof REPEAT_VERSIONS)[number];

/** The clocks of a device, which stand still: numbers below 2^53. */
export interface PanthorTimestamps {
  /** Hz of the timer. */
  readonly frequency: number;
  /** The GPU's time in ticks. */
  readonly gpu: number;
  /** Offset of the GPU's timer in ticks. */
  readonly offset: number;
  /** The GPU's cycles. */
  readonly cycles: number;
  /** The CPU's time in ns, by either clock. */
  readonly cpuNsec: number;
  /** How long a query takes in ns, below 2^32. */
  readonly durationNsec: number;
}

/** Everything that can be chosen about a device. */
export interface PanthorDeviceOptions {
  /** Default `1.9`, Linux 7.3-rc7. WB_MMAP needs 1.7, MAP_SPARSE 1.8 (Linux 7.2.13), the MMU_INFO query 1.9. */
  driverVersion: DriverVersion;
  /** Width of GPU addresses in bits, 22..48 (`mmu_features` of `panthor_drm.h`); VM_CREATE refuses up to 28. Default 48. */
  vaBits: number;
  /**
   * Width of physical addresses in bits (`mmu_features`); VM_CREATE refuses all but 32, 36, 40, 42, 44, 48 and 52, the
   * output sizes of `io-pgtable-arm.c`. Default 40.
   */
  paBits: number;
  /** Whether the GPU snoops the CPU's caches; if not, page-table writes are cleaned to memory. Default true. */
  coherent: boolean;
  /** Bytes of a process's address space, for VM_CREATE with range 0. Default 2^48. */
  taskSize: number;
  /** How the memory of BOs is spread. Default `huge`. */
  boFragmentation: Fragmentation;
  /** How the 2 MiB of the dummy object are spread. Default `huge`: one page. */
  dummyFragmentation: Fragmentation;
  /** Fixed DMA segments of every dummy object, instead of memory from the device. */
  dummyPages?: ScatterList | undefined;
  /**
   * Physical memory. Default that of `@vmbind/mmu`. The limit of page-table memory is its `tableLimitBytes`: as much as there is
   * of system memory unless chosen, and ENOMEM for an operation that may need more than is left of it.
   */
  memory: PhysicalMemoryOptions;
  /** The TLB. Default 64 entries. */
  tlb: TlbOptions;
  /**
   * AS slots, a bit each without gaps, at least two (`as_present` of `panthor_drm.h`). Slot 0 is the firmware's. Default 0xff.
   */
  asPresent: number;
  /**
   * Whether VMs get an AS slot when they are made, as though a group of them had run at once and were idle since. If not, the first
   * GPU access or `PanthorVm.activate` gets them one; without a slot no AS commands are issued (`panthor_mmu.c`). Default true.
   */
  activeAs: boolean;
  /** The REPEAT proposal. Default `off`. */
  repeat: RepeatVersion;
  /** Defects to reproduce. Default: none. */
  quirks: PanthorQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /** What the timestamp query tells: there is no clock in the model. Default: a timer of 24 MHz at 0. */
  timestamps: PanthorTimestamps;
  /**
   * Priorities of groups that the process may use, a bit each (`drm_panthor_group_priorities_info`). Default 0x3, low and medium;
   * with CAP_SYS_NICE or as DRM master, 0xf.
   */
  groupPriorities: number;
  /** GPU id register, default 0xa8670005 (Mali-G610). */
  gpuId: number;
  /** Fields of the GPU_INFO query that differ from what the model says; what has nothing to do with memory is 0 there. */
  gpuInfo: Partial<GpuInfo>;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

/** Options that are names. @internal */
export const OPTION_NAMES: OptionNames<PanthorDeviceOptions> = {
  driverVersion: DRIVER_VERSIONS,
  repeat: REPEAT_VERSIONS,
  boFragmentation: FRAGMENTATIONS,
  dummyFragmentation: FRAGMENTATIONS,
};

/** What a device has where nothing was chosen, to be changed. @internal */
export function defaults(): DeviceDefaults<PanthorDeviceOptions> {
  return {
    driverVersion: "1.9",
    vaBits: 48,
    paBits: 40,
    coherent: true,
    taskSize: 2 ** 48,
    boFragmentation: "huge",
    dummyFragmentation: "huge",
    memory: {},
    tlb: {},
    asPresent: 0xff,
    activeAs: true,
    repeat: "off",
    quirks: NO_QUIRKS,
    adoptSyncobjs: false,
    timestamps: { frequency: 24_000_000, gpu: 0, offset: 0, cycles: 0, cpuNsec: 0, durationNsec: 0 },
    groupPriorities: GROUP_PRIORITIES_OF_ALL,
    gpuId: 0xa8670005,
    gpuInfo: {},
    dummyPages: undefined,
    allocFault: undefined,
  };
}
