/**
 * The contents of an object that moves. New memory reads as zero, and memory that nothing was stored to takes no place in the
 * host, so zeroes are not written.
 *
 * @module
 */

import { DataPages, type PhysicalMemory, type ScatterList } from "@vmbind/mmu";
import { PAGE_BYTES } from "./page-sizes.ts";

/** Bytes that are read at a time. */
const COPY_BYTES = 0x1_0000;

/**
 * Copy what is not zero.
 *
 * @param memory - physical memory
 * @param from - where the contents are
 * @param to - new memory
 * @param bytes - how much
 */
export function copyPages(memory: PhysicalMemory, from: ScatterList, to: ScatterList, bytes: number): void {
  if (memory.backing instanceof DataPages && memory.residentBytes === 0) return;
  const buffer = new Uint8Array(COPY_BYTES);
  const words = new Int32Array(buffer.buffer);
  for (let at = 0, count = 0; at < bytes; at += count) {
    const left = from.segmentAt(at);
    const segmentLeft = (from.offset[left] as number) + (from.bytes[left] as number) - at;
    count = Math.min(COPY_BYTES, bytes - at, segmentLeft);
    const source = from.addressAt(at);
    if (!memory.mayHoldData(source, count)) continue;
    memory.read(source, buffer.subarray(0, count));
    for (let page = 0; page < count; page += PAGE_BYTES) {
      if (isZero(words, page / 4, (page + PAGE_BYTES) / 4)) continue;
      memory.write(to.addressAt(at + page), buffer.subarray(page, page + PAGE_BYTES));
    }
  }
}

/** A loop, and no method with a callback: whole objects go through here. */
function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (words[i] !== 0) return false;
  return true;
}
