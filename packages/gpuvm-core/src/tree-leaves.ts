/**
 * The leaves of the VA tree: how full ones make room and small ones are joined. Whatever moves between leaves, a search's place
 * and the cursor of a walk stay with their entries.
 *
 * @module
 */

import { TreeNodes } from "./tree-nodes.ts";

/** Entries of a full leaf, at least. */
const SHORTEST = 4;

/** Nodes of a B+-tree whose leaves split and merge under a cursor. */
export class TreeLeaves extends TreeNodes {
  /**
   * Entries at which a leaf is full: half a row while one node leads to all leaves, some thousand mappings, since it is the shift of
   * a leaf's entries that an insert then takes its time for; the whole row from then on, when it is the way to the leaf, until one leaf
   * is left.
   */
  protected fullLeaf: number = this.#halfLeaf();
  /** Leaf of the last insert, and in trees of more than a root of leaves of the last search, which tries it first: binds come in neighbourhoods. */
  protected hint = 0;
  /** The one before it, 0 = none. */
  protected otherHint = 0;
  /** Leaf of the walk. */
  protected cursorLeaf = 0;
  /** Index in that leaf of the entry that the walk comes to next. */
  protected cursorPos = 0;
  /** Handle that was inserted last. */
  protected latest = 0;

  /** Leaf that `VaTree.seek` found. */
  leaf = 0;
  /** Index in that leaf, 0..count: the place of the first key above the sought one. */
  pos = 0;

  /** log2 of the entries that a leaf has at most. */
  protected get leafLg2(): number {
    return 31 - Math.clz32(this.fullLeaf);
  }

  #halfLeaf(): number {
    return Math.max(SHORTEST, this.capacity >>> 1);
  }

  /**
   * Make room at the sought place in a full leaf, and set it where the entry then goes.
   *
   * Memory is a matter of how full leaves are. Binds come in runs, upwards or downwards: what is behind the place of a run goes
   * to the neighbour, or a fresh leaf, and the run fills this leaf to its end. Elsewhere there are two halves.
   */
  protected makeRoom(leaf: number, pos: number): void {
    if (this.fullLeaf < this.capacity && this.counts[this.root] === this.capacity) {
      this.fullLeaf = this.capacity;
      return;
    }
    const full = this.counts[leaf] as number;
    const at = (leaf << this.lg2) + pos;
    const next = this.nexts[leaf] as number;
    const room = next === 0 ? 0 : full - (this.counts[next] as number);
    if (pos === 0) this.#splitLeaf(leaf, 0);
    else if (pos === full) {
      // In front of the next leaf's entries, or alone in a fresh one.
      const right = room > 0 ? next : this.#splitLeaf(leaf, full);
      if (this.cursorLeaf === leaf && this.cursorPos === full) {
        this.cursorLeaf = right;
        this.cursorPos = 0;
      }
      this.leaf = right;
      this.pos = 0;
    } else if (this.values[at - 1] === this.latest || this.values[at] === this.latest) {
      if (room > 0) this.#giveToNext(leaf, next, Math.min(room, full - pos));
      else this.#splitLeaf(leaf, pos);
    } else this.#splitLeaf(leaf, full >>> 1);
  }

  /** Insert `n` entries at the sought place, in whose leaf there is room, and put the place behind them. */
  protected fillPlace(key: number, step: number, handles: Int32Array, from: number, n: number): void {
    const { keys, values, leaf, pos } = this;
    const at = (leaf << this.lg2) + pos;
    const count = this.counts[leaf] as number;
    for (let i = at + count - pos - 1; i >= at; i--) {
      keys[i + n] = keys[i] as number;
      values[i + n] = values[i] as number;
    }
    for (let i = 0; i < n; i++) {
      keys[at + i] = key + i * step;
      values[at + i] = handles[from + i] as number;
    }
    this.counts[leaf] = count + n;
    if (leaf === this.cursorLeaf && pos <= this.cursorPos) this.cursorPos += n;
    if (pos === 0) this.firstKeyChanged(leaf, key);
    this.entries += n;
    this.pos = pos + n;
  }

  /** Insert an entry at a place of a leaf in which there is room. */
  protected insertInLeaf(leaf: number, pos: number, count: number, key: number, handle: number): void {
    const base = leaf << this.lg2;
    this.moveUp(base + pos, base + count);
    this.keys[base + pos] = key;
    this.values[base + pos] = handle;
    this.counts[leaf] = count + 1;
    if (leaf === this.cursorLeaf && pos <= this.cursorPos) this.cursorPos++;
    if (pos === 0) this.firstKeyChanged(leaf, key);
  }

  /** Move the last `n` entries of a full leaf in front of its neighbour's; the sought place in it stays on its entry. */
  #giveToNext(leaf: number, next: number, n: number): void {
    const { keys, values } = this;
    const to = next << this.lg2;
    const count = this.counts[next] as number;
    for (let i = to + count - 1; i >= to; i--) {
      keys[i + n] = keys[i] as number;
      values[i + n] = values[i] as number;
    }
    const keep = (this.counts[leaf] as number) - n;
    this.moveEntries((leaf << this.lg2) + keep, to, n);
    this.counts[leaf] = keep;
    this.counts[next] = count + n;
    this.firstKeyChanged(next, keys[to] as number);
    if (this.cursorLeaf === next) this.cursorPos += n;
    this.#entriesMoved(leaf, next, keep);
  }

  /** Entries from `keep` on went in front of those of the leaf behind: cursor and sought place go with theirs. */
  #entriesMoved(leaf: number, right: number, keep: number): void {
    if (this.cursorLeaf === leaf && this.cursorPos > keep) {
      this.cursorLeaf = right;
      this.cursorPos -= keep;
    }
    if (this.pos > keep) {
      this.leaf = right;
      this.pos -= keep;
    }
  }

  /** Give entries from `keep` on to a fresh right neighbour. */
  #splitLeaf(leaf: number, keep: number): number {
    const right = this.allocNode();
    const moved = (this.counts[leaf] as number) - keep;
    const from = (leaf << this.lg2) + keep;
    // The separator of an empty right leaf is set by the insert that follows.
    const separator = moved === 0 ? Number.POSITIVE_INFINITY : (this.keys[from] as number);
    this.moveEntries(from, right << this.lg2, moved);
    this.counts[leaf] = keep;
    this.counts[right] = moved;

    const next = this.nexts[leaf] as number;
    this.nexts[leaf] = right;
    this.prevs[right] = leaf;
    this.nexts[right] = next;
    if (next !== 0) this.prevs[next] = right;

    this.#entriesMoved(leaf, right, keep);
    this.addChild(leaf, right, separator);
    return right;
  }

  /** Join a small leaf with a neighbour below the same parent when the two fill at most half a leaf. */
  protected mergeLeaf(leaf: number): void {
    const parent = this.parents[leaf] as number;
    if (parent === 0) return;
    const next = this.nexts[leaf] as number;
    const prev = this.prevs[leaf] as number;
    if (next !== 0 && this.parents[next] === parent) this.#mergeNeighbours(leaf, next);
    else if (prev !== 0 && this.parents[prev] === parent) this.#mergeNeighbours(prev, leaf);
  }

  #mergeNeighbours(left: number, right: number): void {
    const nLeft = this.counts[left] as number;
    const nRight = this.counts[right] as number;
    if (nLeft + nRight > this.fullLeaf >>> 1) return;
    this.moveEntries(right << this.lg2, (left << this.lg2) + nLeft, nRight);
    this.counts[left] = nLeft + nRight;
    if (this.cursorLeaf === right) {
      this.cursorLeaf = left;
      this.cursorPos += nLeft;
    }
    this.#unlinkLeaf(right);
  }

  /** Entry before the sought place: its handle, 0 when there is none. */
  before(): number {
    if (this.pos > 0) return this.values[(this.leaf << this.lg2) + this.pos - 1] as number;
    const prev = this.prevs[this.leaf] as number;
    return prev === 0 ? 0 : (this.values[(prev << this.lg2) + (this.counts[prev] as number) - 1] as number);
  }

  /** Entry at the sought place: its handle, 0 when there is none. */
  at(): number {
    if (this.pos < (this.counts[this.leaf] as number)) {
      return this.values[(this.leaf << this.lg2) + this.pos] as number;
    }
    const next = this.nexts[this.leaf] as number;
    return next === 0 ? 0 : (this.values[next << this.lg2] as number);
  }

  /** Start address of {@link TreeLeaves.at}, Infinity when there is none. */
  keyAt(): number {
    if (this.pos < (this.counts[this.leaf] as number)) {
      return this.keys[(this.leaf << this.lg2) + this.pos] as number;
    }
    return this.keys[(this.nexts[this.leaf] as number) << this.lg2] as number;
  }

  /** Move the sought place one entry back. Only when {@link TreeLeaves.before} is not 0. */
  stepBack(): void {
    if (this.pos === 0) {
      this.leaf = this.prevs[this.leaf] as number;
      this.pos = this.counts[this.leaf] as number;
    }
    this.pos--;
  }

  /** Move the sought place behind the entry that it is on: where a piece cut from it goes. */
  stepOver(): void {
    this.pos++;
  }

  /**
   * Put the cursor on the sought place.
   *
   * @param before - 1 to put it on the entry before, where there is one in this leaf
   */
  startWalk(before = 0): void {
    this.cursorLeaf = this.leaf;
    this.cursorPos = this.pos - before;
  }

  /**
   * Entry at the cursor, and step the cursor over it. Entries that are inserted behind the returned one and before the
   * next one are not visited.
   *
   * @param end - stop at keys from here on, in bytes
   * @returns a handle, 0 at the end
   */
  walk(end: number): number {
    let leaf = this.cursorLeaf;
    let pos = this.cursorPos;
    while (pos >= (this.counts[leaf] as number)) {
      leaf = this.nexts[leaf] as number;
      if (leaf === 0) return 0;
      pos = 0;
    }
    const at = (leaf << this.lg2) + pos;
    if ((this.keys[at] as number) >= end) return 0;
    this.cursorLeaf = leaf;
    this.cursorPos = pos + 1;
    return this.values[at] as number;
  }

  protected dropLeaf(leaf: number): void {
    if (leaf === this.root) return;
    if (this.cursorLeaf === leaf) {
      const next = this.nexts[leaf] as number;
      this.cursorLeaf = next !== 0 ? next : (this.prevs[leaf] as number);
      this.cursorPos = next !== 0 ? 0 : (this.counts[this.cursorLeaf] as number);
    }
    this.#unlinkLeaf(leaf);
  }

  #unlinkLeaf(leaf: number): void {
    const next = this.nexts[leaf] as number;
    const prev = this.prevs[leaf] as number;
    if (next !== 0) this.prevs[next] = prev;
    if (prev !== 0) this.nexts[prev] = next;
    if (this.hint === leaf) this.hint = prev !== 0 ? prev : next;
    if (this.otherHint === leaf) this.otherHint = 0;
    if (this.leaf === leaf) {
      // A sought place is always in a leaf of the tree.
      this.leaf = this.hint;
      this.pos = 0;
    }
    this.removeChild(this.parents[leaf] as number, leaf);
    this.freeNode(leaf);
    if (this.height > 0) return;
    this.fullLeaf = this.#halfLeaf();
    const last = this.counts[this.root] as number;
    if (last > this.fullLeaf) this.#splitLeaf(this.root, last >>> 1);
  }

  /** The leaf of the lowest keys. */
  protected firstLeaf(): number {
    let node = this.root;
    for (let h = this.height; h > 0; h--) node = this.values[node << this.lg2] as number;
    return node;
  }

  /**
   * Check every law of the nodes, and that no leaf has more entries than {@link TreeLeaves.fullLeaf}.
   *
   * @param onEntry - sees each key with its handle, in order
   * @throws Error that names the first law that does not hold
   */
  override validate(onEntry?: (key: number, handle: number) => void): void {
    super.validate(onEntry);
    for (let leaf = this.firstLeaf(); leaf !== 0; leaf = this.nexts[leaf] as number)
      if ((this.counts[leaf] as number) > this.fullLeaf) throw new Error("VaTree: a leaf is more than full");
  }
}
