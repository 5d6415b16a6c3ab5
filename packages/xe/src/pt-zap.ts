/**
 * Zapping: the leaves of one mapping are overwritten with zero in place, so that access faults until it is bound again.
 *
 * Nothing else changes: the mapping stays, its entries count as in use, tables below an overwritten directory entry are
 * kept until the mapping is bound again or unbound. As at an unbind only tables are visited that the mapping covers in part.
 * Even in a scratch VM the entries become 0 and not null leaves (`xe_pt_zap_ptes` of `xe_pt.c`, Linux 7.3-rc7).
 *
 * @module
 */

import type { PageTable } from "./page-table.ts";
import { INDEX_MASK } from "./pt-tables.ts";
import { ZERO } from "./pt-update-fields.ts";
import { ENTRY_BYTES } from "./pt-updates.ts";

/**
 * What zapping `[start, end)`, which one mapping covers, writes.
 *
 * @param pageTable - the VM's
 * @param start - bytes
 * @param end - bytes
 * @param updates - where the updates go, see `pt-update-fields.ts`
 */
export function zapLeaves(pageTable: PageTable, start: number, end: number, updates: number[]): void {
  zapTable(pageTable, pageTable.root, pageTable.rootLevel, start, end, updates);
}

function zapTable(
  pageTable: PageTable,
  slot: number,
  level: number,
  start: number,
  end: number,
  updates: number[],
): void {
  const entryBytes = ENTRY_BYTES[level] as number;
  const first = Math.floor(start / entryBytes);
  const last = Math.floor(end / entryBytes);
  const firstIsPart = first * entryBytes !== start;
  const firstWhole = firstIsPart ? first + 1 : first;
  if (last > firstWhole) clear(pageTable, slot, level, firstWhole & INDEX_MASK, last - firstWhole, updates);
  const child = (entry: number, from: number, to: number): void => {
    const below = pageTable.tables.child(slot, entry & INDEX_MASK);
    if (below >= 0) zapTable(pageTable, below, level - 1, from, to, updates);
  };
  if (firstIsPart) child(first, start, Math.min(end, (first + 1) * entryBytes));
  if (last * entryBytes !== end && !(firstIsPart && last === first)) child(last, last * entryBytes, end);
}

function clear(
  { tables }: PageTable,
  slot: number,
  level: number,
  first: number,
  count: number,
  updates: number[],
): void {
  let directories = 0;
  for (let i = first; level > 0 && i < first + count; i++) if (tables.child(slot, i) >= 0) directories++;
  updates.push(slot, first, count, directories, ZERO);
}
