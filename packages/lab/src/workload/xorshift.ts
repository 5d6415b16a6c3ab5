/**
 * The random draws of the recorded Vulkan client: xorshift32 from a scrambled seed.
 *
 * @module
 */

import { xorshift32 } from "@vmbind/mmu";

/**
 * The client's stream of draws.
 *
 * @param seed - any integer from 0; seeds that are equal modulo 2^32 give one stream
 * @returns draws a number below its argument
 */
export function draws(seed: number): (below: number) => number {
  const state = (Math.imul(seed, 2654435761) + 0x9e3779b9) >>> 0;
  const next = xorshift32(state === 0 ? 1 : state);
  return (below) => next() % below;
}
