/**
 * Panthor's own part of the page table: which leaf sizes, how many io-pgtable calls, and what to do when one fails
 * (`panthor_mmu.c`).
 *
 * A block is used exactly where address and physical address are both multiples of 2 MiB and at least 2 MiB of the
 * physical segment are left. A sparse range takes the byte at `va` from byte `va mod 2 MiB` of the dummy object, so a
 * whole chunk is one block if the dummy is one huge page, and 512 pages in a table of its own if it is not.
 *
 * ```text
 *             2M                2M                2M
 * va     |....[pages]|[   block   ]|[   block   ]|[pages]...|
 * dummy       ^ va mod 2M   0..2M         0..2M    0..
 * ```
 *
 * The calls are counted one by one; entries that end up equal or consecutive are written as runs.
 *
 * @module
 */

import { ENOMEM, remainder } from "@vmbind/drm";
import { GPUVA_REPEAT, GPUVA_SPARSE, type MapStep } from "@vmbind/gpuvm-core";
import {
  addressHi,
  addressLo,
  lpaeLeafHi,
  lpaeLeafLo,
  type PhysicalMemory,
  type ScatterList,
} from "@vmbind/mmu";
import { type ChunkImage, chunkImage } from "./chunk-image.ts";
import type { PanthorCounters } from "./cost-sheet.ts";
import { mapProblem, protOf } from "./io-pgtable.ts";
import { IoPgtableBatch } from "./io-pgtable-batch.ts";
import * as sizes from "./page-sizes.ts";
import type { PanthorQuirks } from "./quirks.ts";

// Copies, as in `io-pgtable.ts`.
const { BLOCK_2M, PAGE_BYTES, pick } = sizes;
const GIB = 0x40000000;

/** The page table of one VM. */
export class PageTable {
  readonly #counters: PanthorCounters;
  readonly #quirks: PanthorQuirks;
  readonly #pageLo = new Int32Array(8);
  readonly #blockLo = new Int32Array(8);
  readonly #hi = new Int32Array(8);
  readonly #outputEnd: number;
  #image: ChunkImage | null = null;

  /** The table itself. */
  readonly io: IoPgtableBatch;
  /** A page-table call failed: the VM must not be used any more. */
  broken = false;
  /** Why the last map that failed did: the place in the table, and what was met there. */
  refusal = "";

  /**
   * @param memory - where tables live
   * @param counters - cost sheet
   * @param quirks - named defects
   * @param vaBits - input address bits
   * @param paBits - output address bits
   * @param coherent - whether the walker snoops the CPU's caches
   */
  constructor(
    memory: PhysicalMemory,
    counters: PanthorCounters,
    quirks: PanthorQuirks,
    vaBits: number,
    paBits: number,
    coherent: boolean,
  ) {
    this.#counters = counters;
    this.#quirks = quirks;
    this.#outputEnd = 2 ** paBits;
    this.io = new IoPgtableBatch(memory, counters, vaBits, paBits, coherent);
    for (let flags = 0; flags < 8; flags++) {
      const prot = protOf(flags);
      this.#pageLo[flags] = lpaeLeafLo(3, prot);
      this.#blockLo[flags] = lpaeLeafLo(2, prot);
      this.#hi[flags] = lpaeLeafHi(prot);
    }
  }

  /**
   * Map a range of an object, or of its repeated window, or of the dummy.
   *
   * @param kind - gpuva flags: GPUVA_SPARSE, GPUVA_REPEAT or neither
   * @param flags - READONLY, NOEXEC, UNCACHED of the operation
   * @param va - first address in bytes
   * @param size - bytes
   * @param list - the object's physical segments
   * @param offset - byte offset into the object; not looked at for a sparse range
   * @param window - bytes that repeat
   * @param phase - byte of the window that the range begins with
   * @returns 0 or a negative errno; then nothing of the range is left mapped and the table is broken
   */
  map(
    kind: number,
    flags: number,
    va: number,
    size: number,
    list: ScatterList,
    offset: number,
    window: number,
    phase: number,
  ): number {
    if ((kind & GPUVA_SPARSE) !== 0) return this.mapSparse(flags & 7, va, size, list);
    if ((kind & GPUVA_REPEAT) !== 0) return this.#mapRepeat(flags & 7, va, size, list, offset, window, phase);
    return this.#mapPages(flags & 7, va, size, list, offset);
  }

  /**
   * {@link PageTable.map} for a step of GPUVM. Whole steps are passed rather than eight numbers, because large numbers
   * that cross a call are boxed.
   *
   * @param step - range, kind and place in the object
   * @param flags - READONLY, NOEXEC, UNCACHED of the operation
   * @param list - the object's physical segments
   * @returns as {@link PageTable.map}
   */
  mapStep(step: MapStep, flags: number, list: ScatterList): number {
    if ((step.flags & (GPUVA_SPARSE | GPUVA_REPEAT)) === 0) {
      return this.#mapPages(flags & 7, step.addr, step.range, list, step.offset);
    }
    return this.map(step.flags, flags, step.addr, step.range, list, step.offset, step.gemRange, step.phase);
  }

  #mapPages(flags: number, va: number, size: number, list: ScatterList, offset: number): number {
    const { io } = this;
    const start = va;
    const hi = this.#hi[flags] as number;
    let segment = list.count === 1 ? 0 : list.segmentAt(offset);
    // A list that is too short leaves the rest unmapped without an error, as in the kernel.
    if (segment < 0) return 0;
    let skip = offset - (list.offset[segment] as number);
    for (let left = size; left > 0 && segment < list.count; segment++) {
      let pa = (list.pa[segment] as number) + skip;
      const available = (list.bytes[segment] as number) - skip;
      skip = 0;
      let bytes = Math.min(available, left);
      left -= bytes;
      while (bytes > 0) {
        const n = pick((va | pa) & (GIB - 1), bytes);
        this.#counters.ioMapCalls++;
        let ret =
          n < 0
            ? io.mapBlocks(va, pa, -n, this.#blockLo[flags] as number, hi)
            : io.mapLeaves(va, pa, n, this.#pageLo[flags] as number, hi);
        const { mapped } = io;
        va += mapped;
        pa += mapped;
        bytes -= mapped;
        if (ret === 0 && mapped === 0) ret = -ENOMEM;
        if (ret !== 0) {
          this.refusal = mapProblem(ret, va, pa, n);
          return this.#giveUp(ret, start, va - start);
        }
      }
    }
    return 0;
  }

  /**
   * How many leaves of one size fit behind one another into what is there of the table: what is mapped to each with
   * {@link PageTable.mapSame}.
   *
   * @param va - first address in bytes, a multiple of `size`
   * @param size - bytes of a leaf
   * @param count - how many there are to be
   * @param pa - what each shows: a physical address in bytes
   * @returns how many, before the first entry that is not empty and before the end of the table; 0 also where a call would fail
   */
  roomFor(va: number, size: number, count: number, pa: number): number {
    return pa < this.#outputEnd ? this.io.freeLeaves(va, size, count) : 0;
  }

  /**
   * Map the same leaf again and again: what as many calls of {@link PageTable.map} come to.
   *
   * @param flags - READONLY, NOEXEC, UNCACHED of the operation
   * @param va - first address in bytes
   * @param size - bytes of the leaf
   * @param count - at most {@link PageTable.roomFor}
   * @param pa - what it shows: a physical address in bytes
   */
  mapSame(flags: number, va: number, size: number, count: number, pa: number): void {
    const lo = (size === PAGE_BYTES ? this.#pageLo : this.#blockLo)[flags & 7] as number;
    this.io.mapSameLeaf(va, size, pa, count, lo, this.#hi[flags & 7] as number);
    this.#counters.ioMapCalls += count;
  }

  /**
   * Unmap to the end of a 2 MiB chunk, and map what was behind a cut in pages as before: those stay where they are here.
   *
   * @param flags - READONLY, NOEXEC, UNCACHED of what is behind the cut
   * @param va - first address in bytes
   * @param cutEnd - first address behind the cut
   * @param end - end of the chunk
   * @param list - physical segments of the object behind the cut, or of the dummy
   * @param offset - byte of it at `cutEnd`
   * @returns whether it was done; it is left to the two where they do more than that
   */
  unmapInFront(
    flags: number,
    va: number,
    cutEnd: number,
    end: number,
    list: ScatterList,
    offset: number,
  ): boolean {
    if (this.broken || (va & (BLOCK_2M - 1)) === 0 || end - va >= BLOCK_2M) return false;
    const segment = list.count === 1 ? 0 : list.segmentAt(offset);
    if (segment < 0) return false;
    const skip = offset - (list.offset[segment] as number);
    const pa = (list.pa[segment] as number) + skip;
    const kept = end - cutEnd;
    if ((list.bytes[segment] as number) - skip < kept) return false;
    // One map call reaches as far as VA and memory are aligned alike.
    if (((pa ^ cutEnd) & (BLOCK_2M - 1)) !== 0) return false;
    const lo = addressLo(pa) | (this.#pageLo[flags & 7] as number);
    const hi = addressHi(pa) | (this.#hi[flags & 7] as number);
    if (!this.io.unmapInFront(va, (cutEnd - va) / PAGE_BYTES, kept / PAGE_BYTES, lo, hi)) return false;
    this.#counters.ioUnmapCalls++;
    this.#counters.ioMapCalls++;
    return true;
  }

  /** A map failed: drop what it mapped, declare the table broken. */
  #giveUp(ret: number, start: number, bytes: number): number {
    this.#counters.kernelWarnings++;
    this.unmap(start, bytes);
    this.broken = true;
    return ret;
  }

  /**
   * Map a sparse range, or what a cut leaves of one. A what-if may put other leaves of the same sizes in the dummy's place.
   *
   * @param flags - READONLY, NOEXEC, UNCACHED of the operation
   * @param va - first address in bytes
   * @param size - bytes
   * @param dummy - the dummy's physical segments
   * @returns 0 or a negative errno; then nothing of the range is left mapped
   */
  protected mapSparse(flags: number, va: number, size: number, dummy: ScatterList): number {
    const end = va + size;
    const wholeBlock = dummy.count === 1 && ((dummy.pa[0] as number) & (BLOCK_2M - 1)) === 0;
    for (let at = va; at < end; ) {
      const phase = at & (BLOCK_2M - 1);
      if (phase === 0 && end - at >= BLOCK_2M) {
        const done = wholeBlock
          ? this.#mapSameBlocks(flags, at, end, dummy.pa[0] as number)
          : this.#mapDummyChunk(flags, at, dummy);
        if (done > 0) {
          at += done;
          continue;
        }
      }
      const left = end - at;
      const toBlock = BLOCK_2M - phase;
      const bytes = Math.min(left, toBlock);
      const ret = this.#mapPages(flags, at, bytes, dummy, phase);
      if (ret !== 0) {
        this.unmap(va, at - va);
        return ret;
      }
      at += bytes;
    }
    return 0;
  }

  /** One block over and over, one call each. Bytes mapped; 0 leaves the chunk to the general way. */
  #mapSameBlocks(flags: number, va: number, end: number, pa: number): number {
    const calls = Math.floor((end - va) / BLOCK_2M);
    if (calls === 0 || ((va | pa) & (BLOCK_2M - 1)) !== 0 || pa >= this.#outputEnd) return 0;
    const n = this.io.mapSameBlock(va, pa, calls, this.#blockLo[flags] as number, this.#hi[flags] as number);
    if (n <= 0) return 0;
    this.#counters.ioMapCalls += n;
    return n * BLOCK_2M;
  }

  /** A whole chunk of a fragmented dummy as one table. Bytes mapped; 0 leaves the chunk to the general way. */
  #mapDummyChunk(flags: number, va: number, dummy: ScatterList): number {
    let image = this.#image;
    if (image?.list !== dummy || image.prot !== flags) {
      const lo = this.#pageLo[flags] as number;
      image = chunkImage(dummy, flags, lo, this.#hi[flags] as number, this.#outputEnd);
      if (image !== null) this.#image = image;
    }
    if (image === null || !this.io.mapChunk(va, image.entries, image.calls)) return 0;
    this.#counters.ioMapCalls += image.calls;
    return BLOCK_2M;
  }

  #mapRepeat(
    flags: number,
    va: number,
    size: number,
    list: ScatterList,
    offset: number,
    window: number,
    phase: number,
  ): number {
    if (window === PAGE_BYTES) return this.#mapRepeatedPage(flags, va, size, list, offset);
    let done = 0;
    const inOnePiece = window === BLOCK_2M && list.count === 1 && offset + BLOCK_2M <= list.totalBytes;
    const end = this.#quirks.repeatWholeWindows ? Math.floor(size / window) * window : size;
    while (done < end) {
      const from = remainder(phase + done, window);
      if (inOnePiece && from === 0) {
        const blocks = this.#mapSameBlocks(flags, va + done, va + end, (list.pa[0] as number) + offset);
        if (blocks > 0) {
          done += blocks;
          continue;
        }
      }
      const bytes = Math.min(window - from, end - done);
      const ret = this.#mapPages(flags, va + done, bytes, list, offset + from);
      if (ret !== 0) {
        this.#rollBackRepeat(va, done, window);
        return ret;
      }
      done += bytes;
    }
    return 0;
  }

  #rollBackRepeat(va: number, done: number, window: number): void {
    if (!this.#quirks.repeatRollback) this.unmap(va, done);
    else if (done >= window) this.unmap(va, done - window);
    else this.#counters.kernelWarnings++;
  }

  /** One page over and over: one call per page, one run of equal entries per table. */
  #mapRepeatedPage(flags: number, va: number, size: number, list: ScatterList, offset: number): number {
    const pa = list.addressAt(offset);
    const end = va + size;
    for (let at = va; at < end; ) {
      const calls = (end - at) / PAGE_BYTES;
      const n = this.io.mapSamePage(at, pa, calls, this.#pageLo[flags] as number, this.#hi[flags] as number);
      if (n < 0) {
        this.#counters.ioMapCalls++;
        this.refusal = mapProblem(n, at, pa, 1);
        this.#giveUp(n, at, 0);
        this.#rollBackRepeat(va, at - va, PAGE_BYTES);
        return n;
      }
      this.#counters.ioMapCalls += n;
      at += n * PAGE_BYTES;
    }
    return 0;
  }

  /**
   * Unmap pages that are mapped one by one: what as many calls of {@link PageTable.unmap} come to.
   *
   * @param va - address of the first in bytes
   * @param count - pages
   */
  unmapPages(va: number, count: number): void {
    for (let done = 0; done < count; ) {
      const at = va + done * PAGE_BYTES;
      const n = this.io.unmapEach(at, count - done);
      this.#counters.ioUnmapCalls += n;
      // What is not there is a matter for a call that fails.
      if (n === 0) this.unmap(at, PAGE_BYTES);
      done += n === 0 ? 1 : n;
    }
  }

  /**
   * Unmap a range that is mapped throughout. Never fails; what cannot be unmapped stays and breaks the table.
   *
   * @param va - first address in bytes
   * @param size - bytes
   */
  unmap(va: number, size: number): void {
    const { io } = this;
    for (let done = 0; done < size; ) {
      const at = va + done;
      const n = pick(at & (GIB - 1), size - done);
      const asked = n < 0 ? -n * BLOCK_2M : n * PAGE_BYTES;
      this.#counters.ioUnmapCalls++;
      let unmapped = n < 0 ? io.unmapBlocks(at, -n) : io.unmapLeaves(at, n);
      if (unmapped !== asked) {
        this.#counters.kernelWarnings++;
        const scanFrom = this.#quirks.recoveryScanFromStart ? va : at;
        while (unmapped < asked && io.iovaToPhys(scanFrom + unmapped) === 0) unmapped += PAGE_BYTES;
        this.broken = true;
        if (unmapped === 0) {
          this.#counters.kernelWarnings++;
          return;
        }
      }
      done += unmapped;
    }
  }
}
