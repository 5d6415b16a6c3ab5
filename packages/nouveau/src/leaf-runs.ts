/**
 * Leaves of a run of one table, chunk by chunk of the object's memory (nvkm's `vmmgp100.c` and `vmmgh100.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { type GmmuVersion, type ScatterList, type TableMemory, writeAscending } from "@vmbind/mmu";
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
  const { version, lo, hi, tagged } = leaf;
  const wide = shift === DIRECTORY_SHIFT;
  const tags = tagged && shift > 12;
  const step = version === 2 ? V2_ADDRESS : 1;
  let segment = pages.segmentAt(offset);
  let skip = offset - (pages.offset[segment] as number);
  let at = index;
  const end = index + count;
  if (!wide && !tags && pages.count > 1 && skip === 0) {
    const done = writeSingles(tables, slot, at, end, bytes, pages, segment, leaf);
    segment += done;
    at += done;
  }
  while (at < end) {
    const pa = (pages.pa[segment] as number) + skip;
    const fits = ((pages.bytes[segment] as number) - skip) / bytes;
    const run = Math.min(fits, end - at);
    if (wide || tags) writeEach(tables, slot, at, run, bytes, pa, leaf, wide, tags);
    else {
      const address = pa * step;
      writeAscending(tables, slot, at, run, lo | address, hi | (address / TWO_32), bytes * step);
    }
    at += run;
    segment++;
    skip = 0;
  }
  return offset + count * bytes;
}

/**
 * Entries of pieces of one page each, as memory in single pages has them: a call for each would take most of the time.
 *
 * @returns how many were written; the piece behind them is longer, or the run ends
 */
function writeSingles(
  tables: TableMemory,
  slot: number,
  index: number,
  end: number,
  bytes: number,
  pages: ScatterList,
  segment: number,
  { version, lo, hi }: LeafAttributes,
): number {
  const { words, wordsPerTable } = tables;
  const { pa, bytes: lengths } = pages;
  const step = version === 2 ? V2_ADDRESS : 1;
  const base = slot * wordsPerTable;
  let i = 0;
  for (; index + i < end && lengths[segment + i] === bytes; i++) {
    const address = (pa[segment + i] as number) * step;
    const at = base + (index + i) * 2;
    words[at] = lo | address;
    words[at + 1] = hi | (address / TWO_32);
  }
  tables.counters.pteWrites += i;
  return i;
}

/** Entry by entry: with a second half, or a tag line. */
function writeEach(
  tables: TableMemory,
  slot: number,
  index: number,
  count: number,
  bytes: number,
  first: number,
  { version, lo, hi }: LeafAttributes,
  wide: boolean,
  tags: boolean,
): void {
  const { words, wordsPerTable } = tables;
  const stride = wide ? 4 : 2;
  const step = version === 2 ? V2_ADDRESS : 1;
  let at = slot * wordsPerTable + index * stride;
  let pa = first;
  for (let i = 0; i < count; i++, at += stride, pa += bytes) {
    const tag = tags ? (1 + Math.floor(pa / TAG_BYTES)) << TAG_SHIFT : 0;
    const address = pa * step;
    words[at] = lo | address;
    words[at + 1] = hi | (address / TWO_32) | tag;
    if (!wide) continue;
    words[at + 2] = 0;
    words[at + 3] = 0;
  }
  tables.counters.pteWrites += count;
}
