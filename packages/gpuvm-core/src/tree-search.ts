/**
 * How the VA tree finds the place of a key: where it was last, from the leaves of late, or from the root down.
 *
 * @module
 */

import { TreeLeaves } from "./tree-leaves.ts";

/** Nodes in which keys are found; without any gap in a row. */
export class TreeSearch extends TreeLeaves {
  /** See `VaTree.seek`. */
  protected findPlace(key: number): void {
    if (this.placeHolds(key)) return;
    // Below a root of leaves the way down is as short as a look at the hints, which would be a branch to a place of chance.
    if (this.height < 2) this.#findFromRoot(key);
    else {
      const leaf = this.#leafNear(key);
      this.leaf = leaf;
      this.pos = this.#placeIn(leaf, key, this.leafLg2);
    }
  }

  /** {@link TreeSearch.findPlace} below a root of leaves at most. One loop, since V8 copies the search of a row to each place that asks. */
  #findFromRoot(key: number): void {
    let node = this.root;
    for (let h = this.height; ; h--) {
      const place = this.rank(node, key, h === 0 ? this.leafLg2 : this.#innerLg2(node));
      if (h === 0) {
        this.leaf = node;
        this.pos = place;
        return;
      }
      node = this.values[(node << this.lg2) + place - 1] as number;
    }
  }

  /** For {@link TreeNodes.rank} in an inner node. */
  #innerLg2(node: number): number {
    const count = this.counts[node] as number;
    return count > 16 ? 6 : count > 4 ? 4 : 2;
  }

  /** See `VaTree.floor`. */
  protected findFloor(key: number): number {
    const { values, lg2 } = this;
    let node = this.root;
    // Not `leafOf`, whose look at the count of each node takes its time in large trees.
    for (let h = this.height; h > 0; h--)
      node = values[(node << lg2) + this.#placeIn(node, key, lg2) - 1] as number;
    const i = this.#placeIn(node, key, this.leafLg2) - 1;
    return i < 0 ? 0 : (values[(node << lg2) + i] as number);
  }

  /** Whether the sought place is that of a key: one look tells, and binds that follow one another need no other. */
  protected placeHolds(key: number): boolean {
    const { keys, leaf, pos, lg2 } = this;
    if (pos === 0) return false;
    const at = (leaf << lg2) + pos;
    const above = pos < (this.counts[leaf] as number) ? at : (this.nexts[leaf] as number) << lg2;
    // Added up and not branched on, since for keys in no order each of the two is chance, and both together are not.
    return (+((keys[at - 1] as number) <= key) & +(key < (keys[above] as number))) !== 0;
  }

  /** The leaf in which the place of a key is, from the root down. */
  protected leafOf(key: number): number {
    const { values, lg2 } = this;
    let leaf = this.root;
    for (let h = this.height; h > 0; h--) {
      const place = this.#placeIn(leaf, key, this.#innerLg2(leaf));
      leaf = values[(leaf << lg2) + place - 1] as number;
    }
    return leaf;
  }

  /** The leaf in which the place of a key is, from the hints, or else from the root down. */
  #leafNear(key: number): number {
    const { hint } = this;
    if (this.#covers(hint, key)) return hint;
    // Binds of two streams, such as two views of one image, take turns.
    let leaf = this.otherHint;
    this.otherHint = hint;
    if (!this.#covers(leaf, key)) leaf = this.leafOf(key);
    this.hint = leaf;
    return leaf;
  }

  /** True when the place of `key` is in this leaf, decided without a descent; false may also mean "cannot tell". */
  #covers(leaf: number, key: number): boolean {
    const base = leaf << this.lg2;
    const count = this.counts[leaf] as number;
    if (count === 0 || key < (this.keys[base] as number)) return false;
    if (key < (this.keys[base + count - 1] as number)) return true;
    return key < (this.keys[(this.nexts[leaf] as number) << this.lg2] as number);
  }

  /**
   * How many keys of a node are not above a key; for `lg2` see {@link TreeNodes.rank}, which is the quicker search while a tree fits the
   * caches. With more levels branches pay: the processor follows them past keys that it still waits for.
   */
  #placeIn(node: number, key: number, lg2: number): number {
    if (this.height < 3) return this.rank(node, key, lg2);
    const { keys } = this;
    const base = node << this.lg2;
    let lo = 0;
    let n = this.counts[node] as number;
    while (n > 0) {
      const half = n >>> 1;
      const mid = lo + half;
      if ((keys[base + mid] as number) <= key) {
        lo = mid + 1;
        n -= half + 1;
      } else n = half;
    }
    return lo;
  }
}
