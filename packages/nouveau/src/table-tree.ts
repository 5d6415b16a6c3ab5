/**
 * The tables of one VM: how a node gets its hardware tables, what those begin with, who points to them, and how they go with the
 * last reference (nvkm's `vmm.c`, Linux 7.3-rc7). What references there are is the business of `page-table.ts`.
 *
 * A table that goes takes all above with it that it alone kept; the directory that stays gets its entry back as it was, sparse
 * or nothing, and one TLB invalidation at once.
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail } from "@vmbind/drm";
import {
  fillEntries,
  GMMU_SPARSE,
  type GmmuAperture,
  type GmmuVersion,
  gmmuNoSmall,
  gmmuTableHi,
  gmmuTableLo,
  type PhysicalMemory,
  type TableMemory,
  type Tlb,
} from "@vmbind/mmu";
import type { PageSize } from "./backends.ts";
import type { NouveauCounters } from "./cost-sheet.ts";
import { clearSparse, fillWide } from "./entry-words.ts";
import { ReservedTables } from "./reserved-tables.ts";
import type { TableCache } from "./table-cache.ts";
import { entriesOf, indexOf, LARGE_ENTRIES, NodePool, SMALL_ENTRIES, TableNode } from "./table-nodes.ts";

/** A constant of this module is found faster than an imported one. */
const SPARSE = GMMU_SPARSE;
const LARGE = LARGE_ENTRIES;
/** Every unit of a block, as bits. */
const ALL_UNITS = -1;
/** Blocks below one PD0 less one. */
const PLACE_MASK = 255;

/** What page tables are made with. */
export interface PageTableOptions {
  /** Where they are kept. */
  memory: PhysicalMemory;
  /** The sheet of the device. */
  counters: NouveauCounters;
  /** How much memory they take. */
  cache: TableCache;
  /** Version of the format. */
  version: GmmuVersion;
  /** Page sizes, largest first. */
  pages: readonly PageSize[];
  /** Where tables are. */
  aperture: GmmuAperture;
  /** Asked before each table but the root. */
  allocFault?: AllocFault | undefined;
  /** The GPU's TLB. */
  tlb: Tlb;
  /** The VM's number in it. */
  asid: number;
}

/** The tables of one VM. */
export class TableTree {
  /** The root. It has a reference of its own. */
  readonly root: TableNode;
  /** Something was written since the last invalidation. */
  dirty = false;
  readonly #options: PageTableOptions;
  readonly #tables: TableMemory;
  readonly #counters: NouveauCounters;
  readonly #nodes: NodePool = new NodePool();
  readonly #noSmall: number;
  readonly #tlb: Tlb;
  readonly #asid: number;
  /** The PD0 of the block that was looked up last: the next one mostly lies below it, too. */
  #place: TableNode | null = null;
  /** Why a table could not be made. */
  #refusal = "";

  /** Tables that are set aside for queued work. */
  readonly reserved: ReservedTables = new ReservedTables({
    take: () => {
      const slot = this.#allocTable(false);
      if (slot >= 0) this.#counters.tablesReserved++;
      return slot;
    },
    giveBack: (slot) => {
      this.#tables.free(slot);
      this.#counters.tablesReturned++;
    },
  });

  /**
   * Takes the root.
   *
   * @param options - see {@link PageTableOptions}
   * @throws DrmError ENOMEM
   */
  constructor(options: PageTableOptions) {
    this.#options = options;
    this.#tables = options.memory.tables;
    this.#counters = options.counters;
    this.#noSmall = gmmuNoSmall(options.version);
    this.#tlb = options.tlb;
    this.#asid = options.asid;
    this.root = new TableNode(options.version === 2 ? 4 : 5);
    this.root.slot = this.#takeTable();
    this.root.refs = 1;
  }

  /**
   * Set tables aside; see {@link ReservedTables.reserve}.
   *
   * @param count - how many more
   * @throws DrmError ENOMEM; none are set aside then
   */
  reserve(count: number): void {
    if (!this.reserved.reserve(count)) this.failTables();
  }

  /** Give the root back. The tree must not be used afterwards. */
  destroy(): void {
    this.reserved.release(this.reserved.slots.length);
    this.#tables.free(this.root.slot);
  }

  // -- tables -------------------------------------------------------------------------------------------------------------

  /** The node of a level that covers a block. A missing one is a mistake of the model. */
  need(block: number, level: number): TableNode {
    const node = this.#near(block, level) ?? this.find(block, level);
    if (node === null) throw new Error(`page table: no table of level ${level} for block ${block}`);
    return node;
  }

  /**
   * @param block - VA / 2 MiB
   * @param level - 0 for the tables of a block
   * @returns the node that covers it, null where there is none
   */
  find(block: number, level: number): TableNode | null {
    let node = this.#start(block, level);
    for (let at = node.level; at > level; at--) {
      const child = node.children[indexOf(at, block)] as TableNode | null;
      if (child === null) return null;
      node = child;
    }
    if (level === 0) this.#place = node.parent;
    return node;
  }

  /** The same, with every table on the way and the one asked for made; null where one cannot be. */
  ensure(block: number, level: number, small: boolean): TableNode | null {
    const near = this.#near(block, level);
    if (near !== null && (small ? near.smallSlot : near.slot) >= 0) return near;
    let node = this.#start(block, level);
    for (let at = node.level; at > level; at--) {
      const index = indexOf(at, block);
      const child = node.children[index] ?? this.#nodes.take(node, index);
      const wantsSmall = small && at === 1;
      if ((wantsSmall ? child.smallSlot : child.slot) < 0 && !this.#makeTable(child, wantsSmall)) return null;
      node = child;
    }
    if (level === 0) this.#place = node.parent;
    return node;
  }

  /** Where a descent begins: at the root, or at the PD0 of the last one. */
  #start(block: number, level: number): TableNode {
    const place = this.#place;
    const isBelow = level === 0 && place !== null && place.block === block - (block & PLACE_MASK);
    return isBelow ? place : this.root;
  }

  /** The tables of a block below the PD0 of the last one, null where they are not there. */
  #near(block: number, level: number): TableNode | null {
    const place = this.#place;
    const index = block & PLACE_MASK;
    if (level !== 0 || place === null || place.block !== block - index) return null;
    return place.children[index] as TableNode | null;
  }

  #makeTable(node: TableNode, small: boolean): boolean {
    const parent = node.parent as TableNode;
    parent.refs++;
    // A table that begins with sparse entries, or says of each entry who is to be asked, is written at once.
    const slot = this.#tryTable(node.sparse || (node.level === 0 && !small));
    if (slot < 0) {
      this.#unreferenced(node);
      return false;
    }
    if (small) {
      node.smallSlot = slot;
      // The last small table of this block may have left something. A loop: a fill takes longer.
      for (let unit = 0; unit < LARGE; unit++) node.small[unit] = 0;
      this.#options.cache.take();
      if (node.sparse) this.#born(slot, 0, SMALL_ENTRIES, SPARSE);
    } else {
      node.slot = slot;
      if (node.level === 0) this.#bornLarge(node);
      else {
        this.#options.cache.take();
        if (node.sparse) this.#bornDirectory(node);
      }
    }
    this.#point(node);
    return true;
  }

  #bornDirectory(node: TableNode): void {
    const entries = entriesOf(node.level);
    node.marks.fill(1);
    // Entries of PD0 have two halves.
    if (node.level === 1) fillWide(this.#tables.words, this.#word(node.slot, 0), entries, SPARSE);
    else fillEntries(this.#tables, this.#word(node.slot, 0), entries, SPARSE, 0);
    this.#counters.fillWrites += entries;
  }

  /** A table of 64 KiB pages says of each entry who is to be asked: it, or the small table that may be there already. */
  #bornLarge(node: TableNode): void {
    const { small, large } = node;
    node.place = this.#options.cache.takeLarge();
    fillEntries(this.#tables, this.#word(node.slot, 0), LARGE, node.sparse ? SPARSE : this.#noSmall, 0);
    node.sparseUnits = node.sparse ? ALL_UNITS : 0;
    node.smallUnits = 0;
    node.largeUnits = 0;
    // The last large table of this block may have left something.
    for (let unit = 0; unit < LARGE; unit++) large[unit] = 0;
    let fills = LARGE;
    if (node.smallSlot >= 0) {
      for (let unit = 0; unit < LARGE; unit++) {
        if (small[unit] === 0) continue;
        node.smallUnits |= 1 << unit;
        fillEntries(this.#tables, this.#word(node.slot, unit), 1, 0, 0);
        fills--;
      }
    }
    this.#counters.fillWrites += fills;
  }

  /** A table goes because nobody needs it, and with it all above that it alone kept. */
  freeTable(node: TableNode, small: boolean): void {
    const slot = small ? node.smallSlot : node.slot;
    if (small) {
      node.smallSlot = -1;
      this.#options.cache.give();
    } else {
      node.slot = -1;
      if (node.level === 0) this.#options.cache.giveLarge(node.place);
      else this.#options.cache.give();
    }
    this.#unreferenced(node);
    this.#tables.free(slot);
  }

  /** The directory above a node has one reference less: its entry is written anew, or it goes itself. */
  #unreferenced(node: TableNode): void {
    const parent = node.parent as TableNode;
    const lives = node.slot >= 0 || node.smallSlot >= 0;
    const { index, sparse } = node;
    if (!lives) {
      if (node === this.#place) this.#place = null;
      this.#nodes.give(node);
    }
    parent.refs--;
    if (parent.refs === 0) {
      this.freeTable(parent, false);
      return;
    }
    if (lives) this.#point(node);
    else this.#fillEntry(parent, index, sparse ? SPARSE : 0);
    this.invalidate();
  }

  /** Write the entry that points to a node's tables. */
  #point(node: TableNode): void {
    const { version, aperture } = this.#options;
    const parent = node.parent as TableNode;
    const tables = this.#tables;
    const wide = parent.level === 1;
    const at = this.#word(parent.slot, wide ? node.index * 2 : node.index);
    this.#counters.tableWrites++;
    this.dirty = true;
    const { words } = tables;
    const pa = node.slot < 0 ? -1 : tables.address(node.slot);
    words[at] = pa < 0 ? 0 : gmmuTableLo(version, pa, aperture);
    words[at + 1] = pa < 0 ? 0 : gmmuTableHi(version, pa);
    if (!wide) return;
    const smallPa = node.smallSlot < 0 ? -1 : tables.address(node.smallSlot);
    words[at + 2] = smallPa < 0 ? 0 : gmmuTableLo(version, smallPa, aperture);
    words[at + 3] = smallPa < 0 ? 0 : gmmuTableHi(version, smallPa);
  }

  /** Write a directory entry without a table. */
  #fillEntry(node: TableNode, index: number, lo: number): void {
    this.#counters.tableWrites++;
    this.dirty = true;
    if (node.level === 1) fillWide(this.#tables.words, this.#word(node.slot, index * 2), 1, lo);
    else fillEntries(this.#tables, this.#word(node.slot, index), 1, lo, 0);
  }

  /** @returns a table, -1 where there is none; with whatever it holds for a caller that writes all its entries at once */
  #tryTable(uncleared: boolean): number {
    const reserved = this.reserved.take();
    return reserved >= 0 ? reserved : this.#allocTable(uncleared);
  }

  #allocTable(uncleared: boolean): number {
    const tables = this.#tables;
    const injected = this.#options.allocFault?.("page-table") ?? false;
    if (!injected && tables.live < tables.limit) return uncleared ? tables.allocUncleared() : tables.alloc();
    this.#refusal = injected ? "injected" : tables.whenFull();
    return -1;
  }

  #takeTable(): number {
    const slot = this.#allocTable(false);
    return slot < 0 ? fail(ENOMEM, `page table: ${this.#tables.whenFull()}, or injected`) : slot;
  }

  // -- entries ------------------------------------------------------------------------------------------------------------

  #word(slot: number, at: number): number {
    return slot * this.#tables.wordsPerTable + at * 2;
  }

  /** The same low half in a run of 8-byte entries. */
  fill(slot: number, first: number, count: number, lo: number): void {
    this.decide(slot, first, count, lo);
    this.dirty = true;
  }

  /** The same where references decide which table is asked, which by itself needs no invalidation. */
  decide(slot: number, first: number, count: number, lo: number): void {
    const at = this.#word(slot, first);
    if (lo === 0 && count > LARGE) this.#tables.words.fill(0, at, at + count * 2);
    else fillEntries(this.#tables, at, count, lo, 0);
    this.#count(count, lo);
  }

  /** Count a run of a table that goes before anybody looks: what the driver writes there is not stored. */
  countFill(count: number, lo: number): void {
    this.#count(count, lo);
    this.dirty = true;
  }

  #count(count: number, lo: number): void {
    if (lo === SPARSE) this.#counters.pteWrites += count;
    else this.#counters.pteClears += count;
  }

  /** The same in a run of a directory. */
  fillDirectory(node: TableNode, first: number, count: number, lo: number): void {
    if (node.level > 1) {
      this.fill(node.slot, first, count, lo);
      return;
    }
    const from = this.#word(node.slot, first * 2);
    if (lo === 0) fillEntries(this.#tables, from, count * 2, 0, 0);
    else fillWide(this.#tables.words, from, count, lo);
    this.#count(count, lo);
    this.dirty = true;
  }

  /** What a new table begins with. */
  #born(slot: number, first: number, count: number, lo: number): void {
    fillEntries(this.#tables, this.#word(slot, first), count, lo, 0);
    this.#counters.fillWrites += count;
  }

  /** Of small entries those that are still sparse go with their region. */
  clearSparse(slot: number, first: number, count: number): void {
    const end = this.#word(slot, first + count);
    this.#counters.pteClears += clearSparse(this.#tables.words, this.#word(slot, first), end);
  }

  /** One TLB invalidation of the whole VM, counted. */
  invalidate(): void {
    this.dirty = false;
    this.#tlb.invalidateAll(this.#asid);
  }

  /** Refuse what needed the table that could not be made. */
  failTables(): never {
    return fail(ENOMEM, `page table: no memory for a table: ${this.#refusal}`);
  }
}
