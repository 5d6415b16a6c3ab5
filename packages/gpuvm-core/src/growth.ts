/**
 * How arrays that hold mappings grow.
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
