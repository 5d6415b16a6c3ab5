/**
 * The VA space of a VM: its window, the mappings in it, and how they are found.
 *
 * Mappings are named by handles, small positive integers; 0 is "none". Intervals are half-open. A zero-length mapping is
 * possible, since the kernel does not refuse it: it meets only ranges that hold its address strictly inside
 * (`drivers/gpu/drm/drm_gpuvm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { GpuvaPool } from "./gpuva-pool.ts";
import { compareSum, reaches } from "./u64-sum.ts";
import { VaTree } from "./va-tree.ts";
import { VaWindow, type VaWindowOptions } from "./va-window.ts";

const U64 = 2 ** 64;
/** With fewer mappings the one loop of {@link VaTree.openGap} saves less than it takes to call it. */
const OPEN_GAP_MIN = 4;

/** What a VA space is made of. */
export interface VaSpaceOptions extends VaWindowOptions {
  /** Mappings to make room for at once. */
  capacity?: number;
  /** Entries per tree node: 4, 16 or 64. */
  nodeCapacity?: number;
}

/** Mappings of one window of addresses. */
export class VaSpace extends VaWindow {
  /** Handle of the kernel's reserved node, 0 = none. */
  readonly kernelNode: number = 0;
  /** The mappings' records. @internal */
  readonly pool: GpuvaPool;
  /** The mappings in order. @internal */
  readonly tree: VaTree;
  /** A zero-length mapping at address 0: its inclusive end wraps, so it meets every look-up. */
  #wrapped = 0;
  /** Zero-length mappings: while there is one, keys need not be unique. @internal */
  protected emptyMappings = 0;

  /** @param options - see {@link VaSpaceOptions} */
  constructor(options: VaSpaceOptions) {
    super(options);
    this.pool = new GpuvaPool(options.capacity);
    this.tree = new VaTree(options.nodeCapacity, options.capacity);
    const { kernelStart, kernelEnd, tree } = this;
    if (kernelEnd === 0) return;
    this.kernelNode = this.fill(kernelStart, kernelEnd, null, 0, 0, 0, 0);
    if (kernelEnd === U64) return;
    tree.seek(kernelStart);
    tree.insertAtPlace(kernelStart, this.kernelNode);
  }

  /** Whether there are zero-length mappings. @internal */
  get hasEmptyMappings(): boolean {
    return this.emptyMappings > 0;
  }

  /** Mappings, the kernel node left out. */
  get count(): number {
    return this.tree.size - (this.kernelNode !== 0 && this.kernelEnd < U64 ? 1 : 0);
  }

  /** Bytes that the mappings take: records and tree, slack included. */
  get memoryBytes(): number {
    return this.pool.memoryBytes + this.tree.memoryBytes;
  }

  /**
   * Make room for mappings at once; nothing but time and memory depends on it.
   *
   * @param mappings - most that there will be
   */
  expect(mappings: number): void {
    this.pool.expect(mappings);
    this.tree.expect(mappings);
  }

  /**
   * Lowest mapping that meets a range (`drm_gpuva_find_first`). The kernel node can be returned.
   *
   * @param addr - bytes
   * @param range - bytes; with 0 only a mapping that holds both `addr - 1` and `addr` is found. The last byte wraps as
   *   the kernel's does: a range that passes 2^64 meets only a mapping that holds both `addr` and the wrapped last byte
   * @returns its handle, 0 = none
   */
  findFirst(addr: number, range: number): number {
    if (range !== 0 && this.#wrapped === 0) {
      const va = this.tree.floor(addr);
      if (va !== 0 && this.pool.end(va) > addr && addr + range < U64) return va;
    }
    return this.seekFirst(addr, range) ? this.tree.at() : 0;
  }

  /**
   * `drm_gpuva_find`.
   *
   * @param addr - bytes
   * @param range - bytes
   * @returns the mapping of exactly this range, 0 = none
   */
  find(addr: number, range: number): number {
    const va = this.findFirst(addr, range);
    return va !== 0 && this.addr(va) === addr && this.rangeOf(va) === range ? va : 0;
  }

  /**
   * `drm_gpuvm_interval_empty`.
   *
   * @param addr - bytes
   * @param range - bytes
   * @returns true when no mapping, the kernel's included, meets the range
   */
  intervalEmpty(addr: number, range: number): boolean {
    return !this.seekFirst(addr, range);
  }

  /**
   * How many ranges of one length fit behind each other before the first mapping that they would meet. Leaves the tree's sought place
   * where they go.
   *
   * @param addr - where the first begins, in bytes
   * @param range - bytes of each
   * @param count - how many are wanted
   * @returns at most `count`; 0 also where only a look at each of them tells: with zero-length mappings about, and where the whole is no
   * valid range
   */
  roomFor(addr: number, range: number, count: number): number {
    const whole = range * count;
    if (!(range > 0) || this.emptyMappings > 0 || addr + whole > Number.MAX_SAFE_INTEGER) return 0;
    if (!this.rangeValid(addr, whole)) return 0;
    const { tree } = this;
    tree.seek(addr);
    if (this.pool.end(tree.before()) > addr) return 0;
    return Math.min(count, Math.floor((tree.keyAt() - addr) / range));
  }

  /** {@link Gpuvm.findFirst} that leaves the tree's sought place on what it found. @internal */
  seekFirst(addr: number, range: number): boolean {
    const { tree, pool } = this;
    if (this.#wrapped !== 0 || (addr === 0 && range === 0)) {
      // Inclusive ends wrap below zero here: the first mapping of the whole VM is met.
      tree.seek(Number.NEGATIVE_INFINITY);
      return tree.at() !== 0;
    }
    // The mapping behind the one that was taken out last: no search. It is met, unless one of the two has no length.
    if (range !== 0 && this.emptyMappings === 0 && addr + range < U64 && tree.seekBehindGap(addr))
      return true;
    tree.seek(addr);
    const { leaf, pos } = tree;
    // A zero-length mapping never meets what begins at its own address; the mapping in front of it may.
    for (let va = tree.before(); va !== 0; va = tree.before()) {
      tree.stepBack();
      const start = pool.addr(va);
      const end = pool.end(va);
      if (end > addr && (range === 0 ? start < addr : reaches(addr, range, start))) return true;
      if (end !== start) break;
    }
    tree.leaf = leaf;
    tree.pos = pos;
    return reaches(addr, range, tree.keyAt());
  }

  /**
   * Put the tree's cursor on the lowest mapping that meets a range, and where none does, the sought place where one of this range goes.
   *
   * @param addr - bytes
   * @param end - first address behind the range; it must be exact
   * @returns false where no mapping meets it; where true, the walk to `end` may still find none
   * @internal
   */
  startWalk(addr: number, end: number): boolean {
    const { tree } = this;
    let before = 0;
    if (this.emptyMappings > 0 || !(end > addr && end < U64)) {
      if (!this.seekFirst(addr, end - addr)) return false;
    } else if (!tree.seekBehindGap(addr)) {
      tree.seek(addr);
      // No branch, since it is chance.
      before = +(this.pool.end(tree.before()) > addr);
    }
    tree.startWalk(before);
    return true;
  }

  /** Handles of all mappings in ascending order, the kernel node left out. */
  mappings(): number[] {
    const out: number[] = [];
    this.tree.startWalkAtFirst();
    for (;;) {
      const va = this.tree.walk(Number.POSITIVE_INFINITY);
      if (va === 0) return out;
      if (va !== this.kernelNode) out.push(va);
    }
  }

  /**
   * Handles of the mappings that meet a range, ascending, the kernel node included (`drm_gpuvm_for_each_va_range`).
   *
   * @param addr - bytes
   * @param range - bytes; one that ends at 2^64 has the wrapped end 0, and no mapping begins below that
   */
  mappingsIn(addr: number, range: number): number[] {
    const out: number[] = [];
    if (compareSum(addr, range, U64) === 0 || !this.seekFirst(addr, range)) return out;
    const { tree, pool } = this;
    tree.startWalk();
    for (;;) {
      const va = tree.walk(Number.POSITIVE_INFINITY);
      if (va === 0 || !reaches(addr, range, pool.addr(va))) return out;
      out.push(va);
    }
  }

  /**
   * Handles of the mappings, ascending, without the kernel node: all, or those that meet a range.
   *
   * @param within - the range in bytes; all unless given
   */
  mappingsOf(within: { readonly addr: number; readonly range: number } | undefined): number[] {
    if (within === undefined) return this.mappings();
    return this.mappingsIn(within.addr, within.range).filter((va) => va !== this.kernelNode);
  }

  /** First address of a mapping, in bytes. */
  addr(va: number): number {
    return this.pool.addr(va);
  }

  /** First address behind a mapping, in bytes. */
  end(va: number): number {
    return this.pool.end(va);
  }

  /** Length of a mapping, in bytes. */
  rangeOf(va: number): number {
    return this.end(va) - this.addr(va);
  }

  /**
   * How many mappings, from one of a list on, are as long as that one, and each begins where the one before ends.
   *
   * @param vas - handles
   * @param from - index of the first
   * @param count - length of the list
   * @param without - flags that none but the first may have
   */
  alikeFrom(vas: readonly number[], from: number, count: number, without: number): number {
    return this.pool.alikeFrom(vas, from, count, without);
  }

  /** Byte offset of a mapping into its object. */
  offset(va: number): number {
    return this.pool.offset(va);
  }

  /** Set the byte offset of a mapping into its object. */
  setOffset(va: number, offset: number): void {
    this.pool.setOffset(va, offset);
  }

  /** Flags of a mapping; bits below {@link GPUVA_USERBITS_SHIFT} are the core's. */
  flags(va: number): number {
    return this.pool.flags(va);
  }

  /** Set all flags of a mapping. */
  setFlags(va: number, flags: number): void {
    this.pool.setFlags(va, flags);
  }

  /** Bytes of the repeated window, 0 for a mapping that does not repeat. */
  gemRange(va: number): number {
    return this.pool.window(va);
  }

  /** Byte of the window that a repeated mapping begins with. */
  phase(va: number): number {
    return this.pool.phase(va);
  }

  /** Fill a fresh record. @internal */
  protected fill(
    addr: number,
    end: number,
    gem: GemObject | null,
    offset: number,
    flags: number,
    gemRange: number,
    phase: number,
  ): number {
    const va = this.pool.alloc();
    this.pool.fill(va, addr, end, offset, gem === null ? 0 : -gem.id, flags);
    if (gemRange !== 0) this.pool.setRepeat(va, gemRange, phase);
    return va;
  }

  /** Put a mapping into the tree. False when it would meet another one: nothing has changed then. @internal */
  protected plant(va: number, addr: number, end: number): boolean {
    if (this.emptyMappings === 0 && end > addr) return this.#plantBetween(va, addr, end);
    const { tree } = this;
    if (this.seekFirst(addr, end - addr)) return false;
    tree.seek(addr);
    tree.insertAtPlace(addr, va);
    if (end === addr) this.emptyMappings++;
    if (end === 0) this.#wrapped = va;
    return true;
  }

  /** {@link VaSpace.plant} while all mappings have a length: its neighbours tell whether there is room, its own record is not read. */
  #plantBetween(va: number, addr: number, end: number): boolean {
    const { tree } = this;
    const open = tree.seekGap() && this.#fitsGap(addr, end);
    if (!open && (tree.size < OPEN_GAP_MIN || !tree.openGap(addr))) {
      if (!this.#fitsPlace(addr, end)) return false;
      tree.insertAtPlace(addr, va);
      return true;
    }
    if (!open && !this.#fitsGap(addr, end)) return false;
    tree.insertInGap(addr, va);
    return true;
  }

  /** Whether a mapping with a length fits among others: the sought place is then where it goes. @internal */
  protected hasRoom(addr: number, end: number): boolean {
    // A walk that removed what was here left the place open.
    return (this.tree.seekGap() && this.#fitsGap(addr, end)) || this.#fitsPlace(addr, end);
  }

  /** Seek the place of a mapping. Whether it fits there: without an entry before, that is record 0, which ends at 0. */
  #fitsPlace(addr: number, end: number): boolean {
    const { tree } = this;
    tree.seek(addr);
    return this.pool.end(tree.before()) <= addr && tree.keyAt() >= end;
  }

  /** Whether a mapping fits between the neighbours of the gap, on which the sought place is. */
  #fitsGap(addr: number, end: number): boolean {
    return this.pool.end(this.tree.before()) <= addr && this.tree.keyBehindGap() >= end;
  }

  /** Take a mapping out of the tree; a zero-length one at 0 stops meeting everything. @internal */
  protected uproot(va: number): void {
    if (!this.tree.removeWalked(va)) this.tree.remove(this.addr(va), va);
    if (this.emptyMappings === 0 || this.end(va) !== this.addr(va)) return;
    this.emptyMappings--;
    if (va === this.#wrapped) this.#wrapped = 0;
  }

  /** Give a removed and unlinked mapping's handle back. */
  free(va: number): void {
    this.pool.free(va);
  }
}
