/**
 * The driver's page-table walk: which table, which entries, how large (`amdgpu_vm_pt.c`, Linux 7.3-rc7).
 *
 * The driver knows its tables by a tree of its own, not by the entries in memory: a table exists from the moment that a walk
 * needs it, and the entry that points to it is written at the end, by {@link GcvmPageTable.linkTables}. Until then the GPU
 * sees what stood there before.
 *
 * A walk goes through the tree in the order of addresses. At each place the *fragment* (the largest power of two of pages that
 * begins here, is aligned and still fits) says which level gets the entry: the walk climbs or descends until the
 * table of that level is reached. It makes the table of the place where it stands before it looks whether it wants to stay
 * there. So it makes tables for clearing, too, and it makes some that it throws away a moment later, when the next piece
 * turns out to be a larger leaf.
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail } from "@vmbind/drm";
import {
  fillAscending,
  fillEntries,
  GCVM_EXECUTABLE,
  GCVM_FRAGMENT_SHIFT,
  GCVM_HIGH,
  GCVM_ROOT_LEVEL,
  GCVM_VALID,
  type GcvmGeneration,
  gcvmEmptyHi,
  gcvmEmptyLo,
  gcvmTableHi,
  gcvmTableLo,
  type PhysicalMemory,
  type ScatterList,
  type TableMemory,
} from "@vmbind/mmu";
import type { AmdgpuCounters } from "./cost-sheet.ts";
import { grownInts } from "./interval-tree.ts";

const ENTRIES = 512;
const ENTRIES_LG2 = 9;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;
const LAST = 4;
/** log2 of the pages that an entry covers, by level; the first is that of what would be above the root. */
const SHIFT: readonly number[] = [36, 27, 18, 9, 0];
/** Pages that an entry covers, by level. */
const SPAN: readonly number[] = [2 ** 36, 2 ** 27, 2 ** 18, 2 ** 9, 1];
/**
 * Bytes from one entry's address to the next one's in one write. The driver keeps the number in 32 bits, and that of the root is
 * lost: several leaves of 512 GiB in one write all get the address of the first. From one write to the next it is not lost.
 */
const STEP: readonly number[] = [0, 0, 2 ** 30, 2 ** 21, 2 ** 12];
const FRAGMENT_MAX = 31;
/** The root; 0 is no table. */
const ROOT = 1;
const FIRST_ROOM = 16;

/** Sees what a page table does. */
export interface TableObserver {
  /** A table was made. */
  made(slot: number, level: number, va: number): void;
  /** Entries were written: a run from `index` of a table, `step` bytes of address apart, or page by page. */
  wrote(
    level: number,
    va: number,
    count: number,
    address: number,
    lo: number,
    hi: number,
    linear: boolean,
  ): void;
  /** The entry that points to a table was written. */
  linked(level: number, va: number, slot: number): void;
}

/** What a page table is made with. */
export interface GcvmPageTableOptions {
  /** Where the bits are. */
  generation: GcvmGeneration;
  /** What is counted. */
  counters: AmdgpuCounters;
  /** Asked before each table page. */
  allocFault?: AllocFault | undefined;
}

/** The page tables of one VM. Addresses are numbers of 4 KiB pages, below 2^36. */
export class GcvmPageTable {
  /** Physical address of the root table. */
  readonly root: number;
  /** Looks on, for conformance vectors. */
  observer: TableObserver | null = null;
  readonly #tables: TableMemory;
  readonly #counters: AmdgpuCounters;
  readonly #allocFault: AllocFault | undefined;
  readonly #generation: GcvmGeneration;
  readonly #leafHi: number;
  readonly #prtHi: number;
  // By table, numbered from 1 within the VM.
  #slot: Int32Array = new Int32Array(FIRST_ROOM);
  #level: Uint8Array = new Uint8Array(FIRST_ROOM);
  #parent: Int32Array = new Int32Array(FIRST_ROOM);
  #index: Uint16Array = new Uint16Array(FIRST_ROOM);
  /** First page that it covers. */
  #start: Float64Array = new Float64Array(FIRST_ROOM);
  /** Where its children stand in {@link GcvmPageTable.#children}, for tables above the last level. */
  #childrenAt: Int32Array = new Int32Array(FIRST_ROOM);
  /** Place in the list of tables to be linked, -1 when it is linked. */
  #unlinkedAt: Int32Array = new Int32Array(FIRST_ROOM);
  #used = 0;
  #freeNodes: number[] = [];
  /** Tables below each table above the last level, 512 places each. */
  #children: Int32Array = new Int32Array(ENTRIES);
  #childrenUsed = 0;
  #freeChildren: number[] = [];
  /** Tables whose entry in the parent is to be written, the newest last; 0 for one that went meanwhile. */
  #unlinked: number[] = [];
  /** Table pages that the running update has cut off. */
  #cutOff: number[] = [];
  /** Whether the running update needs a TLB flush. */
  #needsFlush = false;
  /** The fragment at the cursor, and the page behind it. */
  #fragment = 0;
  #fragmentEnd = 0.5;
  /** A table of the last level that was written to last; it is where the next piece is likely to begin. */
  #recent = 0;

  /**
   * Makes the root.
   *
   * @param memory - where tables live
   * @param options - see {@link GcvmPageTableOptions}
   * @throws DrmError ENOMEM without a page for the root
   */
  constructor(memory: PhysicalMemory, options: GcvmPageTableOptions) {
    this.#tables = memory.tables;
    this.#generation = options.generation;
    this.#leafHi = GCVM_HIGH[options.generation].leaf;
    this.#prtHi = GCVM_HIGH[options.generation].prt;
    this.#counters = options.counters;
    this.#allocFault = options.allocFault;
    this.#make(0, GCVM_ROOT_LEVEL, 0, 0);
    // Nothing points to the root.
    this.#unlinked.length = 0;
    this.#unlinkedAt[ROOT] = -1;
    this.root = this.#tables.address(this.#slot[ROOT] as number);
  }

  /** Tables whose entry in the parent is still to be written. */
  get unlinkedCount(): number {
    let count = 0;
    for (const node of this.#unlinked) if (node !== 0) count++;
    return count;
  }

  /** Tables, the root among them. */
  get tableCount(): number {
    return this.#used - this.#freeNodes.length;
  }

  /** Begin an update: any number of pieces, which end with {@link GcvmPageTable.finish}. */
  begin(): void {
    this.#counters.rangeUpdates++;
    this.#needsFlush = false;
  }

  /**
   * End an update: tables that it cut off go.
   *
   * @param flush - ask for a TLB flush in any case
   * @returns whether the TLB is to be flushed
   */
  finish(flush: boolean): boolean {
    this.#counters.tablesThrownAway += this.#cutOff.length;
    for (const slot of this.#cutOff) this.#tables.free(slot);
    this.#cutOff.length = 0;
    return flush || this.#needsFlush;
  }

  /**
   * One piece of memory in a row, or of none.
   *
   * @param first - first page
   * @param end - page behind the last one
   * @param address - of the first byte; counts up, whether it means anything or not
   * @param lo - flags, low half
   * @param hi - flags, high half
   * @throws DrmError ENOMEM; what was written before stays
   */
  write(first: number, end: number, address: number, lo: number, hi: number): void {
    this.#fragmentAt(first, end);
    let node = ROOT;
    let parent = 0;
    let level = 1;
    let index = 0;
    let page = first;
    const recent = this.#recent;
    if (recent !== 0 && this.#fragment < ENTRIES_LG2) {
      const start = this.#start[recent] as number;
      if (page >= start && page < start + ENTRIES) {
        node = recent;
        parent = this.#parent[recent] as number;
        index = this.#index[recent] as number;
        level = LAST;
      }
    }
    let at = address;
    let done = first;
    while (page < end) {
      if (node === 0) node = this.#make(parent, level, index, page);
      const shift = SHIFT[level] as number;
      if (this.#fragment < shift) {
        parent = node;
        index = indexIn(page, level);
        level++;
        node = this.#child(parent, index);
        continue;
      }
      if (this.#fragment >= (SHIFT[level - 1] as number)) {
        node = parent;
        parent = this.#parent[node] as number;
        index = this.#index[node] as number;
        level--;
        continue;
      }
      const span = SPAN[level] as number;
      const step = STEP[level] as number;
      let entry = indexIn(page, level);
      const begin = entry;
      const tableEnd = page + (ENTRIES - entry) * span;
      const stop = Math.min(tableEnd, end);
      do {
        const until = Math.min(stop, this.#fragmentEnd);
        const count = level === LAST ? until - done : Math.max(Math.floor((until - done) / span), 1);
        this.#run(node, level, entry, count, at, lo, hi, step);
        entry += count;
        at += count * span * 4096;
        done = until;
        if (done >= this.#fragmentEnd) {
          this.#fragmentAt(done, end);
          if (this.#fragment < shift) break;
        }
      } while (done < stop);
      page = done;
      if (level === LAST) {
        this.#recent = node;
        if (done < tableEnd) return;
      } else {
        this.#cutOffChildren(node, begin, entry);
        if (entry < ENTRIES) {
          // Stays in this table, at the place of the table below.
          parent = node;
          index = entry;
          level++;
          node = this.#child(parent, index);
          continue;
        }
      }
      // The table has ended: on to the next place of the level, or of a level above.
      index = this.#index[node] as number;
      parent = this.#parent[node] as number;
      while (parent !== 0 && index === ENTRIES - 1) {
        index = this.#index[parent] as number;
        parent = this.#parent[parent] as number;
        level--;
      }
      if (parent === 0) return;
      index++;
      node = this.#child(parent, index);
    }
  }

  /**
   * Pages of system memory that do not follow each other: an entry of 4 KiB for each.
   *
   * @param first - first page
   * @param end - page behind the last one
   * @param pages - where the object is; from `segment` on each segment is one page
   * @param segment - of the first page
   * @param offset - byte of the object that the first page is; the last page of a longer segment, maybe
   * @param lo - flags, low half
   * @param hi - flags, high half
   * @throws DrmError ENOMEM; what was written before stays
   */
  writePages(
    first: number,
    end: number,
    pages: ScatterList,
    segment: number,
    offset: number,
    lo: number,
    hi: number,
  ): void {
    let from = segment;
    let skip = offset - (pages.offset[segment] as number);
    for (let page = first; page < end; ) {
      const node = this.#lastLevelAt(page);
      const entry = indexIn(page, LAST);
      const count = Math.min(end - page, ENTRIES - entry);
      this.#runPages(node, entry, count, pages, from, skip, lo, hi);
      skip = 0;
      from += count;
      page += count;
    }
  }

  /** Write the entries that point to new tables, the newest table's first. */
  linkTables(): void {
    const unlinked = this.#unlinked;
    if (unlinked.length === 0) return;
    const tables = this.#tables;
    for (let i = unlinked.length - 1; i >= 0; i--) {
      const node = unlinked[i] as number;
      if (node === 0) continue;
      this.#unlinkedAt[node] = -1;
      const slot = this.#slot[node] as number;
      const parent = this.#parent[node] as number;
      const address = tables.address(slot);
      const above = this.#slot[parent] as number;
      tables.own(above);
      const at = above * tables.wordsPerTable + (this.#index[node] as number) * 2;
      tables.words[at] = gcvmTableLo(address);
      tables.words[at + 1] = gcvmTableHi(address);
      this.#counters.tableWrites++;
      this.observer?.linked(this.#level[parent] as number, this.#vaOf(node), slot);
    }
    unlinked.length = 0;
  }

  /** VRAM was lost: all tables are empty, and every table's entry in its parent is to be written again. */
  forgetAll(): void {
    const tables = this.#tables;
    this.#forEachTable((node) => {
      const slot = this.#slot[node] as number;
      const level = this.#level[node] as number;
      tables.own(slot);
      const first = slot * tables.wordsPerTable;
      fillEntries(tables, first, ENTRIES, gcvmEmptyLo(level), gcvmEmptyHi(this.#generation, level));
      if (node === ROOT || this.#unlinkedAt[node] !== -1) return;
      this.#unlinkedAt[node] = this.#unlinked.length;
      this.#unlinked.push(node);
    });
  }

  /**
   * Whether anything of a range is in the tables that is valid or PRT, or will be once they are linked.
   *
   * @param first - first page
   * @param last - last page
   */
  hasLeaves(first: number, last: number): boolean {
    return this.#hasLeaves(ROOT, first, last);
  }

  /**
   * All tables by the driver's own tree, in the order of addresses, a table before those below it.
   *
   * @param see - gets slot, level, first VA in bytes, and whether the entry above points to it
   */
  forEach(see: (slot: number, level: number, va: number, linked: boolean) => void): void {
    this.#forEachTable((node) => {
      const linked = this.#unlinkedAt[node] === -1;
      see(this.#slot[node] as number, this.#level[node] as number, this.#vaOf(node), linked);
    });
  }

  /** Give all tables back. The page table must not be used afterwards. */
  destroy(): void {
    this.#forEachTable((node) => this.#tables.free(this.#slot[node] as number));
  }

  #vaOf(node: number): number {
    return (this.#start[node] as number) * 4096;
  }

  #child(node: number, index: number): number {
    return this.#children[(this.#childrenAt[node] as number) + index] as number;
  }

  #forEachTable(see: (node: number) => void, node = ROOT): void {
    see(node);
    if (this.#level[node] === LAST) return;
    for (let i = 0; i < ENTRIES; i++) {
      const child = this.#child(node, i);
      if (child !== 0) this.#forEachTable(see, child);
    }
  }

  #hasLeaves(node: number, first: number, last: number): boolean {
    const level = this.#level[node] as number;
    const start = this.#start[node] as number;
    const span = SPAN[level] as number;
    const from = Math.max(0, Math.floor((first - start) / span));
    const to = Math.min(ENTRIES - 1, Math.floor((last - start) / span));
    const tables = this.#tables;
    const slot = this.#slot[node] as number;
    // A table nobody wrote to is empty.
    const filled = tables.isFilled(slot);
    for (let i = from; i <= to; i++) {
      const child = level === LAST ? 0 : this.#child(node, i);
      if (child !== 0) {
        // Whatever still stands in front of it goes when it is linked.
        if (this.#hasLeaves(child, first, last)) return true;
      } else if (!filled) {
        const lo = tables.entryLo(slot, i);
        const hi = tables.entryHi(slot, i);
        const isLeaf = level === LAST || (hi & this.#leafHi) !== 0;
        if (isLeaf && ((lo & GCVM_VALID) !== 0 || (hi & this.#prtHi) !== 0)) return true;
      }
    }
    return false;
  }

  /** The fragment of what lies from a page to the end of a piece. Only the address and the length count, not the memory. */
  #fragmentAt(page: number, end: number): void {
    const low = page | 0;
    const aligned = low === 0 ? FRAGMENT_MAX : 31 - Math.clz32(low & -low);
    const left = end - page;
    const fits = left >= TWO_31 ? FRAGMENT_MAX : 31 - Math.clz32(left);
    if (aligned >= FRAGMENT_MAX && fits >= FRAGMENT_MAX) {
      this.#fragment = FRAGMENT_MAX;
      this.#fragmentEnd = Math.floor(end / TWO_31) * TWO_31;
    } else {
      const fragment = Math.min(aligned, fits);
      this.#fragment = fragment;
      this.#fragmentEnd = page + (1 << fragment);
    }
  }

  #run(
    node: number,
    level: number,
    entry: number,
    count: number,
    address: number,
    lo: number,
    hi: number,
    step: number,
  ): void {
    const counters = this.#counters;
    const isLive = (lo & GCVM_VALID) !== 0 || (hi & this.#prtHi) !== 0;
    let low = lo | (this.#fragment << GCVM_FRAGMENT_SHIFT);
    let high = hi;
    if (level !== LAST) high |= this.#leafHi;
    else if (!isLive) low |= GCVM_EXECUTABLE;
    if (isLive) counters.pteWrites += count;
    else counters.pteClears += count;
    counters.tableWriteCalls++;
    const tables = this.#tables;
    const slot = this.#slot[node] as number;
    if (tables.filled !== 0) tables.own(slot);
    const first = slot * tables.wordsPerTable + entry * 2;
    const addressLow = address | 0;
    const addressHigh = (address / TWO_32) & 0xffff;
    if (count === 1) {
      const { words } = tables;
      words[first] = low | addressLow;
      words[first + 1] = high | addressHigh;
    } else {
      fillAscending(tables, first, count, low | addressLow, high | addressHigh, step);
    }
    if (this.observer !== null) {
      const va = this.#vaOf(node) + entry * (SPAN[level] as number) * 4096;
      this.observer.wrote(level, va, count, address, low, high, true);
    }
  }

  #runPages(
    node: number,
    entry: number,
    count: number,
    pages: ScatterList,
    segment: number,
    skip: number,
    lo: number,
    hi: number,
  ): void {
    const counters = this.#counters;
    const isLive = (lo & GCVM_VALID) !== 0 || (hi & this.#prtHi) !== 0;
    const low = isLive ? lo : lo | GCVM_EXECUTABLE;
    if (isLive) counters.pteWrites += count;
    else counters.pteClears += count;
    counters.tableWriteCalls++;
    const tables = this.#tables;
    const slot = this.#slot[node] as number;
    if (tables.filled !== 0) tables.own(slot);
    const { words } = tables;
    const { pa } = pages;
    let at = slot * tables.wordsPerTable + entry * 2;
    let into = skip;
    for (let i = segment, end = segment + count; i < end; i++, at += 2) {
      const address = (pa[i] as number) + into;
      into = 0;
      words[at] = address | low;
      words[at + 1] = (address / TWO_32) | 0 | hi;
    }
    if (this.observer !== null) {
      const va = this.#vaOf(node) + entry * 4096;
      this.observer.wrote(LAST, va, count, (pages.offset[segment] as number) + skip, low, hi, false);
    }
  }

  /** The table of the last level that holds a page, made with all above it where it is missing. */
  #lastLevelAt(page: number): number {
    const recent = this.#recent;
    if (recent !== 0) {
      const start = this.#start[recent] as number;
      if (page >= start && page < start + ENTRIES) return recent;
    }
    let node = ROOT;
    for (let level = 1; level < LAST; level++) {
      const index = indexIn(page, level);
      node = this.#child(node, index) || this.#make(node, level + 1, index, page);
    }
    this.#recent = node;
    return node;
  }

  /** A new table, empty, to be linked later. */
  #make(parent: number, level: number, index: number, page: number): number {
    if (this.#allocFault?.("page-table")) fail(ENOMEM, "page table: no page for a table (injected)");
    let slot: number;
    try {
      slot = this.#tables.allocFilled(gcvmEmptyLo(level), gcvmEmptyHi(this.#generation, level));
    } catch (error) {
      return fail(ENOMEM, `page table: ${(error as Error).message}`);
    }
    this.#counters.emptyEntries += ENTRIES;
    const node = this.#freeNodes.pop() ?? ++this.#used;
    if (node === this.#slot.length) this.#grow();
    const spanOfTable = SPAN[level - 1] as number;
    this.#slot[node] = slot;
    this.#level[node] = level;
    this.#parent[node] = parent;
    this.#index[node] = index;
    this.#start[node] = Math.floor(page / spanOfTable) * spanOfTable;
    if (level !== LAST) this.#childrenAt[node] = this.#roomForChildren();
    if (parent !== 0) this.#children[(this.#childrenAt[parent] as number) + index] = node;
    this.#unlinkedAt[node] = this.#unlinked.length;
    this.#unlinked.push(node);
    this.observer?.made(slot, level, this.#vaOf(node));
    return node;
  }

  /** A leaf stands in front of these places now: what is below them goes, with the update's end. */
  #cutOffChildren(node: number, from: number, to: number): void {
    const base = this.#childrenAt[node] as number;
    for (let i = base + from; i < base + to; i++) {
      const child = this.#children[i] as number;
      if (child === 0) continue;
      this.#children[i] = 0;
      this.#cutOffTable(child);
      this.#needsFlush = true;
    }
  }

  #cutOffTable(node: number): void {
    if (this.#level[node] !== LAST) {
      const base = this.#childrenAt[node] as number;
      for (let i = base; i < base + ENTRIES; i++) {
        const child = this.#children[i] as number;
        if (child === 0) continue;
        this.#children[i] = 0;
        this.#cutOffTable(child);
      }
      this.#freeChildren.push(base);
    }
    const unlinkedAt = this.#unlinkedAt[node] as number;
    if (unlinkedAt !== -1) this.#unlinked[unlinkedAt] = 0;
    if (this.#recent === node) this.#recent = 0;
    this.#cutOff.push(this.#slot[node] as number);
    this.#freeNodes.push(node);
  }

  #roomForChildren(): number {
    const known = this.#freeChildren.pop();
    if (known !== undefined) return known;
    const at = this.#childrenUsed;
    this.#childrenUsed += ENTRIES;
    if (this.#childrenUsed > this.#children.length) {
      this.#children = grownInts(this.#children, this.#children.length * 2);
    }
    return at;
  }

  #grow(): void {
    const room = this.#slot.length * 2;
    this.#slot = grownInts(this.#slot, room);
    this.#parent = grownInts(this.#parent, room);
    this.#childrenAt = grownInts(this.#childrenAt, room);
    this.#unlinkedAt = grownInts(this.#unlinkedAt, room);
    const level = new Uint8Array(room);
    level.set(this.#level);
    this.#level = level;
    const index = new Uint16Array(room);
    index.set(this.#index);
    this.#index = index;
    const start = new Float64Array(room);
    start.set(this.#start);
    this.#start = start;
  }
}

/** Index of a page in a table of a level. */
function indexIn(page: number, level: number): number {
  const entries = level === LAST ? page | 0 : (page / (SPAN[level] as number)) | 0;
  return entries & (ENTRIES - 1);
}
