/**
 * The interval tree of one VM: which mapping lies where. `amdgpu` keeps one of its own instead of GPUVM's (`amdgpu_vm.c`,
 * Linux 7.3-rc7), and its mappings never overlap, so the tree is an ordered one: by first page, balanced by height (AVL).
 *
 * Everything but a look-up is made of two operations: *join* puts two trees and a mapping between them together, *split*
 * takes one tree apart at a page. A range of any number of mappings leaves in two splits and a join.
 *
 * A mapping is a number from 1; 0 is none. Its fields lie in typed arrays, here and in `mappings.ts`.
 *
 * @module
 */

const FIRST_ROOM = 32;
/** More than any path has: a balanced tree of 2^31 mappings has less than 45 levels. */
const PATH_ROOM = 64;

/** Mappings by address. Pages have 4 KiB. */
export class IntervalTree {
  /** First page of each mapping. */
  first: Float64Array = new Float64Array(FIRST_ROOM);
  /** Last page of each mapping. */
  last: Float64Array = new Float64Array(FIRST_ROOM);
  #left: Int32Array = new Int32Array(FIRST_ROOM);
  #right: Int32Array = new Int32Array(FIRST_ROOM);
  #height: Uint8Array = new Uint8Array(FIRST_ROOM);
  #root = 0;
  /** The left half of the last split. */
  #below = 0;
  /** The right half of the last split. */
  #above = 0;
  #size = 0;
  /** The way down to where a mapping is put in or taken out, from the root. */
  readonly #path: Int32Array = new Int32Array(PATH_ROOM);
  /** What {@link IntervalTree.overlapping} found. */
  #found: Int32Array = new Int32Array(FIRST_ROOM);
  #foundCount = 0;

  /** Mappings in the tree. */
  get size(): number {
    return this.#size;
  }

  /** Make room for mappings up to a number. */
  protected growTree(room: number): void {
    this.first = grownDoubles(this.first, room);
    this.last = grownDoubles(this.last, room);
    this.#left = grownInts(this.#left, room);
    this.#right = grownInts(this.#right, room);
    const height = new Uint8Array(room);
    height.set(this.#height);
    this.#height = height;
  }

  /**
   * Put a mapping in. Its pages must be free.
   *
   * @param id - of a mapping whose pages are set
   */
  insert(id: number): void {
    this.#left[id] = 0;
    this.#right[id] = 0;
    this.#height[id] = 1;
    this.#size++;
    const key = this.first[id] as number;
    const { first } = this;
    const left = this.#left;
    const right = this.#right;
    const path = this.#path;
    let depth = 0;
    let above = 0;
    for (let at = this.#root; at !== 0; ) {
      path[depth++] = at;
      above = at;
      at = (key < (first[at] as number) ? left[at] : right[at]) as number;
    }
    if (above === 0) this.#root = id;
    else if (key < (first[above] as number)) left[above] = id;
    else right[above] = id;
    this.#balancePath(depth);
  }

  /**
   * Take out all that lies from a mapping to another one, both included.
   *
   * @param from - first page of the first mapping that goes
   * @param to - a page from there on; mappings that begin behind it stay
   * @param count - how many they are
   */
  removeRange(from: number, to: number, count: number): void {
    if (count === 1) {
      this.#remove(from);
    } else {
      this.#split(this.#root, from);
      const below = this.#below;
      this.#split(this.#above, to + 1);
      this.#root = this.#joinTwo(below, this.#above);
    }
    this.#size -= count;
  }

  /**
   * @param from - first page
   * @param to - last page
   * @returns the lowest mapping that has a page in the range, 0 for none
   */
  firstOverlap(from: number, to: number): number {
    const { first, last } = this;
    const left = this.#left;
    const right = this.#right;
    let found = 0;
    for (let at = this.#root; at !== 0; ) {
      if ((first[at] as number) > to) {
        at = left[at] as number;
      } else if ((last[at] as number) < from) {
        at = right[at] as number;
      } else {
        found = at;
        at = left[at] as number;
      }
    }
    return found;
  }

  /**
   * All mappings that have a page in a range, ascending, as a list that is valid until the next call.
   *
   * @param from - first page
   * @param to - last page
   * @returns how many; {@link IntervalTree.overlap} has them
   */
  overlapping(from: number, to: number): number {
    this.#foundCount = 0;
    this.#collect(this.#root, from, to);
    return this.#foundCount;
  }

  /**
   * @param index - below what {@link IntervalTree.overlapping} returned
   * @returns the mapping
   */
  overlap(index: number): number {
    return this.#found[index] as number;
  }

  /** Numbers of all mappings, ascending by address, as they are now. */
  ascending(from = 0, to: number = Number.POSITIVE_INFINITY): Int32Array {
    const count = this.overlapping(from, to);
    return this.#found.slice(0, count);
  }

  /**
   * Check order, disjointness, balance and size.
   *
   * @throws Error `interval-tree`
   */
  checkTree(): void {
    let end = -1;
    let count = 0;
    for (const id of this.ascending()) {
      if (!((this.first[id] as number) > end) || (this.last[id] as number) < (this.first[id] as number)) {
        throw new Error(`interval-tree: page ${this.first[id]} is not behind page ${end}`);
      }
      end = this.last[id] as number;
      count++;
    }
    if (count !== this.#size)
      throw new Error(`interval-tree: ${this.#size} mappings counted, ${count} found`);
    this.#checkHeight(this.#root);
  }

  #checkHeight(at: number): number {
    if (at === 0) return 0;
    const left = this.#checkHeight(this.#left[at] as number);
    const right = this.#checkHeight(this.#right[at] as number);
    const height = 1 + Math.max(left, right);
    if (Math.abs(left - right) > 1 || this.#height[at] !== height) {
      throw new Error(`interval-tree: subtrees of ${left} and ${right} under height ${this.#height[at]}`);
    }
    return height;
  }

  #collect(at: number, from: number, to: number): void {
    if (at === 0) return;
    const first = this.first[at] as number;
    const last = this.last[at] as number;
    if (first > from) this.#collect(this.#left[at] as number, from, to);
    if (first <= to && last >= from) {
      if (this.#foundCount === this.#found.length) {
        this.#found = grownInts(this.#found, this.#found.length * 2);
      }
      this.#found[this.#foundCount++] = at;
    }
    if (last < to) this.#collect(this.#right[at] as number, from, to);
  }

  /** Takes out the mapping that begins at a page; the next one takes its place where it has mappings on both sides. */
  #remove(key: number): void {
    const { first } = this;
    const left = this.#left;
    const right = this.#right;
    const path = this.#path;
    let depth = 0;
    let gone = this.#root;
    while (gone !== 0 && first[gone] !== key) {
      path[depth++] = gone;
      gone = (key < (first[gone] as number) ? left[gone] : right[gone]) as number;
    }
    if (gone === 0) throw new Error(`interval-tree: no mapping begins at page ${key}`);
    const above = depth === 0 ? 0 : (path[depth - 1] as number);
    if (left[gone] === 0 || right[gone] === 0) {
      this.#hang(above, gone, ((left[gone] as number) | (right[gone] as number)) as number);
    } else {
      const place = depth++;
      let next = right[gone] as number;
      for (; left[next] !== 0; next = left[next] as number) path[depth++] = next;
      path[place] = next;
      if (depth > place + 1) {
        left[path[depth - 1] as number] = right[next] as number;
        right[next] = right[gone] as number;
      }
      left[next] = left[gone] as number;
      this.#height[next] = this.#height[gone] as number;
      this.#hang(above, gone, next);
    }
    this.#balancePath(depth);
  }

  /** Puts a subtree where another one was: below a mapping, or at the root. */
  #hang(above: number, old: number, at: number): void {
    if (above === 0) this.#root = at;
    else if (this.#left[above] === old) this.#left[above] = at;
    else this.#right[above] = at;
  }

  /** Balances the path's mappings from below, up to the first whose height stays. */
  #balancePath(depth: number): void {
    const path = this.#path;
    const height = this.#height;
    for (let i = depth - 1; i >= 0; i--) {
      const old = path[i] as number;
      const before = height[old];
      const at = this.#balance(old);
      if (at !== old) this.#hang(i === 0 ? 0 : (path[i - 1] as number), old, at);
      if (height[at] === before) return;
    }
  }

  /** Takes the lowest mapping out of a tree that is not empty; it is then {@link IntervalTree.#below}. */
  #takeLowest(at: number): number {
    const left = this.#left[at] as number;
    if (left === 0) {
      this.#below = at;
      return this.#right[at] as number;
    }
    this.#left[at] = this.#takeLowest(left);
    return this.#balance(at);
  }

  #joinTwo(low: number, high: number): number {
    if (low === 0) return high;
    if (high === 0) return low;
    const rest = this.#takeLowest(high);
    return this.#join(low, this.#below, rest);
  }

  #join(low: number, middle: number, high: number): number {
    const heightLow = this.#height[low] as number;
    const heightHigh = this.#height[high] as number;
    if (heightLow > heightHigh + 1) {
      this.#right[low] = this.#join(this.#right[low] as number, middle, high);
      return this.#balance(low);
    }
    if (heightHigh > heightLow + 1) {
      this.#left[high] = this.#join(low, middle, this.#left[high] as number);
      return this.#balance(high);
    }
    this.#left[middle] = low;
    this.#right[middle] = high;
    this.#height[middle] = 1 + Math.max(heightLow, heightHigh);
    return middle;
  }

  /** What begins below a page goes to {@link IntervalTree.#below}, the rest to {@link IntervalTree.#above}. */
  #split(at: number, page: number): void {
    if (at === 0) {
      this.#below = 0;
      this.#above = 0;
      return;
    }
    const left = this.#left[at] as number;
    const right = this.#right[at] as number;
    if ((this.first[at] as number) < page) {
      this.#split(right, page);
      const above = this.#above;
      this.#below = this.#join(left, at, this.#below);
      this.#above = above;
    } else {
      this.#split(left, page);
      const below = this.#below;
      this.#above = this.#join(this.#above, at, right);
      this.#below = below;
    }
  }

  #balance(at: number): number {
    const height = this.#height;
    const left = this.#left[at] as number;
    const right = this.#right[at] as number;
    const lean = (height[left] as number) - (height[right] as number);
    if (lean > 1) {
      const inner = this.#right[left] as number;
      if ((height[inner] as number) > (height[this.#left[left] as number] as number)) {
        this.#left[at] = this.#turnLeft(left);
      }
      return this.#turnRight(at);
    }
    if (lean < -1) {
      const inner = this.#left[right] as number;
      if ((height[inner] as number) > (height[this.#right[right] as number] as number)) {
        this.#right[at] = this.#turnRight(right);
      }
      return this.#turnLeft(at);
    }
    height[at] = 1 + (lean > 0 ? (height[left] as number) : (height[right] as number));
    return at;
  }

  #turnRight(at: number): number {
    const up = this.#left[at] as number;
    this.#left[at] = this.#right[up] as number;
    this.#right[up] = at;
    this.#measure(at);
    this.#measure(up);
    return up;
  }

  #turnLeft(at: number): number {
    const up = this.#right[at] as number;
    this.#right[at] = this.#left[up] as number;
    this.#left[up] = at;
    this.#measure(at);
    this.#measure(up);
    return up;
  }

  #measure(at: number): void {
    const left = this.#height[this.#left[at] as number] as number;
    const right = this.#height[this.#right[at] as number] as number;
    this.#height[at] = 1 + Math.max(left, right);
  }
}

/**
 * @param old - to be copied
 * @param room - elements of the new array
 */
export function grownInts(old: Int32Array, room: number): Int32Array {
  const grown = new Int32Array(room);
  grown.set(old);
  return grown;
}

/**
 * @param old - to be copied
 * @param room - elements of the new array
 */
export function grownDoubles(old: Float64Array, room: number): Float64Array {
  const grown = new Float64Array(room);
  grown.set(old);
  return grown;
}
