/**
 * The mappings (`drm_gpuva`) as 40-byte records in one buffer: the kernel's 120 bytes without the tree and list nodes,
 * which the VA tree keeps more densely.
 *
 * ```text
 * f64 0  addr      i32 6  object: vm_bo slot when linked, minus the GEM id when not, 0 = none
 * f64 1  end       i32 7  flags
 * f64 2  offset    i32 8  next in the vm_bo's list     i32 9  previous
 * ```
 *
 * The window and phase of a repeated mapping live in arrays of their own that exist only once a VM has such a mapping.
 *
 * @module
 */

/** Doubles per record. */
export const F64 = 5;
/** Index of a record's first int, in ints. */
export const I32 = 10;
/** Doubles: start address, end address (exclusive), offset into the object, in bytes. */
export const ADDR = 0;
/** See {@link ADDR}. */
export const END = 1;
/** See {@link ADDR}. */
export const OFFSET = 2;
/** Ints: the object, see the module comment. */
export const OBJECT = 6;
/** Ints: flags. */
export const FLAGS = 7;
/** Ints: next mapping of the vm_bo; in a free record, the next free one. */
export const NEXT = 8;
/** Ints: previous mapping of the vm_bo. */
export const PREV = 9;

/** Records of mappings, addressed by handles from 1. */
export class GpuvaPool {
  /** The records' doubles: record `va` begins at `va * F64`. Replaced when the pool grows. */
  f64: Float64Array;
  /** The same memory as ints: record `va` begins at `va * I32`. Replaced when the pool grows. */
  i32: Int32Array;
  #windows: Uint32Array | null = null;
  #phases: Uint32Array | null = null;
  #used = 1;
  #free = 0;
  #capacity: number;

  /** @param capacity - records to make room for at once */
  constructor(capacity = 64) {
    this.#capacity = Math.max(4, capacity + 1);
    const buffer = new ArrayBuffer(this.#capacity * F64 * 8);
    this.f64 = new Float64Array(buffer);
    this.i32 = new Int32Array(buffer);
  }

  /** Bytes of the arrays. */
  get memoryBytes(): number {
    return this.f64.byteLength + (this.#windows === null ? 0 : 2 * this.#windows.byteLength);
  }

  /** @returns a handle whose record is to be filled; the last one freed comes first */
  alloc(): number {
    const va = this.#free;
    if (va !== 0) {
      this.#free = this.i32[va * I32 + NEXT] as number;
      return va;
    }
    if (this.#used === this.#capacity) this.#grow();
    return this.#used++;
  }

  /** @param va - a handle from {@link GpuvaPool.alloc}; its record stays readable until it is handed out again */
  free(va: number): void {
    this.i32[va * I32 + NEXT] = this.#free;
    this.#free = va;
  }

  /** Bytes of the repeated window, 0 for a mapping that does not repeat. */
  window(va: number): number {
    return this.#windows === null ? 0 : (this.#windows[va] as number);
  }

  /** Byte of the window that the mapping begins with. */
  phase(va: number): number {
    return this.#phases === null ? 0 : (this.#phases[va] as number);
  }

  /** Store window and phase, in bytes below 2^32. */
  setRepeat(va: number, window: number, phase: number): void {
    if (this.#windows === null || this.#phases === null) {
      if (window === 0) return;
      this.#windows = new Uint32Array(this.#capacity);
      this.#phases = new Uint32Array(this.#capacity);
    }
    this.#windows[va] = window;
    this.#phases[va] = phase;
  }

  #grow(): void {
    this.#capacity += this.#capacity < 65536 ? this.#capacity : this.#capacity >>> 2;
    const f64 = new Float64Array(this.#capacity * F64);
    f64.set(this.f64);
    this.f64 = f64;
    this.i32 = new Int32Array(f64.buffer);
    if (this.#windows !== null && this.#phases !== null) {
      const windows = new Uint32Array(this.#capacity);
      windows.set(this.#windows);
      this.#windows = windows;
      const phases = new Uint32Array(this.#capacity);
      phases.set(this.#phases);
      this.#phases = phases;
    }
  }
}
