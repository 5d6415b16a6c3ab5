/**
 * How full VRAM is: on a discrete part a page table is an object of 4 KiB in it, beside the objects of user space
 * (`xe_pt.c`, Linux 7.3-rc7).
 *
 * The tables have addresses in a window of their own. What they share with objects is how much memory there is.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import type { FrameAllocator, TableMemory } from "@vmbind/mmu";

/** Whom an eviction may hit. */
export interface EvictionRules {
  /** Of objects that nobody uses: whether this one may go. */
  mayEvict(gem: GemObject): boolean;
}

/** Any object that nobody uses may go. */
export const EVICT_ANY: EvictionRules = { mayEvict: () => true };

/** The VRAM of a device. */
export class Vram {
  /** Bytes of it, 0 on an integrated part. */
  readonly bytes: number;
  readonly #frames: FrameAllocator;
  readonly #tables: TableMemory;
  #ticks = 0;

  /**
   * @param bytes - how much there is
   * @param frames - the memory of objects in it
   * @param tables - the device's page tables
   */
  constructor(bytes: number, frames: FrameAllocator, tables: TableMemory) {
    this.bytes = bytes;
    this.#frames = frames;
    this.#tables = tables;
  }

  /** Bytes that objects and, on a discrete part, page tables take. */
  get usedBytes(): number {
    return this.bytes === 0 ? 0 : this.#frames.usedBytes + this.#tables.live * this.#tables.pageBytes;
  }

  /** A time: a number that grows. @internal */
  tick(): number {
    return ++this.#ticks;
  }

  /** Bytes that are free. */
  get leftBytes(): number {
    return this.bytes - this.usedBytes;
  }

  /** What fills it, for the reason of an ENOMEM. */
  usage(): string {
    const { live, pageBytes } = this.#tables;
    return `of VRAM (platform.vramBytes ${this.bytes}) objects take ${this.#frames.usedBytes}, page tables ${live * pageBytes}`;
  }
}
