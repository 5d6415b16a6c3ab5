/**
 * The random draws of a fuzz run: a stream that a seed determines, and the values that break code more often than
 * evenly drawn ones do.
 *
 * @module
 */

import { xorshift32 } from "@vmbind/mmu";

/** Values around the edges of pages, blocks, words and address spaces, as pairs of 32-bit halves. */
const EDGES: readonly (readonly [lo: number, hi: number])[] = [
  0n,
  1n,
  8n,
  0xfffn,
  0x1000n,
  0x1001n,
  0x3fffn,
  0x4000n,
  0x8000n,
  0x10000n,
  0x1f_ffffn,
  0x20_0000n,
  0x20_1000n,
  0x4000_0000n,
  0xffff_f000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_1000n,
  2n ** 39n - 0x8000n,
  2n ** 39n,
  2n ** 47n - 0x1000n,
  2n ** 47n,
  2n ** 48n - 0x1000n,
  2n ** 48n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 62n,
  2n ** 63n - 0x1000n,
  2n ** 63n,
  2n ** 64n - 2n ** 30n,
  2n ** 64n - 0x4000n,
  2n ** 64n - 0x1000n,
  2n ** 64n - 1n,
].map((value) => [Number(value & 0xffff_ffffn), Number(value >> 32n)] as const);

/** 32-bit values around the edges of counts, strides and flag sets. */
const WORDS: readonly number[] = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 49, 55, 56, 57, 64, 79, 80, 81, 96, 255, 256,
  4095, 4096, 0xffff, 0x1_0000, 0x1000_0000, 0x2000_0000, 0x7fff_ffff, 0x8000_0000, 0xf000_0000, 0xffff_f000,
  0xffff_ffff,
];

/** A stream of draws. */
export class Draw {
  readonly #next: () => number;

  /** @param seed - any integer; those equal modulo 2^32 give one stream */
  constructor(seed: number) {
    const state = (Math.imul(seed, 2654435761) + 0x9e3779b9) >>> 0;
    this.#next = xorshift32(state === 0 ? 1 : state);
    // Neighbouring seeds begin alike.
    for (let i = 0; i < 8; i++) this.#next();
  }

  /** @returns an integer from 0 up to and without `n` */
  below(n: number): number {
    return Math.floor((this.#next() / 2 ** 32) * n);
  }

  /** @returns true `percent` times in a hundred */
  chance(percent: number): boolean {
    return this.#next() % 1000 < percent * 10;
  }

  /** @returns one of them */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** @returns 32 random bits */
  word(): number {
    return this.#next();
  }

  /** Units from 1 to about `2 ** lg2Most`, short ones as often as long ones. */
  length(lg2Most: number): number {
    return 1 + this.below(1 << this.below(lg2Most + 1));
  }

  /** Put another value into a 1, 2, 4 or 8 byte field: an edge, a neighbour of what is there, a flipped bit. */
  field(view: DataView, at: number, size: number): void {
    if (size === 8) {
      this.#field64(view, at);
      return;
    }
    const old =
      size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
    const how = this.below(4);
    const value =
      how === 0 ? old ^ (1 << this.below(8 * size)) : how === 1 ? old + this.pick([-1, 1]) : this.pick(WORDS);
    if (size === 4) view.setUint32(at, value, true);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint8(at, value);
  }

  #field64(view: DataView, at: number): void {
    const how = this.below(8);
    if (how < 4) {
      const [lo, hi] = this.pick(EDGES);
      view.setUint32(at, lo, true);
      view.setUint32(at + 4, hi, true);
    } else if (how === 4) {
      const half = at + 4 * this.below(2);
      view.setUint32(half, view.getUint32(half, true) ^ (1 << this.below(32)), true);
    } else {
      const by = this.pick([-0x200000, -0x4000, -0x1000, -1, 1, 0x1000, 0x4000, 0x200000]);
      const sum = view.getUint32(at, true) + by;
      const carry = Math.floor(sum / 2 ** 32);
      view.setUint32(at, sum, true);
      if (carry !== 0) view.setUint32(at + 4, view.getUint32(at + 4, true) + carry, true);
    }
  }
}
