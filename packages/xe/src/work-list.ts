/**
 * The page-table work of one ioctl in order: unbind this mapping, bind that one. Parsing writes it down, once the VA tree is
 * what the ioctl makes of it; the page-table job stages it.
 *
 * @module
 */

/** Work: take a mapping out of the page table. */
export const WORK_UNBIND = 0;
/** Work: put a mapping into the page table. */
export const WORK_BIND = 1;
/** Work: fill a mapping's range with zero leaves, so that access faults. */
export const WORK_CLEAR = 2;

/** The list, reused from one ioctl to the next. */
export class WorkList {
  /** Pairs of {@link WORK_BIND} and so on, and a handle. */
  #pairs: Int32Array = new Int32Array(64);
  #count = 0;

  /** Elements. */
  get count(): number {
    return this.#count;
  }

  /** What to do: {@link WORK_BIND} and so on. */
  kind(i: number): number {
    return this.#pairs[2 * i] as number;
  }

  /** With which mapping. */
  va(i: number): number {
    return this.#pairs[2 * i + 1] as number;
  }

  /** A new ioctl begins. */
  clear(): void {
    this.#count = 0;
  }

  /**
   * @param kind - {@link WORK_BIND} and so on
   * @param va - handle of the mapping
   */
  push(kind: number, va: number): void {
    if (2 * this.#count === this.#pairs.length) {
      const larger = new Int32Array(this.#pairs.length * 2);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[2 * this.#count] = kind;
    this.#pairs[2 * this.#count + 1] = va;
    this.#count++;
  }

  /**
   * @param kind - {@link WORK_BIND} and so on
   * @param va - handle of a mapping
   * @returns whether the list has it
   */
  has(kind: number, va: number): boolean {
    for (let i = 0; i < this.#count; i++) if (this.kind(i) === kind && this.va(i) === va) return true;
    return false;
  }
}
