/**
 * What can be chosen about an msm device, and what is so unless chosen: an Adreno 750 as in SM8650, the first that Mesa 26.2.6
 * exposes sparse images for.
 *
 * @module
 */

import type { AllocFault, DeviceDefaults, OptionNames } from "@vmbind/drm";
import { FRAGMENTATIONS, type Fragmentation, type PhysicalMemoryOptions, type TlbOptions } from "@vmbind/mmu";
import { type MsmQuirks, NO_QUIRKS } from "./quirks.ts";

/** What can become of a store through MAP_NULL, see {@link PrrStores}. */
export const PRR_STORES = ["dropped", "stored"] as const;

/**
 * What becomes of a store through MAP_NULL. By the page table alone it is an ordinary store: the leaf is writable, and the page
 * behind it is one for the whole device, so every process would read it. The SMMU knows that page, though, and by the
 * driver's word (`msm_iommu.c`, Linux 7.3-rc7) drops what is stored to it.
 */
export type PrrStores = (typeof PRR_STORES)[number];

/** What GET_PARAM tells of the GPU. */
export interface MsmParams {
  /** `MSM_PARAM_GPU_ID`, 0 where the chip id counts. */
  readonly gpuId: number;
  /** `MSM_PARAM_GMEM_SIZE` in bytes. */
  readonly gmemSize: number;
  /** `MSM_PARAM_CHIP_ID`. */
  readonly chipId: number;
  /** `MSM_PARAM_MAX_FREQ` in Hz. */
  readonly maxFreq: number;
  /** `MSM_PARAM_TIMESTAMP`; null for a GPU that tells none: there is no clock in the model. */
  readonly timestamp: number | null;
  /** `MSM_PARAM_GMEM_BASE`. */
  readonly gmemBase: number;
  /** `MSM_PARAM_HIGHEST_BANK_BIT`. */
  readonly highestBankBit: number;
  /** `MSM_PARAM_RAYTRACING`, 0 or 1. */
  readonly raytracing: number;
  /** `MSM_PARAM_UBWC_SWIZZLE`. */
  readonly ubwcSwizzle: number;
  /** `MSM_PARAM_MACROTILE_MODE`. */
  readonly macrotileMode: number;
  /** `MSM_PARAM_UCHE_TRAP_BASE`. */
  readonly ucheTrapBase: number;
  /** `MSM_PARAM_AQE`, 0 or 1. */
  readonly aqe: number;
}

/** Everything that can be chosen about a device. */
export interface MsmDeviceOptions {
  /** Width of GPU addresses in bits, 33..48: input address size of the SMMU's page tables. Default 48. */
  vaBits: number;
  /** Width of physical addresses in bits, 32..48. Default 40. */
  paBits: number;
  /** Whether the SMMU's walker snoops the CPU's caches; if not, page-table writes are cleaned to memory. Default true. */
  coherent: boolean;
  /** Whether contexts have page tables of their own; without them there is no VM_BIND. Default true. */
  privateVm: boolean;
  /** Whether the SMMU has a partially resident region, and with it MAP_NULL (`MSM_PARAM_HAS_PRR`). Default true. */
  prr: boolean;
  /** What becomes of stores to it. Default `dropped`, as the hardware does. */
  prrStores: PrrStores;
  /** Physical address of its page, a multiple of 4096, instead of a page from the device's memory. */
  prrPage?: number | undefined;
  /** Whether `BO_CACHED_COHERENT` exists. Default true. */
  cachedCoherent: boolean;
  /** Rings of the GPU; each has 3 priorities. Default 1. */
  rings: number;
  /** Whether preemption is on. Default true, and with one ring ALLOW_PREEMPT is refused then. */
  preemption: boolean;
  /** What GET_PARAM tells of the GPU. Default: Adreno 750. */
  params: MsmParams;
  /** How the memory of BOs is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /**
   * Physical memory. Default that of `@vmbind/mmu`. The limit of page-table memory is its `tableLimitBytes`: as much as there is
   * of system memory unless chosen, and ENOMEM for a VM_BIND that may need more than is left of it.
   */
  memory: PhysicalMemoryOptions;
  /** The TLB. Default 64 entries. */
  tlb: TlbOptions;
  /** Defects to reproduce. Default: none. */
  quirks: MsmQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

/** Options that are names. @internal */
export const OPTION_NAMES: OptionNames<MsmDeviceOptions> = {
  prrStores: PRR_STORES,
  boFragmentation: FRAGMENTATIONS,
};

/** What a device has where nothing was chosen, to be changed. @internal */
export function defaults(): DeviceDefaults<MsmDeviceOptions> {
  return {
    vaBits: 48,
    paBits: 40,
    coherent: true,
    privateVm: true,
    prr: true,
    prrStores: "dropped",
    cachedCoherent: true,
    rings: 1,
    preemption: true,
    params: {
      gpuId: 0,
      gmemSize: 0x300000,
      chipId: 0x43051401,
      maxFreq: 903_000_000,
      timestamp: null,
      gmemBase: 0,
      highestBankBit: 16,
      raytracing: 1,
      ubwcSwizzle: 6,
      macrotileMode: 1,
      ucheTrapBase: 0x1_ffff_ffff_f000,
      aqe: 0,
    },
    boFragmentation: "contiguous",
    memory: {},
    tlb: {},
    quirks: NO_QUIRKS,
    adoptSyncobjs: false,
    prrPage: undefined,
    allocFault: undefined,
  };
}
