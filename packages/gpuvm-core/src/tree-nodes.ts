/**
 * The nodes of the VA tree: rows of typed arrays, and the inner nodes that lead to the leaves.
 *
 * Node n owns entries `n << lg2` up to its count. A leaf's keys are start addresses and its values mapping handles; an
 * inner node's keys are the first key below each child and its values the children.
 *
 * Laws, checked by {@link TreeNodes.validate}:
 * 1. keys of a leaf are in ascending order; equal keys are allowed (zero-length mappings) and keep insertion order;
 * 2. a separator `keys[i]`, i > 0, equals the first key below child i; `keys[0]` of an inner node is -Infinity;
 * 3. keys behind the count are Infinity;
 * 4. leaves are chained in order, no leaf is empty except a root leaf, all leaves have one depth;
 * 5. the row of node 0, which ends the chain, is Infinity: what comes behind the last key.
 *
 * @module
 */

import { grown } from "./growth.ts";

const FIRST_NODES = 16;
/** Entries that a node may have: a search takes each of their factors 4 at once. */
const CAPACITIES: readonly number[] = [4, 16, 64];
/** Nodes from which their arrays grow in small steps. */
const MANY_NODES = 1024;
// Fields that begin with a value of their type, not undefined, keep V8 from checking the type at every use.
const NO_DOUBLES = new Float64Array(0);
const NO_INTS = new Int32Array(0);

/** Nodes of a B+-tree, without any order of use. */
export class TreeNodes {
  /** log2 of a node's capacity. */
  protected readonly lg2: number = 0;
  protected readonly capacity: number = 0;
  protected keys: Float64Array = NO_DOUBLES;
  protected values: Int32Array = NO_INTS;
  protected counts: Int32Array = NO_INTS;
  protected parents: Int32Array = NO_INTS;
  /** Leaves: neighbours. Free nodes: `nexts` chains the free list. */
  protected nexts: Int32Array = NO_INTS;
  protected prevs: Int32Array = NO_INTS;
  protected root: number = 0;
  /** Levels of inner nodes above the leaves. */
  protected height = 0;
  protected entries = 0;
  /** Nodes ever handed out; node 0 stands for "none". */
  #used = 1;
  #free = 0;

  /**
   * @param nodeCapacity - entries a node: 4, 16 or 64; tests use 4 so that node borders are everywhere
   * @param expected - entries to make room for at once
   * @throws RangeError for another capacity
   */
  constructor(nodeCapacity: number, expected: number) {
    const lg2 = 31 - Math.clz32(nodeCapacity);
    if (!CAPACITIES.includes(nodeCapacity)) throw new RangeError(`VaTree: node capacity ${nodeCapacity}`);
    this.lg2 = lg2;
    this.capacity = nodeCapacity;
    // In no order, entries fill two thirds of a leaf, and the first of them are short.
    const nodes = FIRST_NODES + Math.min(nodeCapacity, expected >>> (lg2 - 2)) + (expected >>> (lg2 - 1));
    this.keys = new Float64Array(nodes << lg2);
    this.values = new Int32Array(nodes << lg2);
    this.counts = new Int32Array(nodes);
    this.parents = new Int32Array(nodes);
    this.nexts = new Int32Array(nodes);
    this.prevs = new Int32Array(nodes);
    this.keys.fill(Number.POSITIVE_INFINITY, 0, nodeCapacity);
    this.root = this.allocNode();
  }

  /** Bytes of the arrays that hold the nodes. */
  get memoryBytes(): number {
    return this.keys.byteLength + this.values.byteLength + 4 * this.counts.byteLength;
  }

  /**
   * How many keys of a node are not above `key`. Which ones is chance, so what a comparison brings is added up and not
   * branched on: look-ups then overlap in the processor. Three quarters are compared at once, then those of the quarter;
   * of 32 keys seven eighths, which saves a round.
   *
   * @param node - node
   * @param key - below Infinity
   * @param lg2 - 2 to 6: the node has at most 2 to this power keys
   */
  protected rank(node: number, key: number, lg2: number): number {
    const { keys } = this;
    const base = node << this.lg2;
    let at = base;
    // Spelled out: in a loop half of the time went into shifts.
    if (lg2 > 5)
      at +=
        (+((keys[at + 15] as number) <= key) +
          +((keys[at + 31] as number) <= key) +
          +((keys[at + 47] as number) <= key)) <<
        4;
    if (lg2 === 5)
      at +=
        (+((keys[at + 3] as number) <= key) +
          +((keys[at + 7] as number) <= key) +
          +((keys[at + 11] as number) <= key) +
          +((keys[at + 15] as number) <= key) +
          +((keys[at + 19] as number) <= key) +
          +((keys[at + 23] as number) <= key) +
          +((keys[at + 27] as number) <= key)) <<
        2;
    else if (lg2 > 2)
      at +=
        (+((keys[at + 3] as number) <= key) +
          +((keys[at + 7] as number) <= key) +
          +((keys[at + 11] as number) <= key)) <<
        2;
    at +=
      +((keys[at] as number) <= key) +
      +((keys[at + 1] as number) <= key) +
      +((keys[at + 2] as number) <= key);
    // All but the last key have been compared; that one only counts behind all others.
    const rank = at - base;
    return rank < (1 << lg2) - 1 ? rank : rank + +((keys[at] as number) <= key);
  }

  protected firstKeyChanged(leaf: number, key: number): void {
    let node = leaf;
    for (let parent = this.parents[node] as number; parent !== 0; parent = this.parents[node] as number) {
      const i = this.#indexInParent(parent, node);
      if (i > 0) {
        this.keys[(parent << this.lg2) + i] = key;
        return;
      }
      node = parent;
    }
  }

  #indexInParent(parent: number, node: number): number {
    const base = parent << this.lg2;
    let i = 0;
    while (this.values[base + i] !== node) i++;
    return i;
  }

  /**
   * Move the entries `[from, to)` one place up. Four a turn, here and below: what an insert and a removal take their time for is this loop,
   * and half of that is what each turn takes by itself.
   */
  protected moveUp(from: number, to: number): void {
    const { keys, values } = this;
    let i = to;
    for (const rest = from + 3; i > rest; i -= 4) {
      keys[i] = keys[i - 1] as number;
      values[i] = values[i - 1] as number;
      keys[i - 1] = keys[i - 2] as number;
      values[i - 1] = values[i - 2] as number;
      keys[i - 2] = keys[i - 3] as number;
      values[i - 2] = values[i - 3] as number;
      keys[i - 3] = keys[i - 4] as number;
      values[i - 3] = values[i - 4] as number;
    }
    for (; i > from; i--) {
      keys[i] = keys[i - 1] as number;
      values[i] = values[i - 1] as number;
    }
  }

  /** Move the entries `[from, to)` down by `n` places. */
  protected moveDown(from: number, to: number, n: number): void {
    const { keys, values } = this;
    let i = from;
    for (const whole = to - 3; i < whole; i += 4) {
      const at = i - n;
      keys[at] = keys[i] as number;
      values[at] = values[i] as number;
      keys[at + 1] = keys[i + 1] as number;
      values[at + 1] = values[i + 1] as number;
      keys[at + 2] = keys[i + 2] as number;
      values[at + 2] = values[i + 2] as number;
      keys[at + 3] = keys[i + 3] as number;
      values[at + 3] = values[i + 3] as number;
    }
    for (; i < to; i++) {
      keys[i - n] = keys[i] as number;
      values[i - n] = values[i] as number;
    }
  }

  /** Move entries to another row. */
  protected moveEntries(from: number, to: number, n: number): void {
    const { keys, values } = this;
    for (let i = 0; i < n; i++) {
      keys[to + i] = keys[from + i] as number;
      values[to + i] = values[from + i] as number;
      keys[from + i] = Number.POSITIVE_INFINITY;
    }
  }

  /** Hang `right` beside `left` in the inner nodes. */
  protected addChild(left: number, right: number, separator: number): void {
    let parent = this.parents[left] as number;
    if (parent === 0) {
      parent = this.allocNode();
      this.keys[parent << this.lg2] = Number.NEGATIVE_INFINITY;
      this.values[parent << this.lg2] = left;
      this.counts[parent] = 1;
      this.parents[left] = parent;
      this.root = parent;
      this.height++;
    }
    let index = this.#indexInParent(parent, left) + 1;
    if (this.counts[parent] === this.capacity) {
      const half = this.capacity >>> 1;
      const sibling = this.allocNode();
      const from = (parent << this.lg2) + half;
      const first = this.keys[from] as number;
      this.moveEntries(from, sibling << this.lg2, half);
      this.keys[sibling << this.lg2] = Number.NEGATIVE_INFINITY;
      this.counts[parent] = half;
      this.counts[sibling] = half;
      for (let i = 0; i < half; i++) this.parents[this.values[from + i] as number] = sibling;
      this.addChild(parent, sibling, first);
      if (index > half) {
        parent = sibling;
        index -= half;
      }
    }
    const base = parent << this.lg2;
    const count = this.counts[parent] as number;
    for (let i = base + count; i > base + index; i--) {
      this.keys[i] = this.keys[i - 1] as number;
      this.values[i] = this.values[i - 1] as number;
    }
    this.keys[base + index] = separator;
    this.values[base + index] = right;
    this.counts[parent] = count + 1;
    this.parents[right] = parent;
  }

  protected removeChild(parent: number, child: number): void {
    const base = parent << this.lg2;
    const count = (this.counts[parent] as number) - 1;
    const index = this.#indexInParent(parent, child);
    if (count === 0) {
      // Inner nodes are not merged; one goes when its last child does.
      this.removeChild(this.parents[parent] as number, parent);
      this.freeNode(parent);
      return;
    }
    for (let i = base + index; i < base + count; i++) {
      this.keys[i] = this.keys[i + 1] as number;
      this.values[i] = this.values[i + 1] as number;
    }
    this.keys[base + count] = Number.POSITIVE_INFINITY;
    this.counts[parent] = count;
    if (index === 0) {
      const first = this.keys[base] as number;
      this.keys[base] = Number.NEGATIVE_INFINITY;
      this.firstKeyChanged(parent, first);
    }
    while (this.height > 0 && this.counts[this.root] === 1) {
      const old = this.root;
      this.root = this.values[old << this.lg2] as number;
      this.parents[this.root] = 0;
      this.height--;
      this.freeNode(old);
    }
  }

  protected allocNode(): number {
    let node = this.#free;
    if (node !== 0) this.#free = this.nexts[node] as number;
    else {
      node = this.#used++;
      if (node === this.counts.length) this.#grow();
    }
    this.keys.fill(Number.POSITIVE_INFINITY, node << this.lg2, (node + 1) << this.lg2);
    this.counts[node] = 0;
    this.parents[node] = 0;
    this.nexts[node] = 0;
    this.prevs[node] = 0;
    return node;
  }

  protected freeNode(node: number): void {
    this.nexts[node] = this.#free;
    this.counts[node] = 0;
    this.#free = node;
  }

  /**
   * Make room at once for entries that come in runs, whose leaves are full; others go on to need more.
   *
   * @param entries - how many there will be
   */
  expect(entries: number): void {
    const leaves = entries >>> this.lg2;
    const nodes = FIRST_NODES + leaves + (leaves >>> 3);
    if (nodes > this.counts.length) this.#resize(nodes);
  }

  #grow(): void {
    this.#resize(grown(this.counts.length, MANY_NODES));
  }

  #resize(more: number): void {
    const longer = (old: Int32Array, length: number): Int32Array => {
      const fresh = new Int32Array(length);
      fresh.set(old);
      return fresh;
    };
    const keys = new Float64Array(more << this.lg2);
    keys.set(this.keys);
    this.keys = keys;
    this.values = longer(this.values, more << this.lg2);
    this.counts = longer(this.counts, more);
    this.parents = longer(this.parents, more);
    this.nexts = longer(this.nexts, more);
    this.prevs = longer(this.prevs, more);
  }

  /**
   * Check every law of the module comment.
   *
   * @param onEntry - sees each key with its handle, in order
   * @throws Error that names the first law that does not hold
   */
  validate(onEntry?: (key: number, handle: number) => void): void {
    let seen = 0;
    let chain = 0;
    let last = Number.NEGATIVE_INFINITY;
    const check = (ok: boolean, law: string): void => {
      if (!ok) throw new Error(`VaTree: ${law}`);
    };
    const visit = (node: number, height: number): number => {
      const base = node << this.lg2;
      const count = this.counts[node] as number;
      check(count > 0 || node === this.root, "no node is empty");
      for (let i = count; i < this.capacity; i++) {
        check(this.keys[base + i] === Number.POSITIVE_INFINITY, "keys behind the count are Infinity");
      }
      check(
        height === 0 || this.keys[base] === Number.NEGATIVE_INFINITY,
        "an inner node begins with -Infinity",
      );
      if (height > 0) {
        let first = 0;
        for (let i = 0; i < count; i++) {
          const child = this.values[base + i] as number;
          check(this.parents[child] === node, "children know their parent");
          const key = visit(child, height - 1);
          if (i === 0) first = key;
          else check(this.keys[base + i] === key, "a separator is the first key below its child");
        }
        return first;
      }
      check((this.prevs[node] as number) === chain, "leaves are chained in order");
      if (chain !== 0) check(this.nexts[chain] === node, "leaves are chained in order");
      chain = node;
      for (let i = 0; i < count; i++) {
        const key = this.keys[base + i] as number;
        check(key >= last, "keys ascend");
        last = key;
        seen++;
        onEntry?.(key, this.values[base + i] as number);
      }
      return this.keys[base] as number;
    };
    visit(this.root, this.height);
    check(
      this.keys.subarray(0, this.capacity).every((key) => key === Number.POSITIVE_INFINITY),
      "the row of node 0 is Infinity",
    );
    check((this.nexts[chain] as number) === 0, "the last leaf ends the chain");
    check(seen === this.entries, "size counts the entries");
  }
}
