/**
 * Writing page-table updates: at once, or later, when they were parked until what they wait for has happened.
 *
 * An *update* is a run of entries of one table that the GPU can reach: five numbers of a list, and values in a buffer beside it.
 * It holds all that is needed to write it. What staging knows beyond that, the child map and the live counts, has been changed
 * by then, so updates that wait do not care what is staged after them: whoever writes below or above the same entries waits for them.
 *
 * @module
 */

import { fillEntries } from "@vmbind/mmu";
import type { PageTable } from "./page-table.ts";

/** Fields of an update: table, first entry, entries, directory entries among these, first word of the values. */
export const UPDATE = 5;
/** Slot of the table. */
export const SLOT = 0;
/** Its first entry to overwrite. */
export const OFS = 1;
/** How many entries. */
export const QWORDS = 2;
/** How many of them point, or pointed, to tables. */
export const DIRS = 3;
/** Where the values are, or {@link CLEAR} or {@link ZERO}. */
export const DATA = 4;
/** Value of {@link DATA}: overwrite with the level's empty entry. */
export const CLEAR = -1;
/** Value of {@link DATA}: overwrite with 0, also where that is not the empty entry. */
export const ZERO = -2;

/** From this many entries on, the engine's own copy beats a loop. */
const COPY_MIN = 32;

/**
 * Write updates in order.
 *
 * @param pageTable - whose tables they are
 * @param updates - {@link UPDATE} numbers each
 * @param count - how many updates
 * @param staged - values as 32-bit halves
 * @returns entries written
 */
export function writeUpdates(
  pageTable: PageTable,
  updates: Int32Array,
  count: number,
  staged: Int32Array,
): number {
  const { tables } = pageTable;
  const { memory } = tables;
  const { words, wordsPerTable, counters } = memory;
  const clear = CLEAR;
  let entries = 0;
  for (let i = 0, u = 0; i < count; i++, u += UPDATE) {
    const slot = updates[u + SLOT] as number;
    const qwords = updates[u + QWORDS] as number;
    const directories = updates[u + DIRS] as number;
    const data = updates[u + DATA] as number;
    const first = slot * wordsPerTable + 2 * (updates[u + OFS] as number);
    if (memory.filled !== 0) memory.own(slot);
    entries += qwords;
    counters.tableWrites += directories;
    if (data >= 0) {
      if (qwords < COPY_MIN) {
        for (let w = 0; w < 2 * qwords; w += 2) {
          words[first + w] = staged[data + w] as number;
          words[first + w + 1] = staged[data + w + 1] as number;
        }
      } else {
        words.set(staged.subarray(data, data + 2 * qwords), first);
      }
      counters.pteWrites += qwords - directories;
    } else {
      const level = tables.level[slot] as number;
      const lo = data === clear ? (pageTable.emptyLo[level] as number) : 0;
      const hi = data === clear ? (pageTable.emptyHi[level] as number) : 0;
      fillEntries(memory, first, qwords, lo, hi);
      counters.pteClears += qwords - directories;
    }
  }
  return entries;
}

const NO_TABLES: readonly number[] = [];

/** Updates that were staged and wait. */
export class ParkedUpdates {
  readonly #pageTable: PageTable;
  readonly #updates: Int32Array;
  readonly #words: Int32Array;
  /** Tables that they cut off, with all below. */
  readonly detached: readonly number[];

  /**
   * @param pageTable - whose tables they are
   * @param updates - {@link UPDATE} numbers each
   * @param words - values
   * @param detached - tables that go when they are written
   */
  constructor(
    pageTable: PageTable,
    updates: Int32Array,
    words: Int32Array,
    detached: readonly number[] = NO_TABLES,
  ) {
    this.#pageTable = pageTable;
    this.#updates = updates;
    this.#words = words;
    this.detached = detached;
  }

  /** How many they are. */
  get count(): number {
    return this.#updates.length / UPDATE;
  }

  /** Write them, and give the tables back. Returns the entries written. */
  apply(): number {
    const entries = writeUpdates(this.#pageTable, this.#updates, this.count, this.#words);
    this.drop();
    return entries;
  }

  /** Give the tables back. */
  drop(): void {
    for (const slot of this.detached) this.#pageTable.tables.freeTree(slot);
  }

  /** Write them for a look, which counts nothing; what it returns takes them back. */
  preview(): () => void {
    const { memory } = this.#pageTable.tables;
    const { counters, wordsPerTable } = memory;
    const { tableWrites, pteWrites, pteClears } = counters;
    const saved: { readonly first: number; readonly words: Int32Array }[] = [];
    for (let u = 0; u < this.#updates.length; u += UPDATE) {
      const slot = this.#updates[u + SLOT] as number;
      const first = slot * wordsPerTable + 2 * (this.#updates[u + OFS] as number);
      memory.own(slot);
      saved.push({
        first,
        words: memory.words.slice(first, first + 2 * (this.#updates[u + QWORDS] as number)),
      });
    }
    writeUpdates(this.#pageTable, this.#updates, this.count, this.#words);
    Object.assign(counters, { tableWrites, pteWrites, pteClears });
    return () => {
      for (const { first, words } of saved.reverse()) memory.words.set(words, first);
    };
  }
}
