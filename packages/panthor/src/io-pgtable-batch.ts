/**
 * Many successive io-pgtable calls at once, where all of them write the same entry, or entries that are known already.
 * Tables and counters come out as if the calls had been made one by one.
 *
 * @module
 */

import { EEXIST, ENOMEM, ERANGE } from "@vmbind/drm";
import {
  addressHi,
  addressLo,
  clearEntries,
  clearFilled,
  emptyRun,
  filledRun,
  writeRepeated,
} from "@vmbind/mmu";
import { IoPgtable } from "./io-pgtable.ts";
import * as sizes from "./page-sizes.ts";

// Copies, as in `io-pgtable.ts`.
const { PAGE_BYTES } = sizes;
const ENTRIES = 512;

/** Entry of a leaf in its table. */
function indexOf(va: number, size: number): number {
  return (size === PAGE_BYTES ? va >>> 12 : va >>> 21) & 511;
}

/** One page table, written by single calls and by runs of them. */
export class IoPgtableBatch extends IoPgtable {
  /**
   * As many of `calls` successive map calls of one page each, all to the same page, as one table takes and as succeed.
   *
   * @param va - first address in bytes; each call's is one page further
   * @param pa - physical address of every call in bytes
   * @param calls - at least 1
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns calls that succeeded, or the negative errno of the first one when it failed
   */
  mapSamePage(va: number, pa: number, calls: number, lo: number, hi: number): number {
    if (va >= this.inputEnd || pa >= this.outputEnd) return this.warn(-ERANGE);
    const first = (va >>> 12) & 511;
    let n = Math.min(calls, ENTRIES - first);
    const l3 = this.level3(va, n === ENTRIES);
    if (l3 < 0) return l3;
    if (!this.fresh) n = emptyRun(this.tables.words, (l3 * ENTRIES + first) * 2, n);
    if (n === 0) return this.warn(-EEXIST);
    writeRepeated(this.tables, l3, first, n, addressLo(pa) | lo, addressHi(pa) | hi);
    this.clean(n, n * 8);
    return n;
  }

  /**
   * As many of `calls` successive map calls of one block each, all to the same block, as one table takes before an entry
   * that is not empty.
   *
   * @param va - first address in bytes; each call's is one block further
   * @param pa - physical address of every call in bytes
   * @param calls - at least 1
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns calls that succeeded, 0 when the first entry is taken (nothing was done then), -ERANGE or -ENOMEM
   */
  mapSameBlock(va: number, pa: number, calls: number, lo: number, hi: number): number {
    if (va >= this.inputEnd || pa >= this.outputEnd) return this.warn(-ERANGE);
    const l2 = this.level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const first = (va >>> 21) & 511;
    const n = emptyRun(this.tables.words, (l2 * ENTRIES + first) * 2, Math.min(calls, ENTRIES - first));
    if (n === 0) return 0;
    writeRepeated(this.tables, l2, first, n, addressLo(pa) | lo, addressHi(pa) | hi);
    this.clean(n, n * 8);
    return n;
  }

  /**
   * As many of `calls` successive map calls of one leaf each as the table takes that is there for the first, before an entry that is not
   * empty: they need no further table.
   *
   * @param va - first address in bytes, a multiple of `size`
   * @param size - bytes of a leaf: 4 KiB or 2 MiB
   * @param calls - at least 1
   */
  freeLeaves(va: number, size: number, calls: number): number {
    if (va >= this.inputEnd) return 0;
    const table = size === PAGE_BYTES ? this.level3Of(va) : this.level2(va, false);
    if (table < 0) return 0;
    const first = indexOf(va, size);
    return emptyRun(this.tables.words, (table * ENTRIES + first) * 2, Math.min(calls, ENTRIES - first));
  }

  /**
   * Successive map calls of one leaf each, all to the same physical address.
   *
   * @param va - first address in bytes
   * @param size - bytes of a leaf: 4 KiB or 2 MiB
   * @param pa - physical address of every call in bytes
   * @param calls - at least 1, at most {@link IoPgtableBatch.freeLeaves}
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   */
  mapSameLeaf(va: number, size: number, pa: number, calls: number, lo: number, hi: number): void {
    const table = size === PAGE_BYTES ? this.level3Of(va) : this.level2(va, false);
    writeRepeated(this.tables, table, indexOf(va, size), calls, addressLo(pa) | lo, addressHi(pa) | hi);
    this.clean(calls, calls * 8);
  }

  /**
   * An unmap call of pages, and a map call that brings the last of them back as they were: only those in front change. Nothing happens
   * unless all of them are in one table that is there, the first and the last of those that come back as the map call would write them.
   *
   * @param va - first address in bytes
   * @param count - pages that go
   * @param kept - pages behind them that come back
   * @param lo - low half of the first entry that comes back
   * @param hi - high half of all that come back: 2 MiB of memory that VA is aligned like
   * @returns whether it was done
   */
  unmapInFront(va: number, count: number, kept: number, lo: number, hi: number): boolean {
    const table = this.level3Of(va);
    if (table < 0) return false;
    const { words } = this.tables;
    const first = indexOf(va, PAGE_BYTES);
    const at = (table * ENTRIES + first) * 2;
    const back = at + 2 * count;
    const last = back + 2 * (kept - 1);
    if (words[back] !== lo || words[back + 1] !== hi) return false;
    if (words[last] !== ((lo + (kept - 1) * PAGE_BYTES) | 0) || words[last + 1] !== hi) return false;
    if (filledRun(words, at, count) !== count) return false;
    clearEntries(this.tables, table, first, count);
    this.counters.pteClears += kept | 0;
    this.clean(1, (count + kept) * 8);
    this.counters.pteWrites += kept | 0;
    this.clean(1, kept * 8);
    return true;
  }

  /**
   * As many of `calls` successive unmap calls of one page each as one table takes and as find a page.
   *
   * @param va - first address in bytes; each call's is one page further
   * @param calls - at least 1
   * @returns how many they are, 0 where the first finds none: then nothing was done
   */
  unmapEach(va: number, calls: number): number {
    const table = this.level3Of(va);
    if (table < 0) return 0;
    const first = indexOf(va, PAGE_BYTES);
    const n = clearFilled(this.tables, table, first, Math.min(calls, ENTRIES - first));
    this.clean(n, n * 8);
    return n;
  }

  /**
   * A whole 2 MiB chunk of page entries at once, where nothing is mapped and no table is in the way.
   *
   * @param va - a multiple of 2 MiB
   * @param entries - 512 page entries as pairs of halves
   * @param calls - the map calls that this stands for
   * @returns false when the chunk is not empty or no table is left: then nothing was done
   */
  mapChunk(va: number, entries: Int32Array, calls: number): boolean {
    if (va >= this.inputEnd || this.reserved === 0) return false;
    const l2 = this.level2(va, true);
    if (l2 < 0 || this.reserved === 0) return false;
    const index = (va >>> 21) & 511;
    if (this.tables.words[(l2 * ENTRIES + index) * 2] !== 0) return false;
    const l3 = this.level3(va, true);
    this.tables.words.set(entries, l3 * ENTRIES * 2);
    this.counters.pteWrites += ENTRIES;
    this.clean(calls, ENTRIES * 8);
    return true;
  }
}
