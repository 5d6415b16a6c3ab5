/**
 * How a sparse range is cut into entries: greedily from the front, up to the largest size that fits and down again, each block
 * one walk of the page tables (nvkm's `vmm.c`, Linux 7.3-rc7).
 *
 * ```text
 *   1 GiB at +4 KiB:   4K x15 | 64K x31 | 2M x255 | 512M x1 | 4K x1
 * ```
 *
 * Sizes only grow to the largest that still fits into what is left: a range that ends in the middle of a 512 MiB block has no
 * entries of 512 MiB there, and one entry of 128 TiB may do for all of it.
 *
 * @module
 */

import type { PageSize } from "./backends.ts";
import { bytesOf } from "./table-nodes.ts";

/** One block: entries of one size. */
export interface SparseBlock {
  /** First VA in bytes. */
  addr: number;
  /** Bytes, a multiple of the entries' size. */
  bytes: number;
  /** log2 of the bytes of an entry. */
  shift: number;
}

/**
 * Cut a range.
 *
 * @param pages - page sizes of the VMM, largest first
 * @param addr - first VA in bytes, a multiple of 4 KiB
 * @param bytes - a multiple of 4 KiB
 * @returns the blocks in ascending order; none for 0 bytes
 */
export function sparseBlocks(pages: readonly PageSize[], addr: number, bytes: number): SparseBlock[] {
  const blocks: SparseBlock[] = [];
  const last = pages.length - 1;
  let largest = 0;
  for (let at = addr, left = bytes; left > 0; ) {
    while (largest < last && sizeOf(pages, largest) > left) largest++;
    let fits = largest;
    while (fits < last && at % sizeOf(pages, fits) !== 0) fits++;
    const entry = sizeOf(pages, fits);
    let block = left - (left % entry);
    if (fits !== largest) {
      const next = sizeOf(pages, fits - 1);
      const border = at % next === 0 ? 0 : next - (at % next);
      if (left - border >= next) block = border;
    }
    blocks.push({ addr: at, bytes: block, shift: (pages[fits] as PageSize).shift });
    at += block;
    left -= block;
  }
  return blocks;
}

function sizeOf(pages: readonly PageSize[], index: number): number {
  return bytesOf((pages[index] as PageSize).shift);
}
