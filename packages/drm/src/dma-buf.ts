/**
 * dma-bufs: how an object gets from one open file to another, of the same device or of another one
 * (`drivers/gpu/drm/drm_prime.c`, Linux 7.3-rc7). In a kernel a file descriptor carries it; here the object itself does.
 *
 * @module
 */

import type { GemExport, GemObject, GemSegment } from "./gem.ts";

/** An exported object: one reference of it, for as long as anybody holds the dma-buf. */
export class DmaBuf implements GemExport {
  /** The object. */
  readonly gem: GemObject;
  /**
   * The memory that its physical addresses mean. Devices of one machine share it (`PhysicalMemoryOptions.backing` of
   * `@vmbind/mmu`); another device can reach the object only then.
   */
  readonly memory: object;
  #refs = 1;
  #attachments = 0;

  private constructor(gem: GemObject, memory: object) {
    this.gem = gem;
    this.memory = memory;
    gem.get();
    gem.exported = this;
  }

  /**
   * Export an object. While an earlier export is held it is that one, with one more reference.
   *
   * @param gem - the object
   * @param memory - see {@link DmaBuf.memory}
   * @returns a dma-buf of which the caller has a reference
   */
  static of(gem: GemObject, memory: object): DmaBuf {
    return gem.exported instanceof DmaBuf ? gem.exported.get() : new DmaBuf(gem, memory);
  }

  /** Bytes. */
  get size(): number {
    return this.gem.size;
  }

  /** Objects of other devices that show its memory. */
  get attachments(): number {
    return this.#attachments;
  }

  /** Take a reference, as a duplicate of the file descriptor does. */
  get(): this {
    this.#refs++;
    return this;
  }

  /**
   * Drop a reference, as closing the file descriptor does.
   *
   * @throws Error when there was none left
   */
  put(): void {
    if (this.#refs <= 0) throw new Error(`DmaBuf of GEM ${this.gem.id}: put without a reference`);
    if (--this.#refs > 0) return;
    this.gem.exported = null;
    this.gem.put();
  }

  /**
   * Use the memory from another device (`dma_buf_attach` and `dma_buf_map_attachment`): it stays where it is until
   * {@link DmaBuf.detach}.
   *
   * @returns all of it
   * @throws {@link DrmError} what the exporter refuses with: ENOMEM, and xe EOPNOTSUPP for VRAM
   */
  attach(): GemSegment[] {
    this.gem.holdForImport();
    const all = [...this.gem.segments(0, this.size)];
    this.#attachments++;
    this.get();
    return all;
  }

  /** The opposite of {@link DmaBuf.attach}. */
  detach(): void {
    this.#attachments--;
    this.gem.releaseFromImport();
    this.put();
  }
}
