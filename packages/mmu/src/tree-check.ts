/**
 * One tree of tables against what it should translate. Everything is read from the descriptors; nothing here shares code with the
 * writers.
 *
 * @module
 */

import { addressHi, addressLo, addressOf, hexAddress } from "./address.ts";
import type { DecodedEntry, LevelGeometry, PageTableFormat } from "./format.ts";
import { decodeEntry, kindOf, rootGeometry, tableAddress } from "./format.ts";
import type { TableMemory } from "./table-memory.ts";

/** The two halves of a descriptor, signed. Reused as an out argument. */
export interface DescriptorHalves {
  /** Bits 31:0. */
  lo: number;
  /** Bits 63:32. */
  hi: number;
}

/** What a leaf holds. */
export interface ExpectedLeaf extends DescriptorHalves {
  /**
   * Bytes from the leaf's first address on whose leaves are of the same level and differ in nothing but their addresses, which go up with the
   * virtual ones: they are looked at without being asked for. 0, which it is unless set, promises nothing.
   */
  run: number;
  /** The leaves of the run do not differ at all: they show one piece of memory again and again. False unless set. */
  repeats: boolean;
}

/** A range of virtual addresses that a mapping translates, and what its leaves hold. */
export interface ExpectedRange {
  /** First virtual address in bytes. */
  readonly start: number;
  /** First virtual address behind it. */
  readonly end: number;
  /** Leaves of one level are all the same, wherever they may be: a filled table among them is looked at once. Default false. */
  readonly uniform?: boolean;
  /**
   * The descriptor of one leaf.
   *
   * @param va - first address of the leaf
   * @param geometry - its level
   * @param out - receives the halves, and how far they go on
   * @returns false when the mapping has no leaf of this level there
   */
  leaf(va: number, geometry: LevelGeometry, out: ExpectedLeaf): boolean;
}

/** One tree of tables, and everything that it should translate. */
export interface ExpectedTree {
  /** Physical address of the root table. */
  readonly root: number;
  /** The mappings in ascending order, none empty, none overlapping. */
  readonly ranges: readonly ExpectedRange[];
  /** Low halves of the entry that stands for "nothing", by level number; zero unless given. */
  readonly emptyLo?: ArrayLike<number>;
  /** High halves of it. */
  readonly emptyHi?: ArrayLike<number>;
}

/** Sees each table page of a tree: slot, level, first address, and how many of its entries are not empty. */
export type TableVisitor = (slot: number, geometry: LevelGeometry, va: number, used: number) => void;

/** The check of one tree, see `checkTables`. */
export class TreeCheck {
  readonly #tables: TableMemory;
  readonly #format: PageTableFormat;
  readonly #tree: ExpectedTree;
  readonly #seen: Set<number>;
  readonly #visit: TableVisitor | undefined;
  readonly #want: ExpectedLeaf = { lo: 0, hi: 0, run: 0, repeats: false };
  /** The last leaf looked at was of this level, and below this address those behind it follow it, so many bytes of memory apart. */
  #runGeometry: LevelGeometry | null = null;
  #runEnd = 0;
  #runStep = 0;
  readonly #decoded: DecodedEntry = { kind: "empty", address: 0, rights: 0, compact: false };
  /** Index of the first range that does not end at or below the place reached. */
  #range = 0;
  /** Everything of that range below this address has a leaf. */
  #covered = 0.5;

  constructor(
    tables: TableMemory,
    format: PageTableFormat,
    tree: ExpectedTree,
    seen: Set<number>,
    visit: TableVisitor | undefined,
  ) {
    this.#tables = tables;
    this.#format = format;
    this.#tree = tree;
    this.#seen = seen;
    this.#visit = visit;
    this.#covered = tree.ranges[0]?.start ?? 0;
  }

  run(root: number): void {
    this.#enter(root, null, 0);
    this.#table(root, rootGeometry(this.#format), 0);
    const left = this.#tree.ranges[this.#range];
    if (left !== undefined) this.#missing(left);
  }

  #table(slot: number, geometry: LevelGeometry, va: number): void {
    const tables = this.#tables;
    if (geometry.highHalf !== null) {
      this.#pairs(slot, geometry, geometry.highHalf, va);
      return;
    }
    const { words, wordsPerTable } = tables;
    const filled = tables.isFilled(slot);
    if (filled && this.#isUniform(slot, geometry, va)) {
      this.#visit?.(slot, geometry, va, geometry.entries);
      return;
    }
    const { entries, entryBytes, level, directoryMask, directoryBits, kinds } = geometry;
    const emptyLo = this.#tree.emptyLo?.[level] ?? 0;
    const emptyHi = this.#tree.emptyHi?.[level] ?? 0;
    const fillLo = tables.entryLo(slot, 0);
    const fillHi = tables.entryHi(slot, 0);
    const skipsZeroes = !filled && (emptyLo | emptyHi) === 0;
    let used = 0;
    let at = slot * wordsPerTable;
    for (let i = 0; i < entries; i++, at += 2) {
      if (skipsZeroes) {
        while (i < entries && ((words[at] as number) | (words[at + 1] as number)) === 0) {
          i++;
          at += 2;
        }
        if (i === entries) break;
      }
      const lo = filled ? fillLo : (words[at] as number);
      const hi = filled ? fillHi : (words[at + 1] as number);
      if (lo === emptyLo && hi === emptyHi) {
        if (lo === 0) continue;
        const first = va + i * entryBytes;
        if (!this.#isLeaf(geometry, first, lo, hi)) {
          // Up to where a mapping begins none has a leaf that looks like an empty entry.
          const next = this.#rangeAt(first)?.start ?? Number.POSITIVE_INFINITY;
          const end = Math.min((next - va) / entryBytes, entries);
          while (i + 1 < end && (filled || (words[at + 2] === emptyLo && words[at + 3] === emptyHi))) {
            i++;
            at += 2;
          }
          continue;
        }
      }
      let isDirectory = (lo & directoryMask) === directoryBits;
      if (kinds !== null) {
        const kind = kinds(lo, hi);
        // Some drivers clear an entry without making it zero.
        if (kind === "empty") continue;
        isDirectory = kind === "table";
      }
      used++;
      if (isDirectory) this.#directory(geometry, va + i * entryBytes, lo, hi);
      else {
        this.#leaf(geometry, va + i * entryBytes, lo, hi);
        // Where memory is in single pages no leaf has any.
        if (filled || this.#covered >= this.#runEnd) continue;
        const more = this.#followers(at + 2, entries - 1 - i, entryBytes);
        used += more;
        i += more;
        at += 2 * more;
      }
    }
    this.#visit?.(slot, geometry, va, used);
  }

  /** How many of the entries behind a leaf, at most so many, are as that leaf says. */
  #followers(from: number, most: number, entryBytes: number): number {
    // A leaf that only begins in the run is none of it.
    const limit = Math.min(most, Math.floor((this.#runEnd - this.#covered) / entryBytes));
    const { words } = this.#tables;
    const want = this.#want;
    let { lo, hi } = want;
    const stepLo = addressLo(this.#runStep);
    const stepHi = addressHi(this.#runStep);
    let count = 0;
    for (; count < limit; count++) {
      const sum = (lo + stepLo) | 0;
      const carry = sum >>> 0 < lo >>> 0 ? 1 : 0;
      const high = (hi + stepHi + carry) | 0;
      const at = from + 2 * count;
      if (words[at] !== sum || words[at + 1] !== high) break;
      lo = sum;
      hi = high;
    }
    want.lo = lo;
    want.hi = hi;
    this.#covered += count * entryBytes;
    return count;
  }

  /** A table whose entries have two halves. */
  #pairs(slot: number, geometry: LevelGeometry, highHalf: LevelGeometry, va: number): void {
    const tables = this.#tables;
    const { entries, entryBytes } = geometry;
    let used = 0;
    for (let i = 0; i < entries; i++) {
      const first = va + i * entryBytes;
      const lo = tables.entryLo(slot, i * 2);
      const hi = tables.entryHi(slot, i * 2);
      const highLo = tables.entryLo(slot, i * 2 + 1);
      const highHi = tables.entryHi(slot, i * 2 + 1);
      if ((lo | hi | highLo | highHi) === 0) continue;
      used++;
      const compact = this.#child(geometry, first, lo, hi);
      const whole = this.#child(highHalf, first, highLo, highHi);
      if (compact < 0 && whole < 0) this.#leaf(geometry, first, lo, hi);
      else this.#sideBySide(geometry, compact, whole, first);
    }
    this.#visit?.(slot, geometry, va, used);
  }

  /** The table that an entry points to, -1 where it points to none. */
  #child(geometry: LevelGeometry, va: number, lo: number, hi: number): number {
    if ((lo & geometry.directoryMask) !== geometry.directoryBits) return -1;
    const child = this.#tables.slotAt(tableAddress(geometry, lo, hi));
    this.#enter(child, geometry, va);
    return child;
  }

  /** Two tables for the same addresses: what a walk finds, and nothing behind it. */
  #sideBySide(parent: LevelGeometry, compact: number, whole: number, va: number): void {
    const tables = this.#tables;
    const large = parent.belowCompact as LevelGeometry;
    const small = parent.below as LevelGeometry;
    const each = large.entryBytes / small.entryBytes;
    let usedLarge = 0;
    let usedSmall = 0;
    for (let i = 0; i < large.entries; i++) {
      const lo = compact < 0 ? 0 : tables.entryLo(compact, i);
      const first = va + i * large.entryBytes;
      if (decodeEntry(large, lo, 0, this.#decoded).kind !== "empty") {
        usedLarge++;
        this.#leaf(large, first, lo, tables.entryHi(compact, i));
      }
      for (let j = i * each; whole >= 0 && j < (i + 1) * each; j++) {
        const smallLo = tables.entryLo(whole, j);
        const { kind } = decodeEntry(small, smallLo, 0, this.#decoded);
        if (kind === "empty") continue;
        usedSmall++;
        const at = va + j * small.entryBytes;
        if (lo === 0) this.#leaf(small, at, smallLo, tables.entryHi(whole, j));
        else if (kind === "page")
          throw new Error(`leaf-hidden: a page for ${hexAddress(at)} behind a larger entry`);
      }
    }
    if (compact >= 0) this.#visit?.(compact, large, va, usedLarge);
    if (whole >= 0) this.#visit?.(whole, small, va, usedSmall);
  }

  /** Checks a filled table of leaves that one uniform range covers; false where it is none. */
  #isUniform(slot: number, geometry: LevelGeometry, va: number): boolean {
    const tables = this.#tables;
    const end = va + geometry.entries * geometry.entryBytes;
    const range = this.#rangeAt(va);
    const lo = tables.entryLo(slot, 0);
    if (range?.uniform !== true || va < range.start || end > range.end) return false;
    if (kindOf(geometry, lo, tables.entryHi(slot, 0)) === "table") return false;
    if (va !== this.#covered) this.#missing(range);
    this.#covered = end - geometry.entryBytes;
    this.#leaf(geometry, this.#covered, lo, tables.entryHi(slot, 0));
    return true;
  }

  #directory(geometry: LevelGeometry, va: number, lo: number, hi: number): void {
    const child = this.#tables.slotAt(tableAddress(geometry, lo, hi));
    this.#enter(child, geometry, va);
    const compact = (lo & geometry.compactMask) !== 0;
    this.#table(child, (compact ? geometry.belowCompact : geometry.below) as LevelGeometry, va);
  }

  /** @param from - level of the entry that points to a table, null for the root; @param va - its first address */
  #enter(slot: number, from: LevelGeometry | null, va: number): void {
    const live = this.#tables.isLive(slot);
    if (live && !this.#seen.has(slot)) {
      this.#seen.add(slot);
      return;
    }
    const { name } = this.#format;
    const what = from === null ? "the root" : `the level ${from.level} entry for ${hexAddress(va)}`;
    throw new Error(
      live
        ? `table-shared: ${name}: ${what} points to a table met before`
        : `table-dead: ${name}: ${what} points to no table page in use`,
    );
  }

  /** Whether an entry that looks empty is the leaf of a mapping: a scratch leaf may equal a null mapping's. */
  #isLeaf(geometry: LevelGeometry, va: number, lo: number, hi: number): boolean {
    const range = this.#rangeAt(va);
    if (range === undefined || va < range.start || va + geometry.entryBytes > range.end) return false;
    const want = this.#want;
    return geometry.mayBeLeaf && range.leaf(va, geometry, want) && want.lo === lo && want.hi === hi;
  }

  /** The range that holds an address, or the first one behind it. */
  #rangeAt(va: number): ExpectedRange | undefined {
    const { ranges } = this.#tree;
    let range = ranges[this.#range];
    while (range !== undefined && range.end <= va) {
      if (this.#covered < range.end) this.#missing(range);
      range = ranges[++this.#range];
      this.#covered = range?.start ?? 0;
    }
    return range;
  }

  #leaf(geometry: LevelGeometry, va: number, lo: number, hi: number): void {
    const end = va + geometry.entryBytes;
    if (va === this.#covered && end <= this.#runEnd && geometry === this.#runGeometry) {
      if (this.#follows(lo, hi)) {
        this.#covered = end;
        return;
      }
    }
    const range = this.#rangeAt(va);
    if (range === undefined || va < range.start || end > range.end) {
      throw new Error(`leaf-unexplained: no one mapping covers the ${entryText(geometry, va, lo, hi)}`);
    }
    if (va !== this.#covered) this.#missing(range);
    const want = this.#want;
    want.run = 0;
    want.repeats = false;
    if (!range.leaf(va, geometry, want)) {
      throw new Error(`leaf-size: the mapping has no ${entryText(geometry, va, lo, hi)}`);
    }
    if (want.lo !== lo || want.hi !== hi) {
      const text = descriptorText(want.lo, want.hi);
      throw new Error(`leaf-value: the ${entryText(geometry, va, lo, hi)} should be ${text}`);
    }
    // The range's last leaf is looked at by itself: behind it another one begins.
    this.#runGeometry = geometry;
    this.#runEnd = Math.min(va + want.run, range.end - geometry.entryBytes);
    this.#runStep = want.repeats ? 0 : geometry.entryBytes;
    this.#covered = end;
    if (end === range.end) {
      this.#covered = this.#tree.ranges[++this.#range]?.start ?? 0;
      this.#runEnd = 0;
    }
  }

  /** Whether a leaf is as the one before, a step further on; what is expected moves on to it. */
  #follows(lo: number, hi: number): boolean {
    const want = this.#want;
    const sum = (want.lo >>> 0) + this.#runStep;
    want.lo = sum | 0;
    want.hi = (want.hi + addressHi(sum)) | 0;
    return want.lo === lo && want.hi === hi;
  }

  #missing({ start, end }: ExpectedRange): never {
    const at = hexAddress(this.#covered);
    throw new Error(
      `leaf-missing: no leaf for ${at} of the mapping ${hexAddress(start)}..${hexAddress(end)}`,
    );
  }
}

function entryText({ level }: LevelGeometry, va: number, lo: number, hi: number): string {
  return `level ${level} entry for ${hexAddress(va)} (${descriptorText(lo, hi)})`;
}

/** A descriptor in words. */
export function descriptorText(lo: number, hi: number): string {
  return hexAddress(addressOf(lo, hi));
}
