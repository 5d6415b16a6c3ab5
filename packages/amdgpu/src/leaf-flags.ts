/**
 * What the entries of a mapping say beside the address: from where the object is, what the ioctl asked for, and what the object
 * is made of, to the bits of each generation (`amdgpu_vm_get_pte_flags` and the `gmc_v9` to `gmc_v12` functions, Linux 7.3-rc7).
 *
 * @module
 */

import {
  GCVM_EXECUTABLE,
  GCVM_HIGH,
  GCVM_READABLE,
  GCVM_SNOOPED,
  GCVM_SYSTEM,
  GCVM_TMZ,
  GCVM_VALID,
  GCVM_WRITEABLE,
  type GcvmGeneration,
} from "@vmbind/mmu";
import {
  CREATE_COHERENT,
  CREATE_CPU_GTT_USWC,
  CREATE_ENCRYPTED,
  CREATE_EXT_COHERENT,
  CREATE_GFX12_DCC,
  CREATE_UNCACHED,
  VM_MTYPE_CC,
  VM_MTYPE_MASK,
  VM_MTYPE_RW,
  VM_MTYPE_UC,
  VM_MTYPE_WC,
  VM_PAGE_EXECUTABLE,
  VM_PAGE_NOALLOC,
  VM_PAGE_PRT,
  VM_PAGE_READABLE,
  VM_PAGE_WRITEABLE,
} from "./uapi.ts";

/** Where an object's memory is; `none` for what has no memory that the GPU's tables could show. */
export type Place = "vram" | "gtt" | "none";

const NC = 0;
const WC = 1;
const CC = 2;
const UC = 3;

/** The caching policies that a generation makes of those of the uAPI; what is not named is NC. */
const POLICIES: Readonly<Record<GcvmGeneration, ReadonlyMap<number, number>>> = {
  gfx9: new Map([
    [VM_MTYPE_WC, WC],
    [VM_MTYPE_RW, WC],
    [VM_MTYPE_CC, CC],
    [VM_MTYPE_UC, UC],
  ]),
  // RW is taken for NC.
  gfx10: new Map([
    [VM_MTYPE_WC, WC],
    [VM_MTYPE_CC, CC],
    [VM_MTYPE_UC, UC],
  ]),
  // WC and CC, too.
  gfx12: new Map([[VM_MTYPE_UC, UC]]),
};

/** Both halves of flags. Reused as an out argument. */
export interface LeafFlags {
  /** Bits 31:0. */
  lo: number;
  /** Bits 63:32. */
  hi: number;
}

/**
 * Flags of the entries of a mapping, without fragment and without what the level adds.
 *
 * @param generation - of the GPU
 * @param place - where the object is now; `none` where it is to be cleared, and for PRT
 * @param boFlags - domain flags of the object, 0 for PRT
 * @param mapFlags - flags of GEM_VA
 * @param out - receives the halves
 */
export function leafFlags(
  generation: GcvmGeneration,
  place: Place,
  boFlags: number,
  mapFlags: number,
  out: LeafFlags,
): void {
  const high = GCVM_HIGH[generation];
  const isGfx9 = generation === "gfx9";
  let lo = 0;
  if (place !== "none") lo |= GCVM_VALID;
  if (place === "gtt") lo |= GCVM_SYSTEM | ((boFlags & CREATE_CPU_GTT_USWC) === 0 ? GCVM_SNOOPED : 0);
  if ((boFlags & CREATE_ENCRYPTED) !== 0) lo |= GCVM_TMZ;
  if ((mapFlags & VM_PAGE_READABLE) !== 0) lo |= GCVM_READABLE;
  if ((mapFlags & VM_PAGE_WRITEABLE) !== 0) lo |= GCVM_WRITEABLE;
  if ((mapFlags & VM_PAGE_EXECUTABLE) !== 0) lo |= GCVM_EXECUTABLE;
  let hi = high.isPte;
  let policy = POLICIES[generation].get(mapFlags & VM_MTYPE_MASK) ?? NC;
  if ((mapFlags & VM_PAGE_NOALLOC) !== 0) hi |= high.noAlloc;
  if ((mapFlags & VM_PAGE_PRT) !== 0) {
    lo &= ~GCVM_VALID;
    hi |= high.prt | high.log;
    if (!isGfx9) lo |= GCVM_SYSTEM | GCVM_SNOOPED;
  }
  if (generation === "gfx12") {
    if ((boFlags & CREATE_GFX12_DCC) !== 0) hi |= high.dcc;
    if ((boFlags & CREATE_UNCACHED) !== 0) policy = UC;
  } else if (!isGfx9 || (lo & GCVM_VALID) !== 0) {
    if ((boFlags & (CREATE_COHERENT | CREATE_EXT_COHERENT | CREATE_UNCACHED)) !== 0) policy = UC;
    if (isGfx9 && place === "gtt") lo |= GCVM_SNOOPED;
  }
  out.lo = lo;
  out.hi = hi | (policy << high.mtypeShift);
}
