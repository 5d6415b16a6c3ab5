/** Which places of a huge and mostly empty address space there are to go to. */

import type { Stretch } from "../../canvas.tsx";

/** A place: some mappings that lie near each other. */
export interface Place extends Stretch {
  /** Mappings in it. */
  readonly count: number;
}

/** Smallest gap that separates two places, bytes. */
const GAP = 2 ** 20;
const PLACES_MAX = 10;

/**
 * @param addr - first addresses of mappings, ascending
 * @param range - their bytes
 * @returns places, ascending; the gap between two of them grows until there are few
 */
export function placesOf(addr: Float64Array, range: Float64Array): Place[] {
  for (let gap = GAP; ; gap *= 4) {
    const places: { from: number; to: number; count: number }[] = [];
    for (let i = 0; i < addr.length && places.length <= PLACES_MAX; i++) {
      const from = addr[i] as number;
      const to = from + (range[i] as number);
      const last = places.at(-1);
      if (last !== undefined && from - last.to <= gap) {
        last.to = Math.max(last.to, to);
        last.count++;
      } else places.push({ from, to, count: 1 });
    }
    if (places.length <= PLACES_MAX) return places;
  }
}

/**
 * @param addr - first addresses, ascending
 * @param range - bytes
 * @param va - an address
 * @returns the first mapping that ends behind it
 */
export function firstEndingBehind(addr: Float64Array, range: Float64Array, va: number): number {
  let low = 0;
  let high = addr.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((addr[middle] as number) + (range[middle] as number) > va) high = middle;
    else low = middle + 1;
  }
  return low;
}
