/**
 * Zapping: the leaves of one mapping are overwritten with zero in place, so that access faults until it is bound again.
 *
 * Nothing else changes: the mapping stays, its entries count as in use, tables below an overwritten directory entry are
 * kept until the mapping is bound again or unbound. As at an unbind only tables are visited that the mapping covers in part.
 * Even in a scratch VM the entries become 0 and not null leaves (`xe_pt_zap_ptes` of `xe_pt.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { fillEntries } from "@vmbind/mmu";
import type { PageTable } from "./page-table.ts";
import { INDEX_MASK } from "./pt-tables.ts";
import { ENTRY_BYTES } from "./pt-updates.ts";

/**
 * Zap `[start, end)`, which one mapping covers.
 *
 * @param pageTable - the VM's
 * @param start - bytes
 * @param end - bytes
 */
export function zapLeaves(pageTable: PageTable, start: number, end: number): void {
  zapTable(pageTable, pageTable.root, pageTable.rootLevel, start, end);
}

function zapTable(pageTable: PageTable, slot: number, level: number, start: number, end: number): void {
  const entryBytes = ENTRY_BYTES[level] as number;
  const first = Math.floor(start / entryBytes);
  const last = Math.floor(end / entryBytes);
  const firstIsPart = first * entryBytes !== start;
  const firstWhole = firstIsPart ? first + 1 : first;
  if (last > firstWhole) clear(pageTable, slot, level, firstWhole & INDEX_MASK, last - firstWhole);
  if (firstIsPart) zapChild(pageTable, slot, level, first, start, Math.min(end, (first + 1) * entryBytes));
  if (last * entryBytes !== end && !(firstIsPart && last === first)) {
    zapChild(pageTable, slot, level, last, last * entryBytes, end);
  }
}

function zapChild(
  pageTable: PageTable,
  slot: number,
  level: number,
  entry: number,
  start: number,
  end: number,
): void {
  const child = pageTable.tables.child(slot, entry & INDEX_MASK);
  if (child >= 0) zapTable(pageTable, child, level - 1, start, end);
}

function clear({ tables }: PageTable, slot: number, level: number, first: number, count: number): void {
  const { memory } = tables;
  let directories = 0;
  for (let i = first; level > 0 && i < first + count; i++) if (tables.child(slot, i) >= 0) directories++;
  if (memory.filled !== 0) memory.own(slot);
  fillEntries(memory, slot * memory.wordsPerTable + 2 * first, count, 0, 0);
  memory.counters.tableWrites += directories;
  memory.counters.pteClears += count - directories;
}
