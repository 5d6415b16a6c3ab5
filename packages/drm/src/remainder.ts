/**
 * Remainders of bytes and addresses.
 *
 * @module
 */

/**
 * What `%` gives, in a fraction of its time: V8 computes the remainder of doubles in a loop of the processor's oldest unit.
 *
 * @param value - a whole number from 0, NaN for one that no double holds
 * @param of - a whole number above 0
 * @returns a number from 0 and below `of`; NaN of NaN
 */
export function remainder(value: number, of: number): number {
  // Below 2^53 no quotient is rounded up to a whole number, so what is taken off is never too much, and each product is exact.
  return value <= Number.MAX_SAFE_INTEGER ? value - Math.floor(value / of) * of : value % of;
}
