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

import { fillEntries, SpareMemory } from "@vmbind/mmu";
import type { PageTable } from "./page-table.ts";
import { ParkedUpdates, writeUpdates } from "./pt-parked.ts";
import { TABLE_ENTRIES, type XeTables } from "./pt-tables.ts";
import * as update from "./pt-update-fields.ts";

/** Bytes that an entry covers, by level. */
export const ENTRY_BYTES: readonly number[] = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48, 2 ** 57];

/** Its inverse, by level: a product with it is exact, and takes a fraction of the time of a quotient. */
export const ENTRIES_PER_BYTE: readonly number[] = ENTRY_BYTES.map((bytes) => 1 / bytes);

const WORDS = 2 * TABLE_ENTRIES;
// Copies: an imported constant is a cell that is loaded and checked at every use.
const UPDATE: number = update.UPDATE;
const SLOT: number = update.SLOT;
const OFS: number = update.OFS;
const QWORDS: number = update.QWORDS;
const DIRS: number = update.DIRS;
const DATA: number = update.DATA;
const REPEAT: number = update.REPEAT;
/** A shorter run of one value is stored as fast value by value. */
const REPEAT_MIN = 4;
/** Fields of a logged child change: table, entry, child before. */
const CHANGE = 3;

/** Most entries that one MI_STORE_DATA_IMM of the driver's stores. */
const STORE_ENTRIES = 510;

/** Of values that were written: what is in it does not matter. */
const SPARE_WORDS = new SpareMemory();

/** Updates, and how to take them back. */
export class PtUpdates {
  /** Values of updates as 32-bit halves. Replaced when it grows: read it again after {@link PtUpdates.open}. */
  words: Int32Array = new Int32Array(SPARE_WORDS.take(4 * WORDS));
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
    tables.memory.whenRetired(() => {
      SPARE_WORDS.keep(this.words.buffer as ArrayBuffer, 0);
      this.words = new Int32Array(0);
      this.quads = new BigUint64Array(0);
    });
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

  /**
   * Store one value for a run of entries. A run that is all of its update takes the room of one: a cut through a large mapping
   * binds the rest of it anew, which may be cut again before anything is written.
   *
   * @param entries - how many
   * @param lo - low half of the value
   * @param hi - high half
   */
  repeated(entries: number, lo: number, hi: number): void {
    const at = (this.count - 1) * UPDATE;
    const updates = this.#updates;
    if (updates[at + QWORDS] !== 0 || entries < REPEAT_MIN) {
      this.spell();
      fillEntries(this, this.word, entries, lo, hi);
      this.stored(entries, 0);
      return;
    }
    this.words[this.word] = lo;
    this.words[this.word + 1] = hi;
    updates[at + DATA] = REPEAT - this.word;
    updates[at + QWORDS] = entries;
    this.word += 2;
  }

  /** The update opened last takes values of any kind from here on. */
  spell(): void {
    const at = (this.count - 1) * UPDATE;
    const data = this.#updates[at + DATA] as number;
    if (data > REPEAT) return;
    const first = REPEAT - data;
    const entries = this.#updates[at + QWORDS] as number;
    fillEntries(this, first, entries, this.words[first] as number, this.words[first + 1] as number);
    this.#updates[at + DATA] = first;
    this.word = first + 2 * entries;
  }

  /** Stage an update that empties entries. */
  addClear(slot: number, ofs: number, qwords: number): void {
    this.#add(slot, ofs, qwords, update.CLEAR);
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
   * Account for a bind's updates, and widen the range to invalidate by it.
   *
   * @param first - its first update
   * @param rebind - the entries were there before, so nothing is added
   * @param start - first byte of the mapping
   * @param end - first byte behind it
   */
  commitBind(first: number, rebind: boolean, start: number, end: number): void {
    const updates = this.#updates;
    const { level: levels } = this.#tables;
    let level = 0;
    for (let i = first; i < this.count; i++) {
      const slot = updates[i * UPDATE + SLOT] as number;
      level = Math.max(level, levels[slot] as number);
      if (!rebind) this.#addLive(i, slot, updates[i * UPDATE + QWORDS] as number);
    }
    this.#addInterval(start, end, level);
  }

  /**
   * Account for an unbind's updates, cut the children off, and widen the range to invalidate by it.
   *
   * @param first - its first update
   * @param start - first byte of the mapping
   * @param end - first byte behind it
   */
  commitUnbind(first: number, start: number, end: number): void {
    const tables = this.#tables;
    const updates = this.#updates;
    let level = 0;
    for (let i = first; i < this.count; i++) {
      const at = i * UPDATE;
      const slot = updates[at + SLOT] as number;
      const qwords = updates[at + QWORDS] as number;
      level = Math.max(level, tables.level[slot] as number);
      this.#addLive(i, slot, -qwords);
      const before = tables.childCount[slot] as number;
      if (before === 0) continue;
      this.clearChildren(slot, updates[at + OFS] as number, qwords);
      updates[at + DIRS] = before - (tables.childCount[slot] as number);
    }
    this.#addInterval(start, end, level);
  }

  /** The highest level among the operation's updates gives the rounding. */
  #addInterval(start: number, end: number, level: number): void {
    const bytes = ENTRY_BYTES[level] as number;
    const perByte = ENTRIES_PER_BYTE[level] as number;
    this.start = Math.min(this.start, Math.floor(start * perByte) * bytes);
    this.end = Math.max(this.end, Math.ceil(end * perByte) * bytes);
    this.ops++;
  }

  /** Write every update, in order, and give the detached tables back. Returns the entries written. */
  apply(pageTable: PageTable): number {
    const tables = this.#tables;
    const entries = writeUpdates(pageTable, this.#updates, this.count, this.words);
    for (let i = 0; i < this.#changeCount; i++) {
      const old = this.#changes[i * CHANGE + 2] as number;
      if (old >= 0) tables.freeTree(old);
    }
    return entries;
  }

  /** Take every update out, to be written later; what staging changed stays. */
  park(pageTable: PageTable): ParkedUpdates {
    const detached: number[] = [];
    for (let i = 0; i < this.#changeCount; i++) {
      const old = this.#changes[i * CHANGE + 2] as number;
      if (old >= 0) detached.push(old);
    }
    const updates = this.#updates.slice(0, this.count * UPDATE);
    return new ParkedUpdates(pageTable, updates, this.words.slice(0, this.word), detached);
  }

  /**
   * Bytes of the batch with which the GPU writes the updates (`__xe_migrate_update_pgtables`, `xe_bb.c`): commands that store up to
   * 510 entries each, an entry of the migration engine's own table for each table in system memory, and what the engine reads
   * ahead.
   *
   * @param discrete - tables are in VRAM
   * @param prefetchBytes - how far the engine reads ahead
   */
  batchBytes(discrete: boolean, prefetchBytes: number): number {
    const n = this.count;
    let dwords = discrete ? 2 : 6 * (Math.floor(n / STORE_ENTRIES) + 1) + 2 * n;
    for (let i = 0; i < n; i++) {
      const qwords = this.#field(i, QWORDS);
      dwords += 4 * Math.ceil(qwords / STORE_ENTRIES) + 2 * qwords;
    }
    return 4 * (dwords + 1) + prefetchBytes;
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

  #addLive(update: number, slot: number, delta: number): void {
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
