/**
 * The driver's own tree of the page tables of one VM (`amdgpu_vm_pt.c`, Linux 7.3-rc7).
 *
 * A table is in the tree from the moment that a walk needs it. The entry that points to it is written later, by
 * {@link TableTree.linkTables}; until then the GPU sees what stood there before. A table goes when a larger leaf takes its place, or with
 * the VM.
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail } from "@vmbind/drm";
import {
  fillEntries,
  GCVM_HIGH,
  GCVM_ROOT_LEVEL,
  GCVM_VALID,
  type GcvmGeneration,
  gcvmEmptyHi,
  gcvmEmptyLo,
  gcvmTableHi,
  gcvmTableLo,
  type PhysicalMemory,
  type TableMemory,
} from "@vmbind/mmu";
import type { AmdgpuCounters } from "./cost-sheet.ts";
import { grownInts } from "./interval-tree.ts";

const ENTRIES = 512;
const LAST = 4;
/** Pages that an entry covers, by level; the first is what a root covers. */
export const PAGES_OF_ENTRY: readonly number[] = [2 ** 36, 2 ** 27, 2 ** 18, 2 ** 9, 1];
const SPAN = PAGES_OF_ENTRY;
/** The root; 0 is no table. */
export const ROOT_TABLE = 1;
const ROOT = ROOT_TABLE;
const FIRST_ROOM = 16;

/** Sees what a page table does. */
export interface TableObserver {
  /** A table was made. */
  made(slot: number, level: number, va: number): void;
  /** Entries were written: a run from `index` of a table, `step` bytes of address apart, or page by page. */
  wrote(
    level: number,
    va: number,
    count: number,
    address: number,
    lo: number,
    hi: number,
    linear: boolean,
  ): void;
  /** The entry that points to a table was written. */
  linked(level: number, va: number, slot: number): void;
}

/** What a page table is made with. */
export interface TableTreeOptions {
  /** Where the bits are. */
  generation: GcvmGeneration;
  /** What is counted. */
  counters: AmdgpuCounters;
  /** Asked before each table page. */
  allocFault?: AllocFault | undefined;
}

/** The page tables of one VM, as the driver knows them. Tables are numbers from 1; addresses are numbers of 4 KiB pages, below 2^36. */
export class TableTree {
  /** Physical address of the root table. */
  readonly root: number;
  /** Looks on, for conformance vectors. */
  observer: TableObserver | null = null;
  /** Where the tables are. */
  protected readonly tables: TableMemory;
  /** What is counted. */
  protected readonly counters: AmdgpuCounters;
  readonly #allocFault: AllocFault | undefined;
  readonly #generation: GcvmGeneration;
  /** High half of what makes an entry above the last level a leaf. */
  protected readonly leafHi: number;
  /** High half of a PRT entry's bit. */
  protected readonly prtHi: number;
  // By table, numbered from 1 within the VM.
  /** Slot of each table in {@link TableTree.tables}. */
  protected slot: Int32Array = new Int32Array(FIRST_ROOM);
  /** Level of each table. */
  protected level: Uint8Array = new Uint8Array(FIRST_ROOM);
  /** Table above each table, 0 for the root. */
  protected parent: Int32Array = new Int32Array(FIRST_ROOM);
  /** Entry of its parent that is each table's. */
  protected index: Uint16Array = new Uint16Array(FIRST_ROOM);
  /** First page that it covers. */
  protected start: Float64Array = new Float64Array(FIRST_ROOM);
  /** Where its children stand in {@link TableTree.#children}, for tables above the last level. */
  #childrenAt: Int32Array = new Int32Array(FIRST_ROOM);
  /** How many tables are below each table. */
  #childCount: Uint16Array = new Uint16Array(FIRST_ROOM);
  /** Place in the list of tables to be linked, -1 when it is linked. */
  #unlinkedAt: Int32Array = new Int32Array(FIRST_ROOM);
  #used = 0;
  #freeNodes: number[] = [];
  /** Tables below each table above the last level, 512 places each. */
  #children: Int32Array = new Int32Array(ENTRIES);
  #childrenUsed = 0;
  #freeChildren: number[] = [];
  /** Tables whose entry in the parent is to be written, the newest last; 0 for one that went meanwhile. */
  #unlinked: number[] = [];
  /** Table pages that the running update has cut off. */
  protected readonly cutOff: number[] = [];

  /** Whether the running update needs a TLB flush. */
  protected needsFlush = false;
  /** A table of the last level that was written to last; it is where the next piece is likely to begin. */
  protected recent = 0;

  /**
   * Makes the root.
   *
   * @param memory - where tables live
   * @param options - see {@link TableTreeOptions}
   * @throws DrmError ENOMEM without a page for the root
   */
  constructor(memory: PhysicalMemory, options: TableTreeOptions) {
    this.tables = memory.tables;
    this.#generation = options.generation;
    this.leafHi = GCVM_HIGH[options.generation].leaf;
    this.prtHi = GCVM_HIGH[options.generation].prt;
    this.counters = options.counters;
    this.#allocFault = options.allocFault;
    this.make(0, GCVM_ROOT_LEVEL, 0, 0, false, false);
    // Nothing points to the root.
    this.#unlinked.length = 0;
    this.#unlinkedAt[ROOT] = -1;
    this.root = this.tables.address(this.slot[ROOT] as number);
  }

  /** Tables whose entry in the parent is still to be written. */
  get unlinkedCount(): number {
    let count = 0;
    for (const node of this.#unlinked) if (node !== 0) count++;
    return count;
  }

  /** Tables, the root among them. */
  get tableCount(): number {
    return this.#used - this.#freeNodes.length;
  }

  /**
   * Write the entries that point to new tables, the newest table's first.
   *
   * @returns whether one of them takes the place of what the GPU could find: a table for clearing part of a large leaf
   */
  linkTables(): boolean {
    const unlinked = this.#unlinked;
    if (unlinked.length === 0) return false;
    const tables = this.tables;
    let replaces = false;
    for (let i = unlinked.length - 1; i >= 0; i--) {
      const node = unlinked[i] as number;
      if (node === 0) continue;
      this.#unlinkedAt[node] = -1;
      const slot = this.slot[node] as number;
      const parent = this.parent[node] as number;
      const address = tables.address(slot);
      const above = this.slot[parent] as number;
      tables.own(above);
      const at = above * tables.wordsPerTable + (this.index[node] as number) * 2;
      const { words } = tables;
      const wasThere = ((words[at] as number) & GCVM_VALID) | ((words[at + 1] as number) & this.prtHi);
      if (wasThere !== 0) replaces = true;
      words[at] = gcvmTableLo(address);
      words[at + 1] = gcvmTableHi(address);
      this.counters.tableWrites++;
      this.observer?.linked(this.level[parent] as number, this.vaOf(node), slot);
    }
    unlinked.length = 0;
    return replaces;
  }

  /** VRAM was lost: all tables are empty, and every table's entry in its parent is to be written again. */
  forgetAll(): void {
    const tables = this.tables;
    this.#forEachTable((node) => {
      const slot = this.slot[node] as number;
      const level = this.level[node] as number;
      tables.own(slot);
      const first = slot * tables.wordsPerTable;
      fillEntries(tables, first, ENTRIES, gcvmEmptyLo(level), gcvmEmptyHi(this.#generation, level));
      if (node === ROOT || this.#unlinkedAt[node] !== -1) return;
      this.#unlinkedAt[node] = this.#unlinked.length;
      this.#unlinked.push(node);
    });
  }

  /**
   * All tables by the driver's own tree, in the order of addresses, a table before those below it.
   *
   * @param see - gets slot, level, first VA in bytes, and whether the entry above points to it
   */
  forEach(see: (slot: number, level: number, va: number, linked: boolean) => void): void {
    this.#forEachTable((node) => {
      const linked = this.#unlinkedAt[node] === -1;
      see(this.slot[node] as number, this.level[node] as number, this.vaOf(node), linked);
    });
  }

  /** Give all tables back. The page table must not be used afterwards. */
  destroy(): void {
    this.#forEachTable((node) => this.tables.free(this.slot[node] as number));
  }

  /** First address of a table, in bytes. */
  protected vaOf(node: number): number {
    return (this.start[node] as number) * 4096;
  }

  /** Table below an entry, 0 = none. */
  protected child(node: number, index: number): number {
    return this.#children[(this.#childrenAt[node] as number) + index] as number;
  }

  #forEachTable(see: (node: number) => void, node = ROOT): void {
    see(node);
    if (this.level[node] === LAST) return;
    for (let i = 0; i < ENTRIES; i++) {
      const child = this.child(node, i);
      if (child !== 0) this.#forEachTable(see, child);
    }
  }

  /**
   * A new table, empty, to be linked later.
   *
   * @param parent - table above it
   * @param level - its own
   * @param index - its entry in the parent
   * @param page - that it is for
   * @param isWritten - the caller writes entries of it at once, so that they are to be stored
   * @param isWhole - that writes all of them, so that what is in the page need not be overwritten before
   * @throws DrmError ENOMEM
   */
  protected make(
    parent: number,
    level: number,
    index: number,
    page: number,
    isWritten: boolean,
    isWhole: boolean,
  ): number {
    if (this.#allocFault?.("page-table")) fail(ENOMEM, "page table: no page for a table (injected)");
    const tables = this.tables;
    const lo = gcvmEmptyLo(level);
    const hi = gcvmEmptyHi(this.#generation, level);
    let slot: number;
    try {
      slot = isWritten ? tables.allocUncleared() : tables.allocFilled(lo, hi);
    } catch (error) {
      return fail(ENOMEM, `page table: ${(error as Error).message}`);
    }
    if (isWritten && !isWhole) fillEntries(tables, slot * tables.wordsPerTable, ENTRIES, lo, hi);
    this.counters.emptyEntries += ENTRIES;
    const node = this.#freeNodes.pop() ?? ++this.#used;
    if (node === this.slot.length) this.#grow();
    const spanOfTable = SPAN[level - 1] as number;
    this.slot[node] = slot;
    this.level[node] = level;
    this.parent[node] = parent;
    this.index[node] = index;
    this.start[node] = Math.floor(page / spanOfTable) * spanOfTable;
    this.#childCount[node] = 0;
    if (level !== LAST) this.#childrenAt[node] = this.#roomForChildren();
    if (parent !== 0) {
      this.#children[(this.#childrenAt[parent] as number) + index] = node;
      this.#childCount[parent] = (this.#childCount[parent] as number) + 1;
    }
    this.#unlinkedAt[node] = this.#unlinked.length;
    this.#unlinked.push(node);
    this.observer?.made(slot, level, this.vaOf(node));
    return node;
  }

  /** A leaf stands in front of these places now: what is below them goes, with the update's end. */
  protected cutOffChildren(node: number, from: number, to: number): void {
    const count = this.#childCount;
    if (count[node] === 0) return;
    const base = this.#childrenAt[node] as number;
    for (let i = base + from; i < base + to; i++) {
      const child = this.#children[i] as number;
      if (child === 0) continue;
      this.#children[i] = 0;
      count[node] = (count[node] as number) - 1;
      this.#cutOffTable(child);
      this.needsFlush = true;
    }
  }

  #cutOffTable(node: number): void {
    if (this.level[node] !== LAST) {
      const base = this.#childrenAt[node] as number;
      for (let i = base; this.#childCount[node] !== 0; i++) {
        const child = this.#children[i] as number;
        if (child === 0) continue;
        this.#childCount[node] = (this.#childCount[node] as number) - 1;
        this.#children[i] = 0;
        this.#cutOffTable(child);
      }
      this.#freeChildren.push(base);
    }
    const unlinkedAt = this.#unlinkedAt[node] as number;
    if (unlinkedAt !== -1) this.#unlinked[unlinkedAt] = 0;
    if (this.recent === node) this.recent = 0;
    this.cutOff.push(this.slot[node] as number);
    this.#freeNodes.push(node);
  }

  #roomForChildren(): number {
    const known = this.#freeChildren.pop();
    if (known !== undefined) return known;
    const at = this.#childrenUsed;
    this.#childrenUsed += ENTRIES;
    if (this.#childrenUsed > this.#children.length) {
      this.#children = grownInts(this.#children, this.#children.length * 2);
    }
    return at;
  }

  #grow(): void {
    const room = this.slot.length * 2;
    this.slot = grownInts(this.slot, room);
    this.parent = grownInts(this.parent, room);
    this.#childrenAt = grownInts(this.#childrenAt, room);
    this.#unlinkedAt = grownInts(this.#unlinkedAt, room);
    const level = new Uint8Array(room);
    level.set(this.level);
    this.level = level;
    const childCount = new Uint16Array(room);
    childCount.set(this.#childCount);
    this.#childCount = childCount;
    const index = new Uint16Array(room);
    index.set(this.index);
    this.index = index;
    const start = new Float64Array(room);
    start.set(this.start);
    this.start = start;
  }
}
