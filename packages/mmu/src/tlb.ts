/**
 * A translation look-aside buffer: it remembers leaves and answers without looking at the tables again. So when a
 * driver changes a table and forgets to invalidate, the GPU goes on using the old page. This TLB does just that, on
 * purpose: tests can catch the driver.
 *
 * Set associative, least recently used out first. An entry covers its whole leaf, whatever size that has; entries of
 * different sizes share the sets, each indexed by its page number in its own size. Only translations are kept, never
 * faults and never directory entries (walk caches are not modelled). Size, shape and replacement are choices of the model,
 * not facts of any GPU.
 */

import type { MmuCounters } from "./counters.ts";
import { mmuCounters } from "./counters.ts";
import { type KnownOptions, needKnownOptions } from "./known-options.ts";
import { Walk } from "./walk.ts";

/** The shape of a TLB. */
export interface TlbOptions {
  /** Entries in all. Default 64. */
  entries?: number;
  /** Entries of one set; `entries` of them make it fully associative. `entries / ways` is a power of two. Default 4. */
  ways?: number;
  /** Where hits, misses and invalidations are counted. Default: a sheet of its own. */
  counters?: MmuCounters;
}

const OPTIONS: KnownOptions<TlbOptions> = { entries: true, ways: true, counters: true };

const EMPTY = -1;

/** A leaf that a {@link Tlb} remembers. */
export interface RememberedLeaf {
  /** First virtual address that it covers (bytes). */
  readonly va: number;
  /** The walk to that address. */
  readonly leaf: Walk;
}

/** The translations that a GPU remembers, of any number of address spaces. */
export class Tlb {
  /** The sheet that hits, misses and invalidations are counted on. */
  readonly counters: MmuCounters;
  readonly #ways: number;
  readonly #sets: number;
  /** Address space of each entry, or EMPTY. */
  readonly #asid: Int32Array;
  /** Virtual address of each entry's first byte. */
  readonly #start: Float64Array;
  /** The walk to that byte. */
  readonly #leaf: readonly Walk[];
  readonly #usedAt: Float64Array;
  /** Every leaf size met so far, ascending: a format has at most four. */
  #sizes: number[] = [];
  #clock = 0;
  #live = 0;

  /**
   * @throws RangeError for options that there are not
   * @throws Error when `entries / ways` is not a power of two
   */
  constructor(options: TlbOptions = {}) {
    needKnownOptions("tlb", options, OPTIONS);
    const { entries = 64, ways = 4 } = options;
    const sets = entries / ways;
    if (!(ways >= 1 && sets >= 1) || !Number.isInteger(ways) || !Number.isInteger(Math.log2(sets))) {
      throw new Error(`Tlb: expected entries / ways to be a power of two, got ${entries} / ${ways}`);
    }
    this.counters = options.counters ?? mmuCounters();
    this.#ways = ways;
    this.#sets = sets;
    this.#asid = new Int32Array(entries).fill(EMPTY);
    this.#start = new Float64Array(entries);
    this.#usedAt = new Float64Array(entries);
    this.#leaf = Array.from({ length: entries }, () => new Walk());
  }

  /** Entries in use. */
  get live(): number {
    return this.#live;
  }

  /** What is remembered of address space `asid`, in no certain order. Not a look-up. */
  *remembered(asid: number): Generator<RememberedLeaf> {
    for (let i = 0; i < this.#asid.length; i++) {
      if (this.#asid[i] === asid) yield { va: this.#start[i] as number, leaf: this.#leaf[i] as Walk };
    }
  }

  /** Answers for virtual address `va` of address space `asid` (0 or more) into `out`, or returns false. Smaller leaves come first. */
  lookup(asid: number, va: number, out: Walk): boolean {
    const sizes = this.#sizes;
    const starts = this.#start;
    const asids = this.#asid;
    for (let s = 0; s < sizes.length; s++) {
      const bytes = sizes[s] as number;
      const page = Math.floor(va / bytes);
      const start = page * bytes;
      const first = this.#firstWay(page);
      for (let i = first; i < first + this.#ways; i++) {
        if (starts[i] !== start || asids[i] !== asid) continue;
        const leaf = this.#leaf[i] as Walk;
        if (leaf.sizeBytes !== bytes) continue;
        this.#usedAt[i] = ++this.#clock;
        this.counters.tlbHits++;
        copyLeaf(leaf, va - start, out);
        return true;
      }
    }
    this.counters.tlbMisses++;
    return false;
  }

  /** Remembers the leaf that `walk` found for virtual address `va`, in place of the least recently used of its set. */
  insert(asid: number, va: number, walk: Walk): void {
    const bytes = walk.sizeBytes;
    this.#meet(bytes);
    const page = Math.floor(va / bytes);
    const first = this.#firstWay(page);
    let victim = first;
    for (let i = first; i < first + this.#ways; i++) {
      if (this.#asid[i] === EMPTY) {
        victim = i;
        break;
      }
      if ((this.#usedAt[i] as number) < (this.#usedAt[victim] as number)) victim = i;
    }
    if (this.#asid[victim] === EMPTY) this.#live++;
    this.#asid[victim] = asid;
    this.#start[victim] = page * bytes;
    this.#usedAt[victim] = ++this.#clock;
    copyLeaf(walk, page * bytes - va, this.#leaf[victim] as Walk);
  }

  /**
   * Forgets everything, or everything of one address space.
   *
   * @param asid - of the address space
   * @param commands - how many commands are counted for it: a device with several TLBs, of which this is one, gets one for
   *   each; 0 where the TLB is emptied without being told
   */
  invalidateAll(asid?: number, commands = 1): void {
    this.counters.tlbInvalidations += commands | 0;
    if (this.#live === 0) return;
    for (let i = 0; i < this.#asid.length; i++) {
      if (asid === undefined || this.#asid[i] === asid) this.#drop(i);
    }
  }

  /**
   * Forgets every leaf of an address space of which any byte lies in a range, whatever the leaf's size.
   *
   * @param asid - of the address space
   * @param va - first byte
   * @param bytes - of the range
   * @param commands - how many commands are counted for it, each with these bytes; see {@link invalidateAll}
   */
  invalidateRange(asid: number, va: number, bytes: number, commands = 1): void {
    this.counters.tlbInvalidations += commands | 0;
    this.counters.tlbInvalidatedBytes += bytes * commands;
    if (this.#live === 0 || bytes === 0) return;
    const end = va + bytes;
    for (let i = 0; i < this.#asid.length; i++) {
      if (this.#asid[i] !== asid) continue;
      const start = this.#start[i] as number;
      if (start < end && va < start + (this.#leaf[i] as Walk).sizeBytes) this.#drop(i);
    }
  }

  #meet(bytes: number): void {
    const sizes = this.#sizes;
    for (let s = 0; s < sizes.length; s++) if (sizes[s] === bytes) return;
    this.#sizes = [...sizes, bytes].sort((a, b) => a - b);
  }

  #firstWay(page: number): number {
    return ((page >>> 0) & (this.#sets - 1)) * this.#ways;
  }

  #drop(i: number): void {
    if (this.#asid[i] !== EMPTY) this.#live--;
    this.#asid[i] = EMPTY;
  }
}

/** Copies a leaf, seen from a byte `delta` bytes further. */
function copyLeaf(from: Walk, delta: number, to: Walk): void {
  to.kind = from.kind;
  to.pa = from.kind === "page" ? from.pa + delta : 0;
  to.geometry = from.geometry;
  to.lo = from.lo;
  to.hi = from.hi;
}
