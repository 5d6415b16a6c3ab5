/**
 * How arrays that hold mappings grow, and where they go when a VM outgrows them or ends: the next VM takes them, as it
 * takes records from a slab cache in the kernel. Fresh memory costs its zeroes, page faults and garbage collection.
 *
 * @module
 */

/**
 * The next capacity: twice the old one while copying is cheap, then a twelfth more. What is not used yet is memory that
 * every mapping pays for; random inserts of a million cost 4 % more time than with steps of a quarter.
 *
 * @param capacity - entries
 * @param many - entries from which steps are small
 */
export function grown(capacity: number, many: number): number {
  return capacity + (capacity < many ? capacity : Math.ceil(capacity / 12));
}

/** Longest buffer that is kept, in bytes; all that are kept are below 8 MiB together. */
const KEPT_MAX = 1 << 20;
/** Buffers that nobody uses, one of each length. */
const kept = new Map<number, ArrayBufferLike>();

/**
 * @param bytes - length
 * @returns a buffer of exactly that length, with anything in it
 */
export function takeBuffer(bytes: number): ArrayBufferLike {
  const buffer = kept.get(bytes);
  if (buffer === undefined) return new ArrayBuffer(bytes);
  kept.delete(bytes);
  return buffer;
}

/** @param buffer - whatever its length; it is not to be used any more */
export function giveBuffer(buffer: ArrayBufferLike): void {
  const bytes = buffer.byteLength;
  if (bytes > 0 && bytes <= KEPT_MAX) kept.set(bytes, buffer);
}
