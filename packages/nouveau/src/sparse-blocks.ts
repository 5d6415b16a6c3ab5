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

/** Sizes grow once and shrink once: no range has more blocks. */
const BLOCKS_MAX = 16;

/** The blocks of one range at a time, ascending: arrays that the next range uses again. */
export class SparseCut {
  /** How many blocks there are. */
  count = 0;
  /** First VA of each. */
  readonly addr: Float64Array = new Float64Array(BLOCKS_MAX);
  /** Bytes of each, a multiple of its entries' size. */
  readonly bytes: Float64Array = new Float64Array(BLOCKS_MAX);
  /** log2 of the bytes of an entry of each. */
  readonly shift: Uint8Array = new Uint8Array(BLOCKS_MAX);
  readonly #shifts: Uint8Array;
  readonly #sizes: Float64Array;

  /** @param pages - page sizes of the VMM, largest first */
  constructor(pages: readonly PageSize[]) {
    this.#shifts = Uint8Array.from(pages, ({ shift }) => shift);
    this.#sizes = Float64Array.from(pages, ({ shift }) => bytesOf(shift));
  }

  /**
   * Cut a range.
   *
   * @param addr - first VA in bytes, a multiple of 4 KiB
   * @param bytes - a multiple of 4 KiB; 0 has no blocks
   */
  cut(addr: number, bytes: number): void {
    const sizes = this.#sizes;
    const last = sizes.length - 1;
    let largest = 0;
    let count = 0;
    for (let at = addr, left = bytes; left > 0; count++) {
      while (largest < last && (sizes[largest] as number) > left) largest++;
      let fits = largest;
      while (fits < last && rest(at, sizes[fits] as number) !== 0) fits++;
      const entry = sizes[fits] as number;
      let block = left - rest(left, entry);
      if (fits !== largest) {
        const next = sizes[fits - 1] as number;
        const over = rest(at, next);
        const border = over === 0 ? 0 : next - over;
        if (left - border >= next) block = border;
      }
      this.addr[count] = at;
      this.bytes[count] = block;
      this.shift[count] = this.#shifts[fits] as number;
      at += block;
      left -= block;
    }
    this.count = count;
  }
}

/** What a value has above the last multiple of a power of two: `%` would do, but it takes the time of ten divisions. */
function rest(value: number, size: number): number {
  return value - Math.floor(value / size) * size;
}

/**
 * Cut a range, for whoever wants a list.
 *
 * @param pages - page sizes of the VMM, largest first
 * @param addr - first VA in bytes, a multiple of 4 KiB
 * @param bytes - a multiple of 4 KiB
 * @returns the blocks in ascending order; none for 0 bytes
 */
export function sparseBlocks(pages: readonly PageSize[], addr: number, bytes: number): SparseBlock[] {
  const cut = new SparseCut(pages);
  cut.cut(addr, bytes);
  return Array.from({ length: cut.count }, (_, i) => ({
    addr: cut.addr[i] as number,
    bytes: cut.bytes[i] as number,
    shift: cut.shift[i] as number,
  }));
}
