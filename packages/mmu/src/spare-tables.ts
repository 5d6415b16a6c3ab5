/**
 * Memory of page tables that are gone, for those that come. A device makes its tables' memory larger step by step and copies it each time; who
 * makes one device after the other gives it back, and the next device begins with as much as the last one came to need.
 *
 * @module
 */

/** Larger ones would be kept for a need that may not come again. */
const BYTES_MAX = 2 ** 23;
/** As many devices as are mostly there at a time: one, and another to compare it with. */
const COUNT_MAX = 2;

const SPARE: ArrayBuffer[] = [];

/**
 * @param pageBytes - of a page-table page
 * @param pages - that it has at least
 * @param limit - most pages that it may have
 * @returns a buffer of whole pages, all zero
 */
export function takeSpare(pageBytes: number, pages: number, limit: number): ArrayBuffer {
  const last = SPARE[SPARE.length - 1];
  if (last === undefined || last.byteLength % pageBytes !== 0) return new ArrayBuffer(pages * pageBytes);
  const has = last.byteLength / pageBytes;
  if (has < pages || has > limit) return new ArrayBuffer(pages * pageBytes);
  SPARE.pop();
  return last;
}

/**
 * Keep a buffer for whoever comes, unless it is too large or there are enough of them.
 *
 * @param buffer - that nobody uses any more
 * @param used - bytes from the start that may be other than zero
 */
export function keepSpare(buffer: ArrayBuffer, used: number): void {
  if (buffer.byteLength > BYTES_MAX || SPARE.length === COUNT_MAX) return;
  new Uint8Array(buffer, 0, used).fill(0);
  SPARE.push(buffer);
}
