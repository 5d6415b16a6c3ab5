/**
 * How much memory page tables take from the card: tables of 4 KiB have a page each, tables of 64 KiB pages have 256 bytes, 16
 * of them in a page, and up to eight pages that were given back are kept for the next table (nvkm's `mmu/base.c`, Linux
 * 7.3-rc7). The cache is one for the device.
 *
 * Only the numbers are kept here: where a table stands, `TableMemory` of `@vmbind/mmu` says, and a table of 64 KiB pages has a
 * page of its own there.
 *
 * @module
 */

import type { NouveauCounters } from "./cost-sheet.ts";

/** Pages that are kept. */
const CACHED_MAX = 8;
/** Tables of 64 KiB pages in a page, as bits. */
const ALL_SLOTS = 0xffff;

/** The page-table memory of a device. */
export class TableCache {
  readonly #counters: NouveauCounters;
  /** Pages that hold tables of 64 KiB pages, by number: free slots as bits; -1 where there is none. */
  readonly #parents: number[] = [];
  /** No page below this number has a free slot. */
  #free = 0;
  /** Each page below this number holds tables. */
  #unused = 0;
  #cached = 0;

  /** @param counters - where `tablePages` is counted */
  constructor(counters: NouveauCounters) {
    this.#counters = counters;
  }

  /** Pages that are kept for the next table. */
  get cached(): number {
    return this.#cached;
  }

  /** A table of 4 KiB is made. */
  take(): void {
    if (this.#cached > 0) this.#cached--;
    else this.#counters.tablePages++;
  }

  /** A table of 4 KiB goes. */
  give(): void {
    if (this.#cached < CACHED_MAX) this.#cached++;
  }

  /**
   * A table of 64 KiB pages is made, in the lowest free slot.
   *
   * @returns where it is, for {@link TableCache.giveLarge}
   */
  takeLarge(): number {
    const parents = this.#parents;
    let page = this.#free;
    while (page < parents.length && (parents[page] as number) <= 0) page++;
    this.#free = page;
    if (page === parents.length) {
      page = this.#unused;
      while (page < parents.length && parents[page] !== -1) page++;
      this.#unused = page + 1;
      this.#free = page;
      parents[page] = ALL_SLOTS;
      this.take();
    }
    const free = parents[page] as number;
    const slot = 31 - Math.clz32(free & -free);
    this.#parents[page] = free & ~(1 << slot);
    this.#counters.largeTables++;
    return page * 16 + slot;
  }

  /**
   * A table of 64 KiB pages goes; its page, too, once all of its slots are free.
   *
   * @param at - what {@link TableCache.takeLarge} returned
   */
  giveLarge(at: number): void {
    const page = at >> 4;
    const free = (this.#parents[page] as number) | (1 << (at & 15));
    if (free === ALL_SLOTS) {
      this.#parents[page] = -1;
      if (page < this.#unused) this.#unused = page;
      this.give();
    } else {
      this.#parents[page] = free;
      if (page < this.#free) this.#free = page;
    }
  }
}
