/**
 * Leaves of a run of one table, chunk by chunk of the object's memory (nvkm's `vmmgp100.c` and `vmmgh100.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { fillAscending, type GmmuVersion, type ScatterList, type TableMemory } from "@vmbind/mmu";
import { bytesOf } from "./table-nodes.ts";

/** What all leaves of a mapping have in common. */
export interface LeafAttributes {
  /** Version of the format. */
  readonly version: GmmuVersion;
  /** Low half. */
  readonly lo: number;
  /** High half. */
  readonly hi: number;
  /** Whether leaves of 64 KiB and more carry the tag line of their address. */
  readonly tagged: boolean;
}

/** Bit of the tag line in a high half. */
const TAG_SHIFT = 36 - 32;
/** Memory that one tag line stands for. */
const TAG_BYTES = 2 ** 16;
const DIRECTORY_SHIFT = 21;
/** Addresses stand four bits lower in entries of version 2. */
const V2_ADDRESS: number = 1 / 16;
const TWO_32: number = 2 ** 32;

/**
 * Write a run.
 *
 * @param tables - where the table is
 * @param slot - the table
 * @param index - first entry
 * @param count - entries
 * @param shift - log2 of the bytes of a page; entries of 2 MiB have two halves
 * @param pages - where the object is, in pieces of whole pages
 * @param offset - byte of the object that the run begins with
 * @param leaf - attributes
 * @returns byte of the object behind the run
 */
export function writeLeaves(
  tables: TableMemory,
  slot: number,
  index: number,
  count: number,
  shift: number,
  pages: ScatterList,
  offset: number,
  leaf: LeafAttributes,
): number {
  const bytes = bytesOf(shift);
  const { version, tagged } = leaf;
  const wide = shift === DIRECTORY_SHIFT;
  const step = version === 2 ? V2_ADDRESS : 1;
  // `| 0`, here and below, says once that a number is an integer: the engine, which does not know, converts it in each turn of a loop.
  const stride = (bytes * step) | 0;
  const lo = leaf.lo;
  const hi = leaf.hi;
  let segment = pages.segmentAt(offset) | 0;
  let skip = offset - (pages.offset[segment] as number);
  let at = (slot * tables.wordsPerTable + index * (wide ? 4 : 2)) | 0;
  let left = count | 0;
  tables.counters.pteWrites += count | 0;
  if (!wide && skip === 0 && isSingle(pages, segment, count, bytes) && !(tagged && shift > 12)) {
    writeSingles(tables.words, at, count, pages.pa, segment, lo, hi, step);
    left = 0;
  }
  while (left > 0) {
    const pa = (pages.pa[segment] as number) + skip;
    const rest = (pages.bytes[segment] as number) - skip;
    // A division takes longer than writing a page, and most runs lie in one piece.
    const run = left * bytes <= rest ? left : (rest / bytes) | 0;
    const address = pa * step;
    if (tagged && shift > 12) writeTagged(tables.words, at, run, bytes, pa, lo, hi, step, wide);
    else if (wide) writeWide(tables.words, at, run, lo | address, hi | (address / TWO_32), stride);
    else fillAscending(tables, at, run, lo | address, hi | (address / TWO_32), stride);
    at += run * (wide ? 4 : 2);
    left -= run;
    segment++;
    skip = 0;
  }
  return offset + count * bytes;
}

/** Whether the next pieces have a page each, as memory in single pages has them: none has less. */
function isSingle(
  { offset, count, totalBytes }: ScatterList,
  segment: number,
  run: number,
  bytes: number,
): boolean {
  const behind = segment + run;
  if (run === 1 || behind > count) return false;
  const end = behind === count ? totalBytes : (offset[behind] as number);
  return end - (offset[segment] as number) === run * bytes;
}

/** Entries of pieces of one page each, four a turn: a call for each would take most of the time. */
function writeSingles(
  words: Int32Array,
  first: number,
  count: number,
  pa: Float64Array,
  segment: number,
  lo: number,
  hi: number,
  step: number,
): void {
  const low = lo | 0;
  const high = hi | 0;
  const stepHi = step / TWO_32;
  const end = segment + count;
  let at = first;
  let i = segment;
  for (const whole = end - 3; i < whole; i += 4, at += 8) {
    const a = pa[i] as number;
    const b = pa[i + 1] as number;
    const c = pa[i + 2] as number;
    const d = pa[i + 3] as number;
    words[at] = low | (a * step);
    words[at + 1] = high | (a * stepHi);
    words[at + 2] = low | (b * step);
    words[at + 3] = high | (b * stepHi);
    words[at + 4] = low | (c * step);
    words[at + 5] = high | (c * stepHi);
    words[at + 6] = low | (d * step);
    words[at + 7] = high | (d * stepHi);
  }
  for (; i < end; i++, at += 2) {
    const address = pa[i] as number;
    words[at] = low | (address * step);
    words[at + 1] = high | (address * stepHi);
  }
}

/** Ascending entries of the lowest directory, whose second half is 0. */
function writeWide(
  words: Int32Array,
  first: number,
  count: number,
  lo: number,
  hi: number,
  stride: number,
): void {
  const firstLo = lo | 0;
  const firstHi = hi | 0;
  const step = stride | 0;
  for (let i = 0, at = first; i < count; i++, at += 4) {
    const low = (firstLo + Math.imul(i, step)) | 0;
    words[at] = low;
    // All of a directory are less than 2^32 apart: the sum passes that once at most.
    words[at + 1] = low >>> 0 < firstLo >>> 0 ? firstHi + 1 : firstHi;
    words[at + 2] = 0;
    words[at + 3] = 0;
  }
}

/** Entries that carry the tag line of their address. */
function writeTagged(
  words: Int32Array,
  first: number,
  count: number,
  bytes: number,
  firstPa: number,
  lo: number,
  hi: number,
  step: number,
  wide: boolean,
): void {
  let at = first;
  let pa = firstPa;
  for (let i = 0; i < count; i++, at += wide ? 4 : 2, pa += bytes) {
    const tag = (1 + Math.floor(pa / TAG_BYTES)) << TAG_SHIFT;
    const address = pa * step;
    words[at] = lo | address;
    words[at + 1] = hi | (address / TWO_32) | tag;
    if (!wide) continue;
    words[at + 2] = 0;
    words[at + 3] = 0;
  }
}
