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

/** Where the object of a mapping is wanted before it is bound. */
export interface Prefetch {
  /** Index of the {@link WORK_BIND}. */
  readonly at: number;
  /** `prefetch_mem_region_instance`. */
  readonly region: number;
  /** The operation's place in the ioctl, for messages. */
  readonly name: string;
}

/** The list, reused from one ioctl to the next. */
export class WorkList {
  /** Pairs of {@link WORK_BIND} and so on, and a handle. */
  #pairs: Int32Array = new Int32Array(64);
  #count = 0;
  /** What PREFETCH asked for, in order. */
  readonly prefetches: Prefetch[] = [];

  /** Elements. */
  get count(): number {
    return this.#count;
  }

  /** Something is to be mapped. */
  get maps(): boolean {
    for (let i = 0; i < this.#count; i++) if (this.kind(i) !== WORK_UNBIND) return true;
    return false;
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
    // Setting the length is a call into the engine, empty or not.
    if (this.prefetches.length > 0) this.prefetches.length = 0;
  }

  /**
   * @param kind - {@link WORK_BIND} and so on
   * @param va - handle of the mapping
   */
  push(kind: number, va: number): void {
    const at = 2 * this.#count++;
    const pairs = at < this.#pairs.length ? this.#pairs : this.#grow();
    pairs[at] = kind;
    pairs[at + 1] = va;
  }

  #grow(): Int32Array {
    const larger = new Int32Array(this.#pairs.length * 2);
    larger.set(this.#pairs);
    this.#pairs = larger;
    return larger;
  }

  /**
   * Bind a mapping, its object in a certain region.
   *
   * @param va - handle of the mapping
   * @param region - `prefetch_mem_region_instance`
   * @param name - the operation's place in the ioctl
   */
  pushPrefetch(va: number, region: number, name: string): void {
    this.prefetches.push({ at: this.#count, region, name });
    this.push(WORK_BIND, va);
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
