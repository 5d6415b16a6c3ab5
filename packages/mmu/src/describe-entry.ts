/**
 * What the bits of an entry are called: a descriptor taken apart, for people who read page tables. A format names the fields of its
 * entries ({@link PageTableFormat.fields}), level by level and kind by kind, for the same bit means one thing in a table and another one
 * in a leaf; taking a descriptor apart is written once, here.
 *
 * Law (checked for every format, and for every entry that the drivers write): fields do not overlap, and no bit that is set lies
 * outside of all of them.
 */

import { hexAddress } from "./address.ts";
import type { LevelGeometry, PageTableFormat } from "./format.ts";
import { kindOf, leafAddress, tableAddress } from "./format.ts";

/** A field with what it holds. */
export interface DescribedField {
  /** See {@link EntryField.name}; `not named` for bits that are set although no field of this entry has them. */
  readonly name: string;
  /** Highest bit, 0..63. */
  readonly top: number;
  /** Lowest bit. */
  readonly bottom: number;
  /** The bits as an unsigned number. */
  readonly value: number;
  /** What that means. */
  readonly means: string;
}

/** Bits `top` to `bottom` of a descriptor with halves `lo` and `hi`, as an unsigned number; exact up to 53 bits. */
function bitsOf(lo: number, hi: number, top: number, bottom: number): number {
  const above = (half: number, from: number, to: number): number =>
    to < from ? 0 : Math.floor((half >>> 0) / 2 ** from) % 2 ** (to - from + 1);
  const low = bottom < 32 ? above(lo, bottom, Math.min(top, 31)) : 0;
  const high = top >= 32 ? above(hi, Math.max(bottom - 32, 0), top - 32) : 0;
  return bottom < 32 ? low + high * 2 ** (32 - bottom) : high;
}

/** Longest run of bits without a name: what a garbage entry holds may be more than a number can. */
const RUN_BITS = 32;

/**
 * A descriptor field by field.
 *
 * @param format - of the tables
 * @param geometry - the level of the entry
 * @param lo - low half
 * @param hi - high half
 * @returns its fields from the highest bit down, and bits that are set and have no name, each run of them once
 */
export function describeEntry(
  format: PageTableFormat,
  geometry: LevelGeometry,
  lo: number,
  hi: number,
): DescribedField[] {
  const kind = kindOf(geometry, lo, hi);
  const named = format.fields(geometry, kind, lo, hi).toSorted((a, b) => b.top - a.top);
  const address = hexAddress(
    kind === "table" ? tableAddress(geometry, lo, hi) : leafAddress(geometry, lo, hi),
  );
  const found: DescribedField[] = [];
  let above = 64;
  const rest = (until: number): void => {
    for (let top = above - 1; top > until; top--) {
      if (bitsOf(lo, hi, top, top) === 0) continue;
      let bottom = top;
      while (
        top - bottom < RUN_BITS - 1 &&
        bottom - 1 > until &&
        bitsOf(lo, hi, bottom - 1, bottom - 1) === 1
      )
        bottom--;
      const value = bitsOf(lo, hi, top, bottom);
      found.push({ name: "not named", top, bottom, value, means: "set, and not a field of this entry" });
      top = bottom;
    }
  };
  for (const { name, top, bottom, means } of named) {
    rest(top);
    const value = bitsOf(lo, hi, top, bottom);
    found.push({ name, top, bottom, value, means: means?.(value) ?? address });
    above = bottom;
  }
  rest(-1);
  return found;
}
