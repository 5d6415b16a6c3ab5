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

/** Entries in columns: the largest cases have a hundred thousand. */
export class DumpedEntries {
  /** First VA that each covers. */
  readonly va: number[] = [];
  /** Level of its table. */
  readonly level: number[] = [];
  /** Its low 32 bits, unsigned. */
  readonly lo: number[] = [];
  /** Its high 32 bits, unsigned. */
  readonly hi: number[] = [];
  /** It is in a compact table. */
  readonly compact: boolean[] = [];

  /** How many there are. */
  get length(): number {
    return this.va.length;
  }

  /** One more. */
  push(va: number, level: number, lo: number, hi: number, compact: boolean): void {
    this.va.push(va);
    this.level.push(level);
    this.lo.push(lo);
    this.hi.push(hi);
    this.compact.push(compact);
  }

  /** Level by level from the root down, and in the order of addresses, with these bits of each. */
  byLevel(loMask: number, hiMask: number): DumpedEntries {
    const { va, level, lo, hi, compact } = this;
    const at = (column: readonly number[], i: number): number => column[i] as number;
    const order = Array.from(va, (_, i) => i).sort(
      (a, b) => at(level, b) - at(level, a) || at(va, a) - at(va, b),
    );
    const sorted = new DumpedEntries();
    for (const i of order) {
      sorted.push(
        at(va, i),
        at(level, i),
        (at(lo, i) & loMask) >>> 0,
        (at(hi, i) & hiMask) >>> 0,
        compact[i] as boolean,
      );
    }
    return sorted;
  }
}

/** Everything in a VM's page table, in the order of a depth-first walk. */
export interface TableDump {
  /** The tables, root first. */
  tables: DumpedTable[];
  /** Entries that point to tables, scratch tables left out. */
  directories: DumpedEntries;
  /** The other entries that are not empty. */
  leaves: DumpedEntries;
}

/** Tables by level as `{"l3": 1, ...}`, and leaves by kind, in the vectors' words. */
export interface TableCounts {
  /** Levels without tables are left out. */
  tables: Record<string, number>;
  /** `null` counts leaves of every kind. */
  leaves: Record<string, number>;
}

const COMPACT_ENTRIES = 32;
const COMPACT_BYTES = 0x1_0000;

/** Read a VM's page table. */
export function dumpTables(vm: XeVm): TableDump {
  const { tables } = vm.pageTable;
  const { memory } = tables;
  const dump: TableDump = { tables: [], directories: new DumpedEntries(), leaves: new DumpedEntries() };
  walk(
    vm,
    (slot, va, level, compact, counted) => {
      dump.tables.push({ va, level, numLive: tables.numLive[slot] as number, counted, compact });
    },
    (slot, index, tableVa, level, compact, isDirectory) => {
      const va = tableVa + index * entryBytes(level, compact);
      const entries = isDirectory ? dump.directories : dump.leaves;
      const lo = memory.entryLo(slot, index) >>> 0;
      const hi = memory.entryHi(slot, index) >>> 0;
      entries.push(va, level, lo, hi, compact);
    },
  );
  return dump;
}

/** Count a VM's tables and leaves. */
export function countTables(vm: XeVm): TableCounts {
  const { memory } = vm.pageTable.tables;
  const tables: Record<string, number> = {};
  const leaves = { "4k": 0, "4k_ps64": 0, "64k_compact": 0, "2m": 0, "1g": 0, null: 0 };
  walk(
    vm,
    (_slot, _va, level) => {
      tables[`l${level}`] = (tables[`l${level}`] ?? 0) + 1;
    },
    (slot, index, _tableVa, level, compact, isDirectory) => {
      if (isDirectory) return;
      const lo = memory.entryLo(slot, index);
      if (lo & PPGTT_NULL) leaves.null++;
      if (level === 2) leaves["1g"]++;
      else if (level === 1) leaves["2m"]++;
      else if (compact) leaves["64k_compact"]++;
      else if (lo & PPGTT_PS64) leaves["4k_ps64"]++;
      else leaves["4k"]++;
    },
  );
  return { tables, leaves };
}

/** Visit entries that are not empty in the order of addresses, and each table after its entries. */
function walk(
  vm: XeVm,
  onTable: (slot: number, va: number, level: number, compact: boolean, counted: number) => void,
  onEntry: (
    slot: number,
    index: number,
    tableVa: number,
    level: number,
    compact: boolean,
    isDirectory: boolean,
  ) => void,
): void {
  const { pageTable } = vm;
  const { tables } = pageTable;
  const { memory } = tables;
  const visit = (slot: number, va: number): void => {
    const level = tables.level[slot] as number;
    const compact = tables.compact[slot] === 1;
    const emptyLo = pageTable.emptyLo[level] as number;
    const emptyHi = pageTable.emptyHi[level] as number;
    let counted = 0;
    for (let i = 0; i < (compact ? COMPACT_ENTRIES : TABLE_ENTRIES); i++) {
      const child = level === 0 ? -1 : tables.child(slot, i);
      if (child < 0 && memory.entryLo(slot, i) === emptyLo && memory.entryHi(slot, i) === emptyHi) continue;
      counted++;
      onEntry(slot, i, va, level, compact, child >= 0);
      if (child >= 0) visit(child, va + i * entryBytes(level, compact));
    }
    onTable(slot, va, level, compact, counted);
  };
  visit(pageTable.root, 0);
}

function entryBytes(level: number, compact: boolean): number {
  return compact ? COMPACT_BYTES : (ENTRY_BYTES[level] as number);
}
