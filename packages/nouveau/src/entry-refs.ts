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
import { type TableNode, TRACK_LARGE, TRACK_SMALL, TRACK_SPARSE } from "./table-nodes.ts";
import type { TableTree } from "./table-tree.ts";

// Constants of this module are found faster than imported ones.
const SPARSE = GMMU_SPARSE;
const TRACKED_SMALL = TRACK_SMALL;
const TRACKED_LARGE = TRACK_LARGE;
const TRACKED_SPARSE = TRACK_SPARSE;
/** Small entries in a large one. */
const SMALL_IN_LARGE = 16;
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
    const { small, track, refs } = node;
    node.smallRefs += count;
    const from = first >> 4;
    const to = (first + count - 1) >> 4;
    addShares(small, first, count, 1);
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
        this.#tree.decide(node.smallSlot, start * SMALL_IN_LARGE, (unit - start) * SMALL_IN_LARGE, SPARSE);
      }
      this.#tree.decide(node.slot, start, unit - start, 0);
    }
  }

  /** Drop references of small entries; the table goes with the last one. */
  putSmall(node: TableNode, first: number, count: number): void {
    const { small, track, refs } = node;
    const rest = node.smallRefs - count;
    node.smallRefs = rest;
    if (refs + rest > 0) {
      addShares(small, first, count, -1);
      const to = refs === 0 ? -1 : (first + count - 1) >> 4;
      for (let unit = first >> 4; unit <= to; unit++) {
        if (small[unit] !== 0) continue;
        const flags = track[unit] as number;
        track[unit] = flags & ~TRACKED_SMALL;
        if ((flags & TRACKED_LARGE) !== 0) continue;
        this.#tree.decide(node.slot, unit, 1, (flags & TRACKED_SPARSE) !== 0 ? SPARSE : this.#noSmall);
      }
    }
    if (rest === 0) this.#tree.freeTable(node, true);
  }

  /** Take references of large entries. */
  getLarge(node: TableNode, first: number, count: number): void {
    const { large, track } = node;
    node.refs += count;
    for (let unit = first; unit < first + count; unit++) {
      track[unit] = ((track[unit] as number) & ~TRACKED_SMALL) | TRACKED_LARGE;
      large[unit] = ((large[unit] as number) + 1) & LARGE_REFS_MASK;
    }
  }

  /** Drop references of large entries; the table goes with the last one. */
  putLarge(node: TableNode, first: number, count: number): void {
    const { large, track } = node;
    node.refs -= count;
    if (node.refs + node.smallRefs > 0) {
      for (let unit = first; unit < first + count; unit++) {
        const rest = ((large[unit] as number) - 1) & LARGE_REFS_MASK;
        large[unit] = rest;
        if (rest === 0) track[unit] = (track[unit] as number) & ~TRACKED_LARGE;
      }
    }
    if (node.refs === 0) this.#tree.freeTable(node, false);
  }

  /** Take references of large entries that begin anew, as sparse ones. */
  getSparseLarge(node: TableNode, first: number, count: number): void {
    const { small, large, track } = node;
    node.refs += count;
    for (let unit = first; unit < first + count; unit++) {
      track[unit] = TRACKED_SPARSE | TRACKED_LARGE;
      large[unit] = 1;
      small[unit] = 0;
    }
  }

  /** The way back. The count of an entry goes below 0, as the driver's does. The table goes with the last one. */
  putSparseLarge(node: TableNode, first: number, count: number): void {
    const { small, large, track } = node;
    node.refs -= count;
    if (node.refs + node.smallRefs > 0) {
      for (let unit = first; unit < first + count; unit++) {
        track[unit] = 0;
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
