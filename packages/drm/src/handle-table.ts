/**
 * Handles of an open file: small ids, the lowest free one first, as the kernel's IDR gives them out
 * (`include/linux/idr.h`, Linux 7.3-rc7).
 *
 * @module
 */

/** Ids to objects. */
export class HandleTable<T> {
  readonly #first: number;
  readonly #limit: number;
  readonly #slots: (T | undefined)[] = [];
  #lowestFree = 0;
  #size = 0;

  /**
   * @param first - lowest id, 1 in every DRM driver
   * @param limit - how many ids there are
   */
  constructor(first = 1, limit: number = Number.POSITIVE_INFINITY) {
    this.#first = first;
    this.#limit = limit;
  }

  /** Number of ids in use. */
  get size(): number {
    return this.#size;
  }

  /**
   * Give an object the lowest free id.
   *
   * @param value - the object
   * @returns its id, or -1 when every id is in use
   */
  alloc(value: T): number {
    let i = this.#lowestFree;
    while (this.#slots[i] !== undefined) i++;
    if (i >= this.#limit) return -1;
    this.#slots[i] = value;
    this.#lowestFree = i + 1;
    this.#size++;
    return this.#first + i;
  }

  /**
   * @param id - any number
   * @returns the object, or undefined for an id that is not in use
   */
  get(id: number): T | undefined {
    return this.#slots[id - this.#first];
  }

  /**
   * Free an id.
   *
   * @param id - any number
   * @returns the object that it stood for, or undefined when it was not in use
   */
  remove(id: number): T | undefined {
    const i = id - this.#first;
    const value = this.#slots[i];
    if (value === undefined) return undefined;
    this.#slots[i] = undefined;
    this.#lowestFree = Math.min(this.#lowestFree, i);
    this.#size--;
    return value;
  }

  /**
   * Let an id stand for another object.
   *
   * @param id - any number
   * @param value - the object
   * @returns the object that it stood for, or undefined when it was not in use: nothing has changed then
   */
  replace(id: number, value: T): T | undefined {
    const i = id - this.#first;
    const old = this.#slots[i];
    if (old !== undefined) this.#slots[i] = value;
    return old;
  }

  /** Ids in use with their objects, ascending, as they are now. */
  entries(): [number, T][] {
    const entries: [number, T][] = [];
    for (let i = 0; i < this.#slots.length; i++) {
      const value = this.#slots[i];
      if (value !== undefined) entries.push([this.#first + i, value]);
    }
    return entries;
  }
}
