/**
 * Page-table pages live in one growing buffer, so that walking and writing tables is indexing one typed array.
 * A page has a *slot* (its number in the buffer) and a physical address, `base + slot * stride`: descriptors hold
 * the address, code holds the slot. Three views share the buffer: int32 halves for the hot loops, 64-bit words for
 * fills and listings, bytes for whoever reads a table as memory. The host must be little endian, as all hosts of
 * Node.js are.
 */

import { addressHi, addressLo, hexAddress } from "./address.ts";
import type { MmuCounters } from "./counters.ts";
import { mmuCounters } from "./counters.ts";

const FIRST_SLOTS = 16;

/** Where page-table pages are and how large they are. */
export interface TableOptions {
  /** Bytes of one page-table page: 4096 or 16384. Default 4096. */
  tableBytes?: number;
  /** Physical address of slot 0, a multiple of the stride. Default 64 GiB (0x1000000000). */
  tableBase?: number;
  /** Bytes between the physical addresses of neighbouring slots, a power of two of at least `tableBytes`. Default `tableBytes`. */
  tableStride?: number;
  /** Most pages that may be in use at once; with the stride it gives the size of the window. Default 262144. */
  tableLimit?: number;
  /** Where allocations are counted. Default: a sheet of its own. */
  counters?: MmuCounters;
}

/** The page-table pages of one device. */
export class TableMemory {
  /** Bytes of one page-table page. */
  readonly pageBytes: number;
  /** 32-bit words of one page-table page: entry i of slot s has its halves at words `s * wordsPerTable + 2 * i` and the next. */
  readonly wordsPerTable: number;
  /** log2 of {@link TableMemory.wordsPerTable}. */
  readonly wordsPerTableLg2: number;
  /** Physical address of slot 0. */
  readonly base: number;
  /** Bytes between the physical addresses of neighbouring slots. */
  readonly stride: number;
  /** First physical address past the window that tables may occupy. */
  readonly end: number;
  /** The sheet that allocations, and the run writers, count on. */
  readonly counters: MmuCounters;
  /** All pages as 32-bit halves, low half first. Replaced when memory grows: read it again after `alloc()`. */
  words: Int32Array;
  /** All pages as 64-bit entries. Replaced when memory grows: read it again after `alloc()`. */
  quads: BigUint64Array;
  /** All pages as bytes. Replaced when memory grows: read it again after `alloc()`. */
  bytes: Uint8Array;
  /** Most pages that may be in use at once. */
  readonly limit: number;
  readonly #strideLg2: number;
  readonly #basePage: number;
  readonly #baseTop: number;
  #used = 0;
  #inUse: Uint8Array = new Uint8Array(FIRST_SLOTS);
  // Free slots, a stack of so many.
  #free: Int32Array = new Int32Array(FIRST_SLOTS);
  #freeCount = 0;

  /** @throws Error when the options do not describe a window. */
  constructor(options: TableOptions = {}) {
    const { tableBytes = 4096, tableBase = 0x10_0000_0000, tableLimit = 1 << 18 } = options;
    const stride = options.tableStride ?? tableBytes;
    if (tableBytes !== 4096 && tableBytes !== 16384) {
      throw new Error(`tableBytes: expected 4096 or 16384, got ${tableBytes}`);
    }
    this.#strideLg2 = Math.log2(stride);
    if (!Number.isInteger(this.#strideLg2) || stride < tableBytes || stride > 2 ** 30) {
      throw new Error(`tableStride: expected a power of two from ${tableBytes} to 2^30, got ${stride}`);
    }
    if (!(tableBase >= 0) || tableBase % stride !== 0) {
      throw new Error(
        `tableBase: expected a multiple of ${hexAddress(stride)}, got ${hexAddress(tableBase)}`,
      );
    }
    this.pageBytes = tableBytes;
    this.wordsPerTable = tableBytes / 4;
    this.wordsPerTableLg2 = Math.log2(this.wordsPerTable);
    this.base = tableBase;
    this.stride = stride;
    this.end = tableBase + tableLimit * stride;
    this.counters = options.counters ?? mmuCounters();
    this.limit = tableLimit;
    this.#basePage = this.#pageNumber(addressLo(tableBase), addressHi(tableBase));
    this.#baseTop = addressHi(tableBase) >>> this.#strideLg2;
    if (addressHi(this.end - stride) >>> this.#strideLg2 !== this.#baseTop) {
      throw new Error(
        `tableBase: the window from ${hexAddress(tableBase)} crosses a multiple of 2^32 strides`,
      );
    }
    const buffer = new ArrayBuffer(FIRST_SLOTS * tableBytes);
    this.words = new Int32Array(buffer);
    this.quads = new BigUint64Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** Pages in use. */
  get live(): number {
    return this.#used - this.#freeCount;
  }

  /**
   * Takes a page; all its entries are zero.
   * @throws Error when `tableLimit` pages are in use.
   */
  alloc(): number {
    const used = this.#used;
    const slot = this.allocUncleared();
    // A page is cleared when it is taken, not when it is freed: until then it holds what the hardware last saw.
    if (used === this.#used) this.words.fill(0, slot * this.wordsPerTable, (slot + 1) * this.wordsPerTable);
    return slot;
  }

  /**
   * Takes a page with whatever it holds, for a caller that writes all its entries at once.
   * @throws Error when `tableLimit` pages are in use.
   */
  allocUncleared(): number {
    let slot: number;
    if (this.#freeCount > 0) {
      slot = this.#free[--this.#freeCount] as number;
    } else {
      slot = this.#used;
      if (slot === this.limit) throw new Error(`TableMemory: all ${this.limit} page-table pages are in use`);
      if (slot === this.#inUse.length) this.#grow();
      this.#used = slot + 1;
    }
    this.#inUse[slot] = 1;
    const counters = this.counters;
    counters.tablesAllocated++;
    counters.tablesLive++;
    if (counters.tablesLive > counters.tablesPeak) counters.tablesPeak = counters.tablesLive;
    return slot;
  }

  /**
   * Gives a page back. The last page freed is the first one reused.
   * @throws Error when the page is not in use (a double free).
   */
  free(slot: number): void {
    if (!this.isLive(slot)) throw new Error(`TableMemory.free: slot ${slot} is not in use`);
    this.#inUse[slot] = 0;
    this.#free[this.#freeCount++] = slot;
    const { counters } = this;
    counters.tablesFreed++;
    counters.tablesLive--;
  }

  /** Whether the slot is allocated and not freed. */
  isLive(slot: number): boolean {
    return this.#inUse[slot] === 1;
  }

  /** Physical address of a slot's page. */
  address(slot: number): number {
    return this.base + slot * this.stride;
  }

  /**
   * The slot whose page starts at the physical address with these halves (attribute bits masked away), or -1 if no
   * page-table page was ever there. A freed page is still found: hardware does not know that it was freed.
   */
  slotOf(lo: number, hi: number): number {
    if (hi >>> this.#strideLg2 !== this.#baseTop || (lo & (this.stride - 1)) !== 0) return -1;
    const slot = (this.#pageNumber(lo, hi) - this.#basePage) | 0;
    return slot >= 0 && slot < this.#used ? slot : -1;
  }

  /** The slot whose page starts at physical address `pa` (bytes), or -1. */
  slotAt(pa: number): number {
    return this.slotOf(addressLo(pa), addressHi(pa));
  }

  /** Low half of an entry. */
  entryLo(slot: number, index: number): number {
    return this.words[slot * this.wordsPerTable + index * 2] as number;
  }

  /** High half of an entry. */
  entryHi(slot: number, index: number): number {
    return this.words[slot * this.wordsPerTable + index * 2 + 1] as number;
  }

  /** An entry as its 64-bit value: for tests and listings. */
  entry(slot: number, index: number): bigint {
    return this.quads[(slot * this.wordsPerTable) / 2 + index] as bigint;
  }

  /** Strides from address 0, modulo 2^32: enough, because the window never crosses a multiple of 2^32 strides. */
  #pageNumber(lo: number, hi: number): number {
    return (hi << (32 - this.#strideLg2)) | (lo >>> this.#strideLg2);
  }

  #grow(): void {
    const slots = Math.min(this.#inUse.length * 2, this.limit);
    const buffer = new ArrayBuffer(slots * this.pageBytes);
    const bytes = new Uint8Array(buffer);
    bytes.set(this.bytes);
    const inUse = new Uint8Array(slots);
    inUse.set(this.#inUse);
    this.bytes = bytes;
    this.words = new Int32Array(buffer);
    this.quads = new BigUint64Array(buffer);
    this.#inUse = inUse;
    // Grows only when no slot is free.
    this.#free = new Int32Array(slots);
  }
}
