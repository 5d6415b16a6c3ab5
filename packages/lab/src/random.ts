/**
 * What the peers' workloads draw from besides `xorshift32`: its wider sister, and permutations.
 *
 * @module
 */

/**
 * xorshift64 (13, 7, 17); the output is the new state.
 *
 * @param seed - not 0
 * @returns draws unsigned 64-bit numbers
 */
export function xorshift64(seed: bigint): () => bigint {
  let x = seed;
  return () => {
    x ^= BigInt.asUintN(64, x << 13n);
    x ^= x >> 7n;
    x ^= BigInt.asUintN(64, x << 17n);
    return x;
  };
}

/**
 * The numbers below n in a random order: Fisher-Yates from the top.
 *
 * @param n - how many
 * @param below - draws a number below its argument
 */
export function permutation(n: number, below: (n: number) => number): Uint32Array {
  const p = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i >= 1; i--) {
    const j = below(i + 1);
    const swapped = p[i] as number;
    p[i] = p[j] as number;
    p[j] = swapped;
  }
  return p;
}
