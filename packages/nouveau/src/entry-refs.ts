/**
 * References of entries, and what they decide (nvkm's `vmm.c`, Linux 7.3-rc7).
 *
 * Each entry that a mapping or a region holds is a reference of its table. In a block of 2 MiB the two tables lie side by side,
 * and references also decide which of them is asked: for each 64 KiB the small one, once a small entry there is in use, and the
 * large one again when none is. That is written into the large entry at once. The rules of the counts are in `table-nodes.ts`.
 *
 * @module
 */

import { GMMU_SPARSE } from "@vmbind/mmu";
import type { TableNode } from "./table-nodes.ts";
import type { TableTree } from "./table-tree.ts";

/** A constant of this module is found faster than an imported one. */
const SPARSE = GMMU_SPARSE;
/** Small entries in a large one. */
const SMALL_IN_LARGE = 16;
/** Large entries, and bits of a word. */
const LARGE = 32;
/** References of a large entry are counted in 13 bits. */
const LARGE_REFS_MASK = 0x1fff;

/** Takes and drops references of runs that lie in one table: `first` is the first entry, `count` how many there are. */
export class EntryRefs {
  readonly #tree: TableTree;
  readonly #noSmall: number;

  /**
   * @param tree - the tables
   * @param noSmall - low half of a large entry that faults and does not send the walk to the small table
   */
  constructor(tree: TableTree, noSmall: number) {
    this.#tree = tree;
    this.#noSmall = noSmall;
  }

  /** Take references of small entries. */
  getSmall(node: TableNode, first: number, count: number): void {
    node.smallRefs += count;
    addShares(node.small, first, count, 1);
    if (node.refs === 0) return;
    const from = first >> 4;
    const units = unitsOf(from, ((first + count - 1) >> 4) - from + 1);
    let fresh = units & ~node.smallUnits;
    node.smallUnits |= fresh;
    node.largeUnits &= ~fresh;
    while (fresh !== 0) {
      const start = lowestBit(fresh);
      // `>>` repeats the highest bit: behind a run that reaches it there is nothing.
      const behind = ~(fresh >> start);
      const run = behind === 0 ? LARGE - start : lowestBit(behind);
      // The first of them decides for all: no VM_BIND has a range that is in a region only in part.
      if ((node.sparseUnits & (1 << start)) !== 0) {
        this.#tree.decide(node.smallSlot, start * SMALL_IN_LARGE, run * SMALL_IN_LARGE, SPARSE);
      }
      this.#tree.decide(node.slot, start, run, 0);
      fresh &= ~unitsOf(start, run);
    }
  }

  /** Drop references of small entries; the table goes with the last one. */
  putSmall(node: TableNode, first: number, count: number): void {
    const { small, refs } = node;
    const rest = node.smallRefs - count;
    node.smallRefs = rest;
    if (refs + rest > 0) {
      addShares(small, first, count, -1);
      const to = refs === 0 ? -1 : (first + count - 1) >> 4;
      for (let unit = first >> 4; unit <= to; unit++) {
        if (small[unit] !== 0) continue;
        const bit = 1 << unit;
        node.smallUnits &= ~bit;
        if ((node.largeUnits & bit) !== 0) continue;
        this.#tree.decide(node.slot, unit, 1, (node.sparseUnits & bit) !== 0 ? SPARSE : this.#noSmall);
      }
    }
    if (rest === 0) this.#tree.freeTable(node, true);
  }

  /** Take references of large entries. */
  getLarge(node: TableNode, first: number, count: number): void {
    const { large } = node;
    const units = unitsOf(first, count);
    node.refs += count;
    node.smallUnits &= ~units;
    node.largeUnits |= units;
    for (let unit = first; unit < first + count; unit++) {
      large[unit] = ((large[unit] as number) + 1) & LARGE_REFS_MASK;
    }
  }

  /** Drop references of large entries; the table goes with the last one. */
  putLarge(node: TableNode, first: number, count: number): void {
    const { large } = node;
    node.refs -= count;
    if (node.refs + node.smallRefs > 0) {
      for (let unit = first; unit < first + count; unit++) {
        const rest = ((large[unit] as number) - 1) & LARGE_REFS_MASK;
        large[unit] = rest;
        if (rest === 0) node.largeUnits &= ~(1 << unit);
      }
    }
    if (node.refs === 0) this.#tree.freeTable(node, false);
  }

  /** Take references of large entries that begin anew, as sparse ones. */
  getSparseLarge(node: TableNode, first: number, count: number): void {
    const { small, large } = node;
    const units = unitsOf(first, count);
    node.refs += count;
    node.sparseUnits |= units;
    node.smallUnits &= ~units;
    node.largeUnits |= units;
    for (let unit = first; unit < first + count; unit++) {
      large[unit] = 1;
      small[unit] = 0;
    }
  }

  /** The way back. The count of an entry goes below 0, as the driver's does. The table goes with the last one. */
  putSparseLarge(node: TableNode, first: number, count: number): void {
    const { small, large } = node;
    node.refs -= count;
    if (node.refs + node.smallRefs > 0) {
      const others = ~unitsOf(first, count);
      node.sparseUnits &= others;
      node.smallUnits &= others;
      node.largeUnits &= others;
      for (let unit = first; unit < first + count; unit++) {
        large[unit] = LARGE_REFS_MASK;
        small[unit] = 0;
      }
    }
    if (node.refs === 0) this.#tree.freeTable(node, false);
  }

  /** Drop references of a directory, which goes with the last one. */
  putDirectory(node: TableNode, count: number): void {
    node.refs -= count;
    if (node.refs === 0) this.#tree.freeTable(node, false);
  }
}

/** A run of 1 to 32 units as bits. */
function unitsOf(first: number, count: number): number {
  return (-1 >>> (LARGE - count)) << first;
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/**
 * Count the small entries of a run in the units of 64 KiB that they lie in: whole units, less what lies before the run in the first
 * and behind it in the last.
 */
function addShares(small: Uint16Array, first: number, count: number, sign: number): void {
  const last = first + count - 1;
  const from = first >> 4;
  const to = last >> 4;
  const unitsWorth = sign * SMALL_IN_LARGE;
  for (let unit = from; unit <= to; unit++) small[unit] = (small[unit] as number) + unitsWorth;
  small[from] = (small[from] as number) - sign * (first & 15);
  small[to] = (small[to] as number) - sign * (15 - (last & 15));
}
