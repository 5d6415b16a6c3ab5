/**
 * Writing runs of entries: the hot end of every bind. A run that repeats one entry is a memory fill, which is why a
 * repeated mapping is cheap; a long run that follows physical memory is such a fill, and then a loop that stores nothing but
 * low halves, with the carry between the halves kept out of it; a short one is a loop that stores both. Both count once per run, with
 * `| 0`: a count of pages is mostly a quotient of addresses, and a cost sheet that is given one as a fraction changes its shape.
 */

import { filledRun } from "./entry-runs.ts";
import type { TableMemory } from "./table-memory.ts";

/** An array of entries in two views of one buffer, such as {@link TableMemory}. */
export interface EntryArray {
  /** 32-bit halves, low half first. */
  readonly words: Int32Array;
  /** Whole entries. */
  readonly quads: BigUint64Array;
}

const TWO_32 = 4294967296;
/** Below this a loop beats the fixed cost of a fill, which is 30 to 40 ns on Node 20. */
const FILL_MIN = 32;
/** The same for a run that ascends, which a fill leaves half of the stores to do. */
const FILL_ASCENDING_MIN = 128;

/**
 * Writes the same leaf entry, halves `lo` and `hi`, to `count` entries from entry `index` of table `slot`.
 * @throws Error when the run leaves the table.
 */
export function writeRepeated(
  tables: TableMemory,
  slot: number,
  index: number,
  count: number,
  lo: number,
  hi: number,
): void {
  const first = firstWord(tables, slot, index, count);
  tables.counters.pteWrites += count | 0;
  fillEntries(tables, first, count, lo, hi);
}

/**
 * Writes `count` leaf entries from entry `index` of table `slot`; the first has the halves `lo` and `hi`, each next
 * one has an address larger by `strideBytes` (at most 2 GiB).
 * @throws Error when the run leaves the table.
 */
export function writeAscending(
  tables: TableMemory,
  slot: number,
  index: number,
  count: number,
  lo: number,
  hi: number,
  strideBytes: number,
): void {
  const first = firstWord(tables, slot, index, count);
  tables.counters.pteWrites += count | 0;
  fillAscending(tables, first, count, lo, hi, strideBytes);
}

/**
 * Ascending entries as {@link writeAscending} writes them, `count` from word `firstWordOf` (even) on. Counts nothing.
 */
export function fillAscending(
  tables: EntryArray,
  firstWordOf: number,
  count: number,
  lo: number,
  hi: number,
  strideBytes: number,
): void {
  let first = firstWordOf;
  if (count === 1) {
    const { words } = tables;
    words[first] = lo;
    words[first + 1] = hi;
    return;
  }
  let low = lo | 0;
  let high = hi | 0;
  for (let left = count; left > 0; high = (high + 1) | 0) {
    const untilCarry = TWO_32 - (low >>> 0);
    const run = left * strideBytes <= untilCarry ? left : Math.ceil(untilCarry / strideBytes);
    if (run < FILL_ASCENDING_MIN)
      low = ascendWhole(tables.words, first, first + run * 2, low, high, strideBytes);
    else {
      fillEntries(tables, first, run, low, high);
      low = ascend(tables.words, first, first + run * 2, low, strideBytes);
    }
    first += run * 2;
    left -= run;
  }
}

/**
 * Low halves of a run that ascends, eight a turn: the chain of additions is what one a turn waits for. Gives the next.
 * `| 0` says once that a number is an integer: the engine, which does not know, would convert it in each turn.
 */
function ascend(words: Int32Array, from: number, end: number, first: number, strideBytes: number): number {
  const stride = strideBytes | 0;
  let i = from;
  let low = first | 0;
  for (const whole = end - 14; i < whole; i += 16) {
    words[i] = low;
    words[i + 2] = low + stride;
    words[i + 4] = low + 2 * stride;
    words[i + 6] = low + 3 * stride;
    words[i + 8] = low + 4 * stride;
    words[i + 10] = low + 5 * stride;
    words[i + 12] = low + 6 * stride;
    words[i + 14] = low + 7 * stride;
    low = (low + 8 * stride) | 0;
  }
  for (; i < end; i += 2) {
    words[i] = low;
    low = (low + stride) | 0;
  }
  return low;
}

/** {@link ascend}, for runs that are too short for a fill: both halves, four entries a turn. */
function ascendWhole(
  words: Int32Array,
  from: number,
  end: number,
  first: number,
  hi: number,
  strideBytes: number,
): number {
  const stride = strideBytes | 0;
  const high = hi | 0;
  let i = from;
  let low = first | 0;
  for (const whole = end - 6; i < whole; i += 8) {
    words[i] = low;
    words[i + 1] = high;
    words[i + 2] = low + stride;
    words[i + 3] = high;
    words[i + 4] = low + 2 * stride;
    words[i + 5] = high;
    words[i + 6] = low + 3 * stride;
    words[i + 7] = high;
    low = (low + 4 * stride) | 0;
  }
  for (; i < end; i += 2) {
    words[i] = low;
    words[i + 1] = high;
    low = (low + stride) | 0;
  }
  return low;
}

/**
 * Sets `count` leaf entries from entry `index` of table `slot` to zero.
 * @throws Error when the run leaves the table.
 */
export function clearEntries(tables: TableMemory, slot: number, index: number, count: number): void {
  const first = firstWord(tables, slot, index, count);
  tables.counters.pteClears += count | 0;
  const end = (first + count * 2) | 0;
  const { words } = tables;
  if (count < FILL_MIN) {
    for (let i = first; i < end; i += 2) {
      words[i] = 0;
      words[i + 1] = 0;
    }
  } else words.fill(0, first, end);
}

/**
 * Sets leaf entries to zero from entry `index` of table `slot` on, up to the first that is zero already, at most `count`.
 * @returns how many it has set
 * @throws Error when the run leaves the table.
 */
export function clearFilled(tables: TableMemory, slot: number, index: number, count: number): number {
  const first = firstWord(tables, slot, index, count);
  const { words } = tables;
  let i = first;
  if (count < FILL_MIN) {
    const end = (first + count * 2) | 0;
    // Four entries a turn, as long as all are there.
    for (const whole = end - 6; i < whole; i += 8) {
      if (words[i] === 0 || words[i + 2] === 0 || words[i + 4] === 0 || words[i + 6] === 0) break;
      words[i] = 0;
      words[i + 1] = 0;
      words[i + 2] = 0;
      words[i + 3] = 0;
      words[i + 4] = 0;
      words[i + 5] = 0;
      words[i + 6] = 0;
      words[i + 7] = 0;
    }
    for (; i < end && words[i] !== 0; i += 2) {
      words[i] = 0;
      words[i + 1] = 0;
    }
  } else {
    i += filledRun(words, first, count) * 2;
    words.fill(0, first, i);
  }
  const cleared = (i - first) >> 1;
  tables.counters.pteClears += cleared;
  return cleared;
}

/**
 * Writes one directory entry, or clears it (halves 0).
 * @throws Error when `index` lies outside the table.
 */
export function writeDirectory(
  tables: TableMemory,
  slot: number,
  index: number,
  lo: number,
  hi: number,
): void {
  const at = firstWord(tables, slot, index, 1);
  tables.counters.tableWrites++;
  tables.words[at] = lo;
  tables.words[at + 1] = hi;
}

/**
 * The same entry, halves `lo` and `hi`, `count` times from word `first` (even) on. Counts nothing.
 */
export function fillEntries(array: EntryArray, first: number, count: number, lo: number, hi: number): void {
  const { words, quads } = array;
  if (count < FILL_MIN) {
    for (let i = first, end = (first + count * 2) | 0; i < end; i += 2) {
      words[i] = lo;
      words[i + 1] = hi;
    }
    return;
  }
  words[first] = lo;
  words[first + 1] = hi;
  const quad = first / 2;
  quads.fill(quads[quad] as bigint, quad + 1, quad + count);
}

/** Word of the first entry of a run that must fit into its table, which is about to be written. */
function firstWord(tables: TableMemory, slot: number, index: number, count: number): number {
  const { wordsPerTable } = tables;
  if (index < 0 || count < 0 || (index + count) * 2 > wordsPerTable) {
    throw new Error(
      `page-table run: entries ${index}+${count} leave a table of ${wordsPerTable / 2} entries`,
    );
  }
  if (tables.filled !== 0) tables.own(slot);
  return slot * wordsPerTable + index * 2;
}
