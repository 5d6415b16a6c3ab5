/**
 * What can be chosen about an amdgpu device, and what is so unless chosen.
 *
 * @module
 */

import type { AllocFault, DeviceDefaults, OptionNames } from "@vmbind/drm";
import { FRAGMENTATIONS, type Fragmentation, type PhysicalMemoryOptions, type TlbOptions } from "@vmbind/mmu";
import { type AmdgpuQuirks, NO_QUIRKS } from "./quirks.ts";

/** The generations that there are. */
export const AMDGPU_GFX = ["9.0", "10.3", "11.0", "12.0"] as const;

/** Generations of the GPU: they differ in where the bits of an entry are. GFX11 is as GFX10. */
export type AmdgpuGfx = (typeof AMDGPU_GFX)[number];

/** Everything that can be chosen about a device. */
export interface AmdgpuDeviceOptions {
  /** The graphics core, as traces and vectors name it. Default `10.3`, a Navi 21. */
  gfx: AmdgpuGfx;
  /** Bytes of VRAM, a multiple of 2 MiB. Page tables are in it, and in the model take none of it. Default 16368 MiB. */
  vramBytes: number;
  /** How the memory of BOs in VRAM is spread. Default `contiguous`: one block of the allocation. */
  vramFragmentation: Fragmentation;
  /** How the memory of BOs in system memory is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /**
   * Physical memory; `frames` is the system's. Default that of `@vmbind/mmu`. The limit of page-table memory is its
   * `tableLimitBytes`: as much as there is of system memory unless chosen.
   */
  memory: PhysicalMemoryOptions;
  /** The TLB. Default 64 entries. */
  tlb: TlbOptions;
  /** Defects to reproduce. Default: none. */
  quirks: AmdgpuQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

/** Options that are names. @internal */
export const OPTION_NAMES: OptionNames<AmdgpuDeviceOptions> = {
  gfx: AMDGPU_GFX,
  vramFragmentation: FRAGMENTATIONS,
  boFragmentation: FRAGMENTATIONS,
};

/** What a device has where nothing was chosen, to be changed. @internal */
export function defaults(): DeviceDefaults<AmdgpuDeviceOptions> {
  return {
    gfx: "10.3",
    vramBytes: 0x3_ff00_0000,
    vramFragmentation: "contiguous",
    boFragmentation: "contiguous",
    memory: {},
    tlb: {},
    quirks: NO_QUIRKS,
    adoptSyncobjs: false,
    allocFault: undefined,
  };
}
