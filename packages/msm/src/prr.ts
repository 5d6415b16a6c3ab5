/**
 * The partially resident region of an Adreno SMMU: one zeroed page per GPU, which every MAP_NULL of every process points at
 * (`msm_iommu.c`, Linux 7.3-rc7). It comes with the first page table of any context and goes with the last.
 *
 * @module
 */

import { ENOMEM, fail } from "@vmbind/drm";
import { OutOfFrames, type PhysicalMemory, type ScatterList } from "@vmbind/mmu";
import type { MsmDeviceOptions } from "./options.ts";
import { PAGE_BYTES } from "./page-table.ts";

/** What the region needs of its device. */
export interface PrrDevice {
  /** What was chosen. */
  readonly options: Readonly<MsmDeviceOptions>;
  /** Where its page comes from. */
  readonly memory: PhysicalMemory;
}

/** The page behind MAP_NULL. */
export class PrrPage {
  readonly #device: PrrDevice;
  #pages: ScatterList | null = null;
  #users = 0;

  /** @param device - see {@link PrrDevice} */
  constructor(device: PrrDevice) {
    this.#device = device;
  }

  /** Page tables that there are. */
  get users(): number {
    return this.#users;
  }

  /** Bytes of the device's memory that it takes now. */
  get bytes(): number {
    return this.#pages === null ? 0 : PAGE_BYTES;
  }

  /** Its physical address; NaN while there is none. */
  get address(): number {
    const { options } = this.#device;
    if (!options.prr || this.#users === 0) return Number.NaN;
    return options.prrPage ?? (this.#pages?.pa[0] as number);
  }

  /**
   * A page table is made.
   *
   * @throws `DrmError` ENOMEM without a page; then nothing was taken
   */
  get(): void {
    const { options, memory } = this.#device;
    if (this.#users === 0 && options.prr && options.prrPage === undefined) {
      try {
        this.#pages = memory.frames.alloc(PAGE_BYTES, "contiguous");
      } catch (error) {
        if (error instanceof OutOfFrames) fail(ENOMEM, "vm: no memory for the page behind MAP_NULL");
        throw error;
      }
    }
    this.#users++;
  }

  /** A page table is gone. */
  put(): void {
    if (--this.#users > 0 || this.#pages === null) return;
    this.#device.memory.frames.free(this.#pages);
    this.#pages = null;
  }
}
