/**
 * What a bind shows, as the staging of page tables sees it: a range, the memory behind it if there is any, and what its
 * leaves say besides the address. Objects, process memory and null mappings all come down to this.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { hexAddress, type ScatterList } from "@vmbind/mmu";
import type { XeCounters } from "./cost-sheet.ts";
import { BLOCK_64K } from "./page-sizes.ts";

/** What a bind shows; one object, reused. */
export interface BindSource {
  /** First VA in bytes. */
  start: number;
  /** First VA behind. */
  end: number;
  /** Memory, null for a null mapping. */
  pages: ScatterList | null;
  /** Byte of `pages` at `start`. */
  offset: number;
  /** The memory is VRAM. */
  vram: boolean;
  /** VRAM must be mapped in 64 KiB pages here. */
  needs64k: boolean;
  /** The GPU may not write. */
  readOnly: boolean;
  /** Atomics-enable bit of the leaves. */
  atomics: boolean;
  /** PAT index. */
  pat: number;
  /** Write zeroes in place of leaves, so that access faults. */
  clear: boolean;
}

// A copy: an imported constant is a cell that is loaded and checked at every use.
const BLOCK: number = BLOCK_64K;

/**
 * Whether memory is 64 KiB blocks, each aligned and in one segment.
 *
 * @param pages - of an object
 * @param segment - in which it begins
 * @param offset - byte in that segment
 * @param bytes - how much, a multiple of 64 KiB below 2 GiB
 */
export function contiguousBlocks(
  pages: ScatterList,
  segment: number,
  offset: number,
  bytes: number,
): boolean {
  const { pa, bytes: lengths } = pages;
  let i = segment;
  let at = offset;
  for (let left = bytes; left > 0; ) {
    const length = lengths[i] as number;
    if (length - at < BLOCK || (((pa[i] as number) + at) & (BLOCK - 1)) !== 0) return false;
    // Whole blocks: what is left is a multiple of them.
    const run = Math.min(length - at, left) & -BLOCK;
    left -= run;
    at += run;
    if (at === length) {
      i++;
      at = 0;
    }
  }
  return true;
}

/**
 * Abort a bind of VRAM that would take pages of 4 KiB on a platform without them there.
 *
 * @param va - first address in bytes
 * @param bytes - how much of it lies in one run of memory
 * @param counters - where the kernel's warning is counted
 */
export function failSmallPages(va: number, bytes: number, counters: XeCounters): never {
  counters.kernelWarnings++;
  return fail(
    EINVAL,
    `vm_bind: VRAM at ${hexAddress(va)}+${hexAddress(bytes)} must be mapped in aligned 64 KiB blocks on this platform`,
  );
}
