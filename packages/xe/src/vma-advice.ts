/**
 * What MADVISE says of mappings, as arrays indexed by GPUVM's handle. A VM has them from its first advice on: until then
 * every mapping has the defaults, and 11 bytes less.
 *
 * @module
 */

/** Memory attributes of a VM's mappings, and what they had before somebody changed them. */
export class VmaAdvice {
  /** PAT index that a mapping was made with: the default of the attribute. */
  defaultPat: Uint8Array;
  /** PAT index in its leaves: MADVISE of another one leaves those of a null mapping as they are. */
  leafPat: Uint8Array;
  /** Who uses atomics there, `ATOMIC_*`. */
  atomic: Uint8Array;
  /** Preferred location, `PREFERRED_LOC_*` or a file descriptor. */
  location: Int32Array;
  /** `MIGRATE_*`. */
  migration: Uint8Array;
  /** `VMA_PURGEABLE_STATE_*`. */
  purgeable: Uint8Array;

  /** @param pat - PAT indices of all mappings, none of which was advised about yet */
  constructor(pat: Uint8Array) {
    this.defaultPat = pat.slice();
    this.leafPat = pat.slice();
    this.atomic = new Uint8Array(pat.length);
    this.location = new Int32Array(pat.length);
    this.migration = new Uint8Array(pat.length);
    this.purgeable = new Uint8Array(pat.length);
  }

  /**
   * Give a new mapping the defaults.
   *
   * @param va - its handle
   * @param pat - its PAT index
   */
  create(va: number, pat: number): void {
    this.defaultPat[va] = pat;
    this.leafPat[va] = pat;
    this.atomic[va] = 0;
    this.location[va] = 0;
    this.migration[va] = 0;
    this.purgeable[va] = 0;
  }

  /** Give a piece of a mapping what the whole has. */
  inherit(from: number, to: number): void {
    this.defaultPat[to] = this.defaultPat[from] as number;
    this.leafPat[to] = this.leafPat[from] as number;
    this.atomic[to] = this.atomic[from] as number;
    this.location[to] = this.location[from] as number;
    this.migration[to] = this.migration[from] as number;
    this.purgeable[to] = this.purgeable[from] as number;
  }

  /**
   * Whether a mapping has the attributes of one that was never advised about (`xe_vma_has_default_mem_attrs`, which does not look
   * at the purgeable state; Linux 7.3-rc7).
   *
   * @param va - its handle
   * @param pat - its PAT index
   */
  isDefault(va: number, pat: number): boolean {
    return (
      this.atomic[va] === 0 &&
      this.defaultPat[va] === pat &&
      this.location[va] === 0 &&
      this.migration[va] === 0
    );
  }

  /**
   * Make room for more mappings.
   *
   * @param size - how many to have room for
   */
  grow(size: number): void {
    this.defaultPat = copied(this.defaultPat, new Uint8Array(size));
    this.leafPat = copied(this.leafPat, new Uint8Array(size));
    this.atomic = copied(this.atomic, new Uint8Array(size));
    this.location = copied(this.location, new Int32Array(size));
    this.migration = copied(this.migration, new Uint8Array(size));
    this.purgeable = copied(this.purgeable, new Uint8Array(size));
  }
}

/**
 * Fill the begin of an array.
 *
 * @param from - what it is to hold
 * @param to - the array, longer than that
 * @returns the array
 */
export function copied<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
