/**
 * io-pgtable as Panthor configures it: ARM_64_LPAE_S1, 4 KiB granule, leaves of 4 KiB and 2 MiB (`io-pgtable-arm.c`,
 * Linux 7.3-rc7).
 *
 * One call maps or unmaps leaves of one size inside one table. Maps never overwrite: an entry that holds a leaf is
 * EEXIST. A 4 KiB unmap inside a 2 MiB block is refused, blocks are not split here. A 2 MiB unmap over a level-3 table
 * drops the table with whatever it holds.
 *
 * @module
 */

import { EEXIST, EINVAL, ENOMEM, ERANGE, hex } from "@vmbind/drm";
import {
  addressHi,
  addressLo,
  blockRun,
  clearEntries,
  emptyRun,
  filledRun,
  IOMMU_CACHE,
  IOMMU_NOEXEC,
  IOMMU_READ,
  IOMMU_WRITE,
  lpaeLeafHi,
  lpaeLeafLo,
  type PhysicalMemory,
  writeAscending,
} from "@vmbind/mmu";
import type { PanthorCounters } from "./cost-sheet.ts";
import * as sizes from "./page-sizes.ts";
import { TableTree } from "./table-tree.ts";
import { MAP_NOEXEC, MAP_READONLY, MAP_UNCACHED } from "./uapi.ts";

// Constants of the hot paths are the module's own: an imported one is read from memory and checked at every use.
const { BLOCK_2M, PAGE_BYTES } = sizes;
const ENTRIES = 512;
const TYPE_MASK = 3;
const TYPE_BLOCK = 1;
const TYPE_TABLE = 3;
const ADDRESS_LO = ~0xfff;
const ADDRESS_HI = 0xffff;
const TWO_32 = 4294967296;

/** Word of an entry. */
function wordOf(slot: number, index: number): number {
  return (slot * ENTRIES + index) * 2;
}

/** One page table, written by the calls that the kernel makes. */
export class IoPgtable extends TableTree {
  /** First input address out of range. @internal */
  protected readonly inputEnd: number;
  /** First output address out of range. @internal */
  protected readonly outputEnd: number;

  /** Bytes that the last map call mapped. */
  mapped = 0;

  /**
   * @param memory - where tables live
   * @param counters - cost sheet
   * @param ias - input address bits, 22..48
   * @param oas - output address bits
   * @param coherent - whether the walker snoops the CPU's caches; if not, every write is followed by a cache clean
   */
  constructor(
    memory: PhysicalMemory,
    counters: PanthorCounters,
    ias: number,
    oas: number,
    coherent: boolean,
  ) {
    super(memory, counters, ias, coherent);
    this.inputEnd = 2 ** ias;
    this.outputEnd = 2 ** oas;
  }

  /**
   * One io-pgtable map call with all its checks (`map_pages`).
   *
   * @param va - first address in bytes
   * @param pa - first physical address in bytes
   * @param pgsize - bytes of a leaf
   * @param count - leaves; what lies beyond the table of the first one is not mapped
   * @param prot - IOMMU_ bits
   * @returns 0, -EINVAL, -ERANGE, -EEXIST or -ENOMEM; {@link IoPgtable.mapped} tells how far it came
   */
  mapPages(va: number, pa: number, pgsize: number, count: number, prot: number): number {
    this.mapped = 0;
    if (pgsize !== PAGE_BYTES && pgsize !== BLOCK_2M) {
      this.counters.kernelWarnings++;
      return -EINVAL;
    }
    if ((prot & (IOMMU_READ | IOMMU_WRITE)) === 0 && va < this.inputEnd && pa < this.outputEnd)
      return -EINVAL;
    return pgsize === BLOCK_2M
      ? this.mapBlocks(va, pa, count, lpaeLeafLo(2, prot), lpaeLeafHi(prot))
      : this.mapLeaves(va, pa, count, lpaeLeafLo(3, prot), lpaeLeafHi(prot));
  }

  /**
   * One io-pgtable unmap call with all its checks (`unmap_pages`).
   *
   * @param va - first address in bytes
   * @param pgsize - bytes of a leaf
   * @param count - leaves
   * @returns bytes unmapped
   */
  unmapPages(va: number, pgsize: number, count: number): number {
    if ((pgsize !== PAGE_BYTES && pgsize !== BLOCK_2M) || count === 0 || va >= this.inputEnd) {
      this.counters.kernelWarnings++;
      return 0;
    }
    return pgsize === BLOCK_2M ? this.unmapBlocks(va, count) : this.unmapLeaves(va, count);
  }

  /**
   * Map call for 4 KiB pages.
   *
   * @param va - first address in bytes
   * @param pa - first physical address in bytes
   * @param count - pages
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns 0, -ERANGE, -EEXIST or -ENOMEM
   */
  mapLeaves(va: number, pa: number, count: number, lo: number, hi: number): number {
    this.mapped = 0;
    if (va >= this.inputEnd || pa >= this.outputEnd) return this.warn(-ERANGE);
    const first = (va >>> 12) & 511;
    const n = Math.min(count, ENTRIES - first);
    const l3 = this.level3(va, n === ENTRIES);
    if (l3 < 0) return l3;
    const entryLo = addressLo(pa) | lo;
    const entryHi = addressHi(pa) | hi;
    if (n === 1) {
      // One page at a time is the slowest way to map, so it is kept short.
      const { words } = this.tables;
      const at = wordOf(l3, first);
      if (words[at] !== 0) return this.warn(-EEXIST);
      words[at] = entryLo;
      words[at + 1] = entryHi;
      this.counters.pteWrites++;
    } else {
      if (!this.fresh && emptyRun(this.tables.words, wordOf(l3, first), n) !== n) return this.warn(-EEXIST);
      if (n > 0) writeAscending(this.tables, l3, first, n, entryLo, entryHi, PAGE_BYTES);
    }
    this.clean(1, n * 8);
    this.mapped = n * PAGE_BYTES;
    return 0;
  }

  /**
   * Map call for 2 MiB blocks. A level-3 table in the way is dropped with what it holds.
   *
   * @param va - first address in bytes
   * @param pa - first physical address in bytes
   * @param count - blocks
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns 0, -ERANGE, -EEXIST or -ENOMEM
   */
  mapBlocks(va: number, pa: number, count: number, lo: number, hi: number): number {
    this.mapped = 0;
    if (va >= this.inputEnd || pa >= this.outputEnd) return this.warn(-ERANGE);
    const l2 = this.level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const first = (va >>> 21) & 511;
    const n = Math.min(count, ENTRIES - first);
    const { words } = this.tables;
    const entryLo = addressLo(pa) | lo;
    const entryHi = addressHi(pa) | hi;
    const at = wordOf(l2, first);
    if (n === 1 && words[at] === 0) {
      words[at] = entryLo;
      words[at + 1] = entryHi;
      this.counters.pteWrites++;
      this.clean(1, 8);
      this.mapped = BLOCK_2M;
      return 0;
    }
    const end = first + n;
    for (let i = first + emptyRun(words, at, n); i < end; i += emptyRun(words, wordOf(l2, i), end - i)) {
      const behind = this.dropTables(l2, i, end);
      if (behind === i) return this.warn(-EEXIST);
      this.clean(2 * (behind - i), 16 * (behind - i));
      i = behind;
    }
    if (n > 0) writeAscending(this.tables, l2, first, n, entryLo, entryHi, BLOCK_2M);
    this.clean(1, n * 8);
    this.mapped = n * BLOCK_2M;
    return 0;
  }

  /**
   * Unmap call for 4 KiB pages. The table stays, even empty.
   *
   * @param va - first address in bytes
   * @param count - pages
   * @returns bytes unmapped; 0 inside a block
   */
  unmapLeaves(va: number, count: number): number {
    const tables = this.tables;
    const l3 = this.level3Of(va);
    if (l3 < 0) return this.warn(0);
    const first = (va >>> 12) & 511;
    const n = Math.min(count, ENTRIES - first);
    const { words } = tables;
    if (n === 1 && words[wordOf(l3, first)] !== 0) {
      this.#clearLeaf(words, wordOf(l3, first));
      return PAGE_BYTES;
    }
    const counted = filledRun(words, wordOf(l3, first), n);
    if (counted < n) this.warn(0);
    if (counted > 0) {
      clearEntries(tables, l3, first, counted);
      this.clean(1, counted * 8);
    }
    return counted * PAGE_BYTES;
  }

  /**
   * Unmap call for 2 MiB units: blocks, and whole level-3 tables, which are freed.
   *
   * @param va - first address in bytes
   * @param count - units
   * @returns bytes unmapped
   */
  unmapBlocks(va: number, count: number): number {
    const tables = this.tables;
    const l2 = this.level2(va, false);
    if (l2 < 0) return this.warn(0);
    const first = (va >>> 21) & 511;
    const n = Math.min(count, ENTRIES - first);
    const { words } = tables;
    if (n === 1 && ((words[wordOf(l2, first)] as number) & TYPE_MASK) === TYPE_BLOCK) {
      this.#clearLeaf(words, wordOf(l2, first));
      return BLOCK_2M;
    }
    const end = first + n;
    let i = first;
    while (i < end) {
      const at = wordOf(l2, i);
      const entry = tables.words[at] as number;
      if (entry === 0) {
        this.warn(0);
        break;
      }
      if ((entry & TYPE_MASK) === TYPE_TABLE) {
        const behind = this.dropTables(l2, i, end);
        this.clean(behind - i, 8 * (behind - i));
        i = behind;
        continue;
      }
      const run = i + 1 === end ? 1 : 1 + blockRun(tables.words, at + 2, end - i - 1);
      clearEntries(tables, l2, i, run);
      i += run;
    }
    if (i > first) this.clean(1, (i - first) * 8);
    return (i - first) * BLOCK_2M;
  }

  /** One leaf at a time is the slowest way to unmap, so it is kept short, as it is to map. */
  #clearLeaf(words: Int32Array, at: number): void {
    words[at] = 0;
    words[at + 1] = 0;
    this.counters.pteClears++;
    this.clean(1, 8);
  }

  /**
   * @param va - any address in bytes
   * @returns its physical address in bytes, 0 when nothing is mapped there
   */
  iovaToPhys(va: number): number {
    const { words } = this.tables;
    const l2 = this.level2(va, false);
    if (l2 < 0) return 0;
    let at = wordOf(l2, (va >>> 21) & 511);
    let mask = BLOCK_2M - 1;
    if (((words[at] as number) & TYPE_MASK) === TYPE_TABLE) {
      const l3 = this.tableOf(words[at] as number, words[at + 1] as number);
      at = wordOf(l3, (va >>> 12) & 511);
      mask = PAGE_BYTES - 1;
    }
    if (words[at] === 0) return 0;
    const page =
      ((words[at + 1] as number) & ADDRESS_HI) * TWO_32 + (((words[at] as number) & ADDRESS_LO) >>> 0);
    return page + (va & mask);
  }

  /**
   * @param va - any address in bytes
   * @returns true when it lies in a 2 MiB block
   */
  isBlock(va: number): boolean {
    const l2 = this.level2(va, false);
    if (l2 < 0) return false;
    const entry = this.tables.words[wordOf(l2, (va >>> 21) & 511)] as number;
    return (entry & TYPE_MASK) === TYPE_BLOCK;
  }
}

/** io-pgtable protection of MAP flags. @internal */
export function protOf(flags: number): number {
  return (
    IOMMU_READ |
    (flags & MAP_READONLY ? 0 : IOMMU_WRITE) |
    (flags & MAP_NOEXEC ? IOMMU_NOEXEC : 0) |
    (flags & MAP_UNCACHED ? 0 : IOMMU_CACHE)
  );
}

/** What a map call for `n` pages, or `-n` blocks, met. @internal */
export function mapProblem(ret: number, va: number, pa: number, n: number): string {
  const at = `page table: at ${hex(va)}`;
  if (ret === -ERANGE) return `${at}, physical ${hex(pa)} lies beyond the output address size`;
  if (ret === -EEXIST) return `${at}, an entry for ${n < 0 ? "2 MiB" : "4 KiB"} is in use`;
  return n === 0 ? `${at}, a call for less than a page mapped nothing` : `${at}, no table is left`;
}
