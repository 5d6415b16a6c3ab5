/**
 * Page-table pages live in one growing buffer, so that walking and writing tables is indexing one typed array.
 * A page has a *slot* (its number in the buffer) and a physical address, `base + slot * stride`: descriptors hold
 * the address, code holds the slot. Three views share the buffer: int32 halves for the hot loops, 64-bit words for
 * fills and listings, bytes for whoever reads a table as memory. The host must be little endian, as all hosts of
 * Node.js are.
 *
 * A mapping of nothing over 2^57 bytes has 262,144 tables, in each of them 512 times the same entry. Such a *filled* table
 * has its slot and its address like any other, but keeps its one entry beside the buffer. Its place in the buffer holds
 * zeros and is not touched, so a host that hands out memory when it is first written to has none behind it; and whoever
 * reads a zero there knows that there may be more to ask. The first write makes it a stored table.
 */

import { addressHi, addressLo, hexAddress } from "./address.ts";
import type { MmuCounters } from "./counters.ts";
import { mmuCounters } from "./counters.ts";
import { SpareMemory } from "./spare-memory.ts";

const FIRST_SLOTS = 16;
const SPARE = new SpareMemory();
/** Slots up to which memory grows to twice its size; then by an eighth, for what is not used every mapping of a VM pays for. */
const MANY_SLOTS = 1024;
/** Bytes that the three views can reach: as many as the longest array of bytes has in Node.js 20. */
const MOST_BYTES = 2 ** 32;

/** Every byte of a freed page-table page under {@link TableOptions.poison}. */
export const POISON = 0x6b;

/** No page is left for a table. A driver answers with ENOMEM. */
export class OutOfTables extends Error {
  /** `OutOfTables`, as stack traces print it. */
  override readonly name: string = "OutOfTables";
}

/** Where page-table pages are and how large they are. */
export interface TableOptions {
  /** Bytes of one page-table page: 4096 or 16384. Default 4096. */
  tableBytes?: number;
  /** Physical address of slot 0, a multiple of the stride. Default 64 GiB (0x1000000000). */
  tableBase?: number;
  /** Bytes between the physical addresses of neighbouring slots, a power of two of at least `tableBytes`. Default `tableBytes`. */
  tableStride?: number;
  /**
   * Most bytes that page-table pages may take at once, the limit of page-table memory. Default: what the device's memory
   * has, see `PhysicalMemoryOptions`; of a `TableMemory` by itself 4 GiB. In one process there are never more than 4 GiB.
   */
  tableLimitBytes?: number;
  /**
   * For tests: pages that are given back are filled with {@link POISON}, so that who still reads them reads nonsense and not
   * what used to be there. Default false: they keep what the hardware last saw.
   */
  poison?: boolean;
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
  /** First physical address past the window that tables may occupy: room for {@link TableMemory.limit} strides. */
  readonly end: number;
  /** Most bytes that pages may take at once, as the options have it. */
  readonly limitBytes: number;
  /** The sheet that allocations, and the run writers, count on. */
  readonly counters: MmuCounters;
  /**
   * All pages as 32-bit halves, low half first. Replaced when memory grows: read it again after `alloc()`. Who did not store
   * a table's entries asks {@link TableMemory.isFilled} where this says 0, and calls {@link TableMemory.own} before a write.
   */
  words: Int32Array;
  /** All pages as 64-bit entries. Replaced when memory grows: read it again after `alloc()`. */
  quads: BigUint64Array;
  /** All pages as bytes. Replaced when memory grows: read it again after `alloc()`. */
  bytes: Uint8Array;
  /** Most pages that may be in use at once: those of the limit, or what a process can hold. */
  readonly limit: number;
  /** Filled tables, of those that were freed, too; while it is 0 every table is stored. */
  filled = 0;
  readonly #poisons: boolean;
  readonly #strideLg2: number;
  readonly #basePage: number;
  readonly #baseTop: number;
  #used = 0;
  // By slot, how often it was taken and given back: odd while it is in use.
  #generations: Int32Array;
  // Free slots, a stack of so many.
  #free: Int32Array;
  #freeCount = 0;
  // Halves of the one entry of each filled table, by slot, 0 for stored ones. Without room until there is a filled table.
  #fills: Int32Array = new Int32Array(0);
  readonly #companions: (() => void)[] = [];

  /** @throws Error when the options do not describe a window. */
  constructor(options: TableOptions = {}) {
    const { tableBytes = 4096, tableBase = 0x10_0000_0000, tableLimitBytes = MOST_BYTES } = options;
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
    if (!(tableLimitBytes >= tableBytes)) {
      throw new Error(
        `tableLimitBytes: expected at least one table of ${tableBytes}, got ${tableLimitBytes}`,
      );
    }
    this.#poisons = options.poison ?? false;
    this.pageBytes = tableBytes;
    this.limitBytes = tableLimitBytes;
    this.limit = Math.floor(Math.min(tableLimitBytes, MOST_BYTES) / tableBytes);
    this.wordsPerTable = tableBytes / 4;
    this.wordsPerTableLg2 = Math.log2(this.wordsPerTable);
    this.base = tableBase;
    this.stride = stride;
    this.end = tableBase + this.limit * stride;
    this.counters = options.counters ?? mmuCounters();
    this.#basePage = this.#pageNumber(addressLo(tableBase), addressHi(tableBase));
    this.#baseTop = addressHi(tableBase) >>> this.#strideLg2;
    if (addressHi(this.end - stride) >>> this.#strideLg2 !== this.#baseTop) {
      throw new Error(
        `tableBase: the window from ${hexAddress(tableBase)} crosses a multiple of 2^32 strides`,
      );
    }
    const buffer = SPARE.take(Math.min(FIRST_SLOTS, this.limit) * tableBytes);
    const slots = Math.min(Math.floor(buffer.byteLength / tableBytes), this.limit);
    this.words = new Int32Array(buffer, 0, (slots * tableBytes) / 4);
    this.quads = new BigUint64Array(buffer, 0, (slots * tableBytes) / 8);
    this.bytes = new Uint8Array(buffer, 0, slots * tableBytes);
    this.#generations = new Int32Array(slots);
    this.#free = new Int32Array(slots);
  }

  /**
   * The device is gone: its memory of tables is for the next one of this process. Nothing may be done with these tables any more, and
   * there is nothing left that could be read or written.
   */
  retire(): void {
    const buffer = this.bytes.buffer as ArrayBuffer;
    const used = this.#used * this.pageBytes;
    this.words = new Int32Array(0);
    this.quads = new BigUint64Array(0);
    this.bytes = new Uint8Array(0);
    SPARE.keep(buffer, used);
    for (const retire of this.#companions.splice(0)) retire();
  }

  /**
   * Who keeps arrays beside the tables hands them on when these are.
   *
   * @param retire - called once, by {@link TableMemory.retire}
   */
  whenRetired(retire: () => void): void {
    this.#companions.push(retire);
  }

  /** Pages in use. */
  get live(): number {
    return this.#used - this.#freeCount;
  }

  /** Bytes that more pages may take before the limit of page-table memory is reached. */
  get leftBytes(): number {
    return this.limitBytes - this.live * this.pageBytes;
  }

  /** What is said when {@link TableMemory.limit} pages are in use: the limit, and the option that set it. */
  whenFull(): string {
    const { limit, limitBytes, pageBytes } = this;
    const taken = `${limit} page-table pages of ${pageBytes} bytes`;
    return limitBytes > MOST_BYTES
      ? `all ${taken} that one process can hold are in use`
      : `all ${taken} that memory.tableLimitBytes ${limitBytes} allows are in use`;
  }

  /**
   * Takes a page; all its entries are zero.
   * @throws OutOfTables when {@link TableMemory.limit} pages are in use.
   */
  alloc(): number {
    const used = this.#used;
    const filled = this.filled;
    const slot = this.allocUncleared();
    // A page is cleared when it is taken, not when it is freed: until then it holds what the hardware last saw.
    if (used === this.#used && filled === this.filled) {
      this.words.fill(0, slot * this.wordsPerTable, (slot + 1) * this.wordsPerTable);
    }
    return slot;
  }

  /**
   * Takes a page with whatever it holds, for a caller that writes all its entries at once.
   * @throws OutOfTables when {@link TableMemory.limit} pages are in use.
   */
  allocUncleared(): number {
    let slot: number;
    if (this.#freeCount > 0) {
      slot = this.#free[--this.#freeCount] as number;
      if (this.filled !== 0) this.#unfill(slot);
    } else {
      slot = this.#used;
      if (slot === this.limit) throw new OutOfTables(this.whenFull());
      if (slot === this.#generations.length) this.#grow();
      this.#used = slot + 1;
    }
    this.#generations[slot] = (this.#generations[slot] as number) + 1;
    const counters = this.counters;
    counters.tablesAllocated++;
    counters.tablesLive++;
    if (counters.tablesLive > counters.tablesPeak) counters.tablesPeak = counters.tablesLive;
    return slot;
  }

  /**
   * Takes a page all of whose entries have the halves `lo` and `hi`, without storing them. Counts the page, not the entries.
   * @throws OutOfTables when {@link TableMemory.limit} pages are in use.
   */
  allocFilled(lo: number, hi: number): number {
    const slot = this.alloc();
    if ((lo | hi) === 0) return slot;
    if (this.#fills.length === 0) this.#fills = new Int32Array(this.#generations.length * 2);
    this.#fills[slot * 2] = lo;
    this.#fills[slot * 2 + 1] = hi;
    this.filled++;
    return slot;
  }

  /** Whether a table is filled: then `words` has zeros, and its entries come from {@link TableMemory.entryLo} and the like. */
  isFilled(slot: number): boolean {
    return (
      this.filled !== 0 && ((this.#fills[slot * 2] as number) | (this.#fills[slot * 2 + 1] as number)) !== 0
    );
  }

  /** Stores the entries of a table, if it is filled: to be called before {@link TableMemory.words} are written. */
  own(slot: number): void {
    if (!this.isFilled(slot)) return;
    const lo = this.#fills[slot * 2] as number;
    const hi = this.#fills[slot * 2 + 1] as number;
    const { words, quads } = this;
    const first = slot * this.wordsPerTable;
    words[first] = lo;
    words[first + 1] = hi;
    quads.fill(quads[first / 2] as bigint, first / 2, (first + this.wordsPerTable) / 2);
    this.#unfill(slot);
  }

  /**
   * Gives a page back. The last page freed is the first one reused.
   * @throws Error when the page is not in use (a double free).
   */
  free(slot: number): void {
    const generation = this.#generations[slot] as number;
    if ((generation & 1) === 0) throw new Error(`TableMemory.free: slot ${slot} is not in use`);
    this.#generations[slot] = generation + 1;
    if (this.#poisons) this.#poison(slot);
    this.#free[this.#freeCount++] = slot;
    const { counters } = this;
    counters.tablesFreed++;
    counters.tablesLive--;
  }

  /** Whether the slot is allocated and not freed. */
  isLive(slot: number): boolean {
    return ((this.#generations[slot] as number) & 1) === 1;
  }

  /**
   * How often a slot was taken and given back; odd while it is in use. Who keeps a slot keeps this beside it, and so knows
   * later whether it is still the same table.
   *
   * @param slot - from 0; 0 for a slot that was never used
   */
  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
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
    const lo = this.words[slot * this.wordsPerTable + index * 2] as number;
    return lo === 0 && this.filled !== 0 ? (this.#fills[slot * 2] as number) : lo;
  }

  /** High half of an entry. */
  entryHi(slot: number, index: number): number {
    const hi = this.words[slot * this.wordsPerTable + index * 2 + 1] as number;
    return hi === 0 && this.filled !== 0 ? (this.#fills[slot * 2 + 1] as number) : hi;
  }

  /** An entry as its 64-bit value: for tests and listings. */
  entry(slot: number, index: number): bigint {
    if (!this.isFilled(slot)) return this.quads[(slot * this.wordsPerTable) / 2 + index] as bigint;
    return BigInt.asUintN(
      64,
      (BigInt(this.entryHi(slot, index)) << 32n) | BigInt(this.entryLo(slot, index) >>> 0),
    );
  }

  /** The bytes of a page: a view of a stored table, a copy of a filled one. */
  page(slot: number): Uint8Array {
    if (!this.isFilled(slot)) return this.bytes.subarray(slot * this.pageBytes, (slot + 1) * this.pageBytes);
    return new Uint8Array(new BigUint64Array(this.pageBytes / 8).fill(this.entry(slot, 0)).buffer);
  }

  /** Strides from address 0, modulo 2^32: enough, because the window never crosses a multiple of 2^32 strides. */
  #pageNumber(lo: number, hi: number): number {
    return (hi << (32 - this.#strideLg2)) | (lo >>> this.#strideLg2);
  }

  #poison(slot: number): void {
    this.#unfill(slot);
    this.bytes.fill(POISON, slot * this.pageBytes, (slot + 1) * this.pageBytes);
  }

  #unfill(slot: number): void {
    if (!this.isFilled(slot)) return;
    this.#fills[slot * 2] = 0;
    this.#fills[slot * 2 + 1] = 0;
    this.filled--;
  }

  #grow(): void {
    const before = this.#generations.length;
    const more = before < MANY_SLOTS ? before : before / 8;
    const slots = Math.min(before + Math.ceil(more), this.limit);
    const buffer = new ArrayBuffer(slots * this.pageBytes);
    const bytes = new Uint8Array(buffer);
    // Of filled tables there is nothing to copy, and nothing must be: zeros that are written take memory.
    for (let from = 0; from < before; ) {
      let end = this.filled === 0 ? before : from;
      while (end < before && !this.isFilled(end)) end++;
      bytes.set(this.bytes.subarray(from * this.pageBytes, end * this.pageBytes), from * this.pageBytes);
      from = end;
      while (from < before && this.isFilled(from)) from++;
    }
    const generations = new Int32Array(slots);
    generations.set(this.#generations);
    this.bytes = bytes;
    this.words = new Int32Array(buffer);
    this.quads = new BigUint64Array(buffer);
    this.#generations = generations;
    // Grows only when no slot is free.
    this.#free = new Int32Array(slots);
    if (this.#fills.length > 0) {
      const fills = new Int32Array(slots * 2);
      fills.set(this.#fills);
      this.#fills = fills;
    }
  }
}
