/**
 * A VM's page table as the vectors list it: tables with their live counts, directory entries, and the leaf entries that
 * differ from the empty entry of their level (so a zero leaf in a scratch VM is listed, which no GPU would call a leaf).
 *
 * @module
 */

import { PPGTT_NULL, PPGTT_PS64 } from "@vmbind/mmu";
import { TABLE_ENTRIES } from "../pt-tables.ts";
import { ENTRY_BYTES } from "../pt-updates.ts";
import type { XeVm } from "../vm.ts";

/** A table. */
export interface DumpedTable {
  /** First VA that it covers. */
  va: number;
  /** Level. */
  level: number;
  /** Entries in use, as the driver counts them. */
  numLive: number;
  /** Entries in use, as they are. */
  counted: number;
  /** 32 entries of 64 KiB. */
  compact: boolean;
}

/** An entry. */
export interface DumpedEntry {
  /** First VA that it covers. */
  va: number;
  /** Level of its table. */
  level: number;
  /** Its 64 bits. */
  entry: bigint;
  /** It is in a compact table. */
  compact: boolean;
}

/** Everything in a VM's page table, in the order of a depth-first walk. */
export interface TableDump {
  /** The tables, root first. */
  tables: DumpedTable[];
  /** Entries that point to tables, scratch tables left out. */
  directories: DumpedEntry[];
  /** The other entries that are not empty. */
  leaves: DumpedEntry[];
}

const COMPACT_ENTRIES = 32;
const COMPACT_BYTES = 0x1_0000;

/** Read a VM's page table. */
export function dumpTables(vm: XeVm): TableDump {
  const { pageTable } = vm;
  const { tables } = pageTable;
  const dump: TableDump = { tables: [], directories: [], leaves: [] };
  const visit = (slot: number, va: number): void => {
    const level = tables.level[slot] as number;
    const compact = tables.compact[slot] === 1;
    const table = { va, level, numLive: tables.numLive[slot] as number, counted: 0, compact };
    dump.tables.push(table);
    const emptyLo = pageTable.emptyLo[level] as number;
    const emptyHi = pageTable.emptyHi[level] as number;
    const bytes = compact ? COMPACT_BYTES : (ENTRY_BYTES[level] as number);
    for (let i = 0; i < (compact ? COMPACT_ENTRIES : TABLE_ENTRIES); i++) {
      const { memory } = tables;
      const child = level === 0 ? -1 : tables.child(slot, i);
      if (child < 0 && memory.entryLo(slot, i) === emptyLo && memory.entryHi(slot, i) === emptyHi) continue;
      table.counted++;
      const found = { va: va + i * bytes, level, entry: memory.entry(slot, i), compact };
      (child < 0 ? dump.leaves : dump.directories).push(found);
      if (child >= 0) visit(child, found.va);
    }
  };
  visit(pageTable.root, 0);
  return dump;
}

/** Tables by level, as `{"l3": 1, ...}`; levels without tables are left out. */
export function tableCounts(dump: TableDump): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { level } of dump.tables) counts[`l${level}`] = (counts[`l${level}`] ?? 0) + 1;
  return counts;
}

/** Leaves by kind, in the vectors' words. */
export function leafCounts(dump: TableDump): Record<string, number> {
  const counts = { "4k": 0, "4k_ps64": 0, "64k_compact": 0, "2m": 0, "1g": 0, null: 0 };
  for (const { level, entry, compact } of dump.leaves) {
    const lo = Number(BigInt.asUintN(32, entry));
    if (lo & PPGTT_NULL) counts.null++;
    if (level === 2) counts["1g"]++;
    else if (level === 1) counts["2m"]++;
    else if (compact) counts["64k_compact"]++;
    else if (lo & PPGTT_PS64) counts["4k_ps64"]++;
    else counts["4k"]++;
  }
  return counts;
}
