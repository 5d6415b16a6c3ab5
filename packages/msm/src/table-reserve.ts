/**
 * How many page-table pages a VM_BIND sets aside before it knows what is there already (`msm_gem_vma.c`, Linux 7.3-rc7).
 *
 * Only operations that map count. One that begins in the 2 MiB in which the one before it ended goes on with its chain; every
 * chain is then taken for one range, and each level below the root for as many tables as that range touches. So 64 tiles in
 * ascending, touching order reserve 3 tables, and in random order up to 3 each.
 *
 * @module
 */

const BLOCK_2M = 2 ** 21;
const BLOCK_1G = 2 ** 30;
const BLOCK_512G = 2 ** 39;

/** Follows the operations of one VM_BIND. */
export class TableReserve {
  #start = -1;
  #end = 0.5;
  #lastEnd = 0.5;
  /** Tables of the chains that have ended. */
  #tables = 0;

  /** Begin with another VM_BIND. */
  reset(): void {
    this.#start = -1;
    this.#tables = 0;
  }

  /**
   * One more operation that maps.
   *
   * @param iova - first address in bytes
   * @param range - bytes
   */
  add(iova: number, range: number): void {
    const end = iova + range;
    if (this.#start >= 0 && Math.floor(this.#lastEnd / BLOCK_2M) === Math.floor(iova / BLOCK_2M)) {
      // The kernel takes the end of the last one. That is the largest, but where an operation of no bytes follows; then a job
      // would lack what the one before it needs.
      if (end > this.#end) this.#end = end;
    } else {
      this.#tables += this.#chain();
      this.#start = iova;
      this.#end = end;
    }
    this.#lastEnd = end;
  }

  /** @returns table pages for all operations added */
  total(): number {
    return this.#tables + this.#chain();
  }

  #chain(): number {
    if (this.#start < 0) return 0;
    return (
      touched(this.#start, this.#end, BLOCK_512G) +
      touched(this.#start, this.#end, BLOCK_1G) +
      touched(this.#start, this.#end, BLOCK_2M)
    );
  }
}

/** Aligned blocks between two addresses, each rounded outwards. */
function touched(start: number, end: number, bytes: number): number {
  return Math.ceil(end / bytes) - Math.floor(start / bytes);
}
