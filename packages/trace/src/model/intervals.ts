/**
 * The plain model of an address space: mapping replaces, unmapping removes, both cut what they meet only in part,
 * nothing is ever merged.
 *
 * It knows nothing of GPUVM, drivers or page tables. That makes it the second opinion on what the models hold: a sorted
 * list, searched by halving, spliced. The list is cut into runs, since the insertion into one array of many thousands
 * moves half of them.
 *
 * @module
 */

/** One mapping. */
export interface Interval {
  /** First byte. */
  addr: number;
  /** Behind the last byte. */
  end: number;
  /** What is mapped, as the driver's decoder names it. */
  kind: string;
  /** Number of the object, 0 for none. Never given out twice, unlike a handle. */
  object: number;
  /** Byte of the object that the mapping begins with; without meaning for mappings that repeat a page. */
  offset: number;
}

/** How existing mappings were hit by operations of one sort. */
export interface Hits {
  /** Lay whole inside the new range. */
  covered: number;
  /** Stuck out at one end. */
  oneSide: number;
  /** Stuck out at both ends. */
  split: number;
}

/** @returns all zero */
export function noHits(): Hits {
  return { covered: 0, oneSide: 0, split: 0 };
}

/**
 * Makes what is left of a mapping where it is cut.
 *
 * @typeParam T - what is kept of a mapping
 * @param old - the mapping
 * @param addr - first byte of the piece
 * @param end - behind its last byte
 * @param offset - byte of the object that it begins with
 */
export type Cut<T> = (old: T, addr: number, end: number, offset: number) => T;

/** {@link Cut} of what an {@link Interval} has. A literal, not a spread: copies would have a hidden class each. */
export const cutInterval: Cut<Interval> = ({ kind, object }, addr, end, offset) => ({
  addr,
  end,
  kind,
  object,
  offset,
});

/** Mappings in a run: about the square root of how many the largest traces have. */
const RUN_MAX = 256;

/**
 * The mappings of one VM.
 *
 * @typeParam T - what is kept of a mapping
 */
export class IntervalMap<T extends Interval = Interval> {
  /** Ascending; no run is empty. */
  readonly #runs: T[][] = [];
  readonly #cut: Cut<T>;
  readonly #runMax: number;
  #size = 0;
  /** Where the next mapping would stand if it followed the last one: a run, and a place in it. */
  #run = 0;
  #at = 0;

  /** Mappings whose object is 0. */
  withoutObject = 0;

  /**
   * @param cut - makes the pieces
   * @param runMax - mappings in a run, at least 2; smaller in tests
   */
  constructor(cut: Cut<T>, runMax: number = RUN_MAX) {
    this.#cut = cut;
    this.#runMax = runMax;
  }

  /** Number of mappings. */
  get size(): number {
    return this.#size;
  }

  /** The mappings, ascending: a copy of the list. */
  get intervals(): readonly Readonly<T>[] {
    return this.#runs.flat();
  }

  /**
   * Map a range over whatever is there.
   *
   * @param interval - the new mapping; kept, not copied
   * @param hits - counts what was there
   */
  map(interval: T, hits: Hits): void {
    if (!this.#follows(interval)) {
      this.unmap(interval.addr, interval.end, hits);
      // What is mapped behind everything joins the last run.
      this.#run = Math.max(0, Math.min(this.#firstRun(interval.addr), this.#runs.length - 1));
      this.#at = firstEndingBehind(this.#runs[this.#run] ?? [], interval.addr);
    }
    this.#runs[this.#run] ??= [];
    const run = this.#runs[this.#run] as T[];
    if (this.#at === run.length) run.push(interval);
    else run.splice(this.#at, 0, interval);
    this.#at++;
    this.#size++;
    this.#halve(this.#run);
    if (interval.object === 0) this.withoutObject++;
  }

  /**
   * Whether a mapping has its place behind the one that was mapped last, with nothing under it: so it is with the pages of a
   * range. The place is a guess, true by what stands on both sides of it, whatever has happened since.
   */
  #follows({ addr, end }: T): boolean {
    const run = this.#runs[this.#run];
    const before = run?.[this.#at - 1];
    if (run === undefined || before === undefined || before.end > addr) return false;
    const behind = this.#at < run.length ? run[this.#at] : this.#runs[this.#run + 1]?.[0];
    return behind === undefined || behind.addr >= end;
  }

  /**
   * Unmap a range.
   *
   * @param addr - first byte
   * @param end - behind the last byte
   * @param hits - counts what was there
   * @returns how many mappings lay in the range, wholly or in part
   */
  unmap(addr: number, end: number, hits: Hits): number {
    let met = 0;
    for (let r = this.#firstRun(addr); r < this.#runs.length; ) {
      const run = this.#runs[r] as T[];
      const from = firstEndingBehind(run, addr);
      // Mostly nothing is there.
      if ((run[from] as T).addr >= end) break;
      let before: T | null = null;
      let behind: T | null = null;
      let to = from;
      for (; to < run.length; to++) {
        const old = run[to] as T;
        if (old.addr >= end) break;
        const left = old.addr < addr;
        const right = old.end > end;
        if (left) before = this.#cut(old, old.addr, addr, old.offset);
        if (right) behind = this.#cut(old, end, old.end, old.offset + end - old.addr);
        if (old.object === 0) this.withoutObject += Number(left) + Number(right) - 1;
        if (left && right) hits.split++;
        else if (left || right) hits.oneSide++;
        else hits.covered++;
      }
      const last = to < run.length;
      met += to - from;
      this.#size += Number(before !== null) + Number(behind !== null) - (to - from);
      putBetween(run, from, to, before, behind);
      if (run.length === 0) this.#runs.splice(r, 1);
      else this.#halve(r++);
      if (last) break;
    }
    return met;
  }

  /**
   * The mappings that lie in a range, wholly or in part.
   *
   * @param addr - first byte
   * @param end - behind the last byte
   * @returns them, ascending: not copies, so read before the map changes
   */
  in(addr: number, end: number): T[] {
    const found: T[] = [];
    for (let r = this.#firstRun(addr); r < this.#runs.length; r++) {
      const run = this.#runs[r] as T[];
      let at = firstEndingBehind(run, addr);
      for (; at < run.length && (run[at] as T).addr < end; at++) found.push(run[at] as T);
      if (at < run.length) break;
    }
    return found;
  }

  /**
   * Unmap the mapping of an object that begins at an address, as long as it is.
   *
   * @param addr - first byte
   * @param object - its number
   * @param hits - counts it, if it is there
   */
  unmapAt(addr: number, object: number, hits: Hits): void {
    const run = this.#runs[this.#firstRun(addr)];
    const found = run?.[firstEndingBehind(run, addr)];
    if (found?.addr === addr && found.object === object) this.unmap(addr, found.end, hits);
  }

  /**
   * Remove every mapping of an object.
   *
   * @param object - its number
   */
  removeObject(object: number): void {
    let kept = 0;
    for (const run of this.#runs) {
      const rest = run.filter((interval) => interval.object !== object);
      this.#size -= run.length - rest.length;
      if (rest.length > 0) this.#runs[kept++] = rest;
    }
    if (object === 0) this.withoutObject = 0;
    this.#runs.length = kept;
  }

  /** Index of the first run with a mapping that ends behind an address. */
  #firstRun(addr: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle] as T[];
      if ((run[run.length - 1] as T).end > addr) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #halve(r: number): void {
    const run = this.#runs[r] as T[];
    if (run.length > this.#runMax) this.#runs.splice(r + 1, 0, run.splice(run.length >>> 1));
  }
}

/** Puts what is left of them in the place of some mappings. */
function putBetween<T>(run: T[], from: number, to: number, before: T | null, behind: T | null): void {
  const one = before ?? behind;
  if (one === null) run.splice(from, to - from);
  else if (before !== null && behind !== null) run.splice(from, to - from, before, behind);
  else if (to - from === 1) run[from] = one;
  else run.splice(from, to - from, one);
}

function firstEndingBehind(run: readonly Interval[], addr: number): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((run[middle] as Interval).end > addr) high = middle;
    else low = middle + 1;
  }
  return low;
}
