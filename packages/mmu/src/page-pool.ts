/**
 * Pages of one size, handed out in a shuffled order in which neighbours never follow each other: fragmented memory on
 * demand. A pool grows by whole groups and never shrinks. The shuffle has a fixed seed.
 */

import { xorshift32 } from "./xorshift.ts";

const SHUFFLE_SEED = 0x2545f491;

/** Free pages of one size. */
export class PagePool {
  readonly #pageBytes: number;
  readonly #groupPages: number;
  readonly #takeGroups: (count: number, bytes: number) => number[];
  readonly #pages: number[] = [];
  readonly #random = xorshift32(SHUFFLE_SEED);

  /**
   * @param pageBytes - size of a page
   * @param groupPages - pages by which the pool grows
   * @param takeGroups - supplies physical addresses of so many groups of so many bytes, or throws
   */
  constructor(pageBytes: number, groupPages: number, takeGroups: (count: number, bytes: number) => number[]) {
    this.#pageBytes = pageBytes;
    this.#groupPages = groupPages;
    this.#takeGroups = takeGroups;
  }

  /** `count` pages, each not adjacent to the one before it. Takes all of them or none. */
  take(count: number): Float64Array {
    // Three more than needed: of any three pages at least one is not adjacent to a given page.
    this.#reserve(count + 3);
    const taken = new Float64Array(count);
    let previous = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      let at = this.#pages.length - 1;
      while (Math.abs((this.#pages[at] as number) - previous) === this.#pageBytes) at--;
      previous = this.#pages[at] as number;
      this.#pages[at] = this.#pages[this.#pages.length - 1] as number;
      this.#pages.pop();
      taken[i] = previous;
    }
    return taken;
  }

  /** Takes a page back; it is the first to be handed out again. */
  give(page: number): void {
    this.#pages.push(page);
  }

  /** Takes all groups before it shuffles any, so that a request too large leaves the pool as it was. */
  #reserve(count: number): void {
    const missing = Math.max(0, Math.ceil((count - this.#pages.length) / this.#groupPages));
    const groupBytes = this.#groupPages * this.#pageBytes;
    for (const group of this.#takeGroups(missing, groupBytes)) this.#shuffleIn(group);
  }

  #shuffleIn(group: number): void {
    const first = this.#pages.length;
    for (let i = 0; i < this.#groupPages; i++) {
      // Fisher-Yates, inside out: each new page changes places with a random one of its group.
      const other = first + (this.#random() % (i + 1));
      this.#pages.push(this.#pages[other] ?? 0);
      this.#pages[other] = group + i * this.#pageBytes;
    }
  }
}
