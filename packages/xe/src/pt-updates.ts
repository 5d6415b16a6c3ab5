/**
 * The staged page-table work of one ioctl: what will be written to tables that the GPU can already reach.
 *
 * A new table is filled at once, since nothing points to it yet. An entry of a table that existed before the operation
 * becomes part of an *update* (table, first entry, count, values), and updates are applied in order once every
 * operation of the ioctl was staged. Until then they can be taken back: the child map and the live counts, which staging
 * changes at once, are logged here.
 *
 * All arrays are reused from one ioctl to the next.
 *
 * @module
 */

import { fillEntries } from "@vmbind/mmu";
import type { PageTable } from "./page-table.ts";
import { TABLE_ENTRIES, type XeTables } from "./pt-tables.ts";

/** Bytes that an entry covers, by level. */
export const ENTRY_BYTES: readonly number[] = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48, 2 ** 57];

const WORDS = 2 * TABLE_ENTRIES;
/** Fields of an update: table, first entry, entries, directory entries among these, first word of the values. */
const UPDATE = 5;
const SLOT = 0;
const OFS = 1;
const QWORDS = 2;
const DIRS = 3;
const DATA = 4;
/** Value of DATA: overwrite with the level's empty entry. */
const CLEAR = -1;
/** From this many entries on, the engine's own copy beats a loop. */
const COPY_MIN = 32;
/** Fields of a logged child change: table, entry, child before. */
const CHANGE = 3;

/** Updates, and how to take them back. */
export class PtUpdates {
  /** Values of updates as 32-bit halves. Replaced when it grows: read it again after {@link PtUpdates.open}. */
  words: Int32Array = new Int32Array(WORDS);
  /** The same as whole entries. */
  quads: BigUint64Array = new BigUint64Array(this.words.buffer);
  /** Where the next value goes. */
  word = 0;
  /** Updates staged. */
  count = 0;
  /** Operations staged: binds and unbinds that found something to do, or had nothing to do. */
  ops = 0;
  /** An operation took translations away, or put some where the TLB may hold scratch. */
  needsInvalidation = false;
  /** First byte of the range to invalidate, Infinity when no operation was staged. */
  start: number = Number.POSITIVE_INFINITY;
  /** First byte behind it. */
  end = 0;

  readonly #tables: XeTables;
  #updates: Int32Array = new Int32Array(64 * UPDATE);
  #changes: Int32Array = new Int32Array(64 * CHANGE);
  #changeCount = 0;
  /** What {@link PtUpdates.commitLive} added to num_live, by update. */
  #liveDelta: Int32Array = new Int32Array(64);
  #created: Int32Array = new Int32Array(64);
  #createdCount = 0;

  /** @param tables - the device's tables */
  constructor(tables: XeTables) {
    this.#tables = tables;
  }

  /** Forget everything: a new ioctl begins. */
  reset(): void {
    this.count = 0;
    this.ops = 0;
    this.needsInvalidation = false;
    this.start = Number.POSITIVE_INFINITY;
    this.end = 0;
    this.word = 0;
    this.#changeCount = 0;
    this.#createdCount = 0;
  }

  /** Remember a table that this ioctl made. */
  created(slot: number): void {
    if (this.#createdCount === this.#created.length) this.#created = grown(this.#created);
    this.#created[this.#createdCount++] = slot;
  }

  /**
   * Begin an update with values. They go to {@link PtUpdates.words} from {@link PtUpdates.word} on, where there is room
   * for a whole table; only the update opened last takes values.
   *
   * @param slot - table
   * @param ofs - its first entry to overwrite
   */
  open(slot: number, ofs: number): void {
    if (this.word + WORDS > this.words.length) this.#growWords();
    this.#add(slot, ofs, 0, this.word);
  }

  /**
   * Count values that were stored from {@link PtUpdates.word} on.
   *
   * @param entries - values stored
   * @param directories - how many of them point to tables
   */
  stored(entries: number, directories: number): void {
    const at = (this.count - 1) * UPDATE;
    this.#updates[at + QWORDS] = (this.#updates[at + QWORDS] as number) + entries;
    this.#updates[at + DIRS] = (this.#updates[at + DIRS] as number) + directories;
    this.word += 2 * entries;
  }

  /** Stage an update that empties entries. */
  addClear(slot: number, ofs: number, qwords: number): void {
    this.#add(slot, ofs, qwords, CLEAR);
  }

  /** Point an entry at another child (-1 = none) for the staging of what follows. */
  setChild(slot: number, index: number, child: number): void {
    const old = this.#tables.child(slot, index);
    if (old === child) return;
    if ((this.#changeCount + 1) * CHANGE > this.#changes.length) this.#changes = grown(this.#changes);
    const at = this.#changeCount++ * CHANGE;
    this.#changes[at] = slot;
    this.#changes[at + 1] = index;
    this.#changes[at + 2] = old;
    this.#tables.setChild(slot, index, child);
  }

  /** Take the children of `count` entries from `first` on away. */
  clearChildren(slot: number, first: number, count: number): void {
    const tables = this.#tables;
    for (let index = first; index < first + count && tables.childCount[slot] !== 0; index++) {
      if (tables.child(slot, index) >= 0) this.setChild(slot, index, -1);
    }
  }

  /**
   * Account for a bind's updates.
   *
   * @param first - its first update
   * @param rebind - the entries were there before, so nothing is added
   */
  commitBind(first: number, rebind: boolean): void {
    for (let i = first; i < this.count; i++) this.#addLive(i, rebind ? 0 : this.#field(i, QWORDS));
  }

  /**
   * Account for an unbind's updates and cut the children off.
   *
   * @param first - its first update
   */
  commitUnbind(first: number): void {
    const tables = this.#tables;
    for (let i = first; i < this.count; i++) {
      const slot = this.#field(i, SLOT);
      const ofs = this.#field(i, OFS);
      const qwords = this.#field(i, QWORDS);
      this.#addLive(i, -qwords);
      const before = tables.childCount[slot] as number;
      this.clearChildren(slot, ofs, qwords);
      this.#updates[i * UPDATE + DIRS] = before - (tables.childCount[slot] as number);
    }
  }

  /**
   * Widen the range to invalidate by one operation's.
   *
   * @param start - first byte of the mapping
   * @param end - first byte behind it
   * @param first - the operation's first update; the highest level among its updates gives the rounding
   */
  addInterval(start: number, end: number, first: number): void {
    let level = 0;
    for (let i = first; i < this.count; i++) {
      level = Math.max(level, this.#tables.level[this.#field(i, SLOT)] as number);
    }
    const bytes = ENTRY_BYTES[level] as number;
    this.start = Math.min(this.start, Math.floor(start / bytes) * bytes);
    this.end = Math.max(this.end, Math.ceil(end / bytes) * bytes);
    this.ops++;
  }

  /** Write every update, in order, and give the detached tables back. Returns the entries written. */
  apply(pageTable: PageTable): number {
    const tables = this.#tables;
    const { memory } = tables;
    const { words, wordsPerTable, counters } = memory;
    const staged = this.words;
    const updates = this.#updates;
    let entries = 0;
    for (let i = 0, u = 0; i < this.count; i++, u += UPDATE) {
      const slot = updates[u + SLOT] as number;
      const qwords = updates[u + QWORDS] as number;
      const directories = updates[u + DIRS] as number;
      const data = updates[u + DATA] as number;
      const first = slot * wordsPerTable + 2 * (updates[u + OFS] as number);
      if (memory.filled !== 0) memory.own(slot);
      entries += qwords;
      counters.tableWrites += directories;
      if (data === CLEAR) {
        const level = tables.level[slot] as number;
        const lo = pageTable.emptyLo[level] as number;
        const hi = pageTable.emptyHi[level] as number;
        fillEntries(memory, first, qwords, lo, hi);
        counters.pteClears += qwords - directories;
      } else {
        if (qwords < COPY_MIN) {
          for (let w = 0; w < 2 * qwords; w += 2) {
            words[first + w] = staged[data + w] as number;
            words[first + w + 1] = staged[data + w + 1] as number;
          }
        } else {
          words.set(staged.subarray(data, data + 2 * qwords), first);
        }
        counters.pteWrites += qwords - directories;
      }
    }
    for (let i = 0; i < this.#changeCount; i++) {
      const old = this.#changes[i * CHANGE + 2] as number;
      if (old >= 0) tables.freeTree(old);
    }
    return entries;
  }

  /** Take every staged change back, newest first. */
  abort(): void {
    const tables = this.#tables;
    for (let i = this.#changeCount - 1; i >= 0; i--) {
      const at = i * CHANGE;
      tables.setChild(
        this.#changes[at] as number,
        this.#changes[at + 1] as number,
        this.#changes[at + 2] as number,
      );
    }
    for (let i = 0; i < this.count; i++) {
      const slot = this.#field(i, SLOT);
      tables.numLive[slot] = (tables.numLive[slot] as number) - (this.#liveDelta[i] as number);
    }
    for (let i = this.#createdCount - 1; i >= 0; i--) tables.free(this.#created[i] as number);
    this.reset();
  }

  #growWords(): void {
    this.words = grown(this.words);
    this.quads = new BigUint64Array(this.words.buffer);
  }

  #add(slot: number, ofs: number, qwords: number, data: number): number {
    if ((this.count + 1) * UPDATE > this.#updates.length) {
      this.#updates = grown(this.#updates);
      this.#liveDelta = grown(this.#liveDelta);
    }
    const at = this.count * UPDATE;
    this.#updates[at + SLOT] = slot;
    this.#updates[at + OFS] = ofs;
    this.#updates[at + QWORDS] = qwords;
    this.#updates[at + DIRS] = 0;
    this.#updates[at + DATA] = data;
    this.#liveDelta[this.count] = 0;
    return this.count++;
  }

  #addLive(update: number, delta: number): void {
    const slot = this.#field(update, SLOT);
    this.#tables.numLive[slot] = (this.#tables.numLive[slot] as number) + delta;
    this.#liveDelta[update] = delta;
  }

  #field(update: number, field: number): number {
    return this.#updates[update * UPDATE + field] as number;
  }
}

function grown(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
