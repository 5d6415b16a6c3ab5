/**
 * The page table of one VM: its root, its scratch tables, and the entries that the driver itself chooses.
 *
 * ```text
 * level   an entry covers   leaf   empty entry with scratch
 *   4        256 TiB          -    directory entry to the level-3 scratch table
 *   3        512 GiB          -    directory entry to the level-2 scratch table
 *   2          1 GiB         yes   1 GiB null leaf
 *   1          2 MiB         yes   2 MiB null leaf
 *   0          4 KiB         yes   4 KiB null leaf
 * ```
 *
 * Without scratch an empty entry is 0. How tables come and go is in `pt-stage-bind.ts` and `pt-unbind.ts`.
 *
 * @module
 */

import {
  PPGTT_DEVICE_MEMORY,
  PPGTT_NULL,
  PPGTT_WRITE,
  ppgttLeafHi,
  ppgttLeafLo,
  ppgttTableHi,
  ppgttTableLo,
} from "@vmbind/mmu";
import type { Platform } from "./platforms.ts";
import { TABLE_ENTRIES, type XeTables } from "./pt-tables.ts";

/** Highest level that may hold leaves: 1 GiB is the largest one. */
export const MAX_LEAF_LEVEL = 2;

/** Root and empty entries of one VM's tables. */
export class PageTable {
  /** The device's tables. */
  readonly tables: XeTables;
  /** Level of the root. */
  readonly rootLevel: number;
  /** Slot of the root table. */
  readonly root: number;
  /** Slots of the tables that empty entries of levels 3 and 4 point to; none without scratch. */
  readonly scratchTables: readonly number[];
  /** Low half of the empty entry of each level. */
  readonly emptyLo: Int32Array;
  /** High half of the empty entry of each level. */
  readonly emptyHi: Int32Array;
  /** PAT index of directory entries. */
  readonly #directoryPat: number;

  /**
   * @param tables - the device's tables
   * @param platform - levels, and the driver's PAT indices
   * @param scratch - what is not mapped translates to null pages
   * @throws `DrmError` ENOMEM
   */
  constructor(tables: XeTables, platform: Platform, scratch: boolean) {
    this.tables = tables;
    this.rootLevel = platform.rootLevel;
    this.#directoryPat =
      platform.vramBytes === 0 && platform.cachedPageTables ? platform.patWb : platform.patUc;
    this.emptyLo = new Int32Array(this.rootLevel + 1);
    this.emptyHi = new Int32Array(this.rootLevel + 1);
    const taken: number[] = [];
    try {
      this.root = tables.alloc(this.rootLevel);
      taken.push(this.root);
      if (scratch) this.#makeScratch(platform, taken);
    } catch (error) {
      for (const slot of taken) tables.free(slot);
      throw error;
    }
    this.scratchTables = taken.slice(1);
    this.fillEmpty(this.root);
  }

  #makeScratch(platform: Platform, taken: number[]): void {
    // Unlike a null mapping, the scratch leaf carries the device-memory bit on discrete parts, and the driver's own PAT index.
    const flags = PPGTT_WRITE | PPGTT_NULL | (platform.vramBytes === 0 ? 0 : PPGTT_DEVICE_MEMORY);
    for (let level = 0; level <= MAX_LEAF_LEVEL; level++) {
      this.emptyLo[level] = ppgttLeafLo(level, platform.patWb, flags);
      this.emptyHi[level] = ppgttLeafHi(platform.patWb);
    }
    for (let level = MAX_LEAF_LEVEL; level < this.rootLevel; level++) {
      const slot = this.tables.alloc(level);
      taken.push(slot);
      this.fillEmpty(slot);
      this.emptyLo[level + 1] = this.directoryLo(slot);
      this.emptyHi[level + 1] = this.directoryHi(slot);
    }
  }

  /** Low half of a directory entry that points to a table. */
  directoryLo(slot: number): number {
    const { memory, compact } = this.tables;
    return ppgttTableLo(memory.address(slot), this.#directoryPat, compact[slot] === 1);
  }

  /** High half of a directory entry that points to a table. */
  directoryHi(slot: number): number {
    return ppgttTableHi(this.tables.memory.address(slot));
  }

  /** Make every entry of a fresh, zeroed table empty. */
  fillEmpty(slot: number): void {
    const level = this.tables.level[slot] as number;
    const lo = this.emptyLo[level] as number;
    const hi = this.emptyHi[level] as number;
    if (lo === 0) return;
    const { counters, memory } = this.tables;
    const first = slot * memory.wordsPerTable;
    memory.words[first] = lo;
    memory.words[first + 1] = hi;
    const quad = first / 2;
    memory.quads.fill(memory.quads[quad] as bigint, quad + 1, quad + TABLE_ENTRIES);
    counters.scratchWrites += TABLE_ENTRIES;
  }

  /** Give every table back. */
  destroy(): void {
    this.tables.freeTree(this.root);
    for (const slot of this.scratchTables) this.tables.free(slot);
  }
}
