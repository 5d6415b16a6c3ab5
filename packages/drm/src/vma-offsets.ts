/**
 * Offsets for mmap: one file stands for the memory of all objects, so each object that is to be mapped gets a range of that
 * file's offsets (`drivers/gpu/drm/drm_vma_manager.c`, `include/drm/drm_vma_manager.h`, Linux 7.3-rc7, 64-bit hosts).
 *
 * The space begins at 4 GiB, so that no offset is taken for a 32-bit one, and has 268435200 pages. As `drm_mm` does unless
 * told otherwise, the smallest hole that fits is taken, the lowest among equals.
 *
 * @module
 */

import { ENOSPC, fail } from "./errno.ts";

const PAGE_BYTES = 4096;
/** `DRM_FILE_PAGE_OFFSET_START`: first offset in pages. */
export const DRM_FILE_PAGE_OFFSET_START = 0x10_0000;
/** `DRM_FILE_PAGE_OFFSET_SIZE`: pages of the whole space. */
export const DRM_FILE_PAGE_OFFSET_SIZE: number = 0xf_ffff * 256;

/** What an offset stands for. */
export interface OffsetTarget<T> {
  /** The object. */
  readonly object: T;
  /** Byte of the object. */
  readonly offset: number;
}

interface Pages {
  start: number;
  end: number;
}

interface Node<T> extends Pages {
  readonly object: T;
}

/** The offsets of one device. */
export class VmaOffsets<T> {
  /** Ascending, like the holes between them. */
  readonly #nodes: Node<T>[] = [];
  readonly #holes: Pages[];
  readonly #step: number;
  readonly #end: number;

  /**
   * @param pages - size of the space; the kernel's unless given
   * @param step - bytes that every range is rounded up to, and then none is used twice, as recording stand-ins for a kernel have
   * it; 0, unless given, for the kernel's own way
   */
  constructor(pages: number = DRM_FILE_PAGE_OFFSET_SIZE, step = 0) {
    this.#holes = [{ start: DRM_FILE_PAGE_OFFSET_START, end: DRM_FILE_PAGE_OFFSET_START + pages }];
    this.#step = step / PAGE_BYTES;
    this.#end = DRM_FILE_PAGE_OFFSET_START + pages;
  }

  /** With a step, begin anew as a fresh stand-in does, when no range is in use. Nothing happens otherwise. */
  startOver(): void {
    if (this.#step === 0 || this.#nodes.length > 0) return;
    this.#holes.splice(0, this.#holes.length, { start: DRM_FILE_PAGE_OFFSET_START, end: this.#end });
  }

  /**
   * Give an object its range (`drm_vma_offset_add`).
   *
   * @param object - an object that has none
   * @param bytes - its size; whole pages are taken
   * @returns the first offset in bytes
   * @throws {@link DrmError} ENOSPC when no hole is large enough, and for 0 bytes
   */
  add(object: T, bytes: number): number {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    let best = -1;
    let bestPages = Number.POSITIVE_INFINITY;
    for (const [i, { start, end }] of this.#holes.entries()) {
      if (end - start < pages || end - start >= bestPages) continue;
      best = i;
      bestPages = end - start;
    }
    const hole = this.#holes[best];
    if (hole === undefined || pages === 0) fail(ENOSPC, `mmap: no offsets for 0x${bytes.toString(16)} bytes`);
    const { start } = hole;
    hole.start += this.#step === 0 ? pages : Math.ceil(pages / this.#step) * this.#step;
    if (hole.start === hole.end) this.#holes.splice(best, 1);
    this.#nodes.splice(firstBehind(this.#nodes, start), 0, { start, end: start + pages, object });
    return start * PAGE_BYTES;
  }

  /**
   * Give a range back (`drm_vma_offset_remove`).
   *
   * @param offset - first offset in bytes, as {@link VmaOffsets.add} returned it
   * @throws Error when nothing begins there
   */
  remove(offset: number): void {
    const i = firstBehind(this.#nodes, offset / PAGE_BYTES) - 1;
    const node = this.#nodes[i];
    if (node?.start !== offset / PAGE_BYTES)
      throw new Error(`VmaOffsets: nothing begins at 0x${offset.toString(16)}`);
    this.#nodes.splice(i, 1);
    if (this.#step !== 0) return;
    const holes = this.#holes;
    const { start, end } = node;
    const at = firstBehind(holes, start);
    const before = holes[at - 1];
    const after = holes[at];
    const joinsBefore = before?.end === start;
    const joinsAfter = after?.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      holes.splice(at, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else holes.splice(at, 0, { start, end });
  }

  /**
   * What an offset stands for (`drm_vma_offset_lookup`).
   *
   * @param offset - any offset in bytes
   * @returns the object and the byte of it, undefined where nothing is
   */
  lookup(offset: number): OffsetTarget<T> | undefined {
    const page = Math.floor(offset / PAGE_BYTES);
    const node = this.#nodes[firstBehind(this.#nodes, page) - 1];
    if (node === undefined || page >= node.end) return undefined;
    return { object: node.object, offset: offset - node.start * PAGE_BYTES };
  }
}

/** Index of the first range that begins behind a page. */
function firstBehind(ranges: readonly Pages[], page: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as Pages).start <= page) low = middle + 1;
    else high = middle;
  }
  return low;
}
