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
  type GcvmHighBits,
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
const POLICIES: Readonly<Record<GcvmGeneration, readonly (readonly [mtype: number, policy: number])[]>> = {
  gfx9: [
    [VM_MTYPE_WC, WC],
    [VM_MTYPE_RW, WC],
    [VM_MTYPE_CC, CC],
    [VM_MTYPE_UC, UC],
  ],
  // RW is taken for NC.
  gfx10: [
    [VM_MTYPE_WC, WC],
    [VM_MTYPE_CC, CC],
    [VM_MTYPE_UC, UC],
  ],
  // WC and CC, too.
  gfx12: [[VM_MTYPE_UC, UC]],
};

/** This file's own constants: imported ones are slow in what runs for every mapping. */
const VALID = GCVM_VALID;
const SYSTEM = GCVM_SYSTEM;
const SNOOPED = GCVM_SNOOPED;
const TMZ = GCVM_TMZ;
const READABLE = GCVM_READABLE;
const WRITEABLE = GCVM_WRITEABLE;
const EXECUTABLE = GCVM_EXECUTABLE;
const USWC = CREATE_CPU_GTT_USWC;
const ENCRYPTED = CREATE_ENCRYPTED;
const MAY_READ = VM_PAGE_READABLE;
const MAY_WRITE = VM_PAGE_WRITEABLE;
const MAY_EXECUTE = VM_PAGE_EXECUTABLE;
const MTYPE_MASK = VM_MTYPE_MASK;
const NO_ALLOC = VM_PAGE_NOALLOC;
const PRT = VM_PAGE_PRT;
const DCC = CREATE_GFX12_DCC;
const UNCACHED = CREATE_UNCACHED;
const UNCACHED_BEFORE_GFX12 = CREATE_COHERENT | CREATE_EXT_COHERENT | CREATE_UNCACHED;
/** Where the caching policy begins in the flags of GEM_VA. */
const MTYPE_SHIFT = 31 - Math.clz32(MTYPE_MASK & -MTYPE_MASK);

/** Both halves of flags. Reused as an out argument. */
export interface LeafFlags {
  /** Bits 31:0. */
  lo: number;
  /** Bits 63:32. */
  hi: number;
}

/** What {@link leafFlags} has to know of a generation, looked up once for a device and not for each mapping. */
export interface LeafRules {
  /** See {@link LeafRules}. */
  readonly generation: GcvmGeneration;
  /** Where its bits are. */
  readonly high: GcvmHighBits;
  /** Its policy by the caching policy of the uAPI, shifted down. */
  readonly policies: Uint8Array;
}

/**
 * @param generation - of the GPU
 * @returns its rules
 */
export function leafRules(generation: GcvmGeneration): LeafRules {
  const policies = new Uint8Array((MTYPE_MASK >>> MTYPE_SHIFT) + 1).fill(NC);
  for (const [mtype, policy] of POLICIES[generation]) policies[mtype >>> MTYPE_SHIFT] = policy;
  return { generation, high: GCVM_HIGH[generation], policies };
}

/**
 * Flags of the entries of a mapping, without fragment and without what the level adds.
 *
 * @param rules - of the GPU's generation
 * @param place - where the object is now; `none` where it is to be cleared, and for PRT
 * @param boFlags - domain flags of the object, 0 for PRT
 * @param mapFlags - flags of GEM_VA
 * @param out - receives the halves
 */
export function leafFlags(
  rules: LeafRules,
  place: Place,
  boFlags: number,
  mapFlags: number,
  out: LeafFlags,
): void {
  const { generation, high } = rules;
  const isGfx9 = generation === "gfx9";
  let lo = 0;
  if (place !== "none") lo |= VALID;
  if (place === "gtt") lo |= SYSTEM | ((boFlags & USWC) === 0 ? SNOOPED : 0);
  if ((boFlags & ENCRYPTED) !== 0) lo |= TMZ;
  if ((mapFlags & MAY_READ) !== 0) lo |= READABLE;
  if ((mapFlags & MAY_WRITE) !== 0) lo |= WRITEABLE;
  if ((mapFlags & MAY_EXECUTE) !== 0) lo |= EXECUTABLE;
  let hi = high.isPte;
  let policy = rules.policies[(mapFlags & MTYPE_MASK) >>> MTYPE_SHIFT] as number;
  if ((mapFlags & NO_ALLOC) !== 0) hi |= high.noAlloc;
  if ((mapFlags & PRT) !== 0) {
    lo &= ~VALID;
    hi |= high.prt | high.log;
    if (!isGfx9) lo |= SYSTEM | SNOOPED;
  }
  if (generation === "gfx12") {
    if ((boFlags & DCC) !== 0) hi |= high.dcc;
    if ((boFlags & UNCACHED) !== 0) policy = UC;
  } else if (!isGfx9 || (lo & VALID) !== 0) {
    if ((boFlags & UNCACHED_BEFORE_GFX12) !== 0) policy = UC;
    if (isGfx9 && place === "gtt") lo |= SNOOPED;
  }
  out.lo = lo;
  out.hi = hi | (policy << high.mtypeShift);
}
