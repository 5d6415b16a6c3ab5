/**
 * The tables of one VM as a tree: how an address leads to the level-3 table that holds its leaf, and how new tables come
 * (`io-pgtable-arm.c`, Linux 7.3-rc7).
 *
 * ```text
 *  47 ....... 39 38 ....... 30 29 ....... 21 20 ....... 12 11 ... 0
 *     level 0       level 1       level 2       level 3      byte
 * ```
 *
 * There is no leaf above level 3, and no table goes before the VM does: so what was found once stays true, and the table of the
 * last 2 MiB is found again without a walk. Tables come from what the running job set aside, never from anywhere else.
 *
 * @module
 */

import { lpaeTableHi, lpaeTableLo, type PhysicalMemory, type TableMemory, writeDirectory } from "@vmbind/mmu";
import type { MsmCounters } from "./cost-sheet.ts";

const ENTRIES = 512;
const PAGE_BYTES = 4096;
const ADDRESS_LO = ~0xfff;
const ADDRESS_HI = 0xffff;
const PER_2M = 2 ** -21;
/** log2 of the bytes that the whole tree of a missing directory entry covers, by level. */
const ENTRY_BYTES: readonly number[] = [2 ** 39, 2 ** 30, 2 ** 21];

/** The tables of one VM. */
export class TableTree {
  /** Where they live. @internal */
  protected readonly tables: TableMemory;
  /** Cost sheet. @internal */
  protected readonly counters: MsmCounters;
  readonly #coherent: boolean;
  readonly #startLevel: number;
  /** Which 2 MiB the table of {@link TableTree.#slot} is for. */
  #key = -1;
  #slot = -1;

  /** Slot of the root table. */
  readonly root: number;
  /** Tables that the running job may still take. */
  reserved = 0;
  /** Leaves of each level-3 table, by slot: a table that has none, or all, is not searched. @internal */
  leaves: Uint16Array = new Uint16Array(64);
  /** Where {@link TableTree.findLevel3} found no table: first address behind what the missing entry covers. @internal */
  protected missingUntil = 0.5;

  /**
   * @param memory - where tables live
   * @param counters - cost sheet
   * @param ias - input address bits, 22..48
   * @param coherent - whether the walker snoops the CPU's caches; if not, every write is followed by a cache clean
   * @throws `OutOfTables` without a page for the root
   */
  constructor(memory: PhysicalMemory, counters: MsmCounters, ias: number, coherent: boolean) {
    this.tables = memory.tables;
    this.counters = counters;
    this.#coherent = coherent;
    this.#startLevel = 4 - Math.ceil((ias - 12) / 9);
    this.root = this.tables.alloc();
  }

  /** Physical address of the root table in bytes. */
  get rootAddress(): number {
    return this.tables.address(this.root);
  }

  /** Free every table, the root included. */
  protected freeAll(): void {
    this.#freeTree(this.root, this.#startLevel);
    this.#key = -1;
  }

  #freeTree(slot: number, level: number): void {
    const { words } = this.tables;
    for (let i = 0; level < 3 && i < ENTRIES; i++) {
      const at = (slot * ENTRIES + i) * 2;
      const lo = words[at] as number;
      if (lo !== 0) this.#freeTree(this.#tableOf(lo, words[at + 1] as number), level + 1);
    }
    this.tables.free(slot);
  }

  #tableOf(lo: number, hi: number): number {
    return this.tables.slotOf(lo & ADDRESS_LO, hi & ADDRESS_HI);
  }

  /** Slot of the level-3 table of an address, made if there is none; -1 when none may be taken. @internal */
  protected level3(va: number, whole: boolean): number {
    const key = (va * PER_2M) | 0;
    return key === this.#key ? this.#slot : this.#walk(key, true, whole);
  }

  /** Slot of the level-3 table of an address, -1 when there is none. @internal */
  protected findLevel3(va: number): number {
    const key = (va * PER_2M) | 0;
    return key === this.#key ? this.#slot : this.#walk(key, false, false);
  }

  #walk(key: number, create: boolean, whole: boolean): number {
    const { tables } = this;
    let slot = this.root;
    for (let level = this.#startLevel; level < 3; level++) {
      const index = (key >>> (9 * (2 - level))) & 511;
      const at = (slot * ENTRIES + index) * 2;
      const lo = tables.words[at] as number;
      if (lo !== 0) slot = this.#tableOf(lo, tables.words[at + 1] as number);
      else if (create && this.reserved > 0) slot = this.#newTable(slot, index, whole && level === 2);
      else {
        const bytes = ENTRY_BYTES[level] as number;
        this.missingUntil = (Math.floor((key * 2 ** 21) / bytes) + 1) * bytes;
        return -1;
      }
    }
    this.#key = key;
    this.#slot = slot;
    return slot;
  }

  /** A table whose 512 entries are about to be written needs no clearing. */
  #newTable(parent: number, index: number, whole: boolean): number {
    const { tables } = this;
    const slot = whole ? tables.allocUncleared() : tables.alloc();
    this.reserved--;
    this.#forgetLeaves(slot);
    const pa = tables.address(slot);
    writeDirectory(tables, parent, index, lpaeTableLo(pa), lpaeTableHi(pa, this.#coherent));
    this.clean(2, PAGE_BYTES + 8);
    return slot;
  }

  #forgetLeaves(slot: number): void {
    if (slot < this.leaves.length) this.leaves[slot] = 0;
    else {
      const more = new Uint16Array(slot * 2);
      more.set(this.leaves);
      this.leaves = more;
    }
  }

  /** Count cache cleans, which a walker that snoops does not need. @internal */
  protected clean(times: number, bytes: number): void {
    if (this.#coherent) return;
    this.counters.cacheCleans += times;
    this.counters.cacheCleanBytes += bytes;
  }
}
