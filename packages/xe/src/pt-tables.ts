/**
 * What the driver knows about its table pages besides their contents: level, layout, how many entries are in use, and
 * which entry points to which child.
 *
 * The kernel keeps an object per table; here a table is its slot in the table memory, and the facts are typed arrays
 * beside it. The child map is what *staging* sees: it runs ahead of the entries in memory, because the entries of an
 * ioctl are written after all its operations were staged.
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail } from "@vmbind/drm";
import { OutOfTables, SpareMemory, type TableMemory } from "@vmbind/mmu";
import type { XeCounters } from "./cost-sheet.ts";
import { Overwrites } from "./pt-overwrites.ts";
import { EVICT_ANY, type EvictionRules, type Vram } from "./vram.ts";

/** Entries of a table page. */
export const TABLE_ENTRIES = 512;
/** Takes an entry's number to its index in its table. */
export const INDEX_MASK: number = TABLE_ENTRIES - 1;

const ROW_BYTES = 4 * TABLE_ENTRIES;
const SPARE_ROWS = new SpareMemory();

/** Where tables are objects in VRAM; see `XeDevice`. */
export interface TablesDevice {
  /** How full it is. */
  readonly vram: Vram;
  /** Makes room there, by evicting objects. @internal */
  makeRoom(bytes: number, rules: EvictionRules): boolean;
}

/** The table pages of a device, with the driver's bookkeeping. */
export class XeTables {
  /** Where the pages are. */
  readonly memory: TableMemory;
  /** The device's cost sheet. */
  readonly counters: XeCounters;
  /** Level of the table in a slot. */
  level: Uint8Array = new Uint8Array(64);
  /** Entries in use of the table in a slot. */
  numLive: Int32Array = new Int32Array(64);
  /** 1 for a level-0 table of 32 entries of 64 KiB. */
  compact: Uint8Array = new Uint8Array(64);
  /** How many entries of the table in a slot point to tables. */
  childCount: Int32Array = new Int32Array(64);
  /** Row of a directory in `#children`; row 0, without children, is that of all that never had one. */
  #row: Int32Array = new Int32Array(64);
  /** Rows of 512: slot of the child plus one, 0 = none. Rows that are free are all 0. */
  #children: Int32Array = new Int32Array(SPARE_ROWS.take(8 * ROW_BYTES));
  #rows = 1;
  readonly #freeRows: number[] = [];
  /** Which updates need not be written. @internal */
  readonly overwrites: Overwrites = new Overwrites();
  readonly #device: TablesDevice | null;
  readonly #allocFault: AllocFault | undefined;
  /** Whom an eviction for a table may hit. @internal */
  rules: EvictionRules = EVICT_ANY;

  /**
   * @param memory - where the pages are
   * @param counters - the device's cost sheet
   * @param device - whose VRAM they share with objects, null where they are system memory
   * @param allocFault - makes allocations fail
   */
  constructor(
    memory: TableMemory,
    counters: XeCounters,
    device: TablesDevice | null,
    allocFault?: AllocFault,
  ) {
    this.memory = memory;
    this.counters = counters;
    this.#device = device;
    this.#allocFault = allocFault;
    memory.whenRetired(() => {
      SPARE_ROWS.keep(this.#children.buffer as ArrayBuffer, this.#rows * ROW_BYTES);
      this.#children = new Int32Array(0);
    });
  }

  /**
   * Take a zeroed table page. `memory.words` may be replaced.
   *
   * @param level - 0 to 4
   * @returns its slot
   * @throws `DrmError` ENOMEM
   */
  alloc(level: number): number {
    return this.#add(level, this.#page(0, 0));
  }

  /**
   * Take a table page whose entries are all the same leaf and in use. `memory.words` may be replaced.
   *
   * @param level - 0 to 4
   * @param lo - low half of the leaf
   * @param hi - high half
   * @returns its slot
   * @throws `DrmError` ENOMEM
   */
  allocFilled(level: number, lo: number, hi: number): number {
    const slot = this.#add(level, this.#page(lo, hi));
    this.numLive[slot] = TABLE_ENTRIES;
    this.memory.counters.pteWrites += TABLE_ENTRIES;
    return slot;
  }

  #page(lo: number, hi: number): number {
    const { memory } = this;
    if (this.#allocFault?.("page-table")) fail(ENOMEM, "page table: no page for a table (injected)");
    const device = this.#device;
    if (device !== null && !device.makeRoom(memory.pageBytes, this.rules)) {
      fail(ENOMEM, `page table: no page for a table, ${device.vram.usage()}`);
    }
    try {
      return memory.allocFilled(lo, hi);
    } catch (error) {
      if (error instanceof OutOfTables) fail(ENOMEM, `page table: ${error.message}`);
      throw error;
    }
  }

  #add(level: number, slot: number): number {
    if (slot >= this.level.length) this.#growSlots(slot);
    this.level[slot] = level;
    this.numLive[slot] = 0;
    this.compact[slot] = 0;
    this.childCount[slot] = 0;
    this.#row[slot] = 0;
    return slot;
  }

  /** Give a table page back; its children are the caller's. */
  free(slot: number): void {
    const row = this.#row[slot] as number;
    if (row !== 0) {
      if (this.childCount[slot] !== 0) {
        this.#children.fill(0, row * TABLE_ENTRIES, (row + 1) * TABLE_ENTRIES);
      }
      this.#freeRows.push(row);
    }
    this.memory.free(slot);
  }

  /** Give a table and everything below it back. */
  freeTree(slot: number): void {
    const { memory } = this;
    const rows = this.#row;
    const children = this.#children;
    const row = (rows[slot] as number) * TABLE_ENTRIES;
    for (let i = row, left = this.childCount[slot] as number; left > 0; i++) {
      const child = (children[i] as number) - 1;
      if (child < 0) continue;
      // Most tables are leaves' own: below them is nothing.
      if (rows[child] === 0) memory.free(child);
      else this.freeTree(child);
      left--;
    }
    this.free(slot);
  }

  /** Slot of the child below an entry of a directory, -1 = none. */
  child(slot: number, index: number): number {
    return (this.#children[(this.#row[slot] as number) * TABLE_ENTRIES + index] as number) - 1;
  }

  /** Children of a directory, entry by entry: as many as `childCount` says. */
  keptChildren(slot: number): number {
    const children = this.#children;
    const row = (this.#row[slot] as number) * TABLE_ENTRIES;
    let count = 0;
    for (let i = row; i < row + TABLE_ENTRIES; i++) if (children[i] !== 0) count++;
    return count;
  }

  /** Set the child below an entry of a directory; -1 = none. */
  setChild(slot: number, index: number, child: number): void {
    if (this.#row[slot] === 0) this.#row[slot] = this.#allocRow();
    const at = (this.#row[slot] as number) * TABLE_ENTRIES + index;
    const more = (child < 0 ? 0 : 1) - (this.#children[at] === 0 ? 0 : 1);
    this.childCount[slot] = (this.childCount[slot] as number) + more;
    this.#children[at] = child + 1;
  }

  #allocRow(): number {
    const free = this.#freeRows.pop();
    if (free !== undefined) return free;
    if (this.#rows * TABLE_ENTRIES === this.#children.length) {
      const children = new Int32Array(this.#children.length * 2);
      children.set(this.#children);
      this.#children = children;
    }
    return this.#rows++;
  }

  #growSlots(slot: number): void {
    const size = 2 ** Math.ceil(Math.log2(slot + 1));
    const level = new Uint8Array(size);
    const numLive = new Int32Array(size);
    const compact = new Uint8Array(size);
    const childCount = new Int32Array(size);
    const row = new Int32Array(size);
    level.set(this.level);
    numLive.set(this.numLive);
    compact.set(this.compact);
    childCount.set(this.childCount);
    row.set(this.#row);
    this.level = level;
    this.numLive = numLive;
    this.compact = compact;
    this.childCount = childCount;
    this.#row = row;
  }
}
