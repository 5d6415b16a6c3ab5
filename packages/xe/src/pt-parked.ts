/**
 * Writing page-table updates: at once, or later, when they were parked until what they wait for has happened.
 *
 * An update, see `pt-update-fields.ts`, holds all that is needed to write it. What staging knows beyond that, the child map and
 * the live counts, has been changed by then, so updates that wait do not care what is staged after them: whoever writes below or
 * above the same entries waits for them.
 *
 * An array that cuts its way through one large mapping empties and fills the rest of it again with every operation. Nobody looks
 * between the updates of one ioctl, so those that later ones overwrite whole are counted, as the driver's own writes are, and left
 * out.
 *
 * @module
 */

import { fillEntries } from "@vmbind/mmu";
import type { PageTable } from "./page-table.ts";
import { CLEAR, DATA, DIRS, OFS, QWORDS, REPEAT, SLOT, UPDATE } from "./pt-update-fields.ts";

/** From this many entries on, the engine's own copy beats a loop. */
const COPY_MIN = 32;
/** So many updates it takes that one overwrites another: an unbind of a mapping, and what is bound in its place. */
const OVERWRITES_MIN = 3;

/**
 * Write updates in order, but for those of which later ones leave nothing; these count all the same.
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
  const { memory, overwrites } = tables;
  const { words, wordsPerTable, counters } = memory;
  const clear = CLEAR;
  const repeat = REPEAT;
  if (count >= OVERWRITES_MIN) overwrites.find(updates, count, tables.level.length);
  let entries = 0;
  for (let i = 0, u = 0; i < count; i++, u += UPDATE) {
    const slot = updates[u + SLOT] as number;
    const qwords = updates[u + QWORDS] as number;
    const directories = updates[u + DIRS] as number;
    const data = updates[u + DATA] as number;
    entries += qwords;
    counters.tableWrites += directories;
    const isWrite = data >= 0 || data <= repeat;
    if (isWrite) counters.pteWrites += qwords - directories;
    else counters.pteClears += qwords - directories;
    if (count >= OVERWRITES_MIN && overwrites.has(i)) continue;
    const first = slot * wordsPerTable + 2 * (updates[u + OFS] as number);
    if (memory.filled !== 0) memory.own(slot);
    if (data >= 0) {
      if (qwords < COPY_MIN) {
        for (let w = 0; w < 2 * qwords; w += 2) {
          words[first + w] = staged[data + w] as number;
          words[first + w + 1] = staged[data + w + 1] as number;
        }
      } else {
        words.set(staged.subarray(data, data + 2 * qwords), first);
      }
    } else if (isWrite) {
      const at = repeat - data;
      fillEntries(memory, first, qwords, staged[at] as number, staged[at + 1] as number);
    } else {
      const level = tables.level[slot] as number;
      const lo = data === clear ? (pageTable.emptyLo[level] as number) : 0;
      const hi = data === clear ? (pageTable.emptyHi[level] as number) : 0;
      fillEntries(memory, first, qwords, lo, hi);
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
