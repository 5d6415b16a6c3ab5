/**
 * What can be chosen about an Xe device, and what is so unless chosen.
 *
 * @module
 */

import type { AllocFault, DeviceDefaults, OptionNames } from "@vmbind/drm";
import { FRAGMENTATIONS, type Fragmentation, type PhysicalMemoryOptions, type TlbOptions } from "@vmbind/mmu";
import type { FORCE_OP_ERROR } from "./forced-errors.ts";
import { DEFAULT_PLATFORM, type PLATFORMS, type Platform } from "./platforms.ts";
import { NO_QUIRKS, type XeQuirks } from "./quirks.ts";

/** Everything that can be chosen about a device. */
export interface XeDeviceOptions {
  /** What it is: a name from {@link PLATFORMS} or a row of one's own. Default {@link DEFAULT_PLATFORM}, Battlemage. */
  platform: string | Platform;
  /** How the memory of BOs is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /**
   * Physical memory. Default that of `@vmbind/mmu`, but `tableLimitBytes`, the limit of page-table memory, is by default what
   * the platform has: all of VRAM on a discrete part, where tables share it with objects, else all of system memory.
   */
  memory: PhysicalMemoryOptions;
  /** The TLB, or null for none. Default 64 entries. */
  tlb: TlbOptions | null;
  /** Defects to reproduce. Default: none. */
  quirks: XeQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /**
   * Every VM gets a scratch page, asked for or not. Default: as the platform has it, {@link Platform.forcedScratch}; false is
   * a kernel without the workaround, or a stand-in for one, as recordings were made on.
   */
  forcedScratch?: boolean | undefined;
  /**
   * The driver is built for debugging (`CONFIG_DRM_XE_DEBUG`): VM_BIND takes {@link FORCE_OP_ERROR} in the flags of an operation
   * and fails. Default false.
   */
  debugBuild: boolean;
  /** The process may raise the priority of its exec queues (CAP_SYS_NICE). Default false. */
  sysNice: boolean;
  /** Memory is always short: `XeDevice.shrink` runs behind each ioctl. Default false: it runs when it is called. */
  memoryPressure: boolean;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

/** Options that are names. @internal */
export const OPTION_NAMES: OptionNames<XeDeviceOptions> = { boFragmentation: FRAGMENTATIONS };

/** What a device has where nothing was chosen, to be changed. @internal */
export function defaults(): DeviceDefaults<XeDeviceOptions> {
  return {
    platform: DEFAULT_PLATFORM,
    boFragmentation: "contiguous",
    memory: {},
    tlb: {},
    quirks: NO_QUIRKS,
    adoptSyncobjs: false,
    debugBuild: false,
    sysNice: false,
    memoryPressure: false,
    forcedScratch: undefined,
    allocFault: undefined,
  };
}
