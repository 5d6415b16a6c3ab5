/**
 * Buffer objects: memory in VRAM or in system memory (GTT), taken when the object is made (`amdgpu_object.c`, `amdgpu_gem.c`,
 * Linux 7.3-rc7).
 *
 * Where an object *is* and where it *prefers* to be are two things: the memory manager moves objects, and then every VM that
 * maps one writes its entries again at the next submission.
 *
 * @module
 */

import { GemObject, type GemObjects, type Resv } from "@vmbind/drm";
import {
  addressHi,
  addressLo,
  type FrameAllocator,
  type PhysicalMemory,
  type ScatterList,
} from "@vmbind/mmu";
import type { Place } from "./leaf-flags.ts";
import { CREATE_VM_ALWAYS_VALID, PAGE_BYTES } from "./uapi.ts";

/** What an object is made with. */
export interface AmdgpuBoOptions {
  /** The device's objects. */
  gems: GemObjects;
  /** Where its bytes are kept. */
  memory: PhysicalMemory;
  /** Bytes, a multiple of 4 KiB. */
  size: number;
  /** Domain flags of `drm_amdgpu_gem_create`. */
  flags?: number;
  /** Domains of `drm_amdgpu_gem_create`: where it prefers to be. */
  domains?: number;
  /** Alignment that was asked for. */
  alignment?: number;
  /** Reservation to share: that of the VM, for an object that is always valid in it. */
  resv?: Resv;
  /** Where its memory is. */
  place: Place;
  /** Its memory; null where there is none. */
  pages: ScatterList | null;
  /** Where the memory goes back to; null for memory that is somebody else's. */
  frames: FrameAllocator | null;
  /** Runs when the last reference is gone, before the memory goes back. */
  onRelease?: () => void;
}

/** A GEM object of the amdgpu driver. */
export class AmdgpuBo extends GemObject {
  /** Domain flags of `drm_amdgpu_gem_create` (`amdgpu_drm.h`). */
  readonly flags: number;
  /** Domains of `drm_amdgpu_gem_create`, or of GEM_OP since then. */
  domains: number;
  /** Alignment that was asked for, in bytes. */
  readonly alignment: number;
  /** Somebody holds its reservation: a submission in whose list it is not cannot take it. */
  busy = false;
  readonly #memory: PhysicalMemory;
  readonly #onRelease: (() => void) | undefined;
  #place: Place;
  #pages: ScatterList | null;
  #frames: FrameAllocator | null;
  #runs: Int32Array | null = null;
  #singles: Int32Array | null = null;
  #halves: Int32Array | null = null;

  /** @param options - see {@link AmdgpuBoOptions} */
  constructor(options: AmdgpuBoOptions) {
    super(options.gems, options.size, options.resv);
    this.flags = options.flags ?? 0;
    this.domains = options.domains ?? 0;
    this.alignment = options.alignment ?? PAGE_BYTES;
    this.#memory = options.memory;
    this.#place = options.place;
    this.#pages = options.pages;
    this.#frames = options.frames;
    this.#onRelease = options.onRelease;
  }

  /** Where its memory is now. */
  get place(): Place {
    return this.#place;
  }

  /** Its memory: in VRAM one segment for each block of the allocation, in system memory any pieces. */
  get pages(): ScatterList | null {
    return this.#pages;
  }

  /** Whether it belongs to one VM and is always resident there. */
  get isAlwaysValid(): boolean {
    return (this.flags & CREATE_VM_ALWAYS_VALID) !== 0;
  }

  /** Whether it shows the memory of another device. */
  get isImported(): boolean {
    return this.#onRelease !== undefined;
  }

  /** Whether the device's memory is behind it, not somebody else's. */
  get ownsPages(): boolean {
    return this.#frames !== null;
  }

  override get residentBytes(): number {
    return this.#pages?.totalBytes ?? 0;
  }

  protected override takePages(): ScatterList {
    return this.#pages ?? (super.takePages() as ScatterList);
  }

  /**
   * By segment of its memory, the last segment of the run that it belongs to: the run goes on as long as each segment begins
   * where the one before it ends. Only for system memory, where the driver looks page by page.
   */
  runEnds(): Int32Array {
    if (this.#runs !== null) return this.#runs;
    const { pa, bytes, count } = this.#pages as ScatterList;
    const runs = new Int32Array(count);
    let end = count - 1;
    for (let i = count - 1; i >= 0; i--) {
      if (i < count - 1 && (pa[i] as number) + (bytes[i] as number) !== pa[i + 1]) end = i;
      runs[i] = end;
    }
    this.#runs = runs;
    return runs;
  }

  /**
   * By segment of its memory, the first segment from there on that is not one page for itself, neither longer nor part of a run. Only
   * for system memory.
   */
  singleEnds(): Int32Array {
    if (this.#singles !== null) return this.#singles;
    const { bytes, count } = this.#pages as ScatterList;
    const runEnds = this.runEnds();
    const singles = new Int32Array(count + 1);
    singles[count] = count;
    for (let i = count - 1; i >= 0; i--) {
      const isSingle = bytes[i] === PAGE_BYTES && runEnds[i] === i && (i === 0 || runEnds[i - 1] !== i);
      singles[i] = isSingle ? (singles[i + 1] as number) : i;
    }
    this.#singles = singles;
    return singles;
  }

  /** By segment of its memory, the halves of its first address: what entries of single pages are made of. */
  segmentHalves(): Int32Array {
    if (this.#halves !== null) return this.#halves;
    const { pa, count } = this.#pages as ScatterList;
    const halves = new Int32Array(2 * count);
    for (let i = 0; i < count; i++) {
      halves[2 * i] = addressLo(pa[i] as number);
      halves[2 * i + 1] = addressHi(pa[i] as number);
    }
    this.#halves = halves;
    return halves;
  }

  /**
   * The memory manager has put it elsewhere; the bytes are the caller's business.
   *
   * @param place - where it is now
   * @param pages - its memory there
   * @param frames - where that goes back to, null for memory that is somebody else's
   */
  moved(place: Place, pages: ScatterList, frames: FrameAllocator | null): void {
    if (this.#pages !== null) this.#frames?.free(this.#pages);
    this.#place = place;
    this.#pages = pages;
    this.#frames = frames;
    this.#runs = null;
    this.#singles = null;
    this.#halves = null;
  }

  /**
   * What a CPU mapping of the object shows.
   *
   * @param offset - first byte
   * @param length - bytes
   * @returns a copy
   * @throws RangeError outside the object
   */
  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    let done = 0;
    for (const { pa, bytes } of this.segments(offset, length)) {
      this.#memory.read(pa, out.subarray(done, done + bytes));
      done += bytes;
    }
    return out;
  }

  /**
   * Store through a CPU mapping of the object.
   *
   * @param offset - first byte
   * @param bytes - what to store
   * @throws RangeError outside the object
   */
  write(offset: number, bytes: Uint8Array): void {
    let done = 0;
    for (const piece of this.segments(offset, bytes.length)) {
      this.#memory.write(piece.pa, bytes.subarray(done, done + piece.bytes));
      done += piece.bytes;
    }
  }

  protected override release(): void {
    this.#onRelease?.();
    if (this.#pages !== null) this.#frames?.free(this.#pages);
    this.#pages = null;
  }
}

/** Whether an object is in a domain that it prefers. */
export function isPreferred(bo: AmdgpuBo): boolean {
  const { place, domains } = bo;
  return place === "none" || (domains & (place === "vram" ? 4 : 2)) !== 0;
}
