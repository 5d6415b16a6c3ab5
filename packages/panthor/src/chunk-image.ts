/**
 * What the table of a sparse 2 MiB chunk holds where the dummy object is not one huge page: 512 entries, the same for
 * every chunk, so they are made once and copied.
 *
 * @module
 */

import { addressHi, addressLo, type ScatterList } from "@vmbind/mmu";
import { BLOCK_2M, PAGE_BYTES, pick } from "./page-sizes.ts";

/** A chunk of a fragmented dummy, as the 512 entries that its table gets. */
export interface ChunkImage {
  /** The dummy's physical segments. */
  readonly list: ScatterList;
  /** READONLY, NOEXEC, UNCACHED of the operation. */
  readonly prot: number;
  /** Low and high half of each entry. */
  readonly entries: Int32Array;
  /** How many io-pgtable calls would write them. */
  readonly calls: number;
}

/**
 * @param list - the dummy's physical segments
 * @param prot - READONLY, NOEXEC, UNCACHED of the operation
 * @param lo - attributes of a page, low half
 * @param hi - attributes of a page, high half
 * @param outputEnd - first physical address that no entry can hold
 * @returns the entries of a whole chunk, null where some call would fail or map less than a chunk
 */
export function chunkImage(
  list: ScatterList,
  prot: number,
  lo: number,
  hi: number,
  outputEnd: number,
): ChunkImage | null {
  if (list.totalBytes < BLOCK_2M) return null;
  const entries = new Int32Array(1024);
  let calls = 0;
  let va = 0;
  for (let segment = 0; va < BLOCK_2M; segment++) {
    let pa = list.pa[segment] as number;
    let bytes = Math.min(list.bytes[segment] as number, BLOCK_2M - va);
    if (pa + bytes > outputEnd) return null;
    while (bytes > 0) {
      // Both are at most a block long, so only their place within 1 GiB counts.
      const n = pick((va | pa) & (2 ** 30 - 1), bytes);
      if (n <= 0) return null;
      calls++;
      for (let i = 0; i < n; i++) {
        entries[(va / PAGE_BYTES) * 2] = addressLo(pa) | lo;
        entries[(va / PAGE_BYTES) * 2 + 1] = addressHi(pa) | hi;
        va += PAGE_BYTES;
        pa += PAGE_BYTES;
      }
      bytes -= n * PAGE_BYTES;
    }
  }
  return { list, prot, entries, calls };
}
