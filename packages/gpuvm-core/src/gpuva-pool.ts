/**
 * The mappings (`struct drm_gpuva`, `include/drm/drm_gpuvm.h`, Linux 7.3-rc7) as 40-byte records in one buffer: the
 * kernel's 120 bytes without the tree and list nodes, which the VA tree keeps more densely.
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

import { grown } from "./growth.ts";

/** Records from which the pool grows in small steps. */
const MANY = 65536;

// Not exported: V8 folds a constant of the module itself, but loads and checks an imported one at every use.
/** Doubles per record. */
const F64 = 5;
/** Ints per record. */
const I32 = 10;
const ADDR = 0;
const END = 1;
const OFFSET = 2;
const OBJECT = 6;
const FLAGS = 7;
const NEXT = 8;
const PREV = 9;

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

  /** First address of a mapping, in bytes. */
  addr(va: number): number {
    return this.f64[va * F64 + ADDR] as number;
  }

  /** First address behind a mapping, in bytes. */
  end(va: number): number {
    return this.f64[va * F64 + END] as number;
  }

  /** Offset into the object, in bytes. */
  offset(va: number): number {
    return this.f64[va * F64 + OFFSET] as number;
  }

  /** See {@link GpuvaPool.offset}. */
  setOffset(va: number, offset: number): void {
    this.f64[va * F64 + OFFSET] = offset;
  }

  /** The object: a vm_bo's slot when the mapping is linked, minus the GEM id when not, 0 = none. */
  object(va: number): number {
    return this.i32[va * I32 + OBJECT] as number;
  }

  /** See {@link GpuvaPool.object}. */
  setObject(va: number, object: number): void {
    this.i32[va * I32 + OBJECT] = object;
  }

  /** Flags, 32 bits. */
  flags(va: number): number {
    return this.i32[va * I32 + FLAGS] as number;
  }

  /** See {@link GpuvaPool.flags}. */
  setFlags(va: number, flags: number): void {
    this.i32[va * I32 + FLAGS] = flags;
  }

  /** Next mapping in the vm_bo's list, 0 = none. */
  next(va: number): number {
    return this.i32[va * I32 + NEXT] as number;
  }

  /** See {@link GpuvaPool.next}. */
  setNext(va: number, next: number): void {
    this.i32[va * I32 + NEXT] = next;
  }

  /** Previous mapping in the vm_bo's list, 0 = none. */
  prev(va: number): number {
    return this.i32[va * I32 + PREV] as number;
  }

  /** See {@link GpuvaPool.prev}. */
  setPrev(va: number, prev: number): void {
    this.i32[va * I32 + PREV] = prev;
  }

  /** Store what every record has: range in bytes, offset in bytes, object and flags. */
  fill(va: number, addr: number, end: number, offset: number, object: number, flags: number): void {
    const { f64, i32 } = this;
    f64[va * F64 + ADDR] = addr;
    f64[va * F64 + END] = end;
    f64[va * F64 + OFFSET] = offset;
    i32[va * I32 + OBJECT] = object;
    i32[va * I32 + FLAGS] = flags;
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
    this.#capacity = grown(this.#capacity, MANY);
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
