/**
 * `sw_sync`, the kernel's own source of fences for tests (`drivers/dma-buf/sw_sync.c`, Linux 7.3-rc7): a timeline that user
 * space moves on, with fences at points of it.
 *
 * @module
 */

import { Fence } from "@vmbind/drm";

/** A timeline. */
export class SwSyncTimeline {
  #time = 0;
  #points: { readonly at: number; readonly fence: Fence }[] = [];

  /**
   * @param at - a point, u32
   * @returns a fence that signals when the timeline has come there; points wrap
   */
  fenceAt(at: number): Fence {
    const fence = new Fence();
    if (this.#reached(at)) fence.signal();
    else this.#points.push({ at, fence });
    return fence;
  }

  /** Move on by `steps`, a u32. */
  advance(steps: number): void {
    this.#time = (this.#time + steps) >>> 0;
    const reached = this.#points.filter(({ at }) => this.#reached(at));
    this.#points = this.#points.filter(({ at }) => !this.#reached(at));
    for (const { fence } of reached) fence.signal();
  }

  /**
   * The descriptor is gone: what is left will never come.
   *
   * @param error - negative errno that the fences signal with
   */
  end(error: number): void {
    for (const { fence } of this.#points.splice(0)) fence.signal(error);
  }

  #reached(at: number): boolean {
    return ((this.#time - at) | 0) >= 0;
  }
}
