/**
 * Ranges of mappings that are about to go, where a remnant keeps its page-table entries: the mapping's unbind leaves those
 * alone. Few mappings of an ioctl are cut so, and none outlives it.
 *
 * A sparse set (P. Briggs, L. Torczon, 1993): rows in the order of the cuts, and by handle the row that a mapping may have. What
 * stands there from ioctls before is no row of this one, or another mapping's: so nothing has to be emptied. A VM in which mappings were cut
 * takes 4 bytes a handle for it.
 *
 * @module
 */

/** The trimmed ranges of one ioctl, by GPUVM's handle. */
export class Trims {
  /** By row: the mapping. */
  #vas: Int32Array = new Int32Array(8);
  /** By row: first VA and first VA behind, in bytes. */
  #ends: Float64Array = new Float64Array(16);
  /** By handle: the row, if that is the mapping's. */
  #rows: Int32Array = new Int32Array(64);
  #count = 0;

  /** Mappings whose range is trimmed. */
  get size(): number {
    return this.#count;
  }

  /**
   * First VA of what is left of a mapping.
   *
   * @param va - its handle
   * @param whole - first VA of the mapping, in bytes
   */
  start(va: number, whole: number): number {
    const row = this.#count === 0 ? -1 : this.#rowOf(va);
    return row < 0 ? whole : (this.#ends[row * 2] as number);
  }

  /**
   * First VA behind what is left of a mapping.
   *
   * @param va - its handle
   * @param whole - first VA behind the mapping, in bytes
   */
  end(va: number, whole: number): number {
    const row = this.#count === 0 ? -1 : this.#rowOf(va);
    return row < 0 ? whole : (this.#ends[row * 2 + 1] as number);
  }

  /**
   * Trim a mapping.
   *
   * @param va - its handle
   * @param start - first VA that is left, in bytes
   * @param end - first VA behind it
   */
  set(va: number, start: number, end: number): void {
    let row = this.#rowOf(va);
    if (row < 0) {
      row = this.#count++;
      if (row === this.#vas.length) this.#grow();
      if (va >= this.#rows.length) this.#growRows(va);
      this.#vas[row] = va;
      this.#rows[va] = row;
    }
    this.#ends[row * 2] = start;
    this.#ends[row * 2 + 1] = end;
  }

  /** The ioctl ended. */
  clear(): void {
    this.#count = 0;
  }

  #rowOf(va: number): number {
    if (va >= this.#rows.length) return -1;
    const row = this.#rows[va] as number;
    return row < this.#count && this.#vas[row] === va ? row : -1;
  }

  #grow(): void {
    const vas = new Int32Array(this.#vas.length * 2);
    vas.set(this.#vas);
    this.#vas = vas;
    const ends = new Float64Array(this.#ends.length * 2);
    ends.set(this.#ends);
    this.#ends = ends;
  }

  #growRows(va: number): void {
    const rows = new Int32Array(Math.max(va + 1, this.#rows.length * 2));
    rows.set(this.#rows);
    this.#rows = rows;
  }
}
