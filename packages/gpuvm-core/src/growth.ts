/**
 * How arrays that hold mappings grow.
 *
 * @module
 */

/** Times `many` that are very many, and times these that are the most that a process has. */
const VERY = 16;
const MOST = 64;

/**
 * The next capacity: twice the old one while copying is cheap, then an eighth more, and a sixteenth, at last a thirty-second where there
 * are very many. What is not used yet is memory that every mapping pays for; every array that is outgrown is copied, and takes memory
 * until the host collects it.
 *
 * @param capacity - entries
 * @param many - entries from which steps are small
 */
export function grown(capacity: number, many: number): number {
  if (capacity < many) return capacity * 2;
  return capacity + Math.ceil(capacity / (capacity < many * VERY ? 8 : capacity < many * MOST ? 16 : 32));
}
