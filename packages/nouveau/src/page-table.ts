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
import { sparseBlocks } from "./sparse-blocks.ts";
import {
  BLOCK_BYTES,
  BLOCK_LG2,
  bytesOf,
  entriesOf,
  indexOf,
  LARGE_ENTRIES,
  levelOf,
  SMALL_ENTRIES,
  SMALL_IN_LARGE,
  type TableNode,
  TRACK_LARGE,
  TRACK_SMALL,
  TRACK_SPARSE,
} from "./table-nodes.ts";
import { type PageTableOptions, TableTree } from "./table-tree.ts";

/** A constant of this module is found faster than an imported one. */
const SPARSE = GMMU_SPARSE;
const SMALL_SHIFT = 12;
const LARGE_SHIFT = 16;
/** References of a large entry are counted in 13 bits. */
const LARGE_REFS_MASK = 0x1fff;

/** What a walk does. */
type Walk = "get" | "put" | "sparse" | "unsparse" | "map" | "unmap";

/** The page tables of one VM. */
export class NouveauPageTable {
  /** The tables themselves. */
  readonly tree: TableTree;
  readonly #options: PageTableOptions;
  readonly #tables: TableMemory;
  readonly #noSmall: number;

  /**
   * Takes the root.
   *
   * @param options - see {@link PageTableOptions}
   * @throws DrmError ENOMEM
   */
  constructor(options: PageTableOptions) {
    this.#options = options;
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
    const done = this.#walk("get", addr, bytes, shift);
    if (done === bytes) return;
    this.put(addr, done, shift);
    this.tree.failTables();
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
      this.tree.failTables();
    }
  }

  /** Take a sparse range back; parameters as {@link NouveauPageTable.sparse}. */
  unsparse(addr: number, bytes: number): void {
    for (const block of sparseBlocks(this.#options.pages, addr, bytes)) {
      this.#walk("unsparse", block.addr, block.bytes, block.shift);
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
  #walk(what: Walk, addr: number, bytes: number, shift: number): number {
    const entryBytes = bytesOf(shift);
    const makes = what === "get" || what === "sparse";
    let left = bytes / entryBytes;
    if (shift < BLOCK_LG2) {
      const small = shift === SMALL_SHIFT;
      const per = small ? SMALL_ENTRIES : LARGE_ENTRIES;
      let block = Math.floor(addr / BLOCK_BYTES);
      let first = (addr - block * BLOCK_BYTES) / entryBytes;
      while (left > 0) {
        const count = Math.min(left, per - first);
        const node = makes ? this.tree.ensure(block, 0, small) : this.tree.need(block, 0);
        if (node === null) break;
        if (small) this.#runSmall(what, node, first, count);
        else this.#runLarge(what, node, first, count);
        left -= count;
        block++;
        first = 0;
      }
    } else {
      left = this.#walkDirectories(what, addr, left, shift, makes);
    }
    if (this.tree.dirty) this.tree.invalidate();
    return bytes - left * entryBytes;
  }

  /** The same for entries of directories: 2 MiB pages, and sparse entries of any size. @returns entries left */
  #walkDirectories(what: Walk, addr: number, count: number, shift: number, makes: boolean): number {
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

  #runSmall(what: Walk, node: TableNode, first: number, count: number): void {
    if (what === "get") {
      this.#getSmall(node, first, count);
    } else if (what === "put") {
      this.#putSmall(node, first, count);
    } else if (what === "map") {
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
    } else if (what === "unmap") {
      this.tree.fill(node.smallSlot, first, count, this.#toSparse ? SPARSE : 0);
    } else if (what === "sparse") {
      this.#getSmall(node, first, count);
      this.tree.fill(node.smallSlot, first, count, SPARSE);
    } else {
      this.#putSmall(node, first, count);
      if (node.smallSlot >= 0) this.tree.fill(node.smallSlot, first, count, 0);
    }
  }

  #runLarge(what: Walk, node: TableNode, first: number, count: number): void {
    if (what === "get") {
      this.#getLarge(node, first, count);
    } else if (what === "put") {
      this.#putLarge(node, first, count);
    } else if (what === "map") {
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
    } else if (what === "unmap") {
      this.tree.fill(node.slot, first, count, this.#toSparse ? SPARSE : this.#noSmall);
    } else if (what === "sparse") {
      node.track.fill(TRACK_SPARSE, first, first + count);
      node.large.fill(0, first, first + count);
      node.small.fill(0, first, first + count);
      this.#getLarge(node, first, count);
      this.tree.fill(node.slot, first, count, SPARSE);
    } else {
      node.track.fill(0, first, first + count);
      node.large.fill(0, first, first + count);
      node.small.fill(0, first, first + count);
      this.#putLarge(node, first, count);
      if (node.slot >= 0) this.tree.fill(node.slot, first, count, this.#noSmall);
      if (node.smallSlot >= 0)
        this.tree.clearSparse(node.smallSlot, first * SMALL_IN_LARGE, count * SMALL_IN_LARGE);
    }
  }

  #runDirectory(what: Walk, node: TableNode, first: number, count: number): void {
    if (what === "get") {
      node.refs += count;
    } else if (what === "put") {
      this.#putDirectory(node, count);
    } else if (what === "map") {
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
    } else if (what === "unmap") {
      this.tree.fillDirectory(node, first, count, this.#toSparse ? SPARSE : 0);
    } else if (what === "sparse") {
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
    const { small, track } = node;
    node.smallRefs += count;
    const from = first >> 4;
    const to = (first + count - 1) >> 4;
    for (let unit = from; unit <= to; unit++)
      small[unit] = (small[unit] as number) + share(unit, first, count);
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
        this.tree.decide(node.smallSlot, start * SMALL_IN_LARGE, (unit - start) * SMALL_IN_LARGE, SPARSE);
      }
      this.tree.decide(node.slot, start, unit - start, 0);
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
        this.tree.decide(node.slot, unit, 1, (flags & TRACK_SPARSE) !== 0 ? SPARSE : this.#noSmall);
      }
    }
    if (node.smallRefs === 0) this.tree.freeTable(node, true);
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
  const start = Math.max(first, from);
  const end = Math.min(first + count, from + SMALL_IN_LARGE);
  return end - start;
}
