/**
 * Writing runs of entries: the hot end of every bind. A run that repeats one entry is a memory fill, which is why a
 * repeated mapping is cheap; a run that follows physical memory is a loop over 32-bit halves with the carry between
 * the halves kept out of it. Both count once per run.
 */

import type { TableMemory } from "./table-memory.ts";

const TWO_32 = 4294967296;
/** Below this a loop beats the fixed cost of a fill, which is 30 to 40 ns on Node 20. */
const FILL_MIN = 32;

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
  const words = tables.words;
  tables.counters.pteWrites += count;
  if (count < FILL_MIN) {
    for (let i = first, end = first + count * 2; i < end; i += 2) {
      words[i] = lo;
      words[i + 1] = hi;
    }
    return;
  }
  words[first] = lo;
  words[first + 1] = hi;
  const quad = first / 2;
  tables.quads.fill(tables.quads[quad] as bigint, quad + 1, quad + count);
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
  let i = firstWord(tables, slot, index, count);
  const words = tables.words;
  tables.counters.pteWrites += count;
  let low = lo | 0;
  let high = hi | 0;
  for (let left = count; left > 0; high = (high + 1) | 0) {
    const untilCarry = Math.ceil((TWO_32 - (low >>> 0)) / strideBytes);
    const run = Math.min(untilCarry, left);
    const end = i + run * 2;
    // Four entries a turn: the chain of additions, not the stores, is what one entry a turn waits for.
    for (const whole = end - 6; i < whole; i += 8) {
      words[i] = low;
      words[i + 1] = high;
      words[i + 2] = (low + strideBytes) | 0;
      words[i + 3] = high;
      words[i + 4] = (low + 2 * strideBytes) | 0;
      words[i + 5] = high;
      words[i + 6] = (low + 3 * strideBytes) | 0;
      words[i + 7] = high;
      low = (low + 4 * strideBytes) | 0;
    }
    for (; i < end; i += 2) {
      words[i] = low;
      words[i + 1] = high;
      low = (low + strideBytes) | 0;
    }
    left -= run;
  }
}

/**
 * Sets `count` leaf entries from entry `index` of table `slot` to zero.
 * @throws Error when the run leaves the table.
 */
export function clearEntries(tables: TableMemory, slot: number, index: number, count: number): void {
  const first = firstWord(tables, slot, index, count);
  tables.counters.pteClears += count;
  const end = first + count * 2;
  const { words } = tables;
  if (count < FILL_MIN) for (let i = first; i < end; i++) words[i] = 0;
  else words.fill(0, first, end);
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

/** Word of the first entry of a run that must fit into its table. */
function firstWord(tables: TableMemory, slot: number, index: number, count: number): number {
  const { wordsPerTable } = tables;
  if (index < 0 || count < 0 || (index + count) * 2 > wordsPerTable) {
    throw new Error(
      `page-table run: entries ${index}+${count} leave a table of ${wordsPerTable / 2} entries`,
    );
  }
  return slot * wordsPerTable + index * 2;
}
