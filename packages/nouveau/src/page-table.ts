/**
 * The driver's page-table algorithm: four primitives over ranges of one page size, and sparse ranges on top (nvkm's `vmm.c` and
 * `vmmgp100.c`, Linux 7.3-rc7).
 *
 * | primitive | tables | entries |
 * |---|---|---|
 * | `get` | take references, make what is missing | only those that decide which of two tables is asked |
 * | `put` | drop references, free what nobody needs | the same |
 * | `map`, `unmap` | must be there | written |
 *
 * Every walk ends with one TLB invalidation of the whole VM if anything was written since the last one; each chain of tables
 * that is freed sends one at once. A sparse range is references and entries without a mapping: `sparse` makes both, `unsparse`
 * takes both back.
 *
 * The rules of references are in `table-nodes.ts`. What is right here and not always in the driver: `map`, `unmap` and `put`
 * insist on the tables that they touch (a missing one is a mistake of the model), and no caller lets entries of two sizes
 * overlap.
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
  type ScatterList,
  type TableMemory,
} from "@vmbind/mmu";
import type { PageSize } from "./backends.ts";
import type { NouveauCounters } from "./cost-sheet.ts";
import { type LeafAttributes, writeLeaves } from "./leaf-runs.ts";
import { sparseBlocks } from "./sparse-blocks.ts";
import type { TableCache } from "./table-cache.ts";
import {
  BLOCK_BYTES,
  BLOCK_LG2,
  entriesOf,
  indexOf,
  LARGE_ENTRIES,
  levelOf,
  NodePool,
  SMALL_ENTRIES,
  SMALL_IN_LARGE,
  TableNode,
  TRACK_LARGE,
  TRACK_SMALL,
  TRACK_SPARSE,
} from "./table-nodes.ts";

/** A constant of this module is found faster than an imported one. */
const SPARSE = GMMU_SPARSE;
const SMALL_SHIFT = 12;
const LARGE_SHIFT = 16;
/** References of a large entry are counted in 13 bits. */
const LARGE_REFS_MASK = 0x1fff;

/** What a walk does. */
type Walk = "get" | "put" | "sparse" | "unsparse" | "map" | "unmap";

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

/** The page tables of one VM. */
export class NouveauPageTable {
  /** The root. It has a reference of its own. */
  readonly root: TableNode;
  readonly #options: PageTableOptions;
  readonly #tables: TableMemory;
  readonly #counters: NouveauCounters;
  readonly #nodes: NodePool = new NodePool();
  readonly #noSmall: number;
  /** Tables set aside by {@link NouveauPageTable.reserve}. */
  readonly #reserved: number[] = [];
  /** Something was written since the last invalidation. */
  #dirty = false;

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

  /** Physical address of the root table. */
  get rootAddress(): number {
    return this.#tables.address(this.root.slot);
  }

  // -- the primitives ---------------------------------------------------------------------------------------------------

  /**
   * Take a reference for each entry of a range. No entry of another size may be valid in it.
   *
   * @param addr - first VA in bytes, a multiple of the page size
   * @param bytes - a multiple of the page size
   * @param shift - log2 of the page size: 12, 16 or 21
   * @throws DrmError ENOMEM; nothing has changed then
   */
  get(addr: number, bytes: number, shift: number): void {
    const done = this.#walk("get", addr, bytes, shift);
    if (done === bytes) return;
    this.put(addr, done, shift);
    failTables(addr + done);
  }

  /** Drop a reference for each entry of a range; parameters as {@link NouveauPageTable.get}. */
  put(addr: number, bytes: number, shift: number): void {
    this.#walk("put", addr, bytes, shift);
  }

  /**
   * Write the leaves of a range.
   *
   * @param addr - first VA in bytes
   * @param bytes - length
   * @param shift - log2 of the page size
   * @param pages - where the object is, in pieces of whole pages
   * @param offset - byte of the object that the range begins with
   * @param leaf - attributes
   */
  map(
    addr: number,
    bytes: number,
    shift: number,
    pages: ScatterList,
    offset: number,
    leaf: LeafAttributes,
  ): void {
    this.#pages = pages;
    this.#offset = offset;
    this.#leaf = leaf;
    this.#walk("map", addr, bytes, shift);
  }

  /**
   * Take the leaves of a range out.
   *
   * @param addr - first VA in bytes
   * @param bytes - length
   * @param shift - log2 of the page size
   * @param sparse - leave sparse entries: the range lies in a region
   */
  unmap(addr: number, bytes: number, shift: number, sparse: boolean): void {
    this.#toSparse = sparse;
    this.#walk("unmap", addr, bytes, shift);
  }

  /**
   * Make a range sparse over nothing.
   *
   * @param addr - first VA in bytes, a multiple of 4 KiB
   * @param bytes - a multiple of 4 KiB
   * @throws DrmError ENOMEM; nothing has changed then
   */
  sparse(addr: number, bytes: number): void {
    for (const block of sparseBlocks(this.#options.pages, addr, bytes)) {
      const done = this.#walk("sparse", block.addr, block.bytes, block.shift);
      if (done === block.bytes) continue;
      if (done > 0) this.#walk("unsparse", block.addr, done, block.shift);
      if (block.addr > addr) this.unsparse(addr, block.addr - addr);
      failTables(block.addr + done);
    }
  }

  /** Take a sparse range back; parameters as {@link NouveauPageTable.sparse}. */
  unsparse(addr: number, bytes: number): void {
    for (const block of sparseBlocks(this.#options.pages, addr, bytes)) {
      this.#walk("unsparse", block.addr, block.bytes, block.shift);
    }
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
        if (slot < 0) failTables(0);
        this.#reserved.push(slot);
      }
    } catch (error) {
      this.release(this.#reserved.length - before);
      throw error;
    }
    this.#counters.tablesReserved += count;
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

  /** Tables that are set aside. */
  get reserved(): number {
    return this.#reserved.length;
  }

  /** Give the root back, and with it what is left. The table must not be used afterwards. */
  destroy(): void {
    this.release(this.#reserved.length);
    this.#tables.free(this.root.slot);
  }

  // -- walks --------------------------------------------------------------------------------------------------------------

  #pages!: ScatterList;
  #offset = 0;
  #leaf!: LeafAttributes;
  #toSparse = false;

  /** Cut a range into runs inside one table. @returns the bytes done; fewer than asked only where a table could not be made */
  #walk(what: Walk, addr: number, bytes: number, shift: number): number {
    const entryBytes = 2 ** shift;
    const makes = what === "get" || what === "sparse";
    let left = bytes / entryBytes;
    if (shift < BLOCK_LG2) {
      const small = shift === SMALL_SHIFT;
      const per = small ? SMALL_ENTRIES : LARGE_ENTRIES;
      let block = Math.floor(addr / BLOCK_BYTES);
      let first = (addr - block * BLOCK_BYTES) / entryBytes;
      while (left > 0) {
        const count = left < per - first ? left : per - first;
        const node = makes ? this.#ensure(block, 0, small) : this.#need(block, 0);
        if (node === null) break;
        if (small) this.#runSmall(what, node, first, count);
        else this.#runLarge(what, node, first, count);
        left -= count;
        block++;
        first = 0;
      }
    } else {
      left = this.#walkDirectories(what, addr, left, entryBytes, makes);
    }
    if (this.#dirty) this.#invalidate();
    return bytes - left * entryBytes;
  }

  /** The same for entries of directories: 2 MiB pages, and sparse entries of any size. @returns entries left */
  #walkDirectories(
    what: Walk,
    addr: number,
    count: number,
    entryBytes: number,
    makes: boolean,
  ): number {
    let left = count;
    let block = addr / BLOCK_BYTES;
    const blocks = entryBytes / BLOCK_BYTES;
    const level = levelOf(entryBytes);
    const per = entriesOf(level);
    while (left > 0) {
      const node = makes ? this.#ensure(block, level, false) : this.#need(block, level);
      if (node === null) break;
      const first = indexOf(level, block);
      const run = left < per - first ? left : per - first;
      this.#runDirectory(what, node, first, run);
      left -= run;
      block += run * blocks;
    }
    return left;
  }

  #runSmall(what: Walk, node: TableNode, first: number, count: number): void {
    if (what === "get") {
      this.#getSmall(node, first, count);
    } else if (what === "put") {
      this.#putSmall(node, first, count);
    } else if (what === "map") {
      this.#offset = writeLeaves(this.#tables, node.smallSlot, first, count, SMALL_SHIFT, this.#pages, this.#offset, this.#leaf);
      this.#dirty = true;
    } else if (what === "unmap") {
      this.#fill(node.smallSlot, first, count, this.#toSparse ? SPARSE : 0);
    } else if (what === "sparse") {
      this.#getSmall(node, first, count);
      this.#fill(node.smallSlot, first, count, SPARSE);
    } else {
      this.#putSmall(node, first, count);
      if (node.smallSlot >= 0) this.#fill(node.smallSlot, first, count, 0);
    }
  }

  #runLarge(what: Walk, node: TableNode, first: number, count: number): void {
    if (what === "get") {
      this.#getLarge(node, first, count);
    } else if (what === "put") {
      this.#putLarge(node, first, count);
    } else if (what === "map") {
      this.#offset = writeLeaves(this.#tables, node.slot, first, count, LARGE_SHIFT, this.#pages, this.#offset, this.#leaf);
      this.#dirty = true;
    } else if (what === "unmap") {
      this.#fill(node.slot, first, count, this.#toSparse ? SPARSE : this.#noSmall);
    } else if (what === "sparse") {
      node.track.fill(TRACK_SPARSE, first, first + count);
      node.large.fill(0, first, first + count);
      node.small.fill(0, first, first + count);
      this.#getLarge(node, first, count);
      this.#fill(node.slot, first, count, SPARSE);
    } else {
      node.track.fill(0, first, first + count);
      node.large.fill(0, first, first + count);
      node.small.fill(0, first, first + count);
      this.#putLarge(node, first, count);
      if (node.slot >= 0) this.#fill(node.slot, first, count, this.#noSmall);
      if (node.smallSlot >= 0) this.#clearSparse(node.smallSlot, first * SMALL_IN_LARGE, count * SMALL_IN_LARGE);
    }
  }

  #runDirectory(what: Walk, node: TableNode, first: number, count: number): void {
    if (what === "get") {
      node.refs += count;
    } else if (what === "put") {
      this.#putDirectory(node, count);
    } else if (what === "map") {
      this.#offset = writeLeaves(this.#tables, node.slot, first, count, BLOCK_LG2, this.#pages, this.#offset, this.#leaf);
      this.#dirty = true;
    } else if (what === "unmap") {
      this.#fillDirectory(node, first, count, this.#toSparse ? SPARSE : 0);
    } else if (what === "sparse") {
      node.marks.fill(1, first, first + count);
      node.refs += count;
      this.#fillDirectory(node, first, count, SPARSE);
    } else {
      node.marks.fill(0, first, first + count);
      this.#putDirectory(node, count);
      if (node.slot >= 0) this.#fillDirectory(node, first, count, 0);
    }
  }

  // -- references ---------------------------------------------------------------------------------------------------------

  #getSmall(node: TableNode, first: number, count: number): void {
    const { small, track } = node;
    node.smallRefs += count;
    const from = first >> 4;
    const to = (first + count - 1) >> 4;
    for (let unit = from; unit <= to; unit++) small[unit] = (small[unit] as number) + share(unit, first, count);
    if (node.refs === 0) return;
    for (let unit = from; unit <= to; unit++) {
      if (((track[unit] as number) & TRACK_SMALL) !== 0) continue;
      const start = unit;
      while (unit <= to && ((track[unit] as number) & TRACK_SMALL) === 0) {
        track[unit] = ((track[unit] as number) & ~TRACK_LARGE) | TRACK_SMALL;
        unit++;
      }
      // The first of them decides for all: no VM_BIND has a range that is in a region only in part.
      if (((track[start] as number) & TRACK_SPARSE) !== 0) {
        this.#fill(node.smallSlot, start * SMALL_IN_LARGE, (unit - start) * SMALL_IN_LARGE, SPARSE);
      }
      this.#fill(node.slot, start, unit - start, 0);
    }
  }

  #putSmall(node: TableNode, first: number, count: number): void {
    const { small, track } = node;
    node.smallRefs -= count;
    if (node.refs + node.smallRefs > 0) {
      const to = (first + count - 1) >> 4;
      for (let unit = first >> 4; unit <= to; unit++) {
        const rest = (small[unit] as number) - share(unit, first, count);
        small[unit] = rest;
        if (rest !== 0 || node.refs === 0) continue;
        const flags = track[unit] as number;
        track[unit] = flags & ~TRACK_SMALL;
        if ((flags & TRACK_LARGE) !== 0) continue;
        this.#fill(node.slot, unit, 1, (flags & TRACK_SPARSE) !== 0 ? SPARSE : this.#noSmall);
      }
    }
    if (node.smallRefs === 0) this.#freeTable(node, true);
  }

  #getLarge(node: TableNode, first: number, count: number): void {
    const { large, track } = node;
    node.refs += count;
    for (let unit = first; unit < first + count; unit++) {
      track[unit] = ((track[unit] as number) & ~TRACK_SMALL) | TRACK_LARGE;
      large[unit] = ((large[unit] as number) + 1) & LARGE_REFS_MASK;
    }
  }

  #putLarge(node: TableNode, first: number, count: number): void {
    const { large, track } = node;
    node.refs -= count;
    if (node.refs + node.smallRefs > 0) {
      for (let unit = first; unit < first + count; unit++) {
        const rest = ((large[unit] as number) - 1) & LARGE_REFS_MASK;
        large[unit] = rest;
        if (rest === 0) track[unit] = (track[unit] as number) & ~TRACK_LARGE;
      }
    }
    if (node.refs === 0) this.#freeTable(node, false);
  }

  #putDirectory(node: TableNode, count: number): void {
    node.refs -= count;
    if (node.refs === 0) this.#freeTable(node, false);
  }

  // -- tables -------------------------------------------------------------------------------------------------------------

  /** The node of a level that covers a block. A missing one is a mistake of the model. */
  #need(block: number, level: number): TableNode {
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
  #ensure(block: number, level: number, small: boolean): TableNode | null {
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
  #freeTable(node: TableNode, small: boolean): void {
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
      this.#freeTable(parent, false);
      return;
    }
    if (lives) this.#point(node);
    else this.#fillEntry(parent, index, sparse ? SPARSE : 0);
    this.#invalidate();
  }

  /** Write the entry that points to a node's tables. */
  #point(node: TableNode): void {
    const { version, aperture } = this.#options;
    const parent = node.parent as TableNode;
    const tables = this.#tables;
    const wide = parent.level === 1;
    const at = this.#word(parent.slot, wide ? node.index * 2 : node.index);
    this.#counters.tableWrites++;
    this.#dirty = true;
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
    this.#dirty = true;
    fillEntries(this.#tables, this.#word(node.slot, wide ? index * 2 : index), 1, lo, 0);
    if (wide) fillEntries(this.#tables, this.#word(node.slot, index * 2 + 1), 1, 0, 0);
  }

  #tryTable(): number {
    return this.#reserved.pop() ?? this.#allocTable();
  }

  #allocTable(): number {
    if (this.#options.allocFault?.("page-table")) return -1;
    return this.#tables.live < this.#tables.limit ? this.#tables.alloc() : -1;
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
  #fill(slot: number, first: number, count: number, lo: number): void {
    fillEntries(this.#tables, this.#word(slot, first), count, lo, 0);
    if (lo === SPARSE) this.#counters.pteWrites += count;
    else this.#counters.pteClears += count;
    this.#dirty = true;
  }

  /** The same in a run of a directory. */
  #fillDirectory(node: TableNode, first: number, count: number, lo: number): void {
    if (node.level > 1) {
      this.#fill(node.slot, first, count, lo);
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
    this.#dirty = true;
  }

  /** What a new table begins with. */
  #born(slot: number, first: number, count: number, lo: number): void {
    fillEntries(this.#tables, this.#word(slot, first), count, lo, 0);
    this.#counters.fillWrites += count;
  }

  /** Of small entries those that are still sparse go with their region. */
  #clearSparse(slot: number, first: number, count: number): void {
    const { words } = this.#tables;
    const from = this.#word(slot, first);
    for (let at = from; at < from + count * 2; at += 2) {
      if (words[at] !== SPARSE) continue;
      words[at] = 0;
      this.#counters.pteClears++;
    }
  }

  #invalidate(): void {
    this.#dirty = false;
    this.#options.invalidate();
  }
}

/** How many small entries of a run lie in a unit of 64 KiB. */
function share(unit: number, first: number, count: number): number {
  const from = unit * SMALL_IN_LARGE;
  const start = first > from ? first : from;
  const end = first + count < from + SMALL_IN_LARGE ? first + count : from + SMALL_IN_LARGE;
  return end - start;
}

function failTables(addr: number): never {
  return fail(ENOMEM, `page table: no memory for a table at 0x${addr.toString(16)}`);
}
