/**
 * The numbers of a page and where they come from: every number is looked up by its path in the JSON that the page carries,
 * and marked with that path, so that what is shown cannot differ from what is there.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import { formatNumber } from "@vmbind/trace";
import { formatBytes, invalidatedInWords } from "./bytes.ts";
import type { FieldGroup, Unit } from "./field.ts";
import { FIELD_GROUPS } from "./field-groups.ts";
import { fieldAt } from "./fields.ts";
import { type Html, html } from "./html.ts";

/** A number and where it is. */
export interface Figure {
  /** Names and indices joined by dots. */
  path: string;
  /** The number. */
  value: number;
}

/** The figure whose bytes may be of a whole VM. */
const INVALIDATED = "tlbInvalidatedBytes";

/** The JSON of a page. */
export class PageData {
  /** What holds of all numbers: captions end with it. */
  readonly note: string;
  readonly #root: unknown;

  readonly #groups: readonly FieldGroup[];

  /**
   * @param root - what the page carries
   * @param groups - fields of the page
   * @param note - what holds of all of them
   */
  constructor(root: unknown, groups: readonly FieldGroup[] = FIELD_GROUPS, note = "") {
    this.note = note;
    this.#root = root;
    this.#groups = groups;
  }

  /**
   * @param path - of a number
   * @returns the number, null where there is none
   */
  at(path: string): Figure | null {
    let value = this.#root;
    for (const part of path.split(".")) {
      value =
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined;
    }
    if (value === undefined || value === null) return null;
    if (typeof value !== "number")
      throw new Error(`${path}: expected a number, got ${JSON.stringify(value)}`);
    return { path, value };
  }

  /**
   * @param path - of a number
   * @returns the number for people, marked with its path; a dash where there is none
   */
  show(path: string): Html {
    const figure = this.at(path);
    if (!figure) return html`<span class="none">–</span>`;
    const { value } = figure;
    const shown = this.#words(path, value) ?? formatUnit(value, fieldAt(path, this.#groups).field.unit);
    return html`<span data-field="${path}" data-value="${value}">${shown}</span>`;
  }

  /** Bytes of invalidations that have no range would be a size that nobody meant. */
  #words(path: string, value: number): string | null {
    if (!path.endsWith(`.${INVALIDATED}`)) return null;
    const commands = this.at(path.replace(/[^.]+$/, "tlbInvalidations"))?.value ?? 0;
    return invalidatedInWords(value, commands);
  }
}

/**
 * @param figure - a number
 * @returns it for people, in its unit
 */
export function formatFigure({ path, value }: Figure): string {
  return formatUnit(value, fieldAt(path).field.unit);
}

/**
 * @param value - a number
 * @param unit - what it counts
 * @returns it for people: bytes in binary units with three digits, words and addresses in hex, all else grouped in threes
 */
export function formatUnit(value: number, unit: Unit): string {
  if (unit === "bytes") return formatBytes(value);
  if (unit === "address" || unit === "word") return hex(value);
  if (unit === "microseconds") return formatMicroseconds(value);
  if (unit === "factor") return `${formatNumber(Number(value.toPrecision(3)))}×`;
  if (unit === "fraction") return `${Number((value * 100).toPrecision(3))} %`;
  return formatNumber(value).replace("-", "−");
}

/** Three digits, in the unit in which they are short. */
function formatMicroseconds(value: number): string {
  const [scaled, unit] =
    value >= 1e6 ? [value / 1e6, "s"] : value >= 1000 ? [value / 1000, "ms"] : [value, "µs"];
  return `${formatNumber(Number(scaled.toPrecision(3)))} ${unit}`;
}
