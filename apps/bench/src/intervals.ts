/**
 * The plain model of an address space: mapping replaces, unmapping removes, both cut what they meet only in part,
 * nothing is ever merged.
 *
 * It knows nothing of GPUVM, drivers or page tables. That makes it the second opinion on what the models hold: one
 * sorted array, searched by halving, spliced.
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

/** The mappings of one VM. */
export class IntervalMap {
  readonly #list: Interval[] = [];

  /** Mappings whose object is 0. */
  withoutObject = 0;

  /** Number of mappings. */
  get size(): number {
    return this.#list.length;
  }

  /** The mappings, ascending. */
  get intervals(): readonly Readonly<Interval>[] {
    return this.#list;
  }

  /**
   * Map a range over whatever is there.
   *
   * @param interval - the new mapping; kept, not copied
   * @param hits - counts what was there
   */
  map(interval: Interval, hits: Hits): void {
    const at = this.unmap(interval.addr, interval.end, hits);
    this.#list.splice(at, 0, interval);
    if (interval.object === 0) this.withoutObject++;
  }

  /**
   * Unmap a range.
   *
   * @param addr - first byte
   * @param end - behind the last byte
   * @param hits - counts what was there
   * @returns the index at which a mapping of the range belongs
   */
  unmap(addr: number, end: number, hits: Hits): number {
    const from = this.#firstEndingBehind(addr);
    let to = from;
    const kept: Interval[] = [];
    let before = 0;
    for (; to < this.#list.length; to++) {
      const old = this.#list[to] as Interval;
      if (old.addr >= end) break;
      const left = old.addr < addr;
      const right = old.end > end;
      if (left) before = 1;
      if (left) kept.push({ ...old, end: addr });
      if (right) kept.push({ ...old, addr: end, offset: old.offset + end - old.addr });
      if (old.object === 0) this.withoutObject += Number(left) + Number(right) - 1;
      hits[left && right ? "split" : left || right ? "oneSide" : "covered"]++;
    }
    this.#list.splice(from, to - from, ...kept);
    return from + before;
  }

  /**
   * How many mappings lie in a range, wholly or in part.
   *
   * @param addr - first byte
   * @param end - behind the last byte
   */
  countIn(addr: number, end: number): number {
    const from = this.#firstEndingBehind(addr);
    let to = from;
    while (to < this.#list.length && (this.#list[to] as Interval).addr < end) to++;
    return to - from;
  }

  /**
   * Remove every mapping of an object.
   *
   * @param object - its number
   */
  removeObject(object: number): void {
    let kept = 0;
    for (const interval of this.#list) {
      if (interval.object !== object) this.#list[kept++] = interval;
    }
    if (object === 0) this.withoutObject = 0;
    this.#list.length = kept;
  }

  #firstEndingBehind(addr: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#list[middle] as Interval).end > addr) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
