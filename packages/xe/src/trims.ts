/**
 * Ranges of mappings that are about to go, where a remnant keeps its page-table entries: the mapping's unbind leaves those
 * alone. Few mappings of an ioctl are cut so, and none outlives it, hence not an array for all.
 *
 * @module
 */

/** The trimmed ranges of one ioctl, by GPUVM's handle. */
export class Trims {
  readonly #rows: Map<number, number> = new Map();
  /** By row: first VA and first VA behind, in bytes. */
  #ends: Float64Array = new Float64Array(16);

  /** Mappings whose range is trimmed. */
  get size(): number {
    return this.#rows.size;
  }

  /**
   * First VA of what is left of a mapping.
   *
   * @param va - its handle
   * @param whole - first VA of the mapping, in bytes
   */
  start(va: number, whole: number): number {
    if (this.#rows.size === 0) return whole;
    const row = this.#rows.get(va);
    return row === undefined ? whole : (this.#ends[row * 2] as number);
  }

  /**
   * First VA behind what is left of a mapping.
   *
   * @param va - its handle
   * @param whole - first VA behind the mapping, in bytes
   */
  end(va: number, whole: number): number {
    if (this.#rows.size === 0) return whole;
    const row = this.#rows.get(va);
    return row === undefined ? whole : (this.#ends[row * 2 + 1] as number);
  }

  /**
   * Trim a mapping.
   *
   * @param va - its handle
   * @param start - first VA that is left, in bytes
   * @param end - first VA behind it
   */
  set(va: number, start: number, end: number): void {
    const row = this.#rows.get(va) ?? this.#rows.size;
    this.#rows.set(va, row);
    if (row * 2 === this.#ends.length) {
      const larger = new Float64Array(this.#ends.length * 2);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#ends[row * 2] = start;
    this.#ends[row * 2 + 1] = end;
  }

  /** The ioctl ended. */
  clear(): void {
    if (this.#rows.size !== 0) this.#rows.clear();
  }
}
