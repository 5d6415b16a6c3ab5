/**
 * The naive model of one VM: the list of everything that was asked of it, read from the end. What a page shows is what the last
 * operation that names it says. There are no mappings here, no cuts, no tables, and no code of a driver.
 *
 * Pages that are looked at again and again are places: a place takes each line as it is added, and so knows what
 * {@link PageLog.at} would find without reading the list. Now and then the list is read all the same.
 *
 * @module
 */

/** What was stored last to a page of an object: 0 in one that is new. */
export interface Cell {
  /** 32 bits. */
  word: number;
}

/** An object. It is known by itself: handles are given out again. */
export interface PageObject {
  /** What was stored, by page. */
  readonly cells: Map<number, Cell>;
  /** Its contents may be gone: then it shows null pages. */
  mayBeGone: boolean;
  /** A bind that names it may move it to other memory. */
  readonly wanders: boolean;
}

/** What a range shows: an object, nothing at all, null pages, what lies under mappings there, or what nobody knows. */
type Behind = PageObject | "nothing" | "null" | "under" | "unknown";

/** A range shows something from now on. */
export interface RangeLine {
  readonly kind: "range";
  /** First byte. */
  readonly va: number;
  readonly bytes: number;
  readonly behind: Behind;
  /** First page of the object. */
  readonly page: number;
  /** Pages that repeat, 0 for none. */
  readonly window: number;
  /** Pages of the period by address, 0 for none. */
  readonly period: number;
  /** What the GPU may do: `r`, `w` or `rw`. */
  readonly access: string;
  /** The page may also be as if nothing were there: it was promised only. */
  readonly promised: boolean;
  /** It is about what lies under mappings, and no mapping is left in it. */
  readonly under?: boolean;
}

/** A line of the log. */
export type LogLine =
  | RangeLine
  | { readonly kind: "gone"; readonly object: PageObject }
  /** `maybe` where the next bind may bring it back. */
  | { readonly kind: "evict"; readonly object: PageObject; readonly maybe?: boolean }
  /** What is bound in a range may be taken out of the page tables, as a whole. */
  | { readonly kind: "advice"; readonly va: number; readonly bytes: number }
  | { readonly kind: "restore"; readonly whole: boolean };

/** Its memory was taken: the page faults. `maybe` where bringing back failed in the middle. */
export type Taken = "no" | "yes" | "maybe";

/** Virtual addresses. */
type Range = Pick<RangeLine, "va" | "bytes">;

/** Whether an address is in a range. */
export function holds(range: Range, va: number): boolean {
  return va >= range.va && va < range.va + range.bytes;
}

function meets(line: Range | null, { va, bytes }: Range): boolean {
  return line !== null && line.va < va + bytes && va < line.va + line.bytes;
}

/** What the GPU must find at a page. */
export interface Expected {
  /** The line that says what it shows; null where nothing is there. */
  readonly line: RangeLine | null;
  readonly taken: Taken;
  /** It may be out of the page tables until it is bound again. */
  readonly advised: boolean;
  /** What lies under mappings, and shows where their memory was taken; null for nothing. */
  readonly under: RangeLine | null;
}

const NOTHING_THERE: Expected = { line: null, taken: "no", advised: false, under: null };

/** What drivers do differently. */
export interface PageRules {
  /** Bytes of the smallest page. */
  readonly pageBytes: number;
  /** To bind again what is bound already may leave the page tables alone, and what was taken away. */
  readonly remapsInPlace: boolean;
}

/** A page that is looked at. */
export class Place implements Expected {
  /** First byte of the page. */
  readonly va: number;
  /** Something about it or beside it was asked since it was looked at. */
  changed = false;
  #line: RangeLine | null = null;
  #taken: Taken = "no";
  #advised = false;
  #cell: Cell | null = null;
  #under: RangeLine | null;
  readonly #rules: PageRules;

  /** @param va - first byte of the page; @param rules - see {@link PageRules}; @param expected - what is there */
  constructor(va: number, rules: PageRules, expected: Expected) {
    this.va = va;
    this.#rules = rules;
    this.#under = expected.under;
    this.#show(expected.line);
    this.#taken = expected.taken;
    this.#advised = expected.advised;
  }

  /** See {@link Expected.line}. */
  get line(): RangeLine | null {
    return this.#line;
  }

  /** See {@link Expected.taken}. */
  get taken(): Taken {
    return this.#taken;
  }

  /** See {@link Expected.advised}. */
  get advised(): boolean {
    return this.#advised;
  }

  /** See {@link Expected.under}. */
  get under(): RangeLine | null {
    return this.#under;
  }

  /** What is stored there, null where no object is. */
  get cell(): Cell | null {
    return this.#cell;
  }

  /**
   * @param line - what was asked last
   * @returns whether that is about this page
   */
  take(line: LogLine): boolean {
    const { va } = this;
    if (line.kind === "range") {
      if (!holds(line, va)) return false;
      const stays = this.#rules.remapsInPlace && this.#taken !== "no" && this.#line?.behind === line.behind;
      if (line.under) this.#under = line.behind === "nothing" ? null : line;
      this.#show(line.behind === "under" ? this.#under : line);
      if (stays) this.#taken = "maybe";
      return true;
    }
    if (this.#cell === null) return false;
    if (line.kind === "restore") {
      if (this.#taken === "no") return false;
      this.#taken = line.whole ? "no" : "maybe";
      return true;
    }
    if (line.kind === "advice") {
      if (!meets(this.#line, line)) return false;
      this.#advised = true;
      return true;
    }
    if (this.#line?.behind !== line.object) return false;
    if (line.kind === "gone") this.#show(null);
    else this.#taken = line.maybe === true ? "maybe" : "yes";
    return true;
  }

  #show(line: RangeLine | null): void {
    this.#line = line === null || line.behind === "nothing" ? null : line;
    this.#taken = "no";
    this.#advised = false;
    this.#cell = line === null || typeof line.behind === "string" ? null : this.#cellOf(line, line.behind);
  }

  #cellOf({ va, page, window, period }: RangeLine, { cells }: PageObject): Cell {
    const { pageBytes } = this.#rules;
    const index = (this.va - va) / pageBytes;
    const shown = period > 0 ? (this.va / pageBytes) % period : page + (window > 0 ? index % window : index);
    const known = cells.get(shown);
    if (known !== undefined) return known;
    const cell = { word: 0 };
    cells.set(shown, cell);
    return cell;
  }
}

/** The log of one VM. */
export class PageLog {
  readonly #lines: LogLine[] = [];
  /** By address, the one that was named last at the end. */
  readonly #places = new Map<number, Place>();
  readonly #rules: PageRules;
  #changed: Place[] = [];
  #turn: Iterator<Place>;

  /** @param rules - see {@link PageRules} */
  constructor(rules: PageRules) {
    this.#rules = rules;
    this.#turn = this.#places.values();
  }

  /** @param line - what was asked last */
  add(line: LogLine): void {
    this.#lines.push(line);
    for (const place of this.#places.values()) if (place.take(line)) this.#touch(place);
  }

  #touch(place: Place): void {
    if (place.changed) return;
    place.changed = true;
    this.#changed.push(place);
  }

  /**
   * Look at a page from now on.
   *
   * @param va - first byte of a page, around which the last line changed something
   */
  watch(va: number): void {
    const known = this.#places.get(va);
    const place = known ?? new Place(va, this.#rules, this.at(va));
    if (known !== undefined) this.#places.delete(va);
    this.#places.set(va, place);
    this.#touch(place);
  }

  /** Objects that were shown anywhere in a range. */
  *objectsIn(va: number, bytes: number): Generator<PageObject> {
    for (const line of this.#lines) {
      if (line.kind !== "range" || typeof line.behind === "string") continue;
      if (meets(line, { va, bytes })) yield line.behind;
    }
  }

  /** Places about which or beside which something was asked since {@link PageLog.looked}. */
  get changed(): readonly Place[] {
    return this.#changed;
  }

  /** All places. */
  places(): Iterable<Place> {
    return this.#places.values();
  }

  /** @returns the next place in turn; null when there is none */
  next(): Place | null {
    let { done, value } = this.#turn.next();
    if (done === true) {
      this.#turn = this.#places.values();
      ({ done, value } = this.#turn.next());
    }
    return done === true ? null : value;
  }

  /**
   * All that changed was looked at.
   *
   * @param most - places to keep
   */
  looked(most: number): void {
    for (const place of this.#changed) place.changed = false;
    if (this.#changed.length > 0) this.#changed = [];
    if (this.#places.size <= most) return;
    for (const va of this.#places.keys()) {
      if (this.#places.size <= most) break;
      this.#places.delete(va);
    }
  }

  /**
   * Hold what the places know against the log, which shares nothing with them but its lines.
   *
   * @throws Error where one knows something else
   */
  check(): void {
    for (const { va, line, taken, advised, under } of this.#places.values()) {
      const expected = this.at(va);
      const same = line === expected.line && taken === expected.taken && advised === expected.advised;
      if (same && under === expected.under) continue;
      throw new Error(`page log: the place ${va} was followed to another line than the log has`);
    }
  }

  /** Whether what was taken stayed so under a line that binds the same again, and did not come back since. */
  #stayed(va: number, index: number, back: Taken): Taken {
    if (!this.#rules.remapsInPlace || back === "yes") return "no";
    const before = this.at(va, index);
    const same = before.line?.behind === (this.#lines[index] as RangeLine).behind;
    return same && before.taken !== "no" ? "maybe" : "no";
  }

  /**
   * Read the log.
   *
   * @param va - first byte of a page
   * @param end - lines of the log that are read
   * @returns what must be there
   */
  at(va: number, end: number = this.#lines.length): Expected {
    // Most logs have none of these, and every place of every VM is read by them.
    let gone: PageObject[] | null = null;
    let taken: Map<Behind, Taken> | null = null;
    let advice: Range[] | null = null;
    let back: Taken = "no";
    const under = this.#under(va, end);
    const underOnly: Expected = under === null ? NOTHING_THERE : { ...NOTHING_THERE, under };
    for (let i = end - 1; i >= 0; i--) {
      const line = this.#lines[i] as LogLine;
      if (line.kind === "range") {
        if (!holds(line, va)) continue;
        const { behind } = line;
        if (behind === "under") return { ...underOnly, line: under };
        if (behind === "nothing" || gone?.some((object) => object === behind)) return underOnly;
        const advised = typeof behind !== "string" && advice?.some((range) => meets(line, range)) === true;
        return { line, taken: taken?.get(behind) ?? this.#stayed(va, i, back), advised, under };
      }
      if (line.kind === "gone") {
        gone ??= [];
        gone.push(line.object);
      } else if (line.kind === "advice") {
        advice ??= [];
        advice.push(line);
      } else if (line.kind === "restore") {
        if (back !== "yes") back = line.whole ? "yes" : "maybe";
      } else if (back !== "yes" && taken?.get(line.object) !== "yes") {
        taken ??= new Map();
        taken.set(line.object, back === "no" && line.maybe !== true ? "yes" : "maybe");
      }
    }
    return NOTHING_THERE;
  }

  /** What lies under mappings at a page, in the first lines of the log. */
  #under(va: number, end: number): RangeLine | null {
    for (let i = end - 1; i >= 0; i--) {
      const line = this.#lines[i] as LogLine;
      if (line.kind !== "range" || line.under !== true || !holds(line, va)) continue;
      return line.behind === "nothing" ? null : line;
    }
    return null;
  }
}
