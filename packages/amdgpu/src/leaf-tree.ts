/**
 * What stands in the page tables of one VM once all of them are linked: the entries that are valid or PRT.
 *
 * A mapping that goes without having been written asks whether its range has one (`va-space.ts`); the invariants ask for all of them.
 * Both go by the driver's own tree: where a table is to be linked, the table counts, whatever stands in the entry now.
 *
 * @module
 */

import { GCVM_VALID } from "@vmbind/mmu";
import { PAGES_OF_ENTRY, ROOT_TABLE, TableTree } from "./table-tree.ts";

const ENTRIES = 512;
const LAST = 4;
const PAGES = PAGES_OF_ENTRY;

/** The page tables of one VM, and what can be read from them. */
export class LeafTree extends TableTree {
  /**
   * Whether anything of a range is in the tables that is valid or PRT, or will be once they are linked.
   *
   * @param first - first page
   * @param last - last page
   */
  hasLeaves(first: number, last: number): boolean {
    return this.#hasLeaves(ROOT_TABLE, first, last);
  }

  /**
   * Every entry that is valid or PRT, in the order of addresses, as the tables are once all of them are linked.
   *
   * @param see - gets the level, the first page, and both halves
   */
  forEachLeaf(see: (level: number, page: number, lo: number, hi: number) => void): void {
    this.#leavesOf(ROOT_TABLE, see);
  }

  #leavesOf(node: number, see: (level: number, page: number, lo: number, hi: number) => void): void {
    const level = this.level[node] as number;
    const start = this.start[node] as number;
    const span = PAGES[level] as number;
    const tables = this.tables;
    const slot = this.slot[node] as number;
    const isEmpty = tables.isFilled(slot);
    if (level === LAST && isEmpty) return;
    const { words } = tables;
    let at = slot * tables.wordsPerTable;
    for (let i = 0; i < ENTRIES; i++, at += 2) {
      const child = level === LAST ? 0 : this.child(node, i);
      if (child !== 0) {
        this.#leavesOf(child, see);
        continue;
      }
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      const isLeaf = level === LAST || (hi & this.leafHi) !== 0;
      if (!isEmpty && isLeaf && ((lo & GCVM_VALID) !== 0 || (hi & this.prtHi) !== 0)) {
        see(level, start + i * span, lo, hi);
      }
    }
  }

  #hasLeaves(node: number, first: number, last: number): boolean {
    const level = this.level[node] as number;
    const start = this.start[node] as number;
    const span = PAGES[level] as number;
    const from = Math.max(0, Math.floor((first - start) / span));
    const to = Math.min(ENTRIES - 1, Math.floor((last - start) / span));
    const tables = this.tables;
    const slot = this.slot[node] as number;
    // A table nobody wrote to is empty.
    const filled = tables.isFilled(slot);
    for (let i = from; i <= to; i++) {
      const child = level === LAST ? 0 : this.child(node, i);
      if (child !== 0) {
        // Whatever still stands in front of it goes when it is linked.
        if (this.#hasLeaves(child, first, last)) return true;
      } else if (!filled) {
        const lo = tables.entryLo(slot, i);
        const hi = tables.entryHi(slot, i);
        const isLeaf = level === LAST || (hi & this.leafHi) !== 0;
        if (isLeaf && ((lo & GCVM_VALID) !== 0 || (hi & this.prtHi) !== 0)) return true;
      }
    }
    return false;
  }
}
