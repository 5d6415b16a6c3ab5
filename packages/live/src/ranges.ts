/**
 * Sets of bytes as sorted ranges: which parts of the shared file are stale, which addresses of a process are mapped.
 *
 * @module
 */

/** A run of bytes. */
export interface Span {
  /** First byte. */
  readonly at: number;
  /** How many. */
  readonly bytes: number;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** A set of bytes. */
export class Ranges {
  /** Ascending, never touching each other. */
  #ranges: Range[] = [];
  #bytes = 0;

  /** How many bytes are in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Put `[at, at + bytes)` in. */
  add(at: number, bytes: number): void {
    if (bytes <= 0) return;
    this.delete(at, bytes);
    const i = this.#firstBehind(at);
    const before = this.#ranges[i - 1];
    const after = this.#ranges[i];
    const start = before?.end === at ? before.start : at;
    const end = after?.start === at + bytes ? after.end : at + bytes;
    const from = before?.end === at ? i - 1 : i;
    const to = after?.start === at + bytes ? i + 1 : i;
    this.#ranges.splice(from, to - from, { start, end });
    this.#bytes += bytes;
  }

  /** Take `[at, at + bytes)` out. */
  delete(at: number, bytes: number): void {
    if (bytes <= 0) return;
    const end = at + bytes;
    let first = this.#firstBehind(at);
    if (first > 0 && (this.#ranges[first - 1] as Range).end > at) first--;
    let last = first;
    const left: Range[] = [];
    for (; last < this.#ranges.length && (this.#ranges[last] as Range).start < end; last++) {
      const range = this.#ranges[last] as Range;
      this.#bytes -= Math.min(range.end, end) - Math.max(range.start, at);
      if (range.start < at) left.push({ start: range.start, end: at });
      if (range.end > end) left.push({ start: end, end: range.end });
    }
    if (last > first) this.#ranges.splice(first, last - first, ...left);
  }

  /** Whether any byte of `[at, at + bytes)` is in it. */
  meets(at: number, bytes: number): boolean {
    if (this.#ranges.length === 0 || bytes <= 0) return false;
    const i = this.#firstBehind(at);
    const before = this.#ranges[i - 1];
    if (before !== undefined && before.end > at) return true;
    const after = this.#ranges[i];
    return after !== undefined && after.start < at + bytes;
  }

  /** What of `[at, at + bytes)` is in it, ascending. */
  within(at: number, bytes: number): Span[] {
    const end = at + bytes;
    const found: Span[] = [];
    for (let i = Math.max(0, this.#firstBehind(at) - 1); i < this.#ranges.length; i++) {
      const range = this.#ranges[i] as Range;
      if (range.start >= end) break;
      const from = Math.max(range.start, at);
      const to = Math.min(range.end, end);
      if (from < to) found.push({ at: from, bytes: to - from });
    }
    return found;
  }

  /** All of it, ascending. */
  *spans(): Generator<Span> {
    for (const { start, end } of this.#ranges) yield { at: start, bytes: end - start };
  }

  /** Index of the first range that begins behind a byte. */
  #firstBehind(at: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as Range).start <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
