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
} from "@vmbind/mmu";
import type { PageSize } from "./backends.ts";
import type { NouveauCounters } from "./cost-sheet.ts";
import type { TableCache } from "./table-cache.ts";
import {
  entriesOf,
  indexOf,
  LARGE_ENTRIES,
  NodePool,
  SMALL_ENTRIES,
  TableNode,
  TRACK_SMALL,
  TRACK_SPARSE,
} from "./table-nodes.ts";

/** A constant of this module is found faster than an imported one. */
const SPARSE = GMMU_SPARSE;

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
  /** Forgets what the TLB has of the VM. */
  invalidate: () => void;
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
  readonly #reserved: number[] = [];
  /** Why a table could not be made. */
  #refusal = "";

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
    this.root = new TableNode(options.version === 2 ? 4 : 5);
    this.root.slot = this.#takeTable();
    this.root.refs = 1;
  }

  /**
   * Set tables aside, so that as many can be made later without failing.
   *
   * @param count - how many more
   * @throws DrmError ENOMEM; none are set aside then
   */
  reserve(count: number): void {
    const before = this.#reserved.length;
    try {
      for (let i = 0; i < count; i++) {
        const slot = this.#allocTable();
        if (slot < 0) this.failTables();
        this.#reserved.push(slot);
        this.#counters.tablesReserved++;
      }
    } catch (error) {
      this.release(this.#reserved.length - before);
      throw error;
    }
  }

  /** Give back tables that were set aside and not used. */
  release(count: number): void {
    for (let i = 0; i < count; i++) {
      const slot = this.#reserved.pop();
      if (slot === undefined) return;
      this.#tables.free(slot);
      this.#counters.tablesReturned++;
    }
  }

  /** Slots of the tables that are set aside. */
  get reserved(): readonly number[] {
    return this.#reserved;
  }

  /** Give the root back. The tree must not be used afterwards. */
  destroy(): void {
    this.release(this.#reserved.length);
    this.#tables.free(this.root.slot);
  }

  // -- tables -------------------------------------------------------------------------------------------------------------

  /** The node of a level that covers a block. A missing one is a mistake of the model. */
  need(block: number, level: number): TableNode {
    const node = this.find(block, level);
    if (node === null) throw new Error(`page table: no table of level ${level} for block ${block}`);
    return node;
  }

  /**
   * @param block - VA / 2 MiB
   * @param level - 0 for the tables of a block
   * @returns the node that covers it, null where there is none
   */
  find(block: number, level: number): TableNode | null {
    let node: TableNode | null = this.root;
    for (let at = this.root.level; at > level && node !== null; at--) {
      node = node.children[indexOf(at, block)] as TableNode | null;
    }
    return node;
  }

  /** The same, with every table on the way and the one asked for made; null where one cannot be. */
  ensure(block: number, level: number, small: boolean): TableNode | null {
    let node = this.root;
    for (let at = this.root.level; at > level; at--) {
      const index = indexOf(at, block);
      const child = node.children[index] ?? this.#nodes.take(node, index);
      const wantsSmall = small && at === 1;
      if ((wantsSmall ? child.smallSlot : child.slot) < 0 && !this.#makeTable(child, wantsSmall)) return null;
      node = child;
    }
    return node;
  }

  #makeTable(node: TableNode, small: boolean): boolean {
    const parent = node.parent as TableNode;
    parent.refs++;
    const slot = this.#tryTable();
    if (slot < 0) {
      this.#unreferenced(node);
      return false;
    }
    if (small) {
      node.smallSlot = slot;
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
    if (node.level === 1) {
      for (let i = 0; i < entries; i++) fillEntries(this.#tables, this.#word(node.slot, i * 2), 1, SPARSE, 0);
    } else fillEntries(this.#tables, this.#word(node.slot, 0), entries, SPARSE, 0);
    this.#counters.fillWrites += entries;
  }

  /** A table of 64 KiB pages says of each entry who is to be asked: it, or the small table that may be there already. */
  #bornLarge(node: TableNode): void {
    const { small, track, large } = node;
    node.place = this.#options.cache.takeLarge();
    const empty = node.sparse ? SPARSE : this.#noSmall;
    const flags = node.sparse ? TRACK_SPARSE : 0;
    large.fill(0);
    for (let unit = 0; unit < LARGE_ENTRIES; unit++) {
      const used = node.smallSlot >= 0 && small[unit] !== 0;
      track[unit] = used ? flags | TRACK_SMALL : flags;
      if (!used) this.#born(node.slot, unit, 1, empty);
    }
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
    if (!lives) this.#nodes.give(node);
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
    const wide = node.level === 1;
    this.#counters.tableWrites++;
    this.dirty = true;
    fillEntries(this.#tables, this.#word(node.slot, wide ? index * 2 : index), 1, lo, 0);
    if (wide) fillEntries(this.#tables, this.#word(node.slot, index * 2 + 1), 1, 0, 0);
  }

  #tryTable(): number {
    return this.#reserved.pop() ?? this.#allocTable();
  }

  #allocTable(): number {
    const tables = this.#tables;
    const injected = this.#options.allocFault?.("page-table") ?? false;
    if (!injected && tables.live < tables.limit) return tables.alloc();
    this.#refusal = injected ? "injected" : tables.whenFull();
    return -1;
  }

  #takeTable(): number {
    const slot = this.#tryTable();
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
    fillEntries(this.#tables, this.#word(slot, first), count, lo, 0);
    if (lo === SPARSE) this.#counters.pteWrites += count;
    else this.#counters.pteClears += count;
  }

  /** The same in a run of a directory. */
  fillDirectory(node: TableNode, first: number, count: number, lo: number): void {
    if (node.level > 1) {
      this.fill(node.slot, first, count, lo);
      return;
    }
    const { words } = this.#tables;
    const from = this.#word(node.slot, first * 2);
    for (let at = from; at < from + count * 4; at += 4) {
      words[at] = lo;
      words[at + 1] = 0;
      words[at + 2] = 0;
      words[at + 3] = 0;
    }
    if (lo === SPARSE) this.#counters.pteWrites += count;
    else this.#counters.pteClears += count;
    this.dirty = true;
  }

  /** What a new table begins with. */
  #born(slot: number, first: number, count: number, lo: number): void {
    fillEntries(this.#tables, this.#word(slot, first), count, lo, 0);
    this.#counters.fillWrites += count;
  }

  /** Of small entries those that are still sparse go with their region. */
  clearSparse(slot: number, first: number, count: number): void {
    const { words } = this.#tables;
    const from = this.#word(slot, first);
    for (let at = from; at < from + count * 2; at += 2) {
      if (words[at] !== SPARSE) continue;
      words[at] = 0;
      this.#counters.pteClears++;
    }
  }

  /** One TLB invalidation of the whole VM, counted. */
  invalidate(): void {
    this.dirty = false;
    this.#options.invalidate();
  }

  /** Refuse what needed the table that could not be made. */
  failTables(): never {
    return fail(ENOMEM, `page table: no memory for a table: ${this.#refusal}`);
  }
}
