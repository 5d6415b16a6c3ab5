/**
 * What nouveau keeps with each mapping, in the bits of its flags that GPUVM leaves to drivers: PTE kind, page size, and whether
 * it was made in a sparse region (`nouveau_uvmm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { GPUVA_INVALIDATED, GPUVA_USERBITS_SHIFT } from "@vmbind/gpuvm-core";
import type { Backend } from "./backends.ts";
import type { NouveauBo } from "./bo.ts";

const KIND_SHIFT = GPUVA_USERBITS_SHIFT;
const KIND_MASK = 0xff;
const SIZE_SHIFT: number = KIND_SHIFT + 8;
const SIZE_MASK = 3;
const IN_REGION: number = 1 << (SIZE_SHIFT + 2);
/** Page sizes by what is kept of them, and back. */
const SHIFTS: readonly number[] = [12, 16, 21, 29];
const SIZES: Uint8Array = Uint8Array.from({ length: 32 }, (_, shift) => Math.max(SHIFTS.indexOf(shift), 0));

/**
 * @param kind - PTE kind, 0..255
 * @param shift - log2 of the page size: 12, 16, 21 or 29
 * @param inRegion - made in a sparse region
 * @returns flags of a mapping
 */
export function mappingFlags(kind: number, shift: number, inRegion: boolean): number {
  return (kind << KIND_SHIFT) | ((SIZES[shift] as number) << SIZE_SHIFT) | (inRegion ? IN_REGION : 0);
}

/** PTE kind of a mapping with these flags. */
export function kindOf(flags: number): number {
  return (flags >>> KIND_SHIFT) & KIND_MASK;
}

/** log2 of the page size of a mapping with these flags. */
export function shiftOf(flags: number): number {
  return SHIFTS[(flags >>> SIZE_SHIFT) & SIZE_MASK] as number;
}

/** Whether a mapping with these flags was made in a sparse region. */
export function isInRegion(flags: number): boolean {
  return (flags & IN_REGION) !== 0;
}

/** The same flags with another page size, and not invalidated: those of a piece that stays. */
export function pieceFlags(flags: number, shift: number): number {
  return mappingFlags(kindOf(flags), shift, isInRegion(flags)) & ~GPUVA_INVALIDATED;
}

/**
 * The page size of a mapping: that of its object if everything is a multiple of it, else the largest smaller one of the back
 * end that everything is a multiple of, and that the object's memory can have where it is now.
 *
 * @param backend - which GPU
 * @param bo - the object
 * @param addr - first VA in bytes
 * @param range - bytes
 * @param offset - byte of the object
 * @returns log2 of its bytes
 */
export function chooseShift(
  backend: Backend,
  bo: NouveauBo,
  addr: number,
  range: number,
  offset: number,
): number {
  const own = bo.pageShift;
  // The bits below a page, of which there are 29 at most: of larger numbers `|` keeps the lowest 32.
  const bits = addr | range | offset;
  if (own === 12 || isAligned(bits, own)) return own;
  for (const { shift, vram, host } of backend.pages) {
    if (shift >= own || (bo.inVram ? !vram : !host || shift > 12)) continue;
    if (isAligned(bits, shift)) return shift;
  }
  return 12;
}

function isAligned(bits: number, shift: number): boolean {
  return (bits & ((1 << shift) - 1)) === 0;
}
