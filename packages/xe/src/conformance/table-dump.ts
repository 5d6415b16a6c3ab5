/**
 * A VM's page table as the vectors list it: tables with their live counts, directory entries, and the leaf entries that
 * differ from the empty entry of their level (so a zero leaf in a scratch VM is listed, which no GPU would call a leaf).
 *
 * @module
 */

import { PPGTT_NULL, PPGTT_PS64 } from "@vmbind/mmu";
import type { PageTable } from "../page-table.ts";
import { TABLE_ENTRIES } from "../pt-tables.ts";
import { ENTRY_BYTES } from "../pt-updates.ts";
import type { XeVm } from "../vm.ts";

/** A table. */
interface DumpedTable {
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

/** An entry that points to a table. */
export interface DumpedDirectory {
  /** First VA that it covers. */
  va: number;
  /** Level of its table. */
  level: number;
  /** Its low 32 bits. */
  lo: number;
  /** Its high 32 bits. */
  hi: number;
  /** It is in a compact table. */
  compact: boolean;
}

/** Everything in a VM's page table but its leaves, in the order of a depth-first walk. */
export interface TableDump {
  /** The tables, root last: each stands behind those below it. */
  tables: DumpedTable[];
  /** Entries that point to tables, scratch tables left out. */
  directories: DumpedDirectory[];
}

/** Tables by level as `{"l3": 1, ...}`, and leaves by kind, in the vectors' words. */
export interface TableCounts {
  /** Levels without tables are left out. */
  tables: Record<string, number>;
  /** `null` counts leaves of every kind. */
  leaves: Record<string, number>;
}

/** Told of the leaves in the order of addresses; the largest cases have a hundred thousand. */
export interface LeafTaker {
  /** The next leaf: its first VA, the level of its table, its halves, whether it is in a compact table. */
  take(va: number, level: number, lo: number, hi: number, compact: boolean): void;
}

const COMPACT_ENTRIES = 32;
const COMPACT_BYTES = 0x1_0000;

/**
 * Read a VM's page table.
 *
 * @param vm - the VM
 * @param leaves - is told of the leaf entries that differ from the empty one of their level
 */
export function dumpTables(vm: XeVm, leaves?: LeafTaker): TableDump {
  const { tables } = vm.pageTable;
  const { memory } = tables;
  const dump: TableDump = { tables: [], directories: [] };
  walk(vm, {
    table: (slot, va, level, compact, counted) => {
      dump.tables.push({ va, level, numLive: tables.numLive[slot] as number, counted, compact });
    },
    directory: (slot, index, va, level, compact) => {
      const lo = memory.entryLo(slot, index);
      dump.directories.push({ va, level, lo, hi: memory.entryHi(slot, index), compact });
    },
    leaves: (slot, first, count, firstVa, level, compact) => {
      if (leaves === undefined) return;
      const bytes = entryBytes(level, compact);
      for (let i = first, va = firstVa; i < first + count; i++, va += bytes) {
        leaves.take(va, level, memory.entryLo(slot, i), memory.entryHi(slot, i), compact);
      }
    },
  });
  return dump;
}

/** Count a VM's tables and leaves. */
export function countTables(vm: XeVm): TableCounts {
  const { memory } = vm.pageTable.tables;
  const tables: Record<string, number> = {};
  const leaves = { "4k": 0, "4k_ps64": 0, "64k_compact": 0, "2m": 0, "1g": 0, null: 0 };
  walk(vm, {
    table: (_slot, _va, level) => {
      tables[`l${level}`] = (tables[`l${level}`] ?? 0) + 1;
    },
    directory: () => {},
    leaves: (slot, first, count, _va, level, compact) => {
      let nulls = 0;
      let hinted = 0;
      for (let i = first; i < first + count; i++) {
        const lo = memory.entryLo(slot, i);
        if (lo & PPGTT_NULL) nulls++;
        if (lo & PPGTT_PS64) hinted++;
      }
      leaves.null += nulls;
      if (level === 2) leaves["1g"] += count;
      else if (level === 1) leaves["2m"] += count;
      else if (compact) leaves["64k_compact"] += count;
      else {
        leaves["4k_ps64"] += hinted;
        leaves["4k"] += count - hinted;
      }
    },
  });
  return { tables, leaves };
}

/** Told of what a page table holds, in the order of addresses, of each table behind its entries. */
interface Visitor {
  table(slot: number, va: number, level: number, compact: boolean, counted: number): void;
  directory(slot: number, index: number, va: number, level: number, compact: boolean): void;
  /** Leaf entries that follow each other in a table, none of them empty. */
  leaves(slot: number, first: number, count: number, va: number, level: number, compact: boolean): void;
}

function walk({ pageTable }: XeVm, visitor: Visitor): void {
  const { tables } = pageTable;
  const visit = (slot: number, va: number): void => {
    const level = tables.level[slot] as number;
    const compact = tables.compact[slot] === 1;
    const bytes = entryBytes(level, compact);
    const entries = compact ? COMPACT_ENTRIES : TABLE_ENTRIES;
    let counted = 0;
    for (let i = 0; i < entries; i++) {
      const leaves = filledRun(pageTable, slot, i, entries);
      if (leaves > 0) visitor.leaves(slot, i, leaves, va + i * bytes, level, compact);
      counted += leaves;
      i += leaves;
      const child = i < entries && level > 0 ? tables.child(slot, i) : -1;
      if (child < 0) continue;
      counted++;
      visitor.directory(slot, i, va + i * bytes, level, compact);
      visit(child, va + i * bytes);
    }
    visitor.table(slot, va, level, compact, counted);
  };
  visit(pageTable.root, 0);
}

/** Leaf entries from `first` on before one that is empty or points to a table. */
function filledRun(
  { tables, emptyLo, emptyHi }: PageTable,
  slot: number,
  first: number,
  end: number,
): number {
  const { memory } = tables;
  const level = tables.level[slot] as number;
  const nothingLo = emptyLo[level] as number;
  const nothingHi = emptyHi[level] as number;
  const childless = tables.childCount[slot] === 0;
  let i = first;
  for (; i < end; i++) {
    if (memory.entryLo(slot, i) === nothingLo && memory.entryHi(slot, i) === nothingHi) break;
    if (!childless && tables.child(slot, i) >= 0) break;
  }
  return i - first;
}

function entryBytes(level: number, compact: boolean): number {
  return compact ? COMPACT_BYTES : (ENTRY_BYTES[level] as number);
}
