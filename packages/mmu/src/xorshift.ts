/**
 * The one stream of numbers from a seed: scattered memory is shuffled by it, and the laboratory's workloads, whose recordings
 * were made with the same one, draw from it.
 *
 * @module
 */

/**
 * xorshift32 with the shifts 13, 17, 5 (G. Marsaglia, "Xorshift RNGs", 2003); the output is the new state.
 *
 * @param seed - 32 bits, not 0: from 0 nothing but 0 follows
 * @returns draws unsigned 32-bit numbers
 */
export function xorshift32(seed: number): () => number {
  let x = seed | 0;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
