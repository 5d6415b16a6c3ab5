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

/**
 * A number for people.
 *
 * @param value - any number
 * @returns integers grouped in threes, others with three significant digits
 */
export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
}
