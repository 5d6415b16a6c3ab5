/**
 * The numbers of vector files: u64 in hex, since JSON has no number for most of them.
 *
 * @module
 */

import { EINVAL, fail } from "../errno.ts";

/** 64 bits as two signed halves. */
export interface U64Halves {
  /** The lower 32 bits. */
  lo: number;
  /** The upper 32 bits. */
  hi: number;
}

/** What was read last. */
const LAST: U64Halves = { lo: 0, hi: 0 };

/**
 * @param value - anything
 * @returns whether it is a u64 as vector files write it: lower-case hex with 0x
 */
export function isU64(value: unknown): boolean {
  return typeof value === "string" && readU64(value, 0);
}

/**
 * @param value - anything
 * @param number - an integer from 0 that 64 bits hold
 * @returns whether it is the number as vector files write it, without zeros in front
 */
export function isHexOf(value: unknown, number: number): boolean {
  if (typeof value !== "string" || !readU64(value, 0)) return false;
  if (value.charCodeAt(2) === 0x30 && value.length > 3) return false;
  return (LAST.hi >>> 0) * 2 ** 32 + (LAST.lo >>> 0) === number && number % 2 ** 32 === LAST.lo >>> 0;
}

/**
 * Read a u64 of a vector file.
 *
 * @param value - lower-case hex with 0x
 * @param field - where it stands, for the message
 * @returns the number, NaN when it is not exactly representable
 * @throws `DrmError` EINVAL for anything else
 */
export function u64Of(value: unknown, field = "u64"): number {
  if (typeof value !== "string" || !readU64(value, 0)) {
    return fail(EINVAL, `${field}: expected a u64 in hex, got ${JSON.stringify(value)}`);
  }
  const low = LAST.lo >>> 0;
  const number = (LAST.hi >>> 0) * 2 ** 32 + low;
  // The low 32 bits are lost first when a double rounds.
  return number % 2 ** 32 === low ? number : Number.NaN;
}

/**
 * The two halves of a u64 of a vector file, signed; of one with a sign in front, what 64 bits of its complement are.
 *
 * @param value - lower-case hex with 0x, behind a `-` where it is negative
 * @returns the halves: the same object each time
 * @throws `DrmError` EINVAL for anything else
 */
export function u64Halves(value: string): Readonly<U64Halves> {
  const negative = value.startsWith("-");
  if (!readU64(value, negative ? 1 : 0)) fail(EINVAL, `u64: expected a u64 in hex, got ${value}`);
  if (negative) {
    LAST.hi = LAST.lo === 0 ? -LAST.hi | 0 : ~LAST.hi;
    LAST.lo = -LAST.lo | 0;
  }
  return LAST;
}

/**
 * Read digit by digit: files have millions of these, and each piece of a text is another text.
 *
 * @returns whether a u64 in hex is what stands from there on
 */
function readU64(text: string, from: number): boolean {
  const digits = text.length - from - 2;
  if (!(digits >= 1 && digits <= 16)) return false;
  if (text.charCodeAt(from) !== 0x30 || text.charCodeAt(from + 1) !== 0x78) return false;
  let hi = 0;
  let lo = 0;
  for (let i = from + 2; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const digit = code < 0x3a ? code - 0x30 : code - 0x57;
    if (digit < 0 || digit > 15 || digit < 10 !== code < 0x3a) return false;
    hi = (hi << 4) | (lo >>> 28);
    lo = (lo << 4) | digit;
  }
  LAST.hi = hi;
  LAST.lo = lo;
  return true;
}
