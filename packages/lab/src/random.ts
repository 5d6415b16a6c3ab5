/**
 * The generators that the peers' workloads are drawn from.
 *
 * @module
 */

/**
 * xorshift32 (13, 17, 5); the output is the new state.
 *
 * @param seed - not 0
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
