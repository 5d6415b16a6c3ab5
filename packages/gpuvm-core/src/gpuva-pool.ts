/**
 * The mappings (`struct drm_gpuva`, `include/drm/drm_gpuvm.h`, Linux 7.3-rc7) as 32-byte records in one buffer, two of them a
 * cache line: the kernel's 120 bytes without the tree and list nodes, which the VA tree keeps more densely.
 *
 * ```text
 * f64 0  addr      i32 4  object: vm_bo slot when linked, minus the GEM id when not, 0 = none
 * i32 2  length    i32 5  flags
 * i32 3  offset    i32 6  next in the vm_bo's list     i32 7  previous
 * ```
 *
 * Length and offset are numbers of 4 KiB, the smallest page of any driver. GPUVM knows no pages, though, and takes what is no
 * multiple of that, or is 8 TiB and more: -1 stands for such a value, which then is in an array of its own. Those arrays
 * exist only once a VM has such a mapping, as do those of the window and phase of a repeated one.
 *
 * @module
 */

import { grown } from "./growth.ts";

/** Records from which the pool grows in small steps. */
const MANY = 65536;

// Not exported: V8 folds a constant of the module itself, but loads and checks an imported one at every use.
/** Doubles per record. */
const F64 = 4;
/** Ints per record. */
const I32 = 8;
const LENGTH = 2;
const OFFSET = 3;
const OBJECT = 4;
const FLAGS = 5;
const NEXT = 6;
const PREV = 7;
/** Bytes that lengths and offsets are counted in. */
const UNIT = 4096;
/** A quotient by a fraction is a double from the first one on; a product is one since it overflows, and then all that has it inside is compiled again. */
const UNITS_PER_BYTE: number = 1 / UNIT;
/** Such a number of units that the value is elsewhere. */
const WIDE = -1;

/** Records of mappings, addressed by handles from 1. */
export class GpuvaPool {
  /** The records' doubles: record `va` begins at `va * F64`. Replaced when the pool grows. */
  f64: Float64Array;
  /** The same memory as ints: record `va` begins at `va * I32`. Replaced when the pool grows. */
  i32: Int32Array;
  /** Ends and offsets of records that have {@link WIDE} in their place. */
  #ends: Float64Array | null = null;
  #offsets: Float64Array | null = null;
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
    const beside = [this.#ends, this.#offsets, this.#windows, this.#phases];
    return beside.reduce((sum, array) => sum + (array?.byteLength ?? 0), this.f64.byteLength);
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

  /**
   * {@link GpuvaPool.alloc}, again and again.
   *
   * @param vas - gets the handles
   * @param count - how many
   */
  allocRun(vas: Int32Array, count: number): void {
    let i = 0;
    let free = this.#free;
    const { i32 } = this;
    for (; i < count && free !== 0; i++) {
      vas[i] = free;
      free = i32[free * I32 + NEXT] as number;
    }
    this.#free = free;
    for (; i < count; i++) vas[i] = this.alloc();
  }

  /** @param va - a handle from {@link GpuvaPool.alloc}; its record stays readable until it is handed out again */
  free(va: number): void {
    this.i32[va * I32 + NEXT] = this.#free;
    this.#free = va;
  }

  /** First address of a mapping, in bytes. */
  addr(va: number): number {
    return this.f64[va * F64] as number;
  }

  /** First address behind a mapping, in bytes. */
  end(va: number): number {
    const length = this.i32[va * I32 + LENGTH] as number;
    return length < 0 ? this.#end(va) : (this.f64[va * F64] as number) + length / UNITS_PER_BYTE;
  }

  /** Offset into the object, in bytes. */
  offset(va: number): number {
    const offset = this.i32[va * I32 + OFFSET] as number;
    return offset < 0 ? this.#offset(va) : offset * UNIT;
  }

  /** See {@link GpuvaPool.offset}. */
  setOffset(va: number, offset: number): void {
    const units = (offset / UNIT) | 0;
    if (units >= 0 && units * UNIT === offset) this.i32[va * I32 + OFFSET] = units;
    else this.#setWideOffset(va, offset);
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

  /** Store what every record has: range in bytes, offset in bytes, object and flags. It does not repeat. */
  fill(va: number, addr: number, end: number, offset: number, object: number, flags: number): void {
    const { i32 } = this;
    this.f64[va * F64] = addr;
    // Whether it is the end to the byte is asked of the sum that will be read again; `| 0` cuts what is too much.
    const length = ((end - addr) / UNIT) | 0;
    if (length >= 0 && addr + length * UNIT === end) i32[va * I32 + LENGTH] = length;
    else this.#setWideEnd(va, end);
    const units = (offset / UNIT) | 0;
    if (units >= 0 && units * UNIT === offset) i32[va * I32 + OFFSET] = units;
    else this.#setWideOffset(va, offset);
    i32[va * I32 + OBJECT] = object;
    i32[va * I32 + FLAGS] = flags;
    if (this.#windows !== null) this.setRepeat(va, 0, 0);
  }

  /**
   * Store records that are alike but for their address, each where the one before ends, linked in this order.
   *
   * @param vas - their handles
   * @param count - how many of those
   * @param addr - first address of the first, in bytes
   * @param range - bytes of each
   * @param offset - of all, in bytes
   * @param slot - of the vm_bo to which all are linked
   * @param flags - of all
   * @param tail - last mapping of the vm_bo until now, 0 = none
   */
  fillRun(
    vas: Int32Array,
    count: number,
    addr: number,
    range: number,
    offset: number,
    slot: number,
    flags: number,
    tail: number,
  ): void {
    const first = vas[0] as number;
    this.fill(first, addr, addr + range, offset, slot, flags);
    const { f64, i32 } = this;
    const length = i32[first * I32 + LENGTH] as number;
    const units = i32[first * I32 + OFFSET] as number;
    let start = addr;
    let prev = tail;
    for (let i = 0; i < count; i++) {
      const va = vas[i] as number;
      const at = va * I32;
      f64[va * F64] = start;
      i32[at + LENGTH] = length;
      i32[at + OFFSET] = units;
      i32[at + OBJECT] = slot;
      i32[at + FLAGS] = flags;
      i32[at + NEXT] = 0;
      i32[at + PREV] = prev;
      if (prev !== 0) i32[prev * I32 + NEXT] = va;
      prev = va;
      start += range;
    }
    // Calls of their own, lest a loop with a call in it makes an object of each address.
    if (length < 0 || units < 0) this.#fillWide(vas, count, range, offset, slot, flags);
    if (this.#windows !== null) for (let i = 0; i < count; i++) this.setRepeat(vas[i] as number, 0, 0);
  }

  /**
   * How many mappings, from one of a list on, are as long as that one, and each begins where the one before ends.
   *
   * @param vas - handles
   * @param from - index of the first
   * @param count - length of the list
   * @param without - flags that none but the first may have
   */
  alikeFrom(vas: readonly number[], from: number, count: number, without: number): number {
    const { f64, i32 } = this;
    let va = vas[from] as number;
    const length = i32[va * I32 + LENGTH] as number;
    const bytes = length * UNIT;
    let end = (f64[va * F64] as number) + bytes;
    let i = from + 1;
    for (; i < count && length > 0; i++) {
      va = vas[i] as number;
      const at = va * I32;
      if (
        f64[va * F64] !== end ||
        i32[at + LENGTH] !== length ||
        ((i32[at + FLAGS] as number) & without) !== 0
      )
        break;
      end += bytes;
    }
    return i - from;
  }

  /**
   * How many mappings, from one of a list on, follow one another in the vm_bo's list.
   *
   * @param vas - handles
   * @param from - index of the first
   * @param count - length of the list
   */
  chainedFrom(vas: readonly number[], from: number, count: number): number {
    const { i32 } = this;
    let i = from + 1;
    while (i < count && i32[(vas[i - 1] as number) * I32 + NEXT] === vas[i]) i++;
    return i - from;
  }

  /**
   * {@link GpuvaPool.setObject} and {@link GpuvaPool.free} of mappings, one after the other.
   *
   * @param vas - handles
   * @param from - index of the first
   * @param n - how many
   * @param object - see {@link GpuvaPool.object}
   */
  freeRun(vas: readonly number[], from: number, n: number, object: number): void {
    const { i32 } = this;
    let free = this.#free;
    for (let i = from; i < from + n; i++) {
      const va = vas[i] as number;
      i32[va * I32 + OBJECT] = object;
      i32[va * I32 + NEXT] = free;
      free = va;
    }
    this.#free = free;
  }

  /** Records of a run whose length or offset is elsewhere; their addresses are known. */
  #fillWide(
    vas: Int32Array,
    count: number,
    range: number,
    offset: number,
    slot: number,
    flags: number,
  ): void {
    for (let i = 0; i < count; i++) {
      const va = vas[i] as number;
      const addr = this.addr(va);
      this.fill(va, addr, addr + range, offset, slot, flags);
    }
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

  #end(va: number): number {
    return this.#ends?.[va] as number;
  }

  #offset(va: number): number {
    return this.#offsets?.[va] as number;
  }

  #setWideEnd(va: number, end: number): void {
    this.#ends ??= new Float64Array(this.#capacity);
    this.#ends[va] = end;
    this.i32[va * I32 + LENGTH] = WIDE;
  }

  #setWideOffset(va: number, offset: number): void {
    this.#offsets ??= new Float64Array(this.#capacity);
    this.#offsets[va] = offset;
    this.i32[va * I32 + OFFSET] = WIDE;
  }

  /**
   * Make room at once, without the copies of growing step by step.
   *
   * @param count - records that there will be
   */
  expect(count: number): void {
    if (count >= this.#capacity) this.#resize(count + 1);
  }

  #grow(): void {
    this.#resize(grown(this.#capacity, MANY));
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    const f64 = new Float64Array(this.#capacity * F64);
    f64.set(this.f64);
    this.f64 = f64;
    this.i32 = new Int32Array(f64.buffer);
    this.#ends = this.#ends && copied(this.#ends, new Float64Array(this.#capacity));
    this.#offsets = this.#offsets && copied(this.#offsets, new Float64Array(this.#capacity));
    this.#windows = this.#windows && copied(this.#windows, new Uint32Array(this.#capacity));
    this.#phases = this.#phases && copied(this.#phases, new Uint32Array(this.#capacity));
  }
}

function copied<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
