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
 * Every walk ends with one TLB invalidation of the whole VM if a directory entry, or an entry that it was about, was written
 * since the last one; each chain of tables that is freed sends one at once. A sparse range is references and entries without a mapping: `sparse` makes both, `unsparse`
 * takes both back.
 *
 * The rules of references are in `table-nodes.ts`. What is right here and not always in the driver: `map`, `unmap` and `put`
 * insist on the tables that they touch (a missing one is a mistake of the model), and no caller lets entries of two sizes
 * overlap.
 *
 * @module
 */

import { GMMU_SPARSE, gmmuNoSmall, type ScatterList, type TableMemory } from "@vmbind/mmu";
import { type LeafAttributes, writeLeaves } from "./leaf-runs.ts";
import { SparseCut } from "./sparse-blocks.ts";
import {
  BLOCK_LG2,
  bytesOf,
  entriesOf,
  indexOf,
  levelOf,
  type TableNode,
  TRACK_LARGE,
  TRACK_SMALL,
  TRACK_SPARSE,
} from "./table-nodes.ts";
import { type PageTableOptions, TableTree } from "./table-tree.ts";

// Constants of this module are found faster than imported ones.
const SPARSE = GMMU_SPARSE;
const TRACKED_SMALL = TRACK_SMALL;
const TRACKED_LARGE = TRACK_LARGE;
const TRACKED_SPARSE = TRACK_SPARSE;
const SMALL_SHIFT = 12;
const SMALL_BYTES = 2 ** 12;
const LARGE_SHIFT = 16;
const LARGE_BYTES = 2 ** 16;
const BLOCK_SHIFT = BLOCK_LG2;
const BLOCK_BYTES = 2 ** 21;
/** Entries of each size in a block, and small ones in a large one. */
const SMALL_ENTRIES = 512;
const LARGE_ENTRIES = 32;
const SMALL_IN_LARGE = 16;
/** References of a large entry are counted in 13 bits. */
const LARGE_REFS_MASK = 0x1fff;

// What a walk does.
const GET = 0;
const PUT = 1;
const MAP = 2;
const UNMAP = 3;
const MAKE_SPARSE = 4;
const UNDO_SPARSE = 5;

/** The page tables of one VM. */
export class NouveauPageTable {
  /** The tables themselves. */
  readonly tree: TableTree;
  readonly #tables: TableMemory;
  readonly #noSmall: number;
  readonly #cut: SparseCut;

  /**
   * Takes the root.
   *
   * @param options - see {@link PageTableOptions}
   * @throws DrmError ENOMEM
   */
  constructor(options: PageTableOptions) {
    this.#cut = new SparseCut(options.pages);
    this.#tables = options.memory.tables;
    this.#noSmall = gmmuNoSmall(options.version);
    this.tree = new TableTree(options);
  }

  /** The root. It has a reference of its own. */
  get root(): TableNode {
    return this.tree.root;
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
    const done = this.#walk(GET, addr, bytes, shift);
    if (done === bytes) return;
    this.put(addr, done, shift);
    this.tree.failTables();
  }

  /** Drop a reference for each entry of a range; parameters as {@link NouveauPageTable.get}. */
  put(addr: number, bytes: number, shift: number): void {
    this.#walk(PUT, addr, bytes, shift);
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
    this.#walk(MAP, addr, bytes, shift);
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
    this.#walk(UNMAP, addr, bytes, shift);
  }

  /**
   * Make a range sparse over nothing.
   *
   * @param addr - first VA in bytes, a multiple of 4 KiB
   * @param bytes - a multiple of 4 KiB
   * @throws DrmError ENOMEM; nothing has changed then
   */
  sparse(addr: number, bytes: number): void {
    const cut = this.#cut;
    cut.cut(addr, bytes);
    for (let i = 0; i < cut.count; i++) {
      const at = cut.addr[i] as number;
      const length = cut.bytes[i] as number;
      const shift = cut.shift[i] as number;
      const done = this.#walk(MAKE_SPARSE, at, length, shift);
      if (done === length) continue;
      if (done > 0) this.#walk(UNDO_SPARSE, at, done, shift);
      if (at > addr) this.unsparse(addr, at - addr);
      this.tree.failTables();
    }
  }

  /** Take a sparse range back; parameters as {@link NouveauPageTable.sparse}. */
  unsparse(addr: number, bytes: number): void {
    const cut = this.#cut;
    cut.cut(addr, bytes);
    for (let i = 0; i < cut.count; i++) {
      this.#walk(UNDO_SPARSE, cut.addr[i] as number, cut.bytes[i] as number, cut.shift[i] as number);
    }
  }

  /** Give the root back, and with it what is left. The table must not be used afterwards. */
  destroy(): void {
    this.tree.destroy();
  }

  // -- walks --------------------------------------------------------------------------------------------------------------

  #pages!: ScatterList;
  #offset = 0;
  #leaf!: LeafAttributes;
  #toSparse = false;

  /** Cut a range into runs inside one table. @returns the bytes done; fewer than asked only where a table could not be made */
  #walk(what: number, addr: number, bytes: number, shift: number): number {
    const { tree } = this;
    const makes = what === GET || what === MAKE_SPARSE;
    let left: number;
    let done: number;
    if (shift < BLOCK_SHIFT) {
      const small = shift === SMALL_SHIFT;
      const per = small ? SMALL_ENTRIES : LARGE_ENTRIES;
      const all = small ? bytes / SMALL_BYTES : bytes / LARGE_BYTES;
      let block = Math.floor(addr / BLOCK_BYTES);
      let first = (addr - block * BLOCK_BYTES) >> shift;
      left = all;
      while (left > 0) {
        const room = per - first;
        const count = left < room ? left : room;
        const node = makes ? tree.ensure(block, 0, small) : tree.need(block, 0);
        if (node === null) break;
        if (small) this.#runSmall(what, node, first, count);
        else this.#runLarge(what, node, first, count);
        left -= count;
        block++;
        first = 0;
      }
      done = bytes - left * (small ? SMALL_BYTES : LARGE_BYTES);
    } else {
      const entryBytes = bytesOf(shift);
      left = this.#walkDirectories(what, addr, bytes / entryBytes, shift, makes);
      done = bytes - left * entryBytes;
    }
    if (tree.dirty) tree.invalidate();
    return done;
  }

  /** The same for entries of directories: 2 MiB pages, and sparse entries of any size. @returns entries left */
  #walkDirectories(what: number, addr: number, count: number, shift: number, makes: boolean): number {
    let left = count;
    let block = addr / BLOCK_BYTES;
    const blocks = bytesOf(shift) / BLOCK_BYTES;
    const level = levelOf(shift);
    const per = entriesOf(level);
    while (left > 0) {
      const node = makes ? this.tree.ensure(block, level, false) : this.tree.need(block, level);
      if (node === null) break;
      const first = indexOf(level, block);
      const run = Math.min(left, per - first);
      this.#runDirectory(what, node, first, run);
      left -= run;
      block += run * blocks;
    }
    return left;
  }

  #runSmall(what: number, node: TableNode, first: number, count: number): void {
    if (what === GET) {
      this.#getSmall(node, first, count);
    } else if (what === PUT) {
      this.#putSmall(node, first, count);
    } else if (what === MAP) {
      this.#offset = writeLeaves(
        this.#tables,
        node.smallSlot,
        first,
        count,
        SMALL_SHIFT,
        this.#pages,
        this.#offset,
        this.#leaf,
      );
      this.tree.dirty = true;
    } else if (what === UNMAP) {
      this.tree.fill(node.smallSlot, first, count, this.#toSparse ? SPARSE : 0);
    } else if (what === MAKE_SPARSE) {
      this.#getSmall(node, first, count);
      this.tree.fill(node.smallSlot, first, count, SPARSE);
    } else {
      this.#putSmall(node, first, count);
      if (node.smallSlot >= 0) this.tree.fill(node.smallSlot, first, count, 0);
    }
  }

  #runLarge(what: number, node: TableNode, first: number, count: number): void {
    if (what === GET) {
      this.#getLarge(node, first, count);
    } else if (what === PUT) {
      this.#putLarge(node, first, count);
    } else if (what === MAP) {
      this.#offset = writeLeaves(
        this.#tables,
        node.slot,
        first,
        count,
        LARGE_SHIFT,
        this.#pages,
        this.#offset,
        this.#leaf,
      );
      this.tree.dirty = true;
    } else if (what === UNMAP) {
      this.tree.fill(node.slot, first, count, this.#toSparse ? SPARSE : this.#noSmall);
    } else if (what === MAKE_SPARSE) {
      this.#getSparseLarge(node, first, count);
      this.tree.fill(node.slot, first, count, SPARSE);
    } else {
      this.#putSparseLarge(node, first, count);
      if (node.slot >= 0) this.tree.fill(node.slot, first, count, this.#noSmall);
      if (node.smallSlot >= 0)
        this.tree.clearSparse(node.smallSlot, first * SMALL_IN_LARGE, count * SMALL_IN_LARGE);
    }
  }

  #runDirectory(what: number, node: TableNode, first: number, count: number): void {
    if (what === GET) {
      node.refs += count;
    } else if (what === PUT) {
      this.#putDirectory(node, count);
    } else if (what === MAP) {
      this.#offset = writeLeaves(
        this.#tables,
        node.slot,
        first,
        count,
        BLOCK_LG2,
        this.#pages,
        this.#offset,
        this.#leaf,
      );
      this.tree.dirty = true;
    } else if (what === UNMAP) {
      this.tree.fillDirectory(node, first, count, this.#toSparse ? SPARSE : 0);
    } else if (what === MAKE_SPARSE) {
      node.marks.fill(1, first, first + count);
      node.refs += count;
      this.tree.fillDirectory(node, first, count, SPARSE);
    } else {
      node.marks.fill(0, first, first + count);
      this.#putDirectory(node, count);
      if (node.slot >= 0) this.tree.fillDirectory(node, first, count, 0);
    }
  }

  // -- references ---------------------------------------------------------------------------------------------------------

  #getSmall(node: TableNode, first: number, count: number): void {
    const { small, track, refs } = node;
    node.smallRefs += count;
    const from = first >> 4;
    const to = (first + count - 1) >> 4;
    for (let unit = from; unit <= to; unit++)
      small[unit] = (small[unit] as number) + share(unit, first, count);
    if (refs === 0) return;
    for (let unit = from; unit <= to; unit++) {
      if (((track[unit] as number) & TRACKED_SMALL) !== 0) continue;
      const start = unit;
      while (unit <= to && ((track[unit] as number) & TRACKED_SMALL) === 0) {
        track[unit] = ((track[unit] as number) & ~TRACKED_LARGE) | TRACKED_SMALL;
        unit++;
      }
      // The first of them decides for all: no VM_BIND has a range that is in a region only in part.
      if (((track[start] as number) & TRACKED_SPARSE) !== 0) {
        this.tree.decide(node.smallSlot, start * SMALL_IN_LARGE, (unit - start) * SMALL_IN_LARGE, SPARSE);
      }
      this.tree.decide(node.slot, start, unit - start, 0);
    }
  }

  #putSmall(node: TableNode, first: number, count: number): void {
    const { small, track, refs } = node;
    const rest = node.smallRefs - count;
    node.smallRefs = rest;
    if (refs + rest > 0) {
      const to = (first + count - 1) >> 4;
      for (let unit = first >> 4; unit <= to; unit++) {
        const left = (small[unit] as number) - share(unit, first, count);
        small[unit] = left;
        if (left !== 0 || refs === 0) continue;
        const flags = track[unit] as number;
        track[unit] = flags & ~TRACKED_SMALL;
        if ((flags & TRACKED_LARGE) !== 0) continue;
        this.tree.decide(node.slot, unit, 1, (flags & TRACKED_SPARSE) !== 0 ? SPARSE : this.#noSmall);
      }
    }
    if (rest === 0) this.tree.freeTable(node, true);
  }

  #getLarge(node: TableNode, first: number, count: number): void {
    const { large, track } = node;
    node.refs += count;
    for (let unit = first; unit < first + count; unit++) {
      track[unit] = ((track[unit] as number) & ~TRACKED_SMALL) | TRACKED_LARGE;
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
        if (rest === 0) track[unit] = (track[unit] as number) & ~TRACKED_LARGE;
      }
    }
    if (node.refs === 0) this.tree.freeTable(node, false);
  }

  /** As {@link NouveauPageTable.get} for entries of 64 KiB that begin anew. */
  #getSparseLarge(node: TableNode, first: number, count: number): void {
    const { small, large, track } = node;
    node.refs += count;
    for (let unit = first; unit < first + count; unit++) {
      track[unit] = TRACKED_SPARSE | TRACKED_LARGE;
      large[unit] = 1;
      small[unit] = 0;
    }
  }

  /** The way back. The count of an entry goes below 0, as the driver's does. */
  #putSparseLarge(node: TableNode, first: number, count: number): void {
    const { small, large, track } = node;
    node.refs -= count;
    if (node.refs + node.smallRefs > 0) {
      for (let unit = first; unit < first + count; unit++) {
        track[unit] = 0;
        large[unit] = LARGE_REFS_MASK;
        small[unit] = 0;
      }
    }
    if (node.refs === 0) this.tree.freeTable(node, false);
  }

  #putDirectory(node: TableNode, count: number): void {
    node.refs -= count;
    if (node.refs === 0) this.tree.freeTable(node, false);
  }
}

/** How many small entries of a run lie in a unit of 64 KiB. */
function share(unit: number, first: number, count: number): number {
  const from = unit * SMALL_IN_LARGE;
  const over = first > from ? first - from : 0;
  const end = first + count - from;
  return (end < SMALL_IN_LARGE ? end : SMALL_IN_LARGE) - over;
}
