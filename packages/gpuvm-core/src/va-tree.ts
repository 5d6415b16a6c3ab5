/**
 * The VA tree: mappings in ascending order of their start address.
 *
 * The kernel keeps an augmented red-black tree of 120-byte nodes. Here it is a B+-tree whose nodes are rows of two typed
 * arrays: `keys` holds start addresses, `values` holds mapping handles (in leaves) or node numbers (above). A look-up
 * touches two or three cache lines a level, an insert shifts part of one row, and nothing is allocated per operation.
 *
 * One cursor is kept valid across inserts and removals, so that a walk may change the tree under its own feet, as the
 * step callbacks of split and merge do. What a walk removes one by one leaves a gap in its leaf, as in a text editor's
 * buffer: a request that removes k neighbours and inserts one mapping shifts the row once, not k + 1 times, and so do k
 * requests that remove one neighbour each, upwards. Every other search closes the gap first, so only the methods that know
 * of it ever see one.
 *
 * @module
 */

import { TreeSearch } from "./tree-search.ts";

/** Ordered map from start address to mapping handle. */
export class VaTree extends TreeSearch {
  /** Leaf with a gap `[#gapStart, #gapEnd)` in its row, of entries that went or for one to come; 0 = none. Its count includes the gap. */
  #gapLeaf = 0;
  #gapStart = 0;
  #gapEnd = 0;

  /**
   * @param nodeCapacity - entries a node: 4, 16 or 64
   * @param expected - entries to make room for at once
   */
  constructor(nodeCapacity = 64, expected = 0) {
    super(nodeCapacity, expected);
    this.hint = this.root;
    this.leaf = this.root;
  }

  /** Number of entries. */
  get size(): number {
    return this.entries;
  }

  /**
   * Find the place behind every key that is not above `key`: sets {@link VaTree.leaf} and {@link VaTree.pos}.
   *
   * @param key - start address in bytes
   */
  seek(key: number): void {
    if (this.#gapLeaf !== 0) this.#closeGap();
    this.findPlace(key);
  }

  /**
   * Make a gap of one entry at the place of a key, for an insert that has to see its neighbours first: the row's search and its shift are
   * then one loop, which ends by chance once and not twice. The sought place is on the gap. One that is not filled is closed as others are.
   *
   * @param key - start address in bytes
   * @returns false where a walk left one, where {@link VaTree.seek} needs no search, where the leaf is full, and in larger trees, whose
   * searches take their time elsewhere: nothing has changed then
   */
  openGap(key: number): boolean {
    if (this.#gapLeaf !== 0 || this.height > 1 || this.placeHolds(key)) return false;
    const leaf = this.leafOf(key);
    const { keys, values, lg2 } = this;
    const base = leaf << lg2;
    const count = this.counts[leaf] as number;
    // So that there is a first key, which ends the loop.
    if (count >= this.fullLeaf || (keys[base] as number) > key) return false;
    let i = base + count;
    let above: number;
    // Four entries a turn, as in `moveUp`: with one a turn an insert takes a tenth longer.
    for (;;) {
      above = keys[i - 1] as number;
      if (above <= key) break;
      keys[i] = above;
      values[i] = values[i - 1] as number;
      i--;
      above = keys[i - 1] as number;
      if (above <= key) break;
      keys[i] = above;
      values[i] = values[i - 1] as number;
      i--;
      above = keys[i - 1] as number;
      if (above <= key) break;
      keys[i] = above;
      values[i] = values[i - 1] as number;
      i--;
      above = keys[i - 1] as number;
      if (above <= key) break;
      keys[i] = above;
      values[i] = values[i - 1] as number;
      i--;
    }
    const pos = i - base;
    this.counts[leaf] = count + 1;
    if (leaf === this.cursorLeaf && pos <= this.cursorPos) this.cursorPos++;
    this.#gapLeaf = leaf;
    this.#gapStart = pos;
    this.#gapEnd = pos + 1;
    this.leaf = leaf;
    this.pos = pos;
    return true;
  }

  /**
   * Entry with the highest key not above `key`, without a sought place and the hint: for look-ups in no order.
   *
   * @param key - start address in bytes
   * @returns its handle, 0 when there is none
   */
  floor(key: number): number {
    if (this.#gapLeaf !== 0) this.#closeGap();
    return this.findFloor(key);
  }

  /**
   * Set the sought place on the gap that a walk left, without a search.
   *
   * @returns false when there is no gap
   */
  seekGap(): boolean {
    if (this.#gapLeaf === 0) return false;
    this.leaf = this.#gapLeaf;
    this.pos = this.#gapStart;
    return true;
  }

  /**
   * Set the sought place on the entry behind the gap when it begins at an address, and leave the gap open, see the top.
   *
   * @param key - start address in bytes
   * @returns false when no such entry follows a gap in its leaf; keys above the first equal one are not looked at
   */
  seekBehindGap(key: number): boolean {
    const leaf = this.#gapLeaf;
    if (leaf === 0) return false;
    const pos = this.#gapEnd;
    if (pos >= (this.counts[leaf] as number) || this.keys[(leaf << this.lg2) + pos] !== key) return false;
    this.leaf = leaf;
    this.pos = pos;
    return true;
  }

  /**
   * Set the sought place on the entry of a key; the gap stays open where the entry follows it.
   *
   * @param key - start address in bytes
   * @returns its handle, 0 where no entry has this key; of equal keys the last one's, which only zero-length mappings have
   */
  seekEntry(key: number): number {
    if (!this.seekBehindGap(key)) {
      this.seek(key);
      // No leaf but the first begins with a key above the sought one.
      if (this.pos === 0) return 0;
      this.pos--;
    }
    const at = (this.leaf << this.lg2) + this.pos;
    return this.keys[at] === key ? (this.values[at] as number) : 0;
  }

  /** Remove the entry that {@link VaTree.seekEntry} found just now. */
  removeAtPlace(): void {
    if (this.#gapLeaf === 0) this.#gapOfEntry();
    else this.#gapEnd++;
    this.entries--;
  }

  /**
   * Remove entries that follow each other, from the sought place on: a row shifts once for all that it loses.
   *
   * @param first - the place is that of this key, and no key before it goes
   * @param count - how many there are to remove, and at least that many follow
   */
  removeRun(first: number, count: number): void {
    for (let left = count; ; this.seek(first)) {
      if (this.pos >= (this.counts[this.leaf] as number)) {
        this.leaf = this.nexts[this.leaf] as number;
        this.pos = 0;
      }
      const n = Math.min(left, (this.counts[this.leaf] as number) - this.pos);
      if (this.#gapLeaf === 0) this.#gapOfEntry();
      else this.#gapEnd++;
      this.#gapEnd += n - 1;
      this.entries -= n;
      left -= n;
      if (left === 0) return;
    }
  }

  /** Start address of the entry behind the gap, Infinity when there is none. */
  keyBehindGap(): number {
    if (this.#gapEnd < (this.counts[this.#gapLeaf] as number)) {
      return this.keys[(this.#gapLeaf << this.lg2) + this.#gapEnd] as number;
    }
    return this.keys[(this.nexts[this.#gapLeaf] as number) << this.lg2] as number;
  }

  /** Insert at the front of the gap: the key lies between those of the gap's neighbours. The sought place is then behind it. */
  insertInGap(key: number, handle: number): void {
    const leaf = this.#gapLeaf;
    const pos = this.#gapStart++;
    const at = (leaf << this.lg2) + pos;
    this.keys[at] = key;
    this.values[at] = handle;
    this.entries++;
    this.latest = handle;
    if (pos === 0) this.firstKeyChanged(leaf, key);
    this.leaf = leaf;
    this.pos = pos + 1;
    this.#closeGap();
  }

  #closeGap(): void {
    const leaf = this.#gapLeaf;
    const start = this.#gapStart;
    const n = this.#gapEnd - start;
    this.#gapLeaf = 0;
    if (n === 0) return;
    const base = leaf << this.lg2;
    const count = (this.counts[leaf] as number) - n;
    const { keys } = this;
    this.moveDown(base + start + n, base + count + n, n);
    for (let i = base + count; i < base + count + n; i++) keys[i] = Number.POSITIVE_INFINITY;
    this.counts[leaf] = count;
    if (leaf === this.cursorLeaf && start < this.cursorPos) {
      this.cursorPos = Math.max(start, this.cursorPos - n);
    }
    if (count === 0) this.dropLeaf(leaf);
    else {
      if (start === 0) this.firstKeyChanged(leaf, keys[base] as number);
      if (count < this.fullLeaf >>> 2) this.mergeLeaf(leaf);
    }
  }

  /** Put the cursor on the first entry. */
  startWalkAtFirst(): void {
    if (this.#gapLeaf !== 0) this.#closeGap();
    this.cursorLeaf = this.firstLeaf();
    this.cursorPos = 0;
  }

  /** {@link VaTree.insertInGap} where there is a gap, else {@link VaTree.insertAtPlace}. */
  insertFound(key: number, handle: number): void {
    if (this.#gapLeaf !== 0) this.insertInGap(key, handle);
    else this.insertAtPlace(key, handle);
  }

  /**
   * Insert behind every key that is not above `key`, where the last {@link VaTree.seek} of this very key found a place. The sought place
   * is then behind it.
   *
   * @param key - start address in bytes
   * @param handle - positive
   */
  insertAtPlace(key: number, handle: number): void {
    if (this.#gapLeaf !== 0) this.seek(key);
    if ((this.counts[this.leaf] as number) >= this.fullLeaf) this.makeRoom(this.leaf, this.pos);
    const leaf = this.leaf;
    this.insertInLeaf(leaf, this.pos++, this.counts[leaf] as number, key, handle);
    this.hint = leaf;
    this.latest = handle;
    this.entries++;
  }

  /**
   * {@link VaTree.insertAtPlace} for keys that follow one another with nothing between them: a row shifts once for all that it takes.
   *
   * @param first - the first key, for which the place was sought
   * @param step - from one key to the next, in bytes
   * @param handles - of the entries
   * @param count - how many of those
   */
  insertRun(first: number, step: number, handles: Int32Array, count: number): void {
    for (let done = 0; done < count; ) {
      const room = this.fullLeaf - (this.counts[this.leaf] as number);
      if (this.#gapLeaf !== 0 || room <= 0) {
        this.insertAtPlace(first + done * step, handles[done] as number);
        done++;
        continue;
      }
      const n = Math.min(room, count - done);
      this.fillPlace(first + done * step, step, handles, done, n);
      done += n;
    }
    this.hint = this.leaf;
    this.latest = handles[count - 1] as number;
  }

  /**
   * Remove the entry that the walk returned last.
   *
   * @param handle - its handle
   * @returns false when the walk returned another one last: nothing is removed then
   */
  removeWalked(handle: number): boolean {
    if (!this.#walkedLast(handle)) return false;
    // Else the gap is in the leaf before, or the driver left an entry of the walk where it was.
    if (this.#gapLeaf === this.leaf && this.#gapEnd === this.pos) this.#gapEnd++;
    else if (this.#gapLeaf === 0) this.#gapOfEntry();
    else {
      this.#closeGap();
      return this.removeWalked(handle);
    }
    this.entries--;
    return true;
  }

  /**
   * Remove an entry.
   *
   * @param key - its key
   * @param handle - its handle
   * @throws Error when it is not in the tree
   */
  remove(key: number, handle: number): void {
    this.#search(key, handle);
    this.#gapOfEntry();
    this.entries--;
    this.#closeGap();
  }

  /** Make a gap of the entry at the sought place. */
  #gapOfEntry(): void {
    this.#gapLeaf = this.leaf;
    this.#gapStart = this.pos;
    this.#gapEnd = this.pos + 1;
  }

  /**
   * Put one entry in the place of another: cheaper than remove and insert, and what a split does.
   *
   * @param key - key of the old entry
   * @param handle - handle of the old entry
   * @param newKey - key of the new entry; between the keys of the old entry's neighbours
   * @param newHandle - handle of the new entry
   * @throws Error when the old entry is not in the tree
   */
  replace(key: number, handle: number, newKey: number, newHandle: number): void {
    if (!this.#walkedLast(handle)) this.#search(key, handle);
    const at = (this.leaf << this.lg2) + this.pos;
    this.keys[at] = newKey;
    this.values[at] = newHandle;
    if (this.pos === 0 && newKey !== key) this.firstKeyChanged(this.leaf, newKey);
  }

  /** Set the sought place on the entry that the walk returned last. False when that is another one. */
  #walkedLast(handle: number): boolean {
    const pos = this.cursorPos - 1;
    const leaf = this.cursorLeaf;
    if (pos < 0 || pos >= (this.counts[leaf] as number)) return false;
    if (this.values[(leaf << this.lg2) + pos] !== handle) return false;
    if (leaf === this.#gapLeaf && pos >= this.#gapStart && pos < this.#gapEnd) return false;
    this.leaf = leaf;
    this.pos = pos;
    return true;
  }

  /** Set the sought place on an entry. */
  #search(key: number, handle: number): void {
    this.seek(key);
    for (;;) {
      const found = this.before();
      if (found === 0) throw new Error(`VaTree: no entry ${handle} at 0x${key.toString(16)}`);
      this.stepBack();
      if (found === handle) return;
    }
  }

  /**
   * Check every law of the nodes.
   *
   * @param onEntry - sees each key with its handle, in order
   * @throws Error that names the first law that does not hold
   */
  override validate(onEntry?: (key: number, handle: number) => void): void {
    if (this.#gapLeaf !== 0) this.#closeGap();
    super.validate(onEntry);
  }
}
