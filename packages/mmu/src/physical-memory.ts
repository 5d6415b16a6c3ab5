/**
 * The physical address space of one device. Two kinds of memory answer: the page-table pages, which are one buffer,
 * and everything else, which is kept by a {@link PhysicalBacking}. Unless told otherwise that is a sparse map of pages that
 * appear when they are first stored to: memory that was never stored to reads as zero, so a buffer object of a gigabyte
 * costs nothing until it is used, and one page bound ten thousand times is still one page.
 */

import type { MmuCounters } from "./counters.ts";
import { mmuCounters } from "./counters.ts";
import { DataPages, type PhysicalBacking } from "./data-pages.ts";
import type { FrameOptions, FrameWatch } from "./frame-allocator.ts";
import { FrameAllocator, frameBytes, frameWindow } from "./frame-allocator.ts";
import { type KnownOptions, needKnownOptions } from "./known-options.ts";
import { LentFrames } from "./lent-frames.ts";
import type { TableOptions } from "./table-memory.ts";
import { TableMemory } from "./table-memory.ts";

/** The memory of a device. */
export interface PhysicalMemoryOptions extends TableOptions {
  /**
   * The limit of page-table memory in bytes: what a driver answers with ENOMEM behind. Page tables take nothing from the memory
   * of buffer objects unless a driver says so. Default: as much as `frames` has, since page tables are system memory.
   */
  tableLimitBytes?: number;
  /** Where buffer objects may be placed; the window of the page tables is always left out. */
  frames?: FrameOptions;
  /**
   * Where the bytes of data memory are kept; {@link DataPages} of its own unless given. Devices of one machine are given the
   * same one, and frames that do not overlap: then an address means the same to all of them.
   */
  backing?: PhysicalBacking;
  /**
   * For tests: page-table pages are poisoned when they are given back (`TableOptions.poison`), and to touch data memory of
   * `frames` that is not handed out is an error. Default false.
   */
  poison?: boolean;
}

const OPTIONS: KnownOptions<PhysicalMemoryOptions> = {
  tableBytes: true,
  tableBase: true,
  tableStride: true,
  tableLimitBytes: true,
  frames: true,
  backing: true,
  poison: true,
  counters: true,
};

/** Physical memory: page tables, and data at any address. */
export class PhysicalMemory {
  /** The page-table pages. */
  readonly tables: TableMemory;
  /** The memory of buffer objects. */
  readonly frames: FrameAllocator;
  /** Where the bytes of data memory are kept. */
  readonly backing: PhysicalBacking;
  /** The way to it, which tests watch. */
  readonly #data: PhysicalBacking;
  readonly #lent: LentFrames | null;
  /** The sheet that all parts count on. */
  readonly counters: MmuCounters;

  /**
   * @throws RangeError for options that there are not
   * @throws Error when the options do not describe a memory
   */
  constructor(options: PhysicalMemoryOptions = {}) {
    needKnownOptions("memory", options, OPTIONS);
    this.counters = options.counters ?? mmuCounters();
    this.backing = options.backing ?? new DataPages();
    this.#lent = options.poison ? new LentFrames(this.backing) : null;
    this.#data = this.#lent ?? this.backing;
    // Frames that cannot be are for the frame allocator to refuse.
    const tableLimitBytes = options.tableLimitBytes ?? Math.max(frameBytes(options.frames), 16384);
    this.tables = new TableMemory({ ...options, tableLimitBytes, counters: this.counters });
    const { base, limit } = frameWindow(options.frames);
    this.frames = new FrameAllocator(
      options.frames,
      { start: this.tables.base, end: this.tables.end },
      this.counters,
      this.watch(base, limit),
    );
  }

  /**
   * What an allocator of frames of this memory is to be told of: what comes back reads as zero from then on.
   *
   * @param base - first address that it hands out
   * @param limit - first address behind
   */
  watch(base: number, limit: number): FrameWatch {
    const lent = this.#lent;
    lent?.watch(base, limit);
    return {
      freed: ({ pa, bytes }) => {
        this.zero(pa, bytes);
        lent?.take(pa, bytes);
      },
      ...(lent && { lent: ({ pa, bytes }) => lent.lend(pa, bytes) }),
    };
  }

  /** Bytes of data memory that this process holds: what was really stored to, in pages. 0 with a backing elsewhere. */
  get residentBytes(): number {
    return this.backing instanceof DataPages ? this.backing.residentBytes : 0;
  }

  /**
   * Whether a range of data memory may hold anything but zeros: who moves an object's contents need not read what was never
   * stored to. True where a backing elsewhere knows.
   *
   * @param pa - first byte, clear of the window of the page tables
   * @param bytes - length
   */
  mayHoldData(pa: number, bytes: number): boolean {
    return !(this.backing instanceof DataPages) || this.backing.holds(pa, bytes);
  }

  /** Reads `into.length` bytes from physical address `pa`; memory never stored to reads as zero. */
  read(pa: number, into: Uint8Array): void {
    if (this.#isData(pa, into.length)) {
      this.#data.read(pa, into);
      return;
    }
    for (let done = 0; done < into.length; ) {
      const part = into.subarray(done, done + this.#untilSeam(pa + done, into.length - done));
      const slot = this.#slot(pa + done);
      if (slot < 0) this.#data.read(pa + done, part);
      else part.set(this.#table(slot, pa + done, part.length));
      done += part.length;
    }
  }

  /** Writes bytes to physical address `pa`, also into page tables. */
  write(pa: number, bytes: Uint8Array): void {
    if (this.#isData(pa, bytes.length)) {
      this.#data.write(pa, bytes);
      return;
    }
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + this.#untilSeam(pa + done, bytes.length - done));
      const slot = this.#slot(pa + done);
      if (slot < 0) this.#data.write(pa + done, part);
      else this.#ownTable(slot, pa + done, part.length).set(part);
      done += part.length;
    }
  }

  /** Makes `bytes` bytes from physical address `pa` read as zero, and discards the data among them. */
  zero(pa: number, bytes: number): void {
    if (this.#isData(pa, bytes)) {
      this.#data.discard(pa, bytes);
      return;
    }
    for (let done = 0; done < bytes; ) {
      const count = this.#untilSeam(pa + done, bytes - done);
      const slot = this.#slot(pa + done);
      if (slot < 0) this.#data.discard(pa + done, count);
      else this.#ownTable(slot, pa + done, count).fill(0);
      done += count;
    }
  }

  /** Whether a range is clear of the window of the page tables. */
  #isData(pa: number, bytes: number): boolean {
    return pa >= this.tables.end || pa + bytes <= this.tables.base;
  }

  /** How much of a range is of one kind: up to the window, the end of a table page, the next slot, or behind the window. */
  #untilSeam(pa: number, bytes: number): number {
    const { base, end, stride, pageBytes } = this.tables;
    if (pa < base) return Math.min(bytes, base - pa);
    if (pa >= end) return bytes;
    const inSlot = (pa - base) % stride;
    return Math.min(bytes, (inSlot < pageBytes ? pageBytes : stride) - inSlot);
  }

  /** The slot of a page-table page, -1 where there is none: data may lie between slots, and where no slot was used. */
  #slot(pa: number): number {
    const { tables } = this;
    if (pa < tables.base || pa >= tables.end) return -1;
    const inSlot = (pa - tables.base) % tables.stride;
    return inSlot < tables.pageBytes ? tables.slotAt(pa - inSlot) : -1;
  }

  /** Bytes of a page-table page, to be read. */
  #table(slot: number, pa: number, bytes: number): Uint8Array {
    const inSlot = pa - this.tables.address(slot);
    return this.tables.page(slot).subarray(inSlot, inSlot + bytes);
  }

  /** Bytes of a page-table page, to be written. */
  #ownTable(slot: number, pa: number, bytes: number): Uint8Array {
    this.tables.own(slot);
    return this.#table(slot, pa, bytes);
  }
}
