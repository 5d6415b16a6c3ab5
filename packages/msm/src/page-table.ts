/**
 * The page table of a VM that user space manages, as `msm_iommu.c` drives io-pgtable (Linux 7.3-rc7): ARM_64_LPAE_S1 with pages
 * of 4 KiB and nothing larger, so that any part of any mapping can go without its neighbours being touched.
 *
 * Three operations, each on a whole range:
 *
 * | operation | io-pgtable calls | TLB |
 * |---|---|---|
 * | map an object | one for each piece of a segment in each 2 MiB | nothing |
 * | map the partially resident region | one a page, always the same page | nothing |
 * | unmap | one for each run of entries in each 2 MiB | the whole ASID, once |
 *
 * Calls are counted one by one; entries that end up equal or consecutive are written as runs.
 *
 * @module
 */

import { EEXIST, ENOMEM, ERANGE, hex } from "@vmbind/drm";
import {
  addressHi,
  addressLo,
  clearEntries,
  clearFilled,
  emptyRun,
  lpaeLeafHi,
  lpaeLeafLo,
  type PhysicalMemory,
  type ScatterList,
  type Tlb,
  writeAscending,
  writeRepeated,
} from "@vmbind/mmu";
import type { MsmCounters } from "./cost-sheet.ts";
import { TableTree } from "./table-tree.ts";

/** Bytes of a page, the only leaf that there is. */
export const PAGE_BYTES = 4096;

/** The one ASID of all contexts (`msm_iommu.c`): each has its own tables, the TLB does not tell them apart. */
export const SHARED_ASID = 0;

const ENTRIES = 512;

/** One page table. */
export class PageTable extends TableTree {
  readonly #tlb: Tlb;
  readonly #inputEnd: number;
  readonly #outputEnd: number;
  /** Leaf attributes by io-pgtable protection: read 1, write 2, cache 4. */
  readonly #leafLo: Int32Array = Int32Array.from({ length: 8 }, (_, prot) => lpaeLeafLo(3, prot));
  readonly #leafHi: number = lpaeLeafHi(0);
  #mapped = 0;
  #alive = true;

  /** Why the last map that failed did: the place, and what was met there. */
  refusal = "";

  /**
   * @param memory - where tables live
   * @param counters - cost sheet
   * @param tlb - the GPU's TLB
   * @param ias - input address bits
   * @param oas - output address bits
   * @param coherent - whether the walker snoops the CPU's caches
   * @throws `OutOfTables` without a page for the root
   */
  constructor(
    memory: PhysicalMemory,
    counters: MsmCounters,
    tlb: Tlb,
    ias: number,
    oas: number,
    coherent: boolean,
  ) {
    super(memory, counters, ias, coherent);
    this.#tlb = tlb;
    this.#inputEnd = 2 ** ias;
    this.#outputEnd = 2 ** oas;
  }

  /**
   * Map a range of an object.
   *
   * @param iova - first address in bytes
   * @param range - bytes
   * @param list - the object's physical segments, which hold all of the range
   * @param offset - byte offset into the object
   * @param prot - IOMMU_READ, IOMMU_WRITE, IOMMU_CACHE
   * @returns whether it is mapped; when not, nothing of it is, and {@link PageTable.refusal} says why
   */
  map(iova: number, range: number, list: ScatterList, offset: number, prot: number): boolean {
    this.counters.ptMaps++;
    let segment = list.count === 1 ? 0 : list.segmentAt(offset);
    if (segment < 0) return true;
    let skip = offset - (list.offset[segment] as number);
    const lo = this.#leafLo[prot] as number;
    let va = iova;
    let left = range;
    while (left > 0 && segment < list.count) {
      const lone = list.bytes[segment] === PAGE_BYTES ? this.#mapLonePages(va, left, list, segment, lo) : 0;
      if (lone > 0) {
        va += lone * PAGE_BYTES;
        left -= lone * PAGE_BYTES;
        segment += lone;
        continue;
      }
      let pa = (list.pa[segment] as number) + skip;
      let bytes = Math.min((list.bytes[segment] as number) - skip, left);
      skip = 0;
      left -= bytes;
      segment++;
      while (bytes > 0) {
        this.counters.ioMapCalls++;
        const ret = this.#mapLeaves(va, pa, bytes / PAGE_BYTES, lo);
        if (ret !== 0) return this.#giveUp(ret, va, pa, iova);
        const mapped = this.#mapped;
        va += mapped;
        pa += mapped;
        bytes -= mapped;
      }
    }
    return true;
  }

  /**
   * Map calls of one page each, for segments that are no longer, as far as one table reaches and nothing is in the way.
   *
   * @returns how many; 0 leaves the first one to {@link PageTable.#mapLeaves}, which knows why
   */
  #mapLonePages(va: number, bytes: number, list: ScatterList, segment: number, lo: number): number {
    const { pa: addresses, bytes: lengths } = list;
    const end = this.#outputEnd;
    if (va >= this.#inputEnd || (addresses[segment] as number) >= end) return 0;
    const slot = this.level3(va, false);
    if (slot < 0) return 0;
    const { words } = this.tables;
    const hi = this.#leafHi;
    const first = (va >>> 12) & 511;
    const most = Math.min(bytes / PAGE_BYTES, ENTRIES - first, list.count - segment);
    let at = (slot * ENTRIES + first) * 2;
    let n = 0;
    for (; n < most && lengths[segment + n] === PAGE_BYTES && words[at] === 0; n++, at += 2) {
      const pa = addresses[segment + n] as number;
      if (pa >= end) break;
      words[at] = addressLo(pa) | lo;
      words[at + 1] = addressHi(pa) | hi;
    }
    const { counters, leaves } = this;
    counters.ioMapCalls += n;
    counters.pteWrites += n;
    leaves[slot] = (leaves[slot] as number) + n;
    this.clean(n, n * 8);
    return n;
  }

  /**
   * Map a range to one page over and over: the partially resident region.
   *
   * @param iova - first address in bytes
   * @param range - bytes
   * @param pa - physical address of the page
   * @param prot - IOMMU_READ, IOMMU_WRITE
   * @returns as {@link PageTable.map}
   */
  mapSamePage(iova: number, range: number, pa: number, prot: number): boolean {
    this.counters.ptMaps++;
    const { counters, tables } = this;
    const entryLo = addressLo(pa) | (this.#leafLo[prot] as number);
    const entryHi = addressHi(pa) | this.#leafHi;
    const end = iova + range;
    for (let va = iova; va < end; ) {
      if (va >= this.#inputEnd || pa >= this.#outputEnd) return this.#refused(-ERANGE, va, pa, iova);
      const first = (va >>> 12) & 511;
      const n = Math.min((end - va) / PAGE_BYTES, ENTRIES - first);
      const slot = this.level3(va, n === ENTRIES);
      if (slot < 0) return this.#refused(-ENOMEM, va, pa, iova);
      const held = this.leaves[slot] as number;
      const free = held === 0 ? n : emptyRun(tables.words, (slot * ENTRIES + first) * 2, n);
      if (free > 0) {
        writeRepeated(tables, slot, first, free, entryLo, entryHi);
        this.leaves[slot] = held + free;
        counters.ioMapCalls += free;
        this.clean(free, free * 8);
        va += free * PAGE_BYTES;
      }
      if (free < n) return this.#refused(-EEXIST, va, pa, iova);
    }
    return true;
  }

  #refused(ret: number, va: number, pa: number, iova: number): boolean {
    this.counters.ioMapCalls++;
    return this.#giveUp(ret, va, pa, iova);
  }

  /** One map call: as many of `count` pages as the table of the first one holds. 0, -ERANGE, -EEXIST or -ENOMEM. */
  #mapLeaves(va: number, pa: number, count: number, lo: number): number {
    if (va >= this.#inputEnd || pa >= this.#outputEnd) return -ERANGE;
    const { tables } = this;
    const first = (va >>> 12) & 511;
    const n = Math.min(count, ENTRIES - first);
    const slot = this.level3(va, n === ENTRIES);
    if (slot < 0) return -ENOMEM;
    const entryLo = addressLo(pa) | lo;
    const entryHi = addressHi(pa) | this.#leafHi;
    const at = (slot * ENTRIES + first) * 2;
    const { words } = tables;
    const { leaves } = this;
    const held = leaves[slot] as number;
    if (n === 1) {
      // One page at a time is the slowest way to map, so it is kept short.
      if (words[at] !== 0) return -EEXIST;
      words[at] = entryLo;
      words[at + 1] = entryHi;
      this.counters.pteWrites++;
    } else {
      if (held !== 0 && emptyRun(words, at, n) !== n) return -EEXIST;
      writeAscending(tables, slot, first, n, entryLo, entryHi, PAGE_BYTES);
    }
    leaves[slot] = held + n;
    this.clean(1, n * 8);
    this.#mapped = n * PAGE_BYTES;
    return 0;
  }

  /** A call failed: what the operation mapped goes again. */
  #giveUp(ret: number, va: number, pa: number, iova: number): boolean {
    const at = `page table: at ${hex(va)}`;
    if (ret === -ERANGE) this.refusal = `${at}, physical ${hex(pa)} or the address is out of range`;
    else this.refusal = `${at}, ${ret === -EEXIST ? "an entry is in use" : "no table is left"}`;
    this.#clear(iova, va - iova);
    return false;
  }

  /**
   * Unmap a range, and invalidate the whole ASID, also for a range of 0. What is not mapped in it is passed over, page by page.
   *
   * @param iova - first address in bytes
   * @param range - bytes
   * @returns whether all of it was mapped
   */
  unmap(iova: number, range: number): boolean {
    this.counters.ptUnmaps++;
    return this.#clear(iova, range);
  }

  #clear(iova: number, range: number): boolean {
    const { tables, counters } = this;
    const end = iova + range;
    let whole = true;
    for (let va = iova; va < end; ) {
      const slot = this.findLevel3(va);
      if (slot < 0) {
        // Page by page: as many calls as there are pages, and none of them finds anything.
        const until = Math.min(end, this.missingUntil);
        counters.ioUnmapCalls += (until - va) / PAGE_BYTES;
        whole = false;
        va = until;
        continue;
      }
      const first = (va >>> 12) & 511;
      // `| 0` says that it is an integer: the engine would convert what it is compared with in each turn of a loop.
      const most = Math.min((end - va) / PAGE_BYTES, ENTRIES - first) | 0;
      const held = this.leaves[slot] as number;
      let filled = most;
      if (held === ENTRIES) clearEntries(tables, slot, first, most);
      else filled = held === 0 ? 0 : clearFilled(tables, slot, first, most);
      if (filled > 0) {
        counters.ioUnmapCalls++;
        this.leaves[slot] = held - filled;
        this.clean(1, filled * 8);
        va += filled * PAGE_BYTES;
      } else {
        const empty = held === 0 ? most : emptyRun(tables.words, (slot * ENTRIES + first) * 2, most);
        counters.ioUnmapCalls += empty;
        whole = false;
        va += empty * PAGE_BYTES;
      }
    }
    this.#tlb.invalidateAll(SHARED_ASID);
    return whole;
  }

  /** Free all tables, and invalidate once more. The VM is gone. */
  destroy(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.freeAll();
    this.#tlb.invalidateAll(SHARED_ASID);
  }
}
