/**
 * How often to look at everything. A look costs as much as there is to see, so looking after each of n calls that each add a mapping
 * costs n². A pace looks at small devices after every call, and at large ones the more rarely the larger they are, so that what looks cost
 * stays in proportion to the calls.
 *
 * @module
 */

/** Mappings and tables that are looked at for each call, in the mean, at most. */
const PER_CALL = 64;

/** Says when a look is due. */
export class Pace {
  readonly #every: number;
  #left = 0;

  /** @param every - look after so many calls at most as often; 1 is after each, while there is little to see */
  constructor(every: number) {
    this.#every = every;
  }

  /**
   * Asked once a call.
   *
   * @param live - how much there is to see: mappings and tables
   * @returns whether to look now
   */
  due(live: number): boolean {
    if (this.#left > 0) {
      this.#left--;
      return false;
    }
    this.#left = Math.max(this.#every, Math.ceil(live / PER_CALL)) - 1;
    return true;
  }
}
