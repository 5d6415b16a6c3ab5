/**
 * Buffer objects: shmem memory that appears when it is first needed and stays until the object goes (the downstream
 * asahi driver, branches of 2025).
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail, GemObject, type GemObjects, type Resv } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import { type Fragmentation, OutOfFrames, type PhysicalMemory, ScatterList } from "@vmbind/mmu";
import { PAGE_BYTES } from "./uapi.ts";

/** What an object needs of the VM that it is private to; see `AsahiVm`. */
export interface AsahiBoOwner {
  /** Its VA manager, whose reservation the object shares. */
  readonly gpuvm: Gpuvm;
}

/** What an object is made with. */
export interface AsahiBoOptions {
  /** The device's objects. */
  gems: GemObjects;
  /** Where pages come from. */
  memory: PhysicalMemory;
  /** Bytes, rounded up to 16 KiB. */
  size: number;
  /** Flags of `drm_asahi_gem_create` (`asahi_drm.h`). */
  flags?: number;
  /** The VM of a private object. */
  vm?: AsahiBoOwner | null;
  /** Reservation to share; that of `vm` for a private object. */
  resv?: Resv;
  /** Kind of memory; the allocator's own unless given. */
  fragmentation?: Fragmentation | undefined;
  /** Physical pages to use instead of allocated ones; their sum is the size. */
  pages?: ScatterList;
  /** Asked before pages are taken. */
  allocFault?: AllocFault | undefined;
}

const NO_PAGES: ScatterList = ScatterList.of([]);

/** A GEM object of the asahi driver. */
export class AsahiBo extends GemObject {
  /** Flags of `drm_asahi_gem_create` (`asahi_drm.h`). */
  readonly flags: number;
  /** The VM that a VM_PRIVATE object belongs to, else null. */
  readonly vm: AsahiBoOwner | null;
  readonly #memory: PhysicalMemory;
  readonly #fragmentation: Fragmentation | undefined;
  readonly #allocFault: AllocFault | undefined;
  #pages: ScatterList | null;
  /** The pages are the device's memory, not given by whoever made the object. */
  readonly ownsPages: boolean;

  /** @param options - see {@link AsahiBoOptions} */
  constructor(options: AsahiBoOptions) {
    super(
      options.gems,
      Math.ceil(options.size / PAGE_BYTES) * PAGE_BYTES,
      options.resv ?? options.vm?.gpuvm.resv,
    );
    this.flags = options.flags ?? 0;
    this.vm = options.vm ?? null;
    this.#memory = options.memory;
    this.#fragmentation = options.fragmentation;
    this.#allocFault = options.allocFault;
    this.#pages = options.pages ?? null;
    this.ownsPages = options.pages === undefined;
  }

  /** True once the object has physical pages. */
  get resident(): boolean {
    return this.#pages !== null;
  }

  override get residentBytes(): number {
    return this.#pages?.totalBytes ?? 0;
  }

  protected override takePages(): ScatterList {
    return this.pages();
  }

  /**
   * The physical pages, taken now if the object has none yet.
   *
   * @throws DrmError ENOMEM when there are none left
   */
  pages(): ScatterList {
    if (this.#pages === null) this.#pages = this.#takePages();
    return this.#pages;
  }

  /**
   * What a CPU mapping of the object shows.
   *
   * @param offset - first byte
   * @param length - bytes
   * @returns a copy
   * @throws RangeError outside the object
   * @throws DrmError ENOMEM when there are no pages for it
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
   * @throws DrmError ENOMEM when there are no pages for it
   */
  write(offset: number, bytes: Uint8Array): void {
    let done = 0;
    for (const piece of this.segments(offset, bytes.length)) {
      this.#memory.write(piece.pa, bytes.subarray(done, done + piece.bytes));
      done += piece.bytes;
    }
  }

  protected override release(): void {
    if (this.ownsPages && this.#pages !== null && this.#pages !== NO_PAGES) {
      this.#memory.frames.free(this.#pages);
    }
    this.#pages = null;
  }

  #takePages(): ScatterList {
    if (this.size === 0) return NO_PAGES;
    if (this.#allocFault?.("bo-pages")) fail(ENOMEM, `bo: no pages for ${this.size} bytes (injected)`);
    try {
      return this.#memory.frames.alloc(this.size, this.#fragmentation);
    } catch (error) {
      if (error instanceof OutOfFrames) return fail(ENOMEM, `bo: ${error.message}`);
      throw error;
    }
  }
}
