/**
 * The tables of one VM as a tree: how a call gets from an address to the table that it writes, where new tables come
 * from, and when old ones go (`io-pgtable-arm.c`, Linux 7.3-rc7).
 *
 * ```text
 *  47 ....... 39 38 ....... 30 29 ....... 21 20 ....... 12 11 ... 0
 *     level 0       level 1       level 2       level 3      byte
 *                                 2 MiB block   4 KiB page
 * ```
 *
 * Tables come from the reservation of the running operation and are never taken from anywhere else. Level-1 and level-2
 * tables stay until the VM goes, so the level-2 table that was found last is found again without a walk; so is the level-3 table, until
 * one is dropped.
 *
 * @module
 */

import { EEXIST, ENOMEM } from "@vmbind/drm";
import { lpaeTableHi, lpaeTableLo, type PhysicalMemory, type TableMemory, writeDirectory } from "@vmbind/mmu";
import type { PanthorCounters } from "./cost-sheet.ts";
import { PAGE_BYTES } from "./page-sizes.ts";

const ENTRIES = 512;
const TYPE_MASK = 3;
const TYPE_BLOCK = 1;
const TYPE_TABLE = 3;
const ADDRESS_LO = ~0xfff;
const ADDRESS_HI = 0xffff;
const PER_GIB = 2 ** -30;
const PER_BLOCK = 2 ** -21;

/** Word of an entry. */
function wordOf(slot: number, index: number): number {
  return (slot * ENTRIES + index) * 2;
}

/** The tables of one VM. */
export class TableTree {
  /** Where they live. @internal */
  protected readonly tables: TableMemory;
  /** Cost sheet. @internal */
  protected readonly counters: PanthorCounters;
  readonly #coherent: boolean;
  readonly #startLevel: number;
  #l2Key = -1;
  #l2Slot = -1;
  #l3Key = -1;
  #l3Slot = -1;

  /** Slot of the root table. */
  readonly root: number;
  /** Input address bits. */
  readonly ias: number;
  /** Tables that the running operation may still take. */
  reserved = 0;
  /** Whether {@link TableTree.level3} has just made the table, so that nothing can be in the way in it. @internal */
  protected fresh = false;

  /**
   * @param memory - where tables live
   * @param counters - cost sheet
   * @param ias - input address bits, 22..48
   * @param coherent - whether the walker snoops the CPU's caches; if not, every write is followed by a cache clean
   */
  constructor(memory: PhysicalMemory, counters: PanthorCounters, ias: number, coherent: boolean) {
    this.tables = memory.tables;
    this.counters = counters;
    this.#coherent = coherent;
    this.ias = ias;
    this.#startLevel = 4 - Math.ceil((ias - 12) / 9);
    this.root = this.tables.alloc();
  }

  /** Physical address of the root table in bytes. */
  get rootAddress(): number {
    return this.tables.address(this.root);
  }

  /** Free every table, the root included. */
  destroy(): void {
    this.#freeTree(this.root, this.#startLevel);
    this.#l2Key = -1;
    this.#l3Key = -1;
  }

  #freeTree(slot: number, level: number): void {
    const { words } = this.tables;
    for (let i = 0; level < 3 && i < ENTRIES; i++) {
      const at = wordOf(slot, i);
      const lo = words[at] as number;
      if ((lo & TYPE_MASK) === TYPE_TABLE)
        this.#freeTree(this.tableOf(lo, words[at + 1] as number), level + 1);
    }
    this.tables.free(slot);
  }

  /** Slot of the table that a directory entry with these halves points to. @internal */
  protected tableOf(lo: number, hi: number): number {
    return this.tables.slotOf(lo & ADDRESS_LO, hi & ADDRESS_HI);
  }

  /** Slot of the level-2 table of an address, -1 when there is none (and none may be taken). @internal */
  protected level2(va: number, create: boolean): number {
    const key = (va * PER_GIB) | 0;
    return key === this.#l2Key ? this.#l2Slot : this.#walkToLevel2(key, create);
  }

  #walkToLevel2(key: number, create: boolean): number {
    const { tables } = this;
    let slot = this.root;
    for (let level = this.#startLevel; level < 2; level++) {
      const index = level === 0 ? (key >>> 9) & 511 : key & 511;
      const at = wordOf(slot, index);
      const lo = tables.words[at] as number;
      if (lo !== 0) slot = this.tableOf(lo, tables.words[at + 1] as number);
      else if (create && this.reserved > 0) slot = this.#newTable(slot, index, false);
      else return -1;
    }
    this.#l2Key = key;
    this.#l2Slot = slot;
    return slot;
  }

  /**
   * Page tables are system memory, and the kernel sets aside the most that an operation could need (`panthor_mmu.c`, Linux
   * 7.3-rc7), which may be more than there is.
   *
   * @param tables - table pages to set aside
   * @returns why they cannot be, null when they can
   */
  tooMany(tables: number): string | null {
    const { leftBytes, limitBytes } = this.tables;
    if (tables * PAGE_BYTES <= leftBytes) return null;
    return `no memory to set ${tables} page tables aside: of memory.tableLimitBytes ${limitBytes}, ${leftBytes} are left`;
  }

  /**
   * Begin an operation. Tables are set aside within the limit of page-table memory; but what one process can hold, which no
   * machine knows, may come before them, and then the operation runs out of tables.
   *
   * @param tables - table pages that were set aside for it
   * @returns how many of them it may take
   */
  allow(tables: number): number {
    this.reserved = Math.min(tables, this.tables.limit - this.tables.live);
    return this.reserved;
  }

  /**
   * Slot of the level-3 table of an address, made if there is none.
   *
   * @param va - in bytes
   * @param whole - the caller is about to write all entries of the table, if it is a new one
   * @returns the slot, -EEXIST when a block is there (its entry is cleaned first, as any that is no table is), or -ENOMEM
   * @internal
   */
  protected level3(va: number, whole: boolean): number {
    const key = (va * PER_BLOCK) | 0;
    this.fresh = false;
    if (key === this.#l3Key) return this.#l3Slot;
    const l2 = this.level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const { words } = this.tables;
    const index = (va >>> 21) & 511;
    const at = wordOf(l2, index);
    const lo = words[at] as number;
    this.fresh = lo === 0;
    if (lo === 0 && this.reserved === 0) return -ENOMEM;
    if ((lo & TYPE_MASK) === TYPE_BLOCK) {
      this.clean(1, 8);
      return this.warn(-EEXIST);
    }
    const slot = lo === 0 ? this.#newTable(l2, index, whole) : this.tableOf(lo, words[at + 1] as number);
    this.#l3Key = key;
    this.#l3Slot = slot;
    return slot;
  }

  /** Slot of the level-3 table of an address, -1 when there is none. @internal */
  protected level3Of(va: number): number {
    const key = (va * PER_BLOCK) | 0;
    if (key === this.#l3Key) return this.#l3Slot;
    const l2 = this.level2(va, false);
    if (l2 < 0) return -1;
    const at = wordOf(l2, (va >>> 21) & 511);
    const lo = this.tables.words[at] as number;
    if ((lo & TYPE_MASK) !== TYPE_TABLE) return -1;
    this.#l3Key = key;
    this.#l3Slot = this.tableOf(lo, this.tables.words[at + 1] as number);
    return this.#l3Slot;
  }

  #newTable(parent: number, index: number, whole: boolean): number {
    const { tables } = this;
    const slot = whole ? tables.allocUncleared() : tables.alloc();
    this.reserved--;
    const pa = tables.address(slot);
    writeDirectory(tables, parent, index, lpaeTableLo(pa), lpaeTableHi(pa, this.#coherent));
    this.clean(2, PAGE_BYTES + 8);
    return slot;
  }

  /**
   * Drop the level-3 tables of successive entries, with whatever they hold.
   *
   * @param l2 - slot of the level-2 table
   * @param first - first entry, which holds a table
   * @param end - entry to stop at
   * @returns the entry behind the last table dropped
   * @internal
   */
  protected dropTables(l2: number, first: number, end: number): number {
    const { tables } = this;
    const { words } = tables;
    this.#l3Key = -1;
    let i = first;
    for (; i < end; i++) {
      const at = wordOf(l2, i);
      const lo = words[at] as number;
      if ((lo & TYPE_MASK) !== TYPE_TABLE) break;
      tables.free(this.tableOf(lo, words[at + 1] as number));
      words[at] = 0;
      words[at + 1] = 0;
    }
    this.counters.tableWrites += i - first;
    return i;
  }

  /** Count cache cleans, which a walker that snoops does not need. @internal */
  protected clean(times: number, bytes: number): void {
    if (this.#coherent) return;
    this.counters.cacheCleans += times;
    this.counters.cacheCleanBytes += bytes;
  }

  /** Count a warning of the kernel's log, and pass a result on. @internal */
  protected warn(result: number): number {
    this.counters.kernelWarnings++;
    return result;
  }
}
