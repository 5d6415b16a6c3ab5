/**
 * The contents of an object whose memory goes: into other memory at once, or kept aside until it has memory again. New memory
 * reads as zero, and memory that nothing was stored to takes no place in the host, so pages of zeros are neither copied nor kept.
 *
 * @module
 */

import { DataPages } from "./data-pages.ts";
import type { PhysicalMemory } from "./physical-memory.ts";
import type { ScatterList } from "./scatter-list.ts";

const PAGE_BYTES = 4096;
/** Bytes that are read at a time. */
const READ_BYTES = 0x1_0000;

/**
 * Copy the contents of an object from its memory into other memory.
 *
 * @param memory - physical memory
 * @param from - where the contents are, in pieces of whole 4 KiB pages
 * @param to - new memory, which reads as zero; as long
 */
export function copyPages(memory: PhysicalMemory, from: ScatterList, to: ScatterList): void {
  forEachPage(memory, from, (at, page) => memory.write(to.addressAt(at), page));
}

/** The contents of an object that has no memory for the time being. */
export class SavedPages {
  readonly #pages = new Map<number, Uint8Array>();

  /**
   * @param memory - physical memory
   * @param from - where the contents are, in pieces of whole 4 KiB pages; may be given back afterwards
   */
  constructor(memory: PhysicalMemory, from: ScatterList) {
    forEachPage(memory, from, (at, page) => this.#pages.set(at, page.slice()));
  }

  /**
   * Write what was kept.
   *
   * @param memory - physical memory
   * @param to - new memory, which reads as zero; as long as the old one
   */
  restore(memory: PhysicalMemory, to: ScatterList): void {
    for (const [at, page] of this.#pages) memory.write(to.addressAt(at), page);
  }
}

/** Pages that are not zero, by their offset; the bytes are the caller's only for the time of the call. */
function forEachPage(
  memory: PhysicalMemory,
  from: ScatterList,
  found: (at: number, page: Uint8Array) => void,
): void {
  if (memory.backing instanceof DataPages && memory.residentBytes === 0) return;
  const buffer = new Uint8Array(READ_BYTES);
  const words = new Int32Array(buffer.buffer);
  for (let piece = 0; piece < from.count; piece++) {
    const start = from.offset[piece] as number;
    const end = start + (from.bytes[piece] as number);
    for (let at = start; at < end; at += READ_BYTES) {
      const count = Math.min(READ_BYTES, end - at);
      const pa = (from.pa[piece] as number) + at - start;
      if (!memory.mayHoldData(pa, count)) continue;
      memory.read(pa, buffer.subarray(0, count));
      for (let page = 0; page < count; page += PAGE_BYTES) {
        if (isZero(words, page / 4, (page + PAGE_BYTES) / 4)) continue;
        found(at + page, buffer.subarray(page, page + PAGE_BYTES));
      }
    }
  }
}

/** A loop, and no method with a callback: whole objects go through here. */
function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (words[i] !== 0) return false;
  return true;
}
