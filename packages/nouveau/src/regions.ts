/**
 * Sparse regions: ranges that read as zero wherever nothing is mapped. They stand beside the mappings, are never cut or joined,
 * and go only as they came, whole (`nouveau_uvmm.c`, Linux 7.3-rc7).
 *
 * A region that an UNMAP has been queued for is *dirty* until that work has been freed: it is still there, and nothing can be
 * made in it.
 *
 * @module
 */

/** A sparse region. */
export interface SparseRegion {
  /** First VA in bytes. */
  readonly addr: number;
  /** Bytes. */
  readonly range: number;
  /** What takes it away, while that has not been freed; null otherwise. */
  dirty: object | null;
}

/** The regions of one VM, in order. */
export class SparseRegions {
  readonly #regions: SparseRegion[] = [];
  /** The region that an address was found in last: tiles of one image lie in one. */
  #near: SparseRegion | null = null;

  /** How many there are, those that are going included. */
  get size(): number {
    return this.#regions.length;
  }

  /** All of them, ascending. */
  [Symbol.iterator](): Iterator<SparseRegion> {
    return this.#regions[Symbol.iterator]();
  }

  /**
   * @param addr - first VA in bytes
   * @param range - bytes
   * @returns the lowest region that meets the range, null where none does; none meets 0 bytes
   */
  first(addr: number, range: number): SparseRegion | null {
    const near = this.#near;
    if (near !== null && range > 0 && addr >= near.addr && addr < near.addr + near.range) return near;
    const region = this.#regions[this.#behind(addr)];
    if (region === undefined || region.addr >= addr + range) return null;
    if (region.addr <= addr) this.#near = region;
    return region;
  }

  /**
   * @param addr - a VA
   * @returns the region that it lies in, null for none
   */
  at(addr: number): SparseRegion | null {
    return this.first(addr, 1);
  }

  /** Put a region in, where none is. */
  add(region: SparseRegion): void {
    const at = this.#behind(region.addr);
    // Most are made in ascending order.
    if (at === this.#regions.length) this.#regions.push(region);
    else this.#regions.splice(at, 0, region);
  }

  /** Take a region out. */
  remove(region: SparseRegion): void {
    const at = this.#behind(region.addr);
    this.#near = null;
    if (this.#regions[at] !== region) throw new Error("sparse regions: it is not among them");
    if (at === this.#regions.length - 1) this.#regions.pop();
    else this.#regions.splice(at, 1);
  }

  /** Index of the first region that ends behind an address. */
  #behind(addr: number): number {
    let low = 0;
    let high = this.#regions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { addr: start, range } = this.#regions[middle] as SparseRegion;
      if (start + range <= addr) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
