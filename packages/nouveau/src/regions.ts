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

/** Regions in a run. */
const RUN_MAX = 512;

/**
 * The regions of one VM, in order: in runs, since the removal from one array of a hundred thousand moves half of them.
 */
export class SparseRegions {
  /** Ascending; no run is empty but one that is alone. */
  readonly #runs: SparseRegion[][] = [[]];
  readonly #runMax: number;
  #size = 0;
  /** The region that an address was found in last: tiles of one image lie in one. */
  #near: SparseRegion | null = null;

  /** @param runMax - regions in a run, at least 2; smaller in tests */
  constructor(runMax: number = RUN_MAX) {
    this.#runMax = runMax;
  }

  /** How many there are, those that are going included. */
  get size(): number {
    return this.#size;
  }

  /** All of them, ascending. */
  *[Symbol.iterator](): Generator<SparseRegion> {
    for (const run of this.#runs) yield* run;
  }

  /**
   * @param addr - first VA in bytes
   * @param range - bytes
   * @returns the lowest region that meets the range, null where none does; none meets 0 bytes
   */
  first(addr: number, range: number): SparseRegion | null {
    const near = this.#near;
    if (near !== null && range > 0 && addr >= near.addr && addr < near.addr + near.range) return near;
    return range === 0 ? null : this.#search(addr, range);
  }

  #search(addr: number, range: number): SparseRegion | null {
    const run = this.#runs[this.#firstRun(addr)] as SparseRegion[];
    const region = run[firstEndingBehind(run, addr)];
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
    const r = this.#firstRun(region.addr);
    const run = this.#runs[r] as SparseRegion[];
    const at = firstEndingBehind(run, region.addr);
    // By index, not by `push`, which the engine calls: most regions come in ascending order.
    if (at === run.length) run[at] = region;
    else run.splice(at, 0, region);
    if (run.length > this.#runMax) this.#runs.splice(r + 1, 0, run.splice(run.length >>> 1));
    this.#size++;
  }

  /** Take a region out. */
  remove(region: SparseRegion): void {
    this.#near = null;
    const r = this.#firstRun(region.addr);
    const run = this.#runs[r] as SparseRegion[];
    const at = firstEndingBehind(run, region.addr);
    if (run[at] !== region) throw new Error("sparse regions: it is not among them");
    if (at === run.length - 1) run.pop();
    else run.splice(at, 1);
    if (run.length === 0 && this.#runs.length > 1) this.#runs.splice(r, 1);
    this.#size--;
  }

  /** Index of the first run with a region that ends behind an address, else of the last run. */
  #firstRun(addr: number): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle] as SparseRegion[];
      if (endOf(run[run.length - 1] as SparseRegion) <= addr) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function endOf({ addr, range }: SparseRegion): number {
  return addr + range;
}

function firstEndingBehind(run: readonly SparseRegion[], addr: number): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endOf(run[middle] as SparseRegion) <= addr) low = middle + 1;
    else high = middle;
  }
  return low;
}
