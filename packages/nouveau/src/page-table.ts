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
import { EntryRefs } from "./entry-refs.ts";
import { type LeafAttributes, writeLeaves } from "./leaf-runs.ts";
import { SparseCut } from "./sparse-blocks.ts";
import { BLOCK_LG2, bytesOf, entriesOf, indexOf, levelOf, type TableNode } from "./table-nodes.ts";
import { type PageTableOptions, TableTree } from "./table-tree.ts";

// Constants of this module are found faster than imported ones.
const SPARSE = GMMU_SPARSE;
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
  readonly #refs: EntryRefs;
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
    this.#refs = new EntryRefs(this.tree, this.#noSmall);
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
   * @param going - its references are dropped next, before anybody looks: a table that has no others is not emptied, only counted;
   *   false unless given
   */
  unmap(addr: number, bytes: number, shift: number, sparse: boolean, going = false): void {
    this.#toSparse = sparse;
    this.#going = going;
    this.#walk(UNMAP, addr, bytes, shift);
  }

  /**
   * Take the leaves of a range out and drop their references: {@link NouveauPageTable.unmap} and {@link NouveauPageTable.put} in one walk,
   * where nobody looks in between.
   *
   * @param addr - first VA in bytes
   * @param bytes - length
   * @param shift - log2 of the page size
   * @param sparse - leave sparse entries: the range lies in a region
   */
  remove(addr: number, bytes: number, shift: number, sparse: boolean): void {
    if (shift >= BLOCK_SHIFT) {
      this.unmap(addr, bytes, shift, sparse, true);
      this.put(addr, bytes, shift);
      return;
    }
    const { tree } = this;
    const refs = this.#refs;
    const small = shift === SMALL_SHIFT;
    const per = small ? SMALL_ENTRIES : LARGE_ENTRIES;
    const lo = sparse ? SPARSE : small ? 0 : this.#noSmall;
    let block = Math.floor(addr / BLOCK_BYTES);
    let first = (addr - block * BLOCK_BYTES) >> shift;
    // The one of the leaves; tables that go send their own.
    tree.invalidate();
    for (let left = small ? bytes / SMALL_BYTES : bytes / LARGE_BYTES; left > 0; block++) {
      const count = Math.min(left, per - first);
      const node = tree.need(block, 0);
      if ((small ? node.smallRefs : node.refs) === count) tree.countFill(count, lo);
      else tree.fill(small ? node.smallSlot : node.slot, first, count, lo);
      if (small) refs.putSmall(node, first, count);
      else refs.putLarge(node, first, count);
      left -= count;
      first = 0;
    }
    tree.dirty = false;
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
  #going = false;

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
        const count = Math.min(left, room);
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
      this.#refs.getSmall(node, first, count);
    } else if (what === PUT) {
      this.#refs.putSmall(node, first, count);
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
      const lo = this.#toSparse ? SPARSE : 0;
      if (this.#going && node.smallRefs === count) this.tree.countFill(count, lo);
      else this.tree.fill(node.smallSlot, first, count, lo);
    } else if (what === MAKE_SPARSE) {
      this.#refs.getSmall(node, first, count);
      this.tree.fill(node.smallSlot, first, count, SPARSE);
    } else {
      this.#refs.putSmall(node, first, count);
      if (node.smallSlot >= 0) this.tree.fill(node.smallSlot, first, count, 0);
    }
  }

  #runLarge(what: number, node: TableNode, first: number, count: number): void {
    if (what === GET) {
      this.#refs.getLarge(node, first, count);
    } else if (what === PUT) {
      this.#refs.putLarge(node, first, count);
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
      const lo = this.#toSparse ? SPARSE : this.#noSmall;
      if (this.#going && node.refs === count) this.tree.countFill(count, lo);
      else this.tree.fill(node.slot, first, count, lo);
    } else if (what === MAKE_SPARSE) {
      this.#refs.getSparseLarge(node, first, count);
      this.tree.fill(node.slot, first, count, SPARSE);
    } else {
      this.#refs.putSparseLarge(node, first, count);
      if (node.slot >= 0) this.tree.fill(node.slot, first, count, this.#noSmall);
      if (node.smallSlot >= 0)
        this.tree.clearSparse(node.smallSlot, first * SMALL_IN_LARGE, count * SMALL_IN_LARGE);
    }
  }

  #runDirectory(what: number, node: TableNode, first: number, count: number): void {
    if (what === GET) {
      node.refs += count;
    } else if (what === PUT) {
      this.#refs.putDirectory(node, count);
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
      const lo = this.#toSparse ? SPARSE : 0;
      if (this.#going && node.refs === count) this.tree.countFill(count, lo);
      else this.tree.fillDirectory(node, first, count, lo);
    } else if (what === MAKE_SPARSE) {
      mark(node.marks, first, count, 1);
      node.refs += count;
      this.tree.fillDirectory(node, first, count, SPARSE);
    } else {
      mark(node.marks, first, count, 0);
      this.#refs.putDirectory(node, count);
      if (node.slot >= 0) this.tree.fillDirectory(node, first, count, 0);
    }
  }
}

/** Say of a run of entries whether they are sparse: short ones mostly, for which a fill takes longer. */
function mark(marks: Uint8Array, first: number, count: number, sparse: number): void {
  for (let i = first; i < first + count; i++) marks[i] = sparse;
}
