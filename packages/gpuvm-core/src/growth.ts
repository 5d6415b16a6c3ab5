/**
 * How arrays that hold mappings grow.
 *
 * @module
 */

/**
 * The next capacity: twice the old one while copying is cheap, then an eighth more. What is not used yet is memory that
 * every mapping pays for; every array that is outgrown is copied, and takes memory until the host collects it.
 *
 * @param capacity - entries
 * @param many - entries from which steps are small
 */
export function grown(capacity: number, many: number): number {
  return capacity + (capacity < many ? capacity : Math.ceil(capacity / 8));
}
