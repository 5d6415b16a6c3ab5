/**
 * The plain model of an address space, as {@link IntervalMap} is, for the model of a whole trace: numbers in typed arrays. A trace maps a
 * hundred thousand times, and each mapping would be an object with three numbers of its own.
 *
 * The sorted list is cut into runs, too. A mapping that is cut stays where it is, with another end or another beginning.
 *
 * @module
 */

import type { Hits, Interval } from "./intervals.ts";

/** Mappings in a run: about the square root of how many the largest traces have. */
const RUN_MAX = 256;

/** Numbers of a mapping in a run. */
const NUMBERS = 5;
const ADDR = 0;
const END = 1;
const OFFSET = 2;
const OBJECT = 3;
const KIND = 4;

/** Some neighbours. */
class Run {
  /** How many they are. */
  count = 0;
  /** Their numbers; one operation may add two. */
  readonly numbers: Float64Array;

  constructor(most: number) {
    this.numbers = new Float64Array((most + 2) * NUMBERS);
  }

  /** Index of the first mapping that ends behind an address. */
  firstEndingBehind(addr: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.numbers[middle * NUMBERS + END] as number) > addr) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Moves what begins at an index to another one, and what is behind it with it. */
  move(from: number, to: number): void {
    if (from === to) return;
    // What is mapped behind everything moves nothing, and the call would cost more than the rest.
    if (from < this.count) this.numbers.copyWithin(to * NUMBERS, from * NUMBERS, this.count * NUMBERS);
    this.count += to - from;
  }
}

/** Shows one mapping after the other, of a space that stays as it is meanwhile. */
export interface PlainCursor extends Pick<Interval, "addr" | "end" | "offset"> {
  /** @returns whether there is one more, which is shown now */
  next(): boolean;
}

class Cursor implements PlainCursor {
  addr = 0.5;
  end = 0.5;
  offset = 0.5;
  readonly #runs: readonly Run[];
  #run = 0;
  #next = 0;

  constructor(runs: readonly Run[]) {
    this.#runs = runs;
  }

  next(): boolean {
    const run = this.#runs[this.#run];
    if (run === undefined) return false;
    const at = this.#next * NUMBERS;
    this.addr = run.numbers[at + ADDR] as number;
    this.end = run.numbers[at + END] as number;
    this.offset = run.numbers[at + OFFSET] as number;
    if (++this.#next === run.count) {
      this.#run++;
      this.#next = 0;
    }
    return true;
  }
}

/** The mappings of one VM. */
export class PlainSpace {
  /** Mappings whose object is 0. */
  withoutObject = 0;

  /** Ascending; no run is empty. */
  readonly #runs: Run[] = [];
  readonly #runMax: number;
  readonly #kinds: string[] = [];
  #lastKind = 0;
  #size = 0;

  /** @param runMax - mappings in a run, at least 2; smaller in tests */
  constructor(runMax: number = RUN_MAX) {
    this.#runMax = runMax;
  }

  /** Number of mappings. */
  get size(): number {
    return this.#size;
  }

  /** The mappings, ascending. */
  get intervals(): readonly Interval[] {
    const found: Interval[] = [];
    for (const { numbers, count } of this.#runs) {
      for (let at = 0; at < count * NUMBERS; at += NUMBERS) {
        found.push({
          addr: numbers[at + ADDR] as number,
          end: numbers[at + END] as number,
          kind: this.#kinds[numbers[at + KIND] as number] as string,
          object: numbers[at + OBJECT] as number,
          offset: numbers[at + OFFSET] as number,
        });
      }
    }
    return found;
  }

  /** @returns shows them, ascending */
  cursor(): PlainCursor {
    return new Cursor(this.#runs);
  }

  /**
   * Map a range over whatever is there.
   *
   * @param addr - first byte
   * @param end - behind the last byte
   * @param kind - what is mapped
   * @param object - its number
   * @param offset - byte of the object that the mapping begins with
   * @param hits - counts what was there
   */
  map(addr: number, end: number, kind: string, object: number, offset: number, hits: Hits): void {
    let r = this.#firstRun(addr);
    if (r === this.#runs.length) {
      // What is mapped behind everything joins the last run.
      if (r === 0) this.#runs.push(new Run(this.#runMax));
      else r--;
    }
    const run = this.#runs[r] as Run;
    const at = run.firstEndingBehind(addr);
    const place = this.#take(r, at, addr, end, 1, hits);
    const { numbers } = run;
    const first = place * NUMBERS;
    numbers[first + ADDR] = addr;
    numbers[first + END] = end;
    numbers[first + OFFSET] = offset;
    numbers[first + OBJECT] = object;
    numbers[first + KIND] = this.#kindOf(kind);
    this.#size++;
    if (object === 0) this.withoutObject++;
    if (run.count > this.#runMax) this.#halve(r);
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
    const before = hits.covered + hits.oneSide + hits.split;
    const r = this.#firstRun(addr);
    if (r === this.#runs.length) return 0;
    const run = this.#runs[r] as Run;
    this.#take(r, run.firstEndingBehind(addr), addr, end, 0, hits);
    if (run.count > this.#runMax) this.#halve(r);
    return hits.covered + hits.oneSide + hits.split - before;
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
    if (run === undefined) return;
    const at = run.firstEndingBehind(addr) * NUMBERS;
    const { numbers } = run;
    if (numbers[at + ADDR] !== addr || numbers[at + OBJECT] !== object) return;
    this.unmap(addr, numbers[at + END] as number, hits);
  }

  /**
   * Remove every mapping of an object.
   *
   * @param object - its number
   */
  removeObject(object: number): void {
    let runs = 0;
    for (const run of this.#runs) {
      const { numbers, count } = run;
      run.count = 0;
      for (let at = 0; at < count * NUMBERS; at += NUMBERS) {
        if (numbers[at + OBJECT] === object) continue;
        numbers.copyWithin(run.count++ * NUMBERS, at, at + NUMBERS);
      }
      this.#size -= count - run.count;
      if (run.count > 0) this.#runs[runs++] = run;
    }
    if (object === 0) this.withoutObject = 0;
    this.#runs.length = runs;
  }

  /**
   * Takes away what lies in a range, from a mapping of a run on, the first that ends behind its beginning.
   *
   * @param room - mappings that there has to be room for in its place
   * @returns index of that room in the run
   */
  #take(r: number, from: number, addr: number, end: number, room: number, hits: Hits): number {
    const run = this.#runs[r] as Run;
    const { numbers } = run;
    let to = from;
    while (to < run.count && (numbers[to * NUMBERS + ADDR] as number) < end) to++;
    const reachesOn = to === run.count;
    if (to === from) {
      run.move(from, from + room);
      if (reachesOn) this.#takeRuns(r + 1, addr, end, hits);
      return from;
    }
    const left = (numbers[from * NUMBERS + ADDR] as number) < addr;
    const right = (numbers[(to - 1) * NUMBERS + END] as number) > end;
    const splits = left && right && to - from === 1;
    for (let i = from; i < to; i++) if (numbers[i * NUMBERS + OBJECT] === 0) this.withoutObject--;
    if (left && numbers[from * NUMBERS + OBJECT] === 0) this.withoutObject++;
    if (right && numbers[(to - 1) * NUMBERS + OBJECT] === 0) this.withoutObject++;
    const cut = Number(left) + Number(right);
    if (splits) hits.split++;
    else hits.oneSide += cut;
    hits.covered += splits ? 0 : to - from - cut;
    this.#size += cut - (to - from);
    // What is cut on its right side moves with those behind it; one that is cut on both is there twice then.
    const place = left ? from + 1 : from;
    const behind = place + room;
    run.move(right ? to - 1 : to, behind);
    if (left) numbers[from * NUMBERS + END] = addr;
    if (right) {
      const at = behind * NUMBERS;
      numbers[at + OFFSET] = (numbers[at + OFFSET] as number) + end - (numbers[at + ADDR] as number);
      numbers[at + ADDR] = end;
    }
    if (reachesOn && !right) this.#takeRuns(r + 1, addr, end, hits);
    if (run.count === 0) this.#runs.splice(r, 1);
    return place;
  }

  /** The same in the runs behind. */
  #takeRuns(r: number, addr: number, end: number, hits: Hits): void {
    while (r < this.#runs.length) {
      const { count, numbers } = this.#runs[r] as Run;
      const isWhole = (numbers[(count - 1) * NUMBERS + END] as number) <= end;
      if (!isWhole) {
        this.#take(r, 0, addr, end, 0, hits);
        return;
      }
      for (let i = 0; i < count; i++) if (numbers[i * NUMBERS + OBJECT] === 0) this.withoutObject--;
      hits.covered += count;
      this.#size -= count;
      this.#runs.splice(r, 1);
    }
  }

  /** Index of the first run with a mapping that ends behind an address. */
  #firstRun(addr: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { numbers, count } = this.#runs[middle] as Run;
      if ((numbers[(count - 1) * NUMBERS + END] as number) > addr) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #halve(r: number): void {
    const run = this.#runs[r] as Run;
    const half = run.count >>> 1;
    const next = new Run(this.#runMax);
    next.numbers.set(run.numbers.subarray(half * NUMBERS, run.count * NUMBERS));
    next.count = run.count - half;
    run.count = half;
    this.#runs.splice(r + 1, 0, next);
  }

  /** Neighbours are mostly of one kind. */
  #kindOf(kind: string): number {
    if (this.#kinds[this.#lastKind] === kind) return this.#lastKind;
    const known = this.#kinds.indexOf(kind);
    this.#lastKind = known < 0 ? this.#kinds.push(kind) - 1 : known;
    return this.#lastKind;
  }
}
