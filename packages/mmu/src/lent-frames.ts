/**
 * A backing for tests that knows which frames are handed out: an access to one that is not, before or after, is an error in
 * place of zeros. It sits in front of the backing that keeps the bytes.
 *
 * @module
 */

import { hexAddress } from "./address.ts";
import type { PhysicalBacking } from "./data-pages.ts";

const PAGE_BYTES = 4096;

/** Data memory of which only what is handed out may be touched. */
export class LentFrames implements PhysicalBacking {
  readonly #backing: PhysicalBacking;
  /** What allocators hand out of; memory outside belongs to somebody else. */
  readonly #windows: { start: number; end: number }[] = [];
  /** Numbers of the pages that are handed out. */
  readonly #lent = new Set<number>();

  /** @param backing - keeps the bytes */
  constructor(backing: PhysicalBacking) {
    this.#backing = backing;
  }

  /** From now on an allocator hands out of `[start, end)`, and says so with {@link LentFrames.lend}. */
  watch(start: number, end: number): void {
    this.#windows.push({ start, end });
  }

  /** Frames are handed out: `bytes` from address `pa`. */
  lend(pa: number, bytes: number): void {
    for (let at = pa; at < pa + bytes; at += PAGE_BYTES) this.#lent.add(at / PAGE_BYTES);
  }

  /** They are back. */
  take(pa: number, bytes: number): void {
    for (let at = pa; at < pa + bytes; at += PAGE_BYTES) this.#lent.delete(at / PAGE_BYTES);
  }

  /** See {@link PhysicalBacking.read}. @throws Error for memory that is not handed out */
  read(pa: number, out: Uint8Array): void {
    this.#check("read", pa, out.length);
    this.#backing.read(pa, out);
  }

  /** See {@link PhysicalBacking.write}. @throws Error for memory that is not handed out */
  write(pa: number, bytes: Uint8Array): void {
    this.#check("written", pa, bytes.length);
    this.#backing.write(pa, bytes);
  }

  /** See {@link PhysicalBacking.discard}. */
  discard(pa: number, bytes: number): void {
    this.#backing.discard(pa, bytes);
  }

  #check(what: string, pa: number, bytes: number): void {
    for (let at = pa - (pa % PAGE_BYTES); at < pa + bytes; at += PAGE_BYTES) {
      if (this.#lent.has(at / PAGE_BYTES) || !this.#windows.some(({ start, end }) => at >= start && at < end))
        continue;
      throw new Error(`freed-frame: data memory at ${hexAddress(at)} is ${what}, and is nobody's`);
    }
  }
}
