/**
 * What can be chosen about an asahi device, and what is so unless chosen.
 *
 * @module
 */

import type { AllocFault, DeviceDefaults, OptionNames } from "@vmbind/drm";
import { FRAGMENTATIONS, type Fragmentation, type PhysicalMemoryOptions, type TlbOptions } from "@vmbind/mmu";
import { type AsahiQuirks, NO_QUIRKS } from "./quirks.ts";
import type { ParamsGlobal } from "./uapi.ts";

/** Everything that can be chosen about a device. */
export interface AsahiDeviceOptions {
  /**
   * Shader loads from unmapped VAs read 0 and stores are dropped, and GET_PARAMS says so (SOFT_FAULTS of `asahi_drm.h`).
   * Default false.
   */
  softFaults: boolean;
  /** Width of physical addresses in bits, 32..48, which the driver knows for each SoC. Default 40 (M1). */
  oas: number;
  /** Map the driver's dummy page into every VM. Default true. */
  dummyPage: boolean;
  /** Fields of GET_PARAMS (`drm_asahi_params_global`) that differ from those of an M1. */
  params: Partial<ParamsGlobal>;
  /** How the memory of BOs is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /**
   * Physical memory; base pages and page tables are 16 KiB. Default that of `@vmbind/mmu`. The limit of page-table memory is its
   * `tableLimitBytes`: as much as there is of system memory unless chosen.
   */
  memory: PhysicalMemoryOptions;
  /** The TLB. Default 64 entries. */
  tlb: TlbOptions;
  /** Defects to reproduce. Default: none. */
  quirks: AsahiQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

/** Options that are names. @internal */
export const OPTION_NAMES: OptionNames<AsahiDeviceOptions> = { boFragmentation: FRAGMENTATIONS };

/** What a device has where nothing was chosen, to be changed. @internal */
export function defaults(): DeviceDefaults<AsahiDeviceOptions> {
  return {
    softFaults: false,
    oas: 40,
    dummyPage: true,
    params: {},
    boFragmentation: "contiguous",
    memory: {},
    tlb: {},
    quirks: NO_QUIRKS,
    adoptSyncobjs: false,
    allocFault: undefined,
  };
}
