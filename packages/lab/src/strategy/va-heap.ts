/**
 * Addresses for resources and memory objects, given out as Mesa's drivers do: from the top down, in the highest hole that
 * is large enough; by some from the bottom up, in the lowest.
 *
 * Where things lie is not only cosmetic: a driver that maps a 2 MiB object over and over needs one operation more for a
 * range that crosses one 2 MiB boundary more.
 *
 * @module
 */

import { RefusedError } from "./refused.ts";

interface Hole {
  start: number;
  end: number;
}

/** Where a user-mode driver takes addresses from. */
export interface VaRoom {
  /**
   * @param bytes - length
   * @param alignment - of the address, bytes
   * @returns the address
   * @throws {@link RefusedError} when no hole is large enough
   */
  alloc(bytes: number, alignment: number): number;
  /**
   * Give an address range back.
   *
   * @param va - what {@link VaRoom.alloc} returned
   * @param bytes - its length
   */
  free(va: number, bytes: number): void;
}

/** A range of virtual addresses. */
export class VaHeap implements VaRoom {
  /** Descending; no two touch. */
  readonly #holes: Hole[];
  readonly #from: "top" | "bottom";

  /**
   * @param start - first address
   * @param end - end
   * @param from - which end is taken first
   */
  constructor(start: number, end: number, from: "top" | "bottom" = "top") {
    this.#holes = [{ start, end }];
    this.#from = from;
  }

  /**
   * @param bytes - length
   * @param alignment - of the address, bytes
   * @returns the address
   * @throws {@link RefusedError} when no hole is large enough
   */
  alloc(bytes: number, alignment: number): number {
    const top = this.#from === "top";
    const holes = this.#holes;
    for (let n = 0; n < holes.length; n++) {
      const i = top ? n : holes.length - 1 - n;
      const hole = holes[i] as Hole;
      const va = top
        ? Math.floor((hole.end - bytes) / alignment) * alignment
        : Math.ceil(hole.start / alignment) * alignment;
      if (va < hole.start || va + bytes > hole.end) continue;
      const rest = [
        { start: va + bytes, end: hole.end },
        { start: hole.start, end: va },
      ];
      holes.splice(i, 1, ...rest.filter(({ start, end }) => start < end));
      return va;
    }
    throw new RefusedError(`no ${bytes} bytes of address space left in one piece`);
  }

  /**
   * Give an address range back.
   *
   * @param va - what {@link VaHeap.alloc} returned
   * @param bytes - its length
   */
  free(va: number, bytes: number): void {
    const holes = this.#holes;
    let at = holes.findIndex((hole) => hole.start < va);
    if (at < 0) at = holes.length;
    const freed = { start: va, end: va + bytes };
    const above = holes[at - 1];
    const below = holes[at];
    if (above?.start === freed.end) freed.end = above.end;
    if (below?.end === freed.start) freed.start = below.start;
    const first = freed.end === va + bytes ? at : at - 1;
    const last = freed.start === va ? at : at + 1;
    holes.splice(first, last - first, freed);
  }
}
