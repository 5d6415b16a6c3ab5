/**
 * Staging an unbind: which entries to empty, and which tables go with them.
 *
 * Only tables that the range covers in part are visited; what it covers whole goes with its parent's entry, unread and
 * unwritten. A table whose only content is the range is *killed*: it is not written either, and the range, as the
 * tables above see it, grows to the parent's whole entry. So unbinding a gigabyte of 4 KiB pages clears one entry.
 *
 * @module
 */

import type { PageTable } from "./page-table.ts";
import { INDEX_MASK, type XeTables } from "./pt-tables.ts";
import { ENTRIES_PER_BYTE, ENTRY_BYTES, type PtUpdates } from "./pt-updates.ts";

/** Stages unbinds of a device, one at a time. */
export class UnbindStager {
  readonly #tables: XeTables;
  readonly #updates: PtUpdates;
  /** The range, widened by the tables killed so far; doubles from the start. */
  #start = 0.5;
  #end = 0.5;
  /** Tables on the way down, by level. */
  readonly #path = new Int32Array(ENTRY_BYTES.length);

  /**
   * @param tables - the device's tables
   * @param updates - where updates are collected
   */
  constructor(tables: XeTables, updates: PtUpdates) {
    this.#tables = tables;
    this.#updates = updates;
  }

  /**
   * Stage one unbind of `[start, end)`, which is mapped as a whole by one mapping.
   *
   * @param pageTable - the VM's
   * @param start - bytes
   * @param end - bytes
   */
  stage(pageTable: PageTable, start: number, end: number): void {
    this.#start = start;
    this.#end = end;
    const { root, rootLevel } = pageTable;
    const tables = this.#tables;
    const path = this.#path;
    let slot = root;
    let level = rootLevel;
    path[level] = slot;
    // Down while one entry holds all of the range: that is most of the way, and most often all of it.
    for (; level > 0; level--) {
      const perByte = ENTRIES_PER_BYTE[level] as number;
      const entry = Math.floor(start * perByte);
      if (entry !== Math.floor(end * perByte)) break;
      slot = tables.child(slot, entry & INDEX_MASK);
      if (slot < 0) return;
      path[level - 1] = slot;
    }
    if (level > 0) this.#below(slot, level, start, end);
    // Up again, as long as there are whole entries to empty.
    for (; level <= rootLevel; level++) {
      const from = this.#from(start, level);
      const to = this.#to(end, level);
      if (to - from < (ENTRY_BYTES[level] as number)) return;
      slot = path[level] as number;
      // The root is never killed: its entries that the range covers are cleared, even when they are all it holds.
      if (level === rootLevel || !this.#kill(slot, level, from, to)) this.#clear(slot, level, from, to);
    }
  }

  /** Visit the children of a table that the range covers in part: the first and the last, at most. */
  #below(slot: number, level: number, start: number, end: number): void {
    if (level === 0) return;
    const entryBytes = ENTRY_BYTES[level] as number;
    const perByte = ENTRIES_PER_BYTE[level] as number;
    const first = Math.floor(start * perByte);
    const last = Math.floor(end * perByte);
    if (first === last) {
      this.#visit(slot, level, first, start, end);
      return;
    }
    if (first * entryBytes !== start) this.#visit(slot, level, first, start, (first + 1) * entryBytes);
    if (last * entryBytes !== end) this.#visit(slot, level, last, last * entryBytes, end);
  }

  #visit(parent: number, parentLevel: number, entry: number, start: number, end: number): void {
    const slot = this.#tables.child(parent, entry & INDEX_MASK);
    if (slot < 0) return;
    const level = parentLevel - 1;
    this.#below(slot, level, start, end);
    const from = this.#from(start, level);
    const to = this.#to(end, level);
    // The kernel also asks before it descends; but then a table that can be killed has no children to visit.
    if (!this.#kill(slot, level, from, to)) this.#clear(slot, level, from, to);
  }

  /** Begin of a table's part of the range, widened by what was killed below its first entry. */
  #from(start: number, level: number): number {
    return isAligned(start, level) ? start : this.#start;
  }

  /** End of it, likewise. */
  #to(end: number, level: number): number {
    return isAligned(end, level) ? end : this.#end;
  }

  /** The range is all that the table holds: leave it alone, and widen the range to the parent's entry. */
  #kill(slot: number, level: number, start: number, end: number): boolean {
    if ((end - start) * (ENTRIES_PER_BYTE[level] as number) !== this.#tables.numLive[slot]) return false;
    if (!isAligned(start, level) || !isAligned(end, level)) return false;
    const parentBytes = ENTRY_BYTES[level + 1] as number;
    const perByte = ENTRIES_PER_BYTE[level + 1] as number;
    if (this.#start >= start) this.#start = Math.floor(start * perByte) * parentBytes;
    if (this.#end <= end) this.#end = Math.ceil(end * perByte) * parentBytes;
    return true;
  }

  /** Empty the entries that the range covers whole. */
  #clear(slot: number, level: number, start: number, end: number): void {
    const perByte = ENTRIES_PER_BYTE[level] as number;
    const first = Math.ceil(start * perByte);
    const count = Math.floor(end * perByte) - first;
    if (count > 0) this.#updates.addClear(slot, first & INDEX_MASK, count);
  }
}

/** Alignment to what an entry covers; much faster than the remainder of doubles, and this runs for every level of every bind. */
function isAligned(value: number, level: number): boolean {
  const quotient = value * (ENTRIES_PER_BYTE[level] as number);
  return Math.floor(quotient) === quotient;
}
