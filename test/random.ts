/** Numbers from a seed, for what is too long-lived to be shrunk. Everything else draws from fast-check. */

import { xorshift32 } from "../packages/mmu/src/xorshift.ts";

/** A stream of draws. */
export class Random {
  /** Unsigned 32-bit numbers, never 0. */
  readonly word: () => number;

  /** @param seed - any integer; those equal modulo 2^32 give one stream, and 0 that of 1 */
  constructor(seed: number) {
    this.word = xorshift32((seed | 0) === 0 ? 1 : seed);
  }

  /** An integer from 0 to `limit` - 1. */
  readonly below = (limit: number): number => this.word() % limit;

  /** One of a list; undefined for an empty one. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length || 1)];
  }
}
