/**
 * Results and numbers in words; addresses, sizes and counts are worded in `@vmbind/drm`.
 *
 * @module
 */

import { errnoName } from "@vmbind/drm";

/**
 * @param ret - what an ioctl returned
 * @returns `0`, or `-22 EINVAL`
 */
export function result(ret: number): string {
  return ret === 0 ? "0" : `${ret} ${errnoName(ret)}`;
}

/** Longest text of a value in a message, UTF-16 units. */
const VALUE_MAX = 60;

/**
 * A value of a file for a message.
 *
 * @param value - what JSON.parse gave, or undefined for a member that is not there
 * @returns `"text"`, `7`, `true`, `null`, `nothing`, `a list of 3`, `an object`: what is inside is not looked at, however much it is
 */
export function valueInWords(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return value.length > VALUE_MAX
    ? `${JSON.stringify(value.slice(0, VALUE_MAX - 3))}...`
    : JSON.stringify(value);
}

/**
 * A number for people.
 *
 * @param value - any number
 * @returns integers grouped in threes, others with three significant digits
 */
export function formatNumber(value: number): string {
  // Most are small.
  if (Number.isInteger(value) && Math.abs(value) < 1000) return value.toString();
  if (Number.isInteger(value)) return value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
}
