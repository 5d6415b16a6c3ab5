/**
 * The driver's page-table algorithm for Apple's UAT: three levels, 16 KiB leaves and nothing else.
 *
 * ```text
 *   VA   38..36     35..25     24..14    13..0
 *        L1 (8)    L2 (2048)  L3 (2048)  byte
 * ```
 *
 * There are no large pages, so a gigabyte is always 65536 entries in 32 leaf tables. Tables appear when a range is first
 * mapped and go with the VM: unmapping only clears leaves. All work is on page numbers (VA / 16 KiB, 25 bits), which
 * stay small integers. The algorithm is that of the driver's page-table module (the downstream asahi driver, branches of 2025).
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail } from "@vmbind/drm";
import {
  addressHi,
  addressLo,
  clearEntries,
  type PhysicalMemory,
  type ScatterList,
  type TableMemory,
  uatTableHi,
  uatTableLo,
  writeAscending,
  writeDirectory,
  writeRepeated,
} from "@vmbind/mmu";
import * as uapi from "./uapi.ts";

// A copy: an imported constant is read from memory and checked at every use, and a division by it is one.
const PAGE_BYTES: number = uapi.PAGE_BYTES;
/** A half of the address space has 2^39 bytes. */
const PAGE_NUMBER_MASK = 2 ** 25 - 1;
/** Entries of an L2 or L3 table, and its log2. */
const ENTRIES = 2048;
const ENTRIES_LG2 = 11;
const ROOT_ENTRIES = 8;
/** A descriptor is present when both low bits are set. */
const PRESENT = 3;
const OFFSET_MASK = PAGE_BYTES - 1;
/** Leaf tables that are found without a walk. */
const KNOWN = 16;
/** No slot: the L2 table is there, the leaf table is not. */
const NO_LEAF = -1;
/** No slot: the L2 table is missing, and with it 64 GiB of leaf tables. */
const NO_MIDDLE = -2;

/** What a table of one VM is made with. */
export interface UatPageTableOptions {
  /** Width of physical addresses in bits, 33..63; table pointers are masked to it. 40 (M1) unless given. */
  oas?: number;
  /** Asked before each table page. */
  allocFault?: AllocFault | undefined;
}

/** Number of tables per level. */
export interface TableCount {
  /** Roots, always 1. */
  l1: number;
  /** Tables of 64 GiB. */
  l2: number;
  /** Leaf tables, of 32 MiB. */
  l3: number;
}

/** The page tables of one address space half. */
export class UatPageTable {
  /** Physical address of the root table. */
  readonly root: number;
  /** Tables in use, by level. */
  readonly count: TableCount = { l1: 1, l2: 0, l3: 0 };
  readonly #tables: TableMemory;
  readonly #rootSlot: number;
  readonly #addressHigh: number;
  readonly #allocFault: AllocFault | undefined;
  /** Blocks that were looked up, and their leaf tables, at {@link placeOf} a block. Tables stay where they are until the VM goes. */
  readonly #knownBlocks = new Int32Array(KNOWN).fill(-1);
  readonly #knownLeaves = new Int32Array(KNOWN);

  /**
   * Takes the root page.
   *
   * @param memory - where tables live; its table pages must be 16 KiB
   * @param options - see {@link UatPageTableOptions}
   * @throws DrmError ENOMEM without a page for the root
   */
  constructor(memory: PhysicalMemory, options: UatPageTableOptions = {}) {
    this.#tables = memory.tables;
    if (this.#tables.pageBytes !== PAGE_BYTES) {
      throw new Error(
        `UatPageTable: expected table pages of ${PAGE_BYTES} bytes, got ${this.#tables.pageBytes}`,
      );
    }
    this.#addressHigh = 2 ** ((options.oas ?? 40) - 32) - 1;
    this.#allocFault = options.allocFault;
    this.#rootSlot = this.#alloc();
    this.root = this.#tables.address(this.#rootSlot);
  }

  /**
   * Make the tables for a range, and touch no leaf. A bind does this first, so that nothing can fail once mappings change.
   *
   * @param va - first VA, a multiple of 16 KiB; only its low 39 bits count
   * @param bytes - a multiple of 16 KiB; 0 does nothing
   * @throws DrmError ENOMEM; tables made so far stay
   */
  allocate(va: number, bytes: number): void {
    if (bytes === 0) return;
    const first = pageOf(va);
    const last = first + pageCount(bytes) - 1;
    for (let block = first >> ENTRIES_LG2; block <= last >> ENTRIES_LG2; block++) this.#ensure(block);
  }

  /**
   * Write every leaf of a range, whatever stood there.
   *
   * @param va - first VA, a multiple of 16 KiB
   * @param bytes - a multiple of 16 KiB
   * @param pa - physical address of the first page, a multiple of 16 KiB
   * @param lo - low half of the leaf's attribute bits
   * @param hi - high half of them
   * @param onePage - true repeats the first page over the whole range
   * @throws DrmError ENOMEM when a table was not allocated before and there is no page for it
   */
  map(va: number, bytes: number, pa: number, lo: number, hi: number, onePage: boolean): void {
    let page = pageOf(va);
    const end = page + pageCount(bytes);
    let address = pa;
    while (page < end) {
      const index = page & (ENTRIES - 1);
      const count = Math.min(end - page, ENTRIES - index);
      const slot = this.#ensure(page >> ENTRIES_LG2);
      const low = lo | addressLo(address);
      const high = hi | addressHi(address);
      if (onePage) writeRepeated(this.#tables, slot, index, count, low, high);
      else {
        writeAscending(this.#tables, slot, index, count, low, high, PAGE_BYTES);
        address += count * PAGE_BYTES;
      }
      page += count;
    }
  }

  /**
   * Write every leaf of a range that shows an object, segment by segment.
   *
   * @param va - first VA, a multiple of 16 KiB
   * @param bytes - a multiple of 16 KiB
   * @param list - where the object is; its segments are multiples of 16 KiB
   * @param offset - byte of the object that the range begins with, a multiple of 16 KiB
   * @param lo - low half of the leaf's attribute bits
   * @param hi - high half of them
   * @throws DrmError ENOMEM as {@link UatPageTable.map}
   */
  mapList(va: number, bytes: number, list: ScatterList, offset: number, lo: number, hi: number): void {
    const tables = this.#tables;
    let page = pageOf(va);
    const end = page + pageCount(bytes);
    let segment = list.segmentAt(offset);
    let skip = segment < 0 ? 0 : offset - (list.offset[segment] as number);
    while (page < end) {
      // Asked for once: scattered memory has thousands of segments in a leaf table.
      const block = page >> ENTRIES_LG2;
      const slot = this.#ensure(block);
      const stop = Math.min((block + 1) << ENTRIES_LG2, end);
      while (page < stop) {
        const left = pageCount((list.bytes[segment] as number) - skip);
        const run = Math.min(left, stop - page);
        const pa = (list.pa[segment] as number) + skip;
        const index = page & (ENTRIES - 1);
        writeAscending(tables, slot, index, run, lo | addressLo(pa), hi | addressHi(pa), PAGE_BYTES);
        page += run;
        skip += run * PAGE_BYTES;
        if (run < left) continue;
        segment++;
        skip = 0;
      }
    }
  }

  /**
   * Clear every leaf of a range; blocks without a table are skipped.
   *
   * @param va - first VA, a multiple of 16 KiB
   * @param bytes - a multiple of 16 KiB
   */
  unmap(va: number, bytes: number): void {
    let page = pageOf(va);
    const end = page + pageCount(bytes);
    while (page < end) {
      const block = page >> ENTRIES_LG2;
      const leaf = this.#find(block);
      const stop = leaf === NO_MIDDLE ? firstPageBehind(block) : Math.min((block + 1) << ENTRIES_LG2, end);
      if (leaf >= 0) clearEntries(this.#tables, leaf, page & (ENTRIES - 1), stop - page);
      page = stop;
    }
  }

  /** Give all tables back. The table must not be used afterwards. */
  destroy(): void {
    for (let i = 0; i < ROOT_ENTRIES; i++) {
      const middle = this.#next(this.#rootSlot, i);
      if (middle < 0) continue;
      for (let j = 0; j < ENTRIES; j++) {
        const leaf = this.#next(middle, j);
        if (leaf >= 0) this.#tables.free(leaf);
      }
      this.#tables.free(middle);
    }
    this.#tables.free(this.#rootSlot);
    this.count.l1 = this.count.l2 = this.count.l3 = 0;
  }

  /** Slot of the leaf table of a 32 MiB block; {@link NO_LEAF} or {@link NO_MIDDLE} when a level is missing. */
  #find(block: number): number {
    const place = placeOf(block);
    if (this.#knownBlocks[place] === block) return this.#knownLeaves[place] as number;
    const middle = this.#next(this.#rootSlot, block >> ENTRIES_LG2);
    if (middle < 0) return NO_MIDDLE;
    const leaf = this.#next(middle, block & (ENTRIES - 1));
    if (leaf < 0) return NO_LEAF;
    this.#knownBlocks[place] = block;
    this.#knownLeaves[place] = leaf;
    return leaf;
  }

  /** The same, made when it is missing, the L2 table above it first. */
  #ensure(block: number): number {
    const found = this.#find(block);
    if (found >= 0) return found;
    if (found === NO_MIDDLE) {
      this.#add(this.#rootSlot, block >> ENTRIES_LG2);
      this.count.l2++;
    }
    const leaf = this.#add(this.#next(this.#rootSlot, block >> ENTRIES_LG2), block & (ENTRIES - 1));
    this.count.l3++;
    return leaf;
  }

  #add(slot: number, index: number): number {
    const table = this.#alloc();
    const address = this.#tables.address(table);
    writeDirectory(this.#tables, slot, index, uatTableLo(address), uatTableHi(address));
    return table;
  }

  /** Slot of the table that an entry points to, -1 when it is absent or malformed. */
  #next(slot: number, index: number): number {
    const tables = this.#tables;
    const at = slot * tables.wordsPerTable + index * 2;
    const lo = tables.words[at] as number;
    if ((lo & PRESENT) !== PRESENT) return -1;
    return tables.slotOf(lo & ~OFFSET_MASK, (tables.words[at + 1] as number) & this.#addressHigh);
  }

  #alloc(): number {
    if (this.#allocFault?.("page-table")) fail(ENOMEM, "page table: no page for a table (injected)");
    try {
      return this.#tables.alloc();
    } catch (error) {
      // The memory model has run out of table pages, or its host out of memory: for user space both are the same.
      return fail(ENOMEM, `page table: ${(error as Error).message}`);
    }
  }
}

/** Where a block is remembered: neighbours, and the views of one image some 64 GiB apart, in different places. */
function placeOf(block: number): number {
  return (block ^ (block >> 8)) & (KNOWN - 1);
}

/** First page of the 64 GiB behind the one that holds a block. */
function firstPageBehind(block: number): number {
  return ((block >> ENTRIES_LG2) + 1) << (2 * ENTRIES_LG2);
}

/** Pages of a length, as a small integer: with a double in it, every number of a walk becomes a double. */
function pageCount(bytes: number): number {
  return (bytes / PAGE_BYTES) | 0;
}

/** Page number in the half: VA bits 38..14. */
function pageOf(va: number): number {
  return ((va / PAGE_BYTES) | 0) & PAGE_NUMBER_MASK;
}
