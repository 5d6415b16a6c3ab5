/**
 * The entries of a page table that a case lists, one by one or as runs at even distances, held against those that are found. They
 * are taken as they come: cases have hundreds of thousands, and an object or a list of each would cost more than the rest of a check.
 *
 * @module
 */

import { u64Halves, u64Of } from "@vmbind/drm/conformance";

/** What an element of a list says: an entry, and how many follow at which distance. */
export interface ListedRun {
  /** First virtual address (bytes), in hex. */
  readonly va: string;
  /** Level of its table, as a number. */
  readonly level: number;
  /** It is in a compact table. */
  readonly compact: boolean;
  /** The descriptor, in hex. */
  readonly entry: string;
  /** Entries. */
  readonly count: number;
  /** Bytes from one to the next, in hex, with a sign where it is negative. */
  readonly strideVa: string;
  /** What is added to the descriptor from one to the next, in the same way. */
  readonly strideEntry: string;
}

/** An entry in numbers. */
export interface TableEntry {
  /** First virtual address that it covers (bytes). */
  readonly va: number;
  /** Level of its table. */
  readonly level: number;
  /** It is in a compact table. */
  readonly compact: boolean;
  /** The descriptor. */
  readonly entry: bigint;
}

/** The first difference between a list and what was found. */
export interface EntryDifference {
  /** Element of the list. */
  readonly item: number;
  /** Entry of the element, from 0. */
  readonly nth: number;
  /** Entry of the whole list, from 0. */
  readonly at: number;
  /** What the list has there. */
  readonly expected: TableEntry;
  /** What was found, null where nothing was. */
  readonly got: TableEntry | null;
}

/** A list that is held against entries in the same order. */
export class ListedEntries {
  readonly #items: readonly unknown[];
  readonly #read: (item: unknown) => ListedRun;
  #item = -1;
  /** Entries of the element that are still to come, the next one among them. */
  #left = 0;
  #count = 0;
  #level = 0;
  #compact = false;
  #va = 0;
  #lo = 0;
  #hi = 0;
  #strideVa = 0;
  #strideLo = 0;
  #strideHi = 0;
  #met = 0;
  #found = 0;
  #difference: EntryDifference | null = null;

  /**
   * @param items - of the list
   * @param read - what an element says, in the words of its format
   */
  constructor(items: readonly unknown[], read: (item: unknown) => ListedRun) {
    this.#items = items;
    this.#read = read;
    this.#next();
  }

  /** Entries found. */
  get found(): number {
    return this.#found;
  }

  /** Entries of the list that were found, up to the first difference. */
  get met(): number {
    return this.#met;
  }

  /**
   * The next entry that was found.
   *
   * @param va - first virtual address that it covers (bytes)
   * @param level - of its table
   * @param lo - low half of the descriptor, signed
   * @param hi - high half
   * @param compact - it is in a compact table
   */
  take(va: number, level: number, lo: number, hi: number, compact: boolean): void {
    this.#found++;
    if (this.#left === 0 || this.#difference !== null) return;
    if (
      lo !== this.#lo ||
      va !== this.#va ||
      hi !== this.#hi ||
      level !== this.#level ||
      compact !== this.#compact
    ) {
      this.#difference = this.#differs({ va, level, compact, entry: wholeOf(lo, hi) });
      return;
    }
    this.#met++;
    if (--this.#left === 0) {
      this.#next();
      return;
    }
    const next = (lo + this.#strideLo) | 0;
    this.#hi = (hi + this.#strideHi + (next >>> 0 < this.#strideLo >>> 0 ? 1 : 0)) | 0;
    this.#lo = next;
    this.#va = va + this.#strideVa;
  }

  /** @returns the first difference once all that there is was taken, null where only the numbers of entries may differ */
  difference(): EntryDifference | null {
    return this.#difference ?? (this.#left === 0 ? null : this.#differs(null));
  }

  #differs(got: TableEntry | null): EntryDifference {
    const expected = {
      va: this.#va,
      level: this.#level,
      compact: this.#compact,
      entry: wholeOf(this.#lo, this.#hi),
    };
    return { item: this.#item, nth: this.#count - this.#left, at: this.#met, expected, got };
  }

  #next(): void {
    do {
      if (++this.#item === this.#items.length) return;
      const run = this.#read(this.#items[this.#item]);
      this.#left = run.count;
      this.#count = run.count;
      this.#level = run.level;
      this.#compact = run.compact;
      this.#va = u64Of(run.va);
      const entry = u64Halves(run.entry);
      this.#lo = entry.lo;
      this.#hi = entry.hi;
      if (run.count === 1) continue;
      const { strideVa } = run;
      this.#strideVa = strideVa.startsWith("-") ? -u64Of(strideVa.slice(1)) : u64Of(strideVa);
      const stride = u64Halves(run.strideEntry);
      this.#strideLo = stride.lo;
      this.#strideHi = stride.hi;
    } while (this.#left === 0);
  }
}

function wholeOf(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
