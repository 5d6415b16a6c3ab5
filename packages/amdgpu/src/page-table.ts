/**
 * The driver's page-table walk: which table, which entries, how large (`amdgpu_vm_pt.c`, Linux 7.3-rc7).
 *
 * The driver knows its tables by a tree of its own, not by the entries in memory: a table exists from the moment that a walk
 * needs it, and the entry that points to it is written at the end, by {@link LeafTree.linkTables}. Until then the GPU
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

import { fillAscending, GCVM_EXECUTABLE, GCVM_FRAGMENT_SHIFT, GCVM_VALID } from "@vmbind/mmu";
import { LeafTree } from "./leaf-tree.ts";
import { PAGES_OF_ENTRY, ROOT_TABLE } from "./table-tree.ts";

const ENTRIES = 512;
const ENTRIES_LG2 = 9;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;
const LAST = 4;
/** log2 of the pages that an entry covers, by level; the first is that of what would be above the root. */
const SHIFT: readonly number[] = [36, 27, 18, 9, 0];
/** This file's own constants: imported ones are slow in hot loops. */
const SPAN = PAGES_OF_ENTRY;
const VALID = GCVM_VALID;
const EXECUTABLE = GCVM_EXECUTABLE;
const FRAGMENT_SHIFT = GCVM_FRAGMENT_SHIFT;
/**
 * Bytes from one entry's address to the next one's in one write. The driver keeps the number in 32 bits, and that of the root is
 * lost: several leaves of 512 GiB in one write all get the address of the first. From one write to the next it is not lost.
 */
const STEP: readonly number[] = [0, 0, 2 ** 30, 2 ** 21, 2 ** 12];
const FRAGMENT_MAX = 31;
/** log2 of the entries of the root that the largest fragment covers. */
const ROOT_ORDER_MAX = FRAGMENT_MAX - 27;
/** What part of a page's number is its index in the root: a power of two, so exact, and a division is slow. */
const ROOT_ENTRIES_PER_PAGE = 1 / (SPAN[1] as number);
/** The root; 0 is no table. */
const ROOT = ROOT_TABLE;

/** The page tables of one VM. Addresses are numbers of 4 KiB pages, below 2^36. */
export class GcvmPageTable extends LeafTree {
  /** Begin an update: any number of pieces, which end with {@link GcvmPageTable.finish}. */
  begin(): void {
    this.counters.rangeUpdates++;
    this.needsFlush = false;
  }

  /**
   * End an update: tables that it cut off go.
   *
   * @param flush - ask for a TLB flush in any case
   * @returns whether the TLB is to be flushed
   */
  finish(flush: boolean): boolean {
    if (this.cutOff.length > 0) {
      this.counters.tablesThrownAway += this.cutOff.length;
      for (const slot of this.cutOff) this.tables.free(slot);
      this.cutOff.length = 0;
    }
    return flush || this.needsFlush;
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
    let fragment = fragmentAt(first, end);
    let node = ROOT;
    let parent = 0;
    let level = 1;
    let index = 0;
    let page = first;
    let at = address;
    const recent = this.recent;
    if (recent !== 0 && fragment < ENTRIES_LG2 && this.#isIn(recent, page)) {
      node = recent;
      parent = this.parent[recent] as number;
      index = this.index[recent] as number;
      level = LAST;
    }
    while (page < end) {
      if (node === 0) {
        const isWritten = level === LAST && fragment < ENTRIES_LG2;
        node = this.make(parent, level, index, page, isWritten, isWritten && isWhole(page, end));
      }
      const shift = SHIFT[level] as number;
      if (fragment < shift) {
        parent = node;
        index = indexIn(page, level);
        level++;
        node = this.child(parent, index);
        continue;
      }
      if (fragment >= (SHIFT[level - 1] as number)) {
        node = parent;
        parent = this.parent[node] as number;
        index = this.index[node] as number;
        level--;
        continue;
      }
      const begin = indexIn(page, level);
      const entry = this.#writeIn(node, level, begin, end - page, at, lo, hi);
      const pages = (entry - begin) * (SPAN[level] as number);
      at += pages * 4096;
      page += pages;
      if (level === LAST) {
        this.recent = node;
        if (entry < ENTRIES) return;
      } else {
        this.cutOffChildren(node, begin, entry);
        if (entry < ENTRIES) {
          if (page >= end) return;
          // Stays in this table, at the place of the table below.
          parent = node;
          index = entry;
          level++;
          node = this.child(parent, index);
          fragment = fragmentAt(page, end);
          continue;
        }
      }
      // The table has ended: on to the next place of the level, or of a level above.
      index = this.index[node] as number;
      parent = this.parent[node] as number;
      while (parent !== 0 && index === ENTRIES - 1) {
        index = this.index[parent] as number;
        parent = this.parent[parent] as number;
        level--;
      }
      if (parent === 0) return;
      index++;
      node = this.child(parent, index);
      fragment = fragmentAt(page, end);
    }
  }

  /**
   * Pages of system memory that do not follow each other: an entry of 4 KiB for each.
   *
   * @param first - first page
   * @param end - page behind the last one
   * @param halves - of the addresses of the object's segments; from `segment` on each is one page
   * @param segment - of the first page
   * @param skip - bytes into it: it may be the last page of a longer segment
   * @param offset - byte of the object that the first page is
   * @param lo - flags, low half
   * @param hi - flags, high half
   * @throws DrmError ENOMEM; what was written before stays
   */
  writePages(
    first: number,
    end: number,
    halves: Int32Array,
    segment: number,
    skip: number,
    offset: number,
    lo: number,
    hi: number,
  ): void {
    let from = segment;
    let into = skip;
    let at = offset;
    for (let page = first; page < end; ) {
      const node = this.#lastLevelAt(page, isWhole(page, end));
      const entry = indexIn(page, LAST);
      const count = Math.min(end - page, ENTRIES - entry);
      this.#runPages(node, entry, count, halves, from, into, at, lo, hi);
      into = 0;
      from += count;
      at += count * 4096;
      page += count;
    }
  }

  /** Whether a table of the last level holds a page. */
  #isIn(node: number, page: number): boolean {
    const start = this.start[node] as number;
    return page >= start && page < start + ENTRIES;
  }

  /**
   * The entries of one table, in as many writes as there are fragments: each is as large as its alignment and what is left allow, so none
   * reaches into the next table.
   *
   * @returns the entry behind the last one written: one from which on a smaller leaf is needed, or none
   */
  #writeIn(
    node: number,
    level: number,
    begin: number,
    pages: number,
    address: number,
    lo: number,
    hi: number,
  ): number {
    const tables = this.tables;
    const slot = this.slot[node] as number;
    if (tables.filled !== 0) tables.own(slot);
    const { words } = tables;
    const { observer } = this;
    const base = slot * tables.wordsPerTable;
    const isLive = (lo & VALID) !== 0 || (hi & this.prtHi) !== 0;
    const attributes = level === LAST && !isLive ? lo | EXECUTABLE : lo;
    const attributesHi = level === LAST ? hi : hi | this.leafHi;
    const shift = SHIFT[level] as number;
    const span = SPAN[level] as number;
    const step = STEP[level] as number;
    const stop = Math.min(begin + Math.floor(pages / span), ENTRIES);
    let at = address;
    let calls = 0;
    let entry = begin;
    while (entry < stop) {
      const aligned = entry | ENTRIES;
      let order = 31 - Math.clz32(Math.min(aligned & -aligned, stop - entry));
      let count = 1 << order;
      if (level === 1 && order >= ROOT_ORDER_MAX) {
        // The largest fragment has no end but that of the piece.
        order = ROOT_ORDER_MAX;
        count = (stop - entry) & -(1 << ROOT_ORDER_MAX);
      }
      const low = attributes | ((order + shift) << FRAGMENT_SHIFT);
      const lowest = low | (at | 0);
      const highest = attributesHi | ((at / TWO_32) & 0xffff);
      const first = base + entry * 2;
      if ((lowest >>> 0) + count * step > TWO_32) fillAscending(tables, first, count, lowest, highest, step);
      else writeRun(words, first, first + count * 2, lowest, highest, step);
      if (observer !== null) {
        const va = this.vaOf(node) + entry * span * 4096;
        observer.wrote(level, va, count, at, low, attributesHi, true);
      }
      calls++;
      entry += count;
      at += count * span * 4096;
    }
    const { counters } = this;
    counters.tableWriteCalls += calls;
    if (isLive) counters.pteWrites += entry - begin;
    else counters.pteClears += entry - begin;
    return entry;
  }

  #runPages(
    node: number,
    entry: number,
    count: number,
    halves: Int32Array,
    segment: number,
    skip: number,
    offset: number,
    lo: number,
    hi: number,
  ): void {
    const counters = this.counters;
    const isLive = (lo & VALID) !== 0 || (hi & this.prtHi) !== 0;
    const low = isLive ? lo : lo | EXECUTABLE;
    if (isLive) counters.pteWrites += count;
    else counters.pteClears += count;
    counters.tableWriteCalls++;
    const tables = this.tables;
    const slot = this.slot[node] as number;
    if (tables.filled !== 0) tables.own(slot);
    const { words } = tables;
    const first = slot * tables.wordsPerTable + entry * 2;
    words.set(halves.subarray(2 * segment, 2 * (segment + count)), first);
    addFlags(words, first, first + 2 * count, low);
    if (hi !== 0) addFlags(words, first + 1, first + 2 * count, hi);
    if (skip > 0) {
      const address =
        (halves[2 * segment + 1] as number) * TWO_32 + ((halves[2 * segment] as number) >>> 0) + skip;
      words[first] = address | low;
      words[first + 1] = (address / TWO_32) | 0 | hi;
    }
    if (this.observer !== null) {
      const va = this.vaOf(node) + entry * 4096;
      this.observer.wrote(LAST, va, count, offset, low, hi, false);
    }
  }

  /** The table of the last level that holds a page, made with all above it where it is missing; then it is written at once, whole or not. */
  #lastLevelAt(page: number, whole: boolean): number {
    const recent = this.recent;
    if (recent !== 0 && this.#isIn(recent, page)) return recent;
    let node = ROOT;
    for (let level = 1; level < LAST; level++) {
      const index = indexIn(page, level);
      const below = level + 1;
      node =
        this.child(node, index) ||
        this.make(node, below, index, page, below === LAST, whole && below === LAST);
    }
    this.recent = node;
    return node;
  }
}

/** The fragment of what lies from a page to the end of a piece, -1 for nothing. Only the address and the length count, not the memory. */
function fragmentAt(page: number, end: number): number {
  const low = page | 0;
  const aligned = low === 0 ? FRAGMENT_MAX : 31 - Math.clz32(low & -low);
  const left = end - page;
  const fits = left >= TWO_31 ? FRAGMENT_MAX : 31 - Math.clz32(left);
  return Math.min(aligned, fits);
}

/** Whether a piece goes on to the end of a table of the last level that begins with a page. */
function isWhole(page: number, end: number): boolean {
  return (page & (ENTRIES - 1)) === 0 && end - page >= ENTRIES;
}

/** A run whose high halves are all the same: one pass, four entries a turn. Runs of a walk are short, where two passes cost more. */
function writeRun(words: Int32Array, from: number, end: number, lo: number, hi: number, step: number): void {
  let i = from;
  let low = lo | 0;
  for (const whole = end - 6; i < whole; i += 8) {
    words[i] = low;
    words[i + 1] = hi;
    words[i + 2] = low + step;
    words[i + 3] = hi;
    words[i + 4] = low + 2 * step;
    words[i + 5] = hi;
    words[i + 6] = low + 3 * step;
    words[i + 7] = hi;
    low = (low + 4 * step) | 0;
  }
  for (; i < end; i += 2) {
    words[i] = low;
    words[i + 1] = hi;
    low = (low + step) | 0;
  }
}

/** Flags into the low or the high halves of a run, four entries a turn. */
function addFlags(words: Int32Array, from: number, end: number, flags: number): void {
  let i = from;
  for (const whole = end - 6; i < whole; i += 8) {
    words[i] = (words[i] as number) | flags;
    words[i + 2] = (words[i + 2] as number) | flags;
    words[i + 4] = (words[i + 4] as number) | flags;
    words[i + 6] = (words[i + 6] as number) | flags;
  }
  for (; i < end; i += 2) words[i] = (words[i] as number) | flags;
}

/** Index of a page in a table of a level. Only that of the root takes bits above the low 32. */
function indexIn(page: number, level: number): number {
  return level === 1
    ? (page * ROOT_ENTRIES_PER_PAGE) | 0
    : (page >>> (SHIFT[level] as number)) & (ENTRIES - 1);
}
