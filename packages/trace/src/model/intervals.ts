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
    if (this.#follows(interval)) this.#insert(this.#run, this.#at, interval);
    else this.#replace(interval.addr, interval.end, interval, hits);
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
    return this.#replace(addr, end, null, hits);
  }

  /** Takes away what lies in a range and puts a mapping there: one search for both, and those behind it move once. */
  #replace(addr: number, end: number, mapping: T | null, hits: Hits): number {
    const first = this.#firstRun(addr);
    if (first === this.#runs.length) {
      // What is mapped behind everything joins the last run.
      const last = Math.max(0, first - 1);
      if (mapping !== null) this.#insert(last, this.#runs[last]?.length ?? 0, mapping);
      return 0;
    }
    let met = 0;
    let put = mapping;
    let from = firstEndingBehind(this.#runs[first] as T[], addr);
    for (let r = first; r < this.#runs.length; from = 0) {
      const run = this.#runs[r] as T[];
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
      // Mostly nothing is there.
      if (to > from || put !== null) this.#size += putBetween(run, from, to, before, put, behind);
      if (put !== null) this.#placed(put, r, before === null ? from : from + 1);
      put = null;
      if (run.length === 0) this.#runs.splice(r, 1);
      else r++;
      if (last) break;
    }
    if (first < this.#runs.length) this.#halve(first);
    return met;
  }

  /** Puts a mapping where nothing is. */
  #insert(r: number, at: number, mapping: T): void {
    this.#runs[r] ??= [];
    const run = this.#runs[r] as T[];
    if (at === run.length) run.push(mapping);
    else run.splice(at, 0, mapping);
    this.#size++;
    this.#placed(mapping, r, at);
    this.#halve(r);
  }

  #placed(mapping: T, r: number, at: number): void {
    this.#run = r;
    this.#at = at + 1;
    if (mapping.object === 0) this.withoutObject++;
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

/**
 * Puts mappings in the place of others.
 *
 * @returns how many more there are
 */
function putBetween<T>(
  run: T[],
  from: number,
  to: number,
  before: T | null,
  put: T | null,
  behind: T | null,
): number {
  const any = before ?? put ?? behind;
  const count = Number(before !== null) + Number(put !== null) + Number(behind !== null);
  const more = count - (to - from);
  // Room first: whatever is put there is written over.
  if (more < 0 || any === null) run.splice(to + more, -more);
  else if (more === 1) run.splice(to, 0, any);
  else if (more === 2) run.splice(to, 0, any, any);
  let at = from;
  if (before !== null) run[at++] = before;
  if (put !== null) run[at++] = put;
  if (behind !== null) run[at] = behind;
  return more;
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
