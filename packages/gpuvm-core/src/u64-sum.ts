/**
 * Sums of two u64 without losing bits. Addresses and ranges are doubles, which are exact for everything that is a
 * multiple of a page; a range of one byte at an address above 2^53 has a sum that is not, and the kernel's sums wrap at
 * 2^64. What rounding took from a sum is itself a double (T. J. Dekker, 1971), so order can be told without bigint.
 *
 * @module
 */

const U64 = 2 ** 64;

/** What `a + b` lost by rounding: the exact sum is the rounded one plus this. Both from 0. */
function lost(a: number, b: number): number {
  return Math.min(a, b) - (a + b - Math.max(a, b));
}

/**
 * Refuse a range whose end no double holds: it can be looked for, but not be the edge of a mapping.
 *
 * @param what - who refuses, for the message
 * @param addr - bytes
 * @param range - bytes
 * @throws RangeError
 */
export function needExactEnd(what: string, addr: number, range: number): void {
  // Asked once an operation: an exact sum gives both terms back. Of a rounded one the larger term does not leave the smaller.
  const end = addr + range;
  if (end - addr === range && end - range === addr) return;
  throw new RangeError(`${what}: ${addr} + ${range} is not exactly representable`);
}

/**
 * Order of the exact sum of two numbers from 0 and a third.
 *
 * @returns below 0, 0 or above 0 as `a + b` is below, at or above `bound`
 */
export function compareSum(a: number, b: number, bound: number): number {
  // A rounded sum that is not the bound is on the side of it where the exact one is.
  const apart = a + b - bound;
  return apart === 0 ? lost(a, b) : apart;
}

/**
 * Whether a range reaches beyond an address, as a look-up asks it.
 *
 * @param addr - first address of a range, in bytes
 * @param range - its bytes
 * @param start - an address
 * @returns whether the end of the range, wrapped at 2^64, lies above the address
 */
export function reaches(addr: number, range: number, start: number): boolean {
  const end = addr + range;
  if (end < U64 && end !== start) return end > start;
  if (end < U64 || compareSum(addr, range, U64) <= 0) return compareSum(addr, range, start) > 0;
  // The wrapped end is the smaller one less what the larger one lacks of 2^64, which is exact.
  return compareSum(start, U64 - Math.max(addr, range), Math.min(addr, range)) < 0;
}
