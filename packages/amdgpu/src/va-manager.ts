/**
 * Where user space puts things: libdrm (2.4.134) keeps the free parts of the VA space of a file and gives out the lowest one that
 * fits. The kernel only checks what it is told.
 *
 * radv (Mesa 26.2) takes its addresses from the upper half, which is sign-extended for the kernel; here they have 48 bits, as
 * in page tables.
 *
 * @module
 */

import { ENOMEM, fail, hex } from "@vmbind/drm";
import { PAGE_BYTES, PTE_FRAGMENT_BYTES } from "./uapi.ts";

/** First VA of what radv gives out: the first 4 GiB of the upper half are for addresses of 32 bits. */
export const RADV_HEAP_START: number = 2 ** 47 + 2 ** 32;
/** The VA bit in which the two views of a sparse buffer differ. What is given out has it clear. */
export const RADV_VIEW_BIT: number = 2 ** 46;
/** First VA behind what radv gives out. */
export const RADV_HEAP_END: number = 2 ** 47 + RADV_VIEW_BIT;

interface Hole {
  start: number;
  end: number;
}

/** Free address space, lowest first. */
export class VaManager {
  /** Ascending; no two touch. */
  readonly #holes: Hole[];

  /**
   * @param start - first address
   * @param end - first address behind
   */
  constructor(start: number = RADV_HEAP_START, end: number = RADV_HEAP_END) {
    this.#holes = [{ start, end }];
  }

  /**
   * The lowest free addresses.
   *
   * @param bytes - how many, rounded up to 4 KiB
   * @param alignment - of the first; what is as long as a fragment of 2 MiB is aligned to one, too
   * @returns the first address
   * @throws DrmError ENOMEM when no hole is large enough
   */
  alloc(bytes: number, alignment: number = PAGE_BYTES): number {
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const least = Math.max(alignment, PAGE_BYTES, size >= PTE_FRAGMENT_BYTES ? PTE_FRAGMENT_BYTES : 0);
    for (const [i, { start, end }] of this.#holes.entries()) {
      const va = Math.ceil(start / least) * least;
      if (va + size > end) continue;
      const rest = [
        { start, end: va },
        { start: va + size, end },
      ];
      this.#holes.splice(i, 1, ...rest.filter((hole) => hole.start < hole.end));
      return va;
    }
    return fail(ENOMEM, `va: no ${hex(size)} bytes of address space left in one piece`);
  }

  /**
   * Give addresses back.
   *
   * @param va - what {@link VaManager.alloc} returned
   * @param bytes - its length
   */
  free(va: number, bytes: number): void {
    const holes = this.#holes;
    const freed = { start: va, end: va + Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES };
    let at = holes.findIndex((hole) => hole.start > va);
    if (at < 0) at = holes.length;
    const below = holes[at - 1];
    const above = holes[at];
    let first = at;
    let last = at;
    if (below?.end === freed.start) {
      freed.start = below.start;
      first--;
    }
    if (above?.start === freed.end) {
      freed.end = above.end;
      last++;
    }
    holes.splice(first, last - first, freed);
  }
}
