/**
 * The physical address space of one device. Two kinds of memory answer: the page-table pages, which are one buffer,
 * and everything else, which is a sparse map of 4 KiB pages that appear when they are first stored to. Memory that
 * was never stored to reads as zero, so a buffer object of a gigabyte costs nothing until it is used, and one page
 * bound ten thousand times is still one page.
 */

import type { MmuCounters } from "./counters.ts";
import { mmuCounters } from "./counters.ts";
import type { FrameOptions } from "./frame-allocator.ts";
import { FrameAllocator } from "./frame-allocator.ts";
import type { TableOptions } from "./table-memory.ts";
import { TableMemory } from "./table-memory.ts";

const PAGE_BYTES = 4096;

/** The memory of a device. */
export interface PhysicalMemoryOptions extends TableOptions {
  /** Where buffer objects may be placed; the window of the page tables is always left out. */
  frames?: FrameOptions;
}

/** Physical memory: page tables, and data at any address. */
export class PhysicalMemory {
  /** The page-table pages. */
  readonly tables: TableMemory;
  /** The memory of buffer objects. */
  readonly frames: FrameAllocator;
  /** The sheet that all parts count on. */
  readonly counters: MmuCounters;
  /** Data pages by page number: below 8 TiB a small integer, which a Map finds several times faster than a double. */
  readonly #pages = new Map<number, Uint8Array>();

  /** @throws Error when the options do not describe a memory. */
  constructor(options: PhysicalMemoryOptions = {}) {
    this.counters = options.counters ?? mmuCounters();
    this.tables = new TableMemory({ ...options, counters: this.counters });
    this.frames = new FrameAllocator(
      options.frames,
      { start: this.tables.base, end: this.tables.end },
      this.counters,
      ({ pa, bytes }) => this.zero(pa, bytes),
    );
  }

  /** Bytes of data memory that the host holds: what was really stored to, in pages. */
  get residentBytes(): number {
    return this.#pages.size * PAGE_BYTES;
  }

  /** Reads `into.length` bytes from physical address `pa`; memory never stored to reads as zero. */
  read(pa: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const inPage = offsetInPage(pa + done);
      const count = Math.min(into.length - done, PAGE_BYTES - inPage);
      const page = this.#find(pa + done - inPage);
      if (page === undefined) into.fill(0, done, done + count);
      else copy(page, inPage, into, done, count);
      done += count;
    }
  }

  /** Writes bytes to physical address `pa`, also into page tables. */
  write(pa: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const inPage = offsetInPage(pa + done);
      const count = Math.min(bytes.length - done, PAGE_BYTES - inPage);
      const start = pa + done - inPage;
      copy(bytes, done, this.#find(start) ?? this.#create(start), inPage, count);
      done += count;
    }
  }

  /** Makes `bytes` bytes from physical address `pa` read as zero, and drops the data pages that lie wholly inside. */
  zero(pa: number, bytes: number): void {
    const end = pa + bytes;
    const firstWhole = Math.ceil(pa / PAGE_BYTES) * PAGE_BYTES;
    const endWhole = Math.floor(end / PAGE_BYTES) * PAGE_BYTES;
    if (firstWhole > endWhole) {
      this.#clear(pa, end);
      return;
    }
    this.#clear(pa, firstWhole);
    this.#clear(endWhole, end);
    if (firstWhole < this.tables.end && endWhole > this.tables.base) {
      for (let page = firstWhole; page < endWhole; page += PAGE_BYTES) this.#clear(page, page + PAGE_BYTES);
    }
    // The cheaper of two scans: the range, or the pages that exist.
    const first = firstWhole / PAGE_BYTES;
    const last = endWhole / PAGE_BYTES;
    if (last - first <= this.#pages.size) {
      for (let number = first; number < last; number++) this.#pages.delete(number);
    } else {
      for (const number of this.#pages.keys()) {
        if (number >= first && number < last) this.#pages.delete(number);
      }
    }
  }

  /** Clears a part of one page, if the page exists. */
  #clear(start: number, end: number): void {
    const inPage = offsetInPage(start);
    if (start < end) this.#find(start - inPage)?.fill(0, inPage, inPage + end - start);
  }

  #find(page: number): Uint8Array | undefined {
    const tables = this.tables;
    if (page >= tables.base && page < tables.end) {
      const inSlot = (page - tables.base) % tables.stride;
      const slot = tables.slotAt(page - inSlot);
      if (slot >= 0 && inSlot < tables.pageBytes) {
        const start = slot * tables.pageBytes + inSlot;
        return tables.bytes.subarray(start, start + PAGE_BYTES);
      }
    }
    return this.#pages.get(page / PAGE_BYTES);
  }

  #create(page: number): Uint8Array {
    const bytes = new Uint8Array(PAGE_BYTES);
    this.#pages.set(page / PAGE_BYTES, bytes);
    return bytes;
  }
}

/** The low bits are exact for every address that a number holds. */
function offsetInPage(pa: number): number {
  return pa & (PAGE_BYTES - 1);
}

/** A word is cheaper to copy byte by byte than to make two views for. */
function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, count: number): void {
  if (count <= 8) for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i] as number;
  else to.set(from.subarray(fromAt, fromAt + count), toAt);
}
