/**
 * The naive model of one VM: the list of everything that was asked of it, read from the end. What a page shows is what the last
 * operation that names it says. There are no mappings here, no cuts, no tables, and no code of a driver.
 *
 * @module
 */

/** What a page shows. Objects have numbers of their own here, since handles are given out again. */
type Content =
  | { readonly kind: "nothing" | "null" | "unknown" }
  | { readonly kind: "object"; readonly object: number; readonly page: number };

/** A line of the log. */
export type LogLine =
  | {
      readonly kind: "range";
      readonly va: number;
      readonly bytes: number;
      /** The object, 0 for nothing, -1 for null pages, -2 for what nobody knows. */
      readonly object: number;
      /** First page of the object. */
      readonly page: number;
      /** Pages that repeat, 0 for none. */
      readonly window: number;
      /** Pages of the period by address, 0 for none. */
      readonly period: number;
      readonly access: string;
      readonly promised: boolean;
    }
  | { readonly kind: "gone"; readonly object: number }
  | { readonly kind: "evict"; readonly object: number }
  | { readonly kind: "restore"; readonly whole: boolean };

/** {@link LogLine} of kind `range`: `object` of a range without one. */
export const NOTHING = 0;
/** See {@link NOTHING}. */
export const NULL = -1;
/** See {@link NOTHING}. */
export const UNKNOWN = -2;

/** What the GPU must find at a page. */
export interface Expected {
  /** What it shows. */
  readonly content: Content;
  /** What the GPU may do with it: `r`, `w` or `rw`. */
  readonly access: string;
  /** The page may also be as if nothing were there: it was promised only. */
  readonly promised: boolean;
  /** Its memory was taken: the page faults. `maybe` where bringing back failed in the middle. */
  readonly taken: "no" | "yes" | "maybe";
}

const NOTHING_THERE: Expected = {
  content: { kind: "nothing" },
  access: "rw",
  promised: false,
  taken: "no",
};

/** The log of one VM. */
export class PageLog {
  readonly #lines: LogLine[] = [];
  readonly #pageBytes: number;

  /** @param pageBytes - of the driver's smallest page */
  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
  }

  /** @param line - what was asked last */
  add(line: LogLine): void {
    this.#lines.push(line);
  }

  /**
   * @param va - first byte of a page
   * @returns what must be there
   */
  at(va: number): Expected {
    const gone = new Set<number>();
    const taken = new Map<number, "yes" | "maybe">();
    let back: "no" | "maybe" | "yes" = "no";
    for (let i = this.#lines.length - 1; i >= 0; i--) {
      const line = this.#lines[i] as LogLine;
      if (line.kind === "range") {
        if (va < line.va || va >= line.va + line.bytes) continue;
        return gone.has(line.object) ? NOTHING_THERE : this.#shown(line, va, taken.get(line.object) ?? "no");
      }
      if (line.kind === "gone") gone.add(line.object);
      else if (line.kind === "restore") {
        if (back !== "yes") back = line.whole ? "yes" : "maybe";
      } else if (back !== "yes" && taken.get(line.object) !== "yes") {
        taken.set(line.object, back === "no" ? "yes" : "maybe");
      }
    }
    return NOTHING_THERE;
  }

  #shown(line: LogLine & { kind: "range" }, va: number, taken: Expected["taken"]): Expected {
    const { object, access, promised, period, window } = line;
    if (object === NOTHING) return NOTHING_THERE;
    if (object < 0) {
      return { content: { kind: object === NULL ? "null" : "unknown" }, access, promised, taken: "no" };
    }
    const index = (va - line.va) / this.#pageBytes;
    const page =
      period > 0 ? (va / this.#pageBytes) % period : line.page + (window > 0 ? index % window : index);
    return { content: { kind: "object", object, page }, access, promised, taken };
  }
}
