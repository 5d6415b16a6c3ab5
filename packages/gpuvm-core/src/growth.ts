/**
 * How arrays that hold mappings grow.
 *
 * @module
 */

/** Times `many` that are very many. */
const VERY = 16;

/**
 * The next capacity: twice the old one while copying is cheap, then an eighth more, and a sixteenth where there are very many.
 * What is not used yet is memory that every mapping pays for; every array that is outgrown is copied, and takes memory until
 * the host collects it.
 *
 * @param capacity - entries
 * @param many - entries from which steps are small
 */
export function grown(capacity: number, many: number): number {
  if (capacity < many) return capacity * 2;
  return capacity + Math.ceil(capacity / (capacity < many * VERY ? 8 : 16));
}
