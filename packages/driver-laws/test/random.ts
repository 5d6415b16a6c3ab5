/** Numbers from a seed, for what is too long-lived to be shrunk. Everything else draws from fast-check. */

/** xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** An integer from 0 to `limit` - 1. */
  readonly below = (limit: number): number => {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  };

  /** One of a list; undefined for an empty one. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length || 1)];
  }
}
