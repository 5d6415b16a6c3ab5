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
      const at = pa + done;
      const inPage = at % PAGE_BYTES;
      const count = Math.min(into.length - done, PAGE_BYTES - inPage);
      const page = this.#find(at - inPage);
      if (page === undefined) into.fill(0, done, done + count);
      else into.set(page.subarray(inPage, inPage + count), done);
      done += count;
    }
  }

  /** Writes bytes to physical address `pa`, also into page tables. */
  write(pa: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = pa + done;
      const inPage = at % PAGE_BYTES;
      const count = Math.min(bytes.length - done, PAGE_BYTES - inPage);
      const page = this.#find(at - inPage) ?? this.#create(at - inPage);
      page.set(bytes.subarray(done, done + count), inPage);
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
    if ((endWhole - firstWhole) / PAGE_BYTES <= this.#pages.size) {
      for (let page = firstWhole; page < endWhole; page += PAGE_BYTES) this.#pages.delete(page);
    } else {
      for (const page of this.#pages.keys())
        if (page >= firstWhole && page < endWhole) this.#pages.delete(page);
    }
  }

  /** Clears a part of one page, if the page exists. */
  #clear(start: number, end: number): void {
    if (start < end)
      this.#find(start - (start % PAGE_BYTES))?.fill(
        0,
        start % PAGE_BYTES,
        (start % PAGE_BYTES) + end - start,
      );
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
    return this.#pages.get(page);
  }

  #create(page: number): Uint8Array {
    const bytes = new Uint8Array(PAGE_BYTES);
    this.#pages.set(page, bytes);
    return bytes;
  }
}
