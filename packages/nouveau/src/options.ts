/**
 * What can be chosen about a nouveau device, and what is so unless chosen.
 *
 * @module
 */

import type { AllocFault, DeviceDefaults, OptionNames } from "@vmbind/drm";
import {
  FRAGMENTATIONS,
  type Fragmentation,
  GMMU_APERTURES,
  type GmmuAperture,
  type PhysicalMemoryOptions,
  type TlbOptions,
} from "@vmbind/mmu";
import { BACKENDS, type BackendName } from "./backends.ts";
import { NO_QUIRKS, type NouveauQuirks } from "./quirks.ts";

/** Everything that can be chosen about a device. */
export interface NouveauDeviceOptions {
  /** Which generation of page tables it has. Default `tu102` (Ampere, Ada). */
  backend: BackendName;
  /** Whether the GPU runs GSP firmware, without which compression is not used. Default true. */
  gsp: boolean;
  /** Where page tables are. Default `vram`, as on every card. */
  tableAperture: GmmuAperture;
  /** Whether the GPU snoops the CPU's caches when it reads system memory. Default true. */
  coherent: boolean;
  /** Bytes of VRAM, a multiple of 2 MiB. Default 10 GiB. */
  vramBytes: number;
  /** PCI device id, for GETPARAM. Default 0x2206 (GeForce RTX 3080). */
  pciDevice: number;
  /** Chipset, for GETPARAM. Default 0x172 (GA102). */
  chipset: number;
  /** How the memory of BOs is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /** Physical memory; base pages and page tables are 4 KiB. Default that of `@vmbind/mmu`. */
  memory: PhysicalMemoryOptions;
  /** The TLB. Default 64 entries. */
  tlb: TlbOptions;
  /**
   * Bytes between the mmap offsets of one object and the next, none of which is used twice until a file is opened when no object has
   * one; 0 for the kernel's own way. The stand-in that traces were recorded on has 2 MiB. Default 0.
   */
  mmapStep: number;
  /** Defects to reproduce. Default: none. */
  quirks: NouveauQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

/** Options that are names. @internal */
export const OPTION_NAMES: OptionNames<NouveauDeviceOptions> = {
  backend: Object.keys(BACKENDS),
  tableAperture: GMMU_APERTURES,
  boFragmentation: FRAGMENTATIONS,
};

/** What a device has where nothing was chosen, to be changed. @internal */
export function defaults(): DeviceDefaults<NouveauDeviceOptions> {
  return {
    backend: "tu102",
    gsp: true,
    tableAperture: "vram",
    coherent: true,
    vramBytes: 10 * 2 ** 30,
    pciDevice: 0x2206,
    chipset: 0x172,
    boFragmentation: "contiguous",
    memory: {},
    tlb: {},
    mmapStep: 0,
    quirks: NO_QUIRKS,
    adoptSyncobjs: false,
    allocFault: undefined,
  };
}
