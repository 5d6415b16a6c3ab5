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

/**
 * Whether memory is 64 KiB blocks, each aligned and in one segment.
 *
 * @param pages - of an object
 * @param segment - in which it begins
 * @param offset - byte in that segment
 * @param bytes - how much, a multiple of 64 KiB
 */
export function contiguousBlocks(
  pages: ScatterList,
  segment: number,
  offset: number,
  bytes: number,
): boolean {
  let at = offset;
  for (let i = segment, done = 0; done < bytes; ) {
    const left = (pages.bytes[i] as number) - at;
    if (left < BLOCK_64K || (((pages.pa[i] as number) + at) & (BLOCK_64K - 1)) !== 0) return false;
    const run = Math.min(Math.floor(left / BLOCK_64K) * BLOCK_64K, bytes - done);
    done += run;
    at += run;
    if (at === pages.bytes[i]) {
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
