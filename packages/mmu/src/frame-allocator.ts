/**
 * Physical memory for buffer objects. How fragmented it is decides which leaf sizes a driver can use, so the caller
 * chooses: one run, 2 MiB huge pages, or scattered base pages. Everything is deterministic: the same calls give the
 * same addresses, in a shuffled order that comes from a fixed seed.
 *
 * Free memory is a sorted list of ranges. Huge and scattered pages come from two pools which take whole groups from
 * that list and keep them.
 */

import { hexAddress } from "./address.ts";
import type { MmuCounters } from "./counters.ts";
import { mmuCounters } from "./counters.ts";
import { type KnownOptions, needKnownOptions } from "./known-options.ts";
import { PagePool } from "./page-pool.ts";
import type { Segment } from "./scatter-list.ts";
import { ScatterList } from "./scatter-list.ts";

/** How memory can be spread, see {@link Fragmentation}. */
export const FRAGMENTATIONS = ["contiguous", "huge", "scattered"] as const;

/**
 * - `contiguous`: one run, aligned as a buddy allocator would (to 64 KiB, 2 MiB or 1 GiB when it is at least so long); where
 *   no run is left that long, the largest blocks that there are;
 * - `huge`: 2 MiB pages, no two following ones adjacent, and one shorter run for the rest;
 * - `scattered`: base pages, no two following ones adjacent.
 */
export type Fragmentation = (typeof FRAGMENTATIONS)[number];

/** Where buffer objects may be placed. */
export interface FrameOptions {
  /** First physical address, a multiple of 2 MiB. Default 4 GiB (0x100000000). */
  base?: number;
  /** First physical address past the memory, at most 2 to the power of the device's output address size. Default 64 GiB. */
  limit?: number;
  /** Bytes of a base page: 4096 or 16384. Default 4096. */
  pageBytes?: number;
  /** Kind of memory when `alloc` is not told. Default `contiguous`. */
  fragmentation?: Fragmentation;
}

function needKind(what: string, kind: Fragmentation): void {
  if (!FRAGMENTATIONS.includes(kind))
    throw new Error(`${what}: ${JSON.stringify(kind)} is none of ${FRAGMENTATIONS.join(", ")}`);
}

const OPTIONS: KnownOptions<FrameOptions> = { base: true, limit: true, pageBytes: true, fragmentation: true };

const FRAMES_BASE = 0x1_0000_0000;
const FRAMES_LIMIT = 0x10_0000_0000;

/** Where frames lie: `base` and `limit`, as the options or their defaults have them. */
export function frameWindow({ base = FRAMES_BASE, limit = FRAMES_LIMIT }: FrameOptions = {}): {
  base: number;
  limit: number;
} {
  return { base, limit };
}

/**
 * @param bytes - of system memory, a multiple of 2 MiB
 * @returns the frames of a machine that has so much
 */
export function systemMemory(bytes: number): FrameOptions {
  return { limit: FRAMES_BASE + bytes };
}

/** Bytes between `base` and `limit`. */
export function frameBytes(options?: FrameOptions): number {
  const { base, limit } = frameWindow(options);
  return limit - base;
}

/** A request found no physical memory. A driver answers with ENOMEM. */
export class OutOfFrames extends Error {
  /** `OutOfFrames`, as stack traces print it. */
  override readonly name: string = "OutOfFrames";
}

/** Who watches frames. */
export interface FrameWatch {
  /** A segment was handed out. */
  lent?(segment: Segment): void;
  /** A segment came back: what it held is to be forgotten. */
  freed?(segment: Segment): void;
}

interface Range {
  start: number;
  end: number;
}

/** Below `from` nothing free has room for `bytes` at an alignment. */
interface Searched {
  readonly bytes: number;
  readonly align: number;
  from: number;
}

/** Searches that are remembered: objects come in few sizes. */
const SEARCHED_MAX = 16;

const HUGE_BYTES = 0x20_0000;
const BUDDY_ALIGNMENTS = [0x4000_0000, HUGE_BYTES, 0x1_0000];

/** Hands out physical memory and takes it back. */
export class FrameAllocator {
  /** Bytes of a base page; every allocation is a multiple of it. */
  readonly pageBytes: number;
  readonly #fragmentation: Fragmentation;
  readonly #counters: MmuCounters;
  readonly #watch: FrameWatch;
  #free: Range[];
  /** What the last searches have found out: small objects leave a hole each that later ones would look into again. */
  readonly #searched: Searched[] = [];
  readonly #lent = new Map<ScatterList, Fragmentation>();
  readonly #hugePages: PagePool;
  readonly #basePages: PagePool;
  #usedBytes = 0;

  /**
   * @param options - the memory
   * @param hole - physical addresses never to hand out: the window of the page tables
   * @param counters - where backing bytes are counted
   * @param watch - told of what is handed out and comes back
   * @throws RangeError for options that there are not
   * @throws Error when the options do not describe a memory
   */
  constructor(
    options: FrameOptions = {},
    hole: { readonly start: number; readonly end: number } = { start: 0, end: 0 },
    counters: MmuCounters = mmuCounters(),
    watch: FrameWatch = {},
  ) {
    needKnownOptions("frames", options, OPTIONS);
    const { base, limit } = frameWindow(options);
    const { pageBytes = 4096 } = options;
    if (pageBytes !== 4096 && pageBytes !== 16384) {
      throw new Error(`frames.pageBytes: expected 4096 or 16384, got ${pageBytes}`);
    }
    if (base % HUGE_BYTES !== 0 || limit % pageBytes !== 0 || !(base < limit)) {
      throw new Error(
        `frames: expected 2 MiB-aligned base below limit, got ${hexAddress(base)}..${hexAddress(limit)}`,
      );
    }
    this.pageBytes = pageBytes;
    this.#fragmentation = options.fragmentation ?? "contiguous";
    needKind("frames.fragmentation", this.#fragmentation);
    this.#counters = counters;
    this.#watch = watch;
    const pieces =
      hole.start < hole.end
        ? [
            { start: base, end: Math.min(limit, hole.start) },
            { start: Math.max(base, hole.end), end: limit },
          ]
        : [{ start: base, end: limit }];
    this.#free = pieces.filter((piece) => piece.start < piece.end);
    const takeGroups = (count: number, groupBytes: number): number[] => this.#takeGroups(count, groupBytes);
    this.#hugePages = new PagePool(HUGE_BYTES, 32, takeGroups);
    this.#basePages = new PagePool(pageBytes, 1024, takeGroups);
  }

  /** Bytes of all memory that was handed out and is not back. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Memory of at least `bytes`, rounded up to base pages; it reads as zero.
   * @throws OutOfFrames when there is not so much left, or not in groups of pages of that kind.
   * @throws Error unless `bytes` is above 0 and `fragmentation` one of {@link FRAGMENTATIONS}.
   */
  alloc(bytes: number, fragmentation: Fragmentation = this.#fragmentation): ScatterList {
    if (!(bytes > 0)) throw new Error(`FrameAllocator.alloc: expected a size above 0, got ${bytes}`);
    needKind("FrameAllocator.alloc", fragmentation);
    const size = Math.ceil(bytes / this.pageBytes) * this.pageBytes;
    const list =
      fragmentation === "contiguous"
        ? this.#contiguous(size)
        : fragmentation === "huge"
          ? this.#huge(size)
          : pagesToList(this.#basePages.take(size / this.pageBytes), this.pageBytes);
    this.#lent.set(list, fragmentation);
    const { lent } = this.#watch;
    if (lent !== undefined) {
      for (let i = 0; i < list.count; i++) lent({ pa: list.pa[i] as number, bytes: list.bytes[i] as number });
    }
    const counters = this.#counters;
    counters.backingBytes += size;
    this.#usedBytes += size;
    if (counters.backingBytes > counters.backingPeakBytes) counters.backingPeakBytes = counters.backingBytes;
    return list;
  }

  /**
   * Takes memory back and forgets what it held.
   * @throws Error when `list` was not allocated here or is already free.
   */
  free(list: ScatterList): void {
    const fragmentation = this.#lent.get(list);
    if (fragmentation === undefined) {
      throw new Error(
        `FrameAllocator.free: the list of ${list.count} segments is not allocated (double free?)`,
      );
    }
    this.#lent.delete(list);
    this.#counters.backingBytes -= list.totalBytes;
    this.#usedBytes -= list.totalBytes;
    const ranges: Range[] = [];
    // Backwards, because pools are last in, first out: the same request then gets the same pages in the same order.
    for (let i = list.count - 1; i >= 0; i--) {
      const pa = list.pa[i] as number;
      const bytes = list.bytes[i] as number;
      this.#watch.freed?.({ pa, bytes });
      if (fragmentation === "scattered") this.#basePages.give(pa);
      else if (fragmentation === "huge" && bytes === HUGE_BYTES) this.#hugePages.give(pa);
      else ranges.push({ start: pa, end: pa + bytes });
    }
    // One by one, each costs a move of the ranges behind it.
    if (ranges.length > 16) this.#giveMany(ranges);
    else for (const { start, end } of ranges) this.#give(start, end);
  }

  #contiguous(size: number): ScatterList {
    const align = BUDDY_ALIGNMENTS.find((alignment) => size >= alignment) ?? this.pageBytes;
    return ScatterList.of(this.#run(size, align));
  }

  #huge(size: number): ScatterList {
    const rest = size % HUGE_BYTES;
    const pages = this.#hugePages.take((size - rest) / HUGE_BYTES);
    if (rest === 0) return pagesToList(pages, HUGE_BYTES);
    try {
      const segments = Array.from(pages, (pa) => ({ pa, bytes: HUGE_BYTES }));
      return ScatterList.of([...segments, ...this.#run(rest, HUGE_BYTES)]);
    } catch (error) {
      for (const page of pages.reverse()) this.#hugePages.give(page);
      throw error;
    }
  }

  /** One run where there is one, else several. */
  #run(bytes: number, align: number): Segment[] {
    const pa = this.#firstFit(bytes, align);
    return pa < 0 ? this.#blocks(bytes) : [{ pa, bytes }];
  }

  /**
   * What a buddy allocator gives when memory is fragmented: blocks of a power of two, aligned to their size, the largest
   * that are free and wanted first, the lowest of a size first. All of them or none.
   */
  #blocks(bytes: number): Segment[] {
    const segments: Segment[] = [];
    let left = bytes;
    let free = this.#free;
    for (let block = 2 ** Math.floor(Math.log2(bytes)); left >= this.pageBytes; block /= 2) {
      if (block < this.pageBytes) throw new OutOfFrames(`FrameAllocator: no ${hexAddress(bytes)} free bytes`);
      const rest: Range[] = [];
      for (const range of free) {
        const pa = Math.ceil(range.start / block) * block;
        const count = Math.min(Math.floor((range.end - pa) / block), Math.floor(left / block));
        if (count > 0) {
          segments.push({ pa, bytes: count * block });
          left -= count * block;
          rest.push(...without(range, pa, pa + count * block));
        } else rest.push(range);
      }
      free = rest;
    }
    this.#free = free;
    return segments;
  }

  /** `count` ranges of `bytes` each, or none at all. */
  #takeGroups(count: number, bytes: number): number[] {
    if (count === 0) return [];
    const free = this.#free.reduce((sum, range) => sum + (range.end - range.start), 0);
    const groups: number[] = [];
    try {
      // Said at once, so that a request of terabytes does not first take what there is.
      if (count * bytes > free)
        throw new OutOfFrames(`FrameAllocator: no ${hexAddress(count * bytes)} free bytes`);
      while (groups.length < count) groups.push(this.#take(bytes, HUGE_BYTES));
    } catch (error) {
      for (const group of groups) this.#give(group, group + bytes);
      throw error;
    }
    return groups;
  }

  #take(bytes: number, align: number): number {
    const pa = this.#firstFit(bytes, align);
    if (pa < 0) throw new OutOfFrames(`FrameAllocator: no ${hexAddress(bytes)} free bytes in one piece`);
    return pa;
  }

  /** Takes the lowest piece that is large enough; -1 when there is none. */
  #firstFit(bytes: number, align: number): number {
    const searched = this.#searchedFor(bytes, align);
    const free = this.#free;
    for (let i = this.#firstEndingFrom(searched.from); i < free.length; i++) {
      const range = free[i] as Range;
      const start = Math.ceil(range.start / align) * align;
      const end = start + bytes;
      if (end > range.end) continue;
      searched.from = end;
      free.splice(i, 1, ...without(range, start, end));
      return start;
    }
    searched.from = Number.POSITIVE_INFINITY;
    return -1;
  }

  #searchedFor(bytes: number, align: number): Searched {
    let from = 0;
    for (const searched of this.#searched) {
      if (searched.align !== align || searched.bytes > bytes) continue;
      if (searched.bytes === bytes) return searched;
      from = Math.max(from, searched.from);
    }
    const fresh = { bytes, align, from };
    if (this.#searched.push(fresh) > SEARCHED_MAX) this.#searched.shift();
    return fresh;
  }

  /** A range has become free, or larger. */
  #lookAgain(start: number): void {
    for (const searched of this.#searched) searched.from = Math.min(searched.from, start);
  }

  /** Index of the first free range that ends at an address or behind it. */
  #firstEndingFrom(address: number): number {
    const free = this.#free;
    let i = 0;
    for (let n = free.length; n > 0; ) {
      const half = n >>> 1;
      if ((free[i + half] as Range).end < address) {
        i += half + 1;
        n -= half + 1;
      } else n = half;
    }
    return i;
  }

  #giveMany(ranges: readonly Range[]): void {
    const free: Range[] = [];
    for (const range of this.#free.concat(ranges).sort((a, b) => a.start - b.start)) {
      const last = free.at(-1);
      if (last?.end === range.start) last.end = range.end;
      else free.push(range);
    }
    this.#free = free;
    this.#lookAgain(0);
  }

  #give(start: number, end: number): void {
    const free = this.#free;
    const i = this.#firstEndingFrom(start);
    const next = free[i];
    if (next === undefined || next.start > end) {
      free.splice(i, 0, { start, end });
      this.#lookAgain(start);
      return;
    }
    next.start = Math.min(next.start, start);
    next.end = Math.max(next.end, end);
    this.#lookAgain(next.start);
    const after = free[i + 1];
    if (after !== undefined && after.start === next.end) {
      next.end = after.end;
      free.splice(i + 1, 1);
    }
  }
}

/** What is left of a range without a part of it. */
function without(range: Range, start: number, end: number): Range[] {
  return [
    { start: range.start, end: start },
    { start: end, end: range.end },
  ].filter((piece) => piece.start < piece.end);
}

function pagesToList(pages: Float64Array, pageBytes: number): ScatterList {
  return new ScatterList(pages, new Float64Array(pages.length).fill(pageBytes));
}
