/**
 * How far a run of entries is empty, or filled, or made of blocks: what every map and unmap call looks at before it
 * writes. Several entries are looked at together, by their low halves: a present entry has its lowest bit there. The
 * entry at which a run ends is then found one by one.
 *
 * @module
 */

/**
 * @param words - tables as 32-bit halves
 * @param at - word of the first entry
 * @param count - entries
 * @returns entries before the first one that is not empty, at most `count`
 */
export function emptyRun(words: Int32Array, at: number, count: number): number {
  const end = at + count * 2;
  let i = at;
  for (const whole = end - 14; i < whole; i += 16) {
    const left = (words[i] as number) | (words[i + 2] as number) | (words[i + 4] as number);
    const right = (words[i + 8] as number) | (words[i + 10] as number) | (words[i + 12] as number);
    if ((left | right | (words[i + 6] as number) | (words[i + 14] as number)) !== 0) break;
  }
  while (i < end && words[i] === 0) i += 2;
  return (i - at) >> 1;
}

/**
 * @param words - tables as 32-bit halves
 * @param at - word of the first entry
 * @param count - entries
 * @returns entries before the first empty one, at most `count`
 */
export function filledRun(words: Int32Array, at: number, count: number): number {
  const end = at + count * 2;
  let i = at;
  for (const whole = end - 14; i < whole; i += 16) {
    const left = (words[i] as number) & (words[i + 2] as number) & (words[i + 4] as number);
    const right = (words[i + 8] as number) & (words[i + 10] as number) & (words[i + 12] as number);
    if ((left & right & (words[i + 6] as number) & (words[i + 14] as number)) === 0) break;
  }
  while (i < end && words[i] !== 0) i += 2;
  return (i - at) >> 1;
}

/**
 * @param words - level-2 tables as 32-bit halves
 * @param at - word of the first entry
 * @param count - entries
 * @returns entries before the first one that is not a block (type 1 of 0..3), at most `count`
 */
export function blockRun(words: Int32Array, at: number, count: number): number {
  const end = at + count * 2;
  let i = at;
  for (const whole = end - 6; i < whole; i += 8) {
    const a = words[i] as number;
    const b = words[i + 2] as number;
    const c = words[i + 4] as number;
    const d = words[i + 6] as number;
    if ((a & b & c & d & 1) === 0 || ((a | b | c | d) & 2) !== 0) break;
  }
  while (i < end && ((words[i] as number) & 3) === 1) i += 2;
  return (i - at) >> 1;
}
