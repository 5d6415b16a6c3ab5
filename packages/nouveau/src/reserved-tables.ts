/**
 * Tables that are set aside for work that runs later, so that nothing can fail then. Several jobs may wait, each with tables of its own:
 * whatever else makes tables in the meantime takes none of them, and a job that runs takes no more than its own.
 *
 * @module
 */

/** Where tables come from and go; see `TableTree`. */
export interface TableSource {
  /** @returns the slot of a cleared table, -1 where there is none */
  take(): number;
  /** Give a table back that nobody has used. */
  giveBack(slot: number): void;
}

/** Tables of one VM. */
export class ReservedTables {
  readonly #source: TableSource;
  readonly #slots: number[] = [];
  /** How many of them the work that runs may still take. */
  #toSpend = 0;

  /** @param source - where tables come from and go */
  constructor(source: TableSource) {
    this.#source = source;
  }

  /** Their slots. */
  get slots(): readonly number[] {
    return this.#slots;
  }

  /**
   * Set tables aside.
   *
   * @param count - how many more
   * @returns false where there are not so many; none are set aside then
   */
  reserve(count: number): boolean {
    for (let i = 0; i < count; i++) {
      const slot = this.#source.take();
      if (slot < 0) {
        this.release(i);
        return false;
      }
      this.#slots.push(slot);
    }
    return true;
  }

  /** Give tables back that no work will take. */
  release(count: number): void {
    for (let i = Math.min(count, this.#slots.length); i > 0; i--) {
      this.#source.giveBack(this.#slots.pop() as number);
    }
  }

  /**
   * Work runs, and takes what was set aside for it.
   *
   * @param count - how many tables that were
   */
  spend(count: number): void {
    this.#toSpend = count;
  }

  /** That work has run: what it did not take is given back. */
  spent(): void {
    const left = this.#toSpend;
    this.#toSpend = 0;
    this.release(left);
  }

  /** @returns a table for the work that runs, -1 where it has none, or none any more */
  take(): number {
    if (this.#toSpend === 0) return -1;
    this.#toSpend--;
    return this.#slots.pop() as number;
  }
}
