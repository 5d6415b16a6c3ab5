/**
 * io-pgtable as Panthor configures it: ARM_64_LPAE_S1, 4 KiB granule, leaves of 4 KiB and 2 MiB (`io-pgtable-arm.c`).
 *
 * One call maps or unmaps leaves of one size inside one table. Maps never overwrite: an entry that holds a leaf is
 * EEXIST. A 4 KiB unmap inside a 2 MiB block is refused, blocks are not split here. A 2 MiB unmap over a level-3 table
 * drops the table with whatever it holds. Level-1 and level-2 tables stay until the VM goes.
 *
 * ```text
 *  47 ....... 39 38 ....... 30 29 ....... 21 20 ....... 12 11 ... 0
 *     level 0       level 1       level 2       level 3      byte
 *                                 2 MiB block   4 KiB page
 * ```
 *
 * Tables come from the reservation of the running operation and are never taken from anywhere else.
 *
 * @module
 */

import { EEXIST, EINVAL, ENOMEM, ERANGE } from "@vmbind/gpuvm-core";
import {
  addressHi,
  addressLo,
  clearEntries,
  IOMMU_READ,
  IOMMU_WRITE,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeTableHi,
  lpaeTableLo,
  type PhysicalMemory,
  type TableMemory,
  writeAscending,
  writeDirectory,
  writeRepeated,
} from "@vmbind/mmu";
import type { PanthorCounters } from "./cost-sheet.ts";
import { blockRun, emptyRun, filledRun } from "./entry-runs.ts";

/** Bytes of a page. */
export const PAGE_BYTES = 0x1000;
/** Bytes of a block. */
export const BLOCK_BYTES = 0x200000;
/** Page sizes of the table, one bit each: 4 KiB and 2 MiB. */
export const PAGE_SIZE_BITMAP = 0x201000;
/** Entries of a table. */
const ENTRIES = 512;
const TWO_32 = 4294967296;

/** Type bits of an entry, and what they say at level 2. */
const TYPE_MASK = 3;
const TYPE_BLOCK = 1;
const TYPE_TABLE = 3;
const ADDRESS_LO = ~0xfff;
const ADDRESS_HI = 0xffff;

/** Word of an entry. */
function wordOf(slot: number, index: number): number {
  return slot * ENTRIES * 2 + index * 2;
}

/** One page table. */
export class IoPgtable {
  readonly #tables: TableMemory;
  readonly #counters: PanthorCounters;
  readonly #coherent: boolean;
  readonly #inputEnd: number;
  readonly #outputEnd: number;
  readonly #startLevel: number;
  // Level-2 tables live as long as the VM, so the last one found stays valid.
  #l2Key = -1;
  #l2Slot = -1;

  /** Slot of the root table. */
  readonly root: number;
  /** Input address bits. */
  readonly ias: number;
  /** Tables that the running operation may still take. */
  reserved = 0;
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
    this.#tables = memory.tables;
    this.#counters = counters;
    this.#coherent = coherent;
    this.ias = ias;
    this.#inputEnd = 2 ** ias;
    this.#outputEnd = 2 ** oas;
    this.#startLevel = 4 - Math.ceil((ias - 12) / 9);
    this.root = this.#tables.alloc();
  }

  /** Physical address of the root table. */
  get rootAddress(): number {
    return this.#tables.address(this.root);
  }

  /**
   * One io-pgtable map call with all its checks (`map_pages`).
   *
   * @param va - first address
   * @param pa - first physical address
   * @param pgsize - bytes of a leaf
   * @param count - leaves; what lies beyond the table of the first one is not mapped
   * @param prot - IOMMU_ bits
   * @returns 0, -EINVAL, -ERANGE, -EEXIST or -ENOMEM; {@link IoPgtable.mapped} tells how far it came
   */
  mapPages(va: number, pa: number, pgsize: number, count: number, prot: number): number {
    this.mapped = 0;
    if (pgsize !== PAGE_BYTES && pgsize !== BLOCK_BYTES) {
      this.#counters.kernelWarnings++;
      return -EINVAL;
    }
    if ((prot & (IOMMU_READ | IOMMU_WRITE)) === 0 && va < this.#inputEnd && pa < this.#outputEnd)
      return -EINVAL;
    return pgsize === BLOCK_BYTES
      ? this.mapBlocks(va, pa, count, lpaeLeafLo(2, prot), lpaeLeafHi(prot))
      : this.mapLeaves(va, pa, count, lpaeLeafLo(3, prot), lpaeLeafHi(prot));
  }

  /**
   * One io-pgtable unmap call with all its checks (`unmap_pages`).
   *
   * @param va - first address
   * @param pgsize - bytes of a leaf
   * @param count - leaves
   * @returns bytes unmapped
   */
  unmapPages(va: number, pgsize: number, count: number): number {
    if ((pgsize !== PAGE_BYTES && pgsize !== BLOCK_BYTES) || count === 0 || va >= this.#inputEnd) {
      this.#counters.kernelWarnings++;
      return 0;
    }
    return pgsize === BLOCK_BYTES ? this.unmapBlocks(va, count) : this.unmapLeaves(va, count);
  }

  /**
   * Map call for 4 KiB pages.
   *
   * @param va - first address
   * @param pa - first physical address
   * @param count - pages
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns 0, -ERANGE, -EEXIST or -ENOMEM
   */
  mapLeaves(va: number, pa: number, count: number, lo: number, hi: number): number {
    this.mapped = 0;
    if (va >= this.#inputEnd || pa >= this.#outputEnd) return this.#warn(-ERANGE);
    const l2 = this.#level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const first = (va >>> 12) & 511;
    const n = Math.min(count, ENTRIES - first);
    const l3 = this.#level3(l2, (va >>> 21) & 511);
    if (l3 < 0) return l3;
    const entryLo = addressLo(pa) | lo;
    const entryHi = addressHi(pa) | hi;
    if (n === 1) {
      // One page at a time is the slowest way to map, so it is kept short.
      const { words } = this.#tables;
      const at = wordOf(l3, first);
      if (words[at] !== 0) return this.#warn(-EEXIST);
      words[at] = entryLo;
      words[at + 1] = entryHi;
      this.#counters.pteWrites++;
    } else {
      if (!this.#fresh && emptyRun(this.#tables.words, wordOf(l3, first), n) !== n)
        return this.#warn(-EEXIST);
      if (n > 0) writeAscending(this.#tables, l3, first, n, entryLo, entryHi, PAGE_BYTES);
    }
    this.#clean(1, n * 8);
    this.mapped = n * PAGE_BYTES;
    return 0;
  }

  /**
   * Map call for 2 MiB blocks. A level-3 table in the way is dropped with what it holds.
   *
   * @param va - first address
   * @param pa - first physical address
   * @param count - blocks
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns 0, -ERANGE, -EEXIST or -ENOMEM
   */
  mapBlocks(va: number, pa: number, count: number, lo: number, hi: number): number {
    this.mapped = 0;
    if (va >= this.#inputEnd || pa >= this.#outputEnd) return this.#warn(-ERANGE);
    const l2 = this.#level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const first = (va >>> 21) & 511;
    const n = Math.min(count, ENTRIES - first);
    const { words } = this.#tables;
    const entryLo = addressLo(pa) | lo;
    const entryHi = addressHi(pa) | hi;
    const at = wordOf(l2, first);
    if (n === 1 && words[at] === 0) {
      words[at] = entryLo;
      words[at + 1] = entryHi;
      this.#counters.pteWrites++;
      this.#clean(1, 8);
      this.mapped = BLOCK_BYTES;
      return 0;
    }
    for (let i = first; ; i++) {
      i += emptyRun(words, wordOf(l2, i), first + n - i);
      if (i === first + n) break;
      const entry = words[wordOf(l2, i)] as number;
      if ((entry & TYPE_MASK) === TYPE_BLOCK) return this.#warn(-EEXIST);
      this.#dropTable(l2, i);
      this.#clean(2, 16);
    }
    if (n > 0) writeAscending(this.#tables, l2, first, n, entryLo, entryHi, BLOCK_BYTES);
    this.#clean(1, n * 8);
    this.mapped = n * BLOCK_BYTES;
    return 0;
  }

  /**
   * As many of `calls` successive map calls of one page each, all to the same page, as one table takes and as succeed.
   *
   * @param va - first address; each call's is one page further
   * @param pa - physical address of every call
   * @param calls - at least 1
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns calls that succeeded, or the negative errno of the first one when it failed
   */
  mapSamePage(va: number, pa: number, calls: number, lo: number, hi: number): number {
    if (va >= this.#inputEnd || pa >= this.#outputEnd) return this.#warn(-ERANGE);
    const l2 = this.#level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const l3 = this.#level3(l2, (va >>> 21) & 511);
    if (l3 < 0) return l3;
    const first = (va >>> 12) & 511;
    let n = Math.min(calls, ENTRIES - first);
    if (!this.#fresh) n = emptyRun(this.#tables.words, wordOf(l3, first), n);
    if (n === 0) return this.#warn(-EEXIST);
    writeRepeated(this.#tables, l3, first, n, addressLo(pa) | lo, addressHi(pa) | hi);
    this.#clean(n, n * 8);
    return n;
  }

  /**
   * {@link IoPgtable.mapSamePage} for blocks.
   *
   * @param va - first address; each call's is one block further
   * @param pa - physical address of every call
   * @param calls - at least 1
   * @param lo - low half of the leaf's attributes, type bits included
   * @param hi - high half of the attributes
   * @returns calls that succeeded, or the negative errno of the first one when it failed
   */
  mapSameBlock(va: number, pa: number, calls: number, lo: number, hi: number): number {
    if (va >= this.#inputEnd || pa >= this.#outputEnd) return this.#warn(-ERANGE);
    const l2 = this.#level2(va, true);
    if (l2 < 0) return -ENOMEM;
    const first = (va >>> 21) & 511;
    const n = emptyRun(this.#tables.words, wordOf(l2, first), Math.min(calls, ENTRIES - first));
    if (n === 0) {
      const ret = this.mapBlocks(va, pa, 1, lo, hi);
      return ret < 0 ? ret : 1;
    }
    writeRepeated(this.#tables, l2, first, n, addressLo(pa) | lo, addressHi(pa) | hi);
    this.#clean(n, n * 8);
    return n;
  }

  /**
   * A whole 2 MiB chunk of page entries at once, where nothing is mapped and no table is in the way.
   *
   * @param va - a multiple of 2 MiB
   * @param entries - 512 page entries as pairs of halves
   * @param calls - the map calls that this stands for
   * @returns false when the chunk is not empty or no table is left: then nothing was done
   */
  mapChunk(va: number, entries: Int32Array, calls: number): boolean {
    if (va >= this.#inputEnd || this.reserved === 0) return false;
    const l2 = this.#level2(va, true);
    if (l2 < 0 || this.reserved === 0) return false;
    const index = (va >>> 21) & 511;
    if (this.#tables.words[wordOf(l2, index)] !== 0) return false;
    const l3 = this.#newTable(l2, index);
    this.#tables.words.set(entries, l3 * ENTRIES * 2);
    this.#counters.pteWrites += ENTRIES;
    this.#clean(calls, ENTRIES * 8);
    return true;
  }

  /**
   * Unmap call for 4 KiB pages. The table stays, even empty.
   *
   * @param va - first address
   * @param count - pages
   * @returns bytes unmapped; 0 inside a block
   */
  unmapLeaves(va: number, count: number): number {
    const tables = this.#tables;
    const l2 = this.#level2(va, false);
    if (l2 < 0) return this.#warn(0);
    const at = wordOf(l2, (va >>> 21) & 511);
    const lo = tables.words[at] as number;
    if ((lo & TYPE_MASK) !== TYPE_TABLE) return this.#warn(0);
    const l3 = tables.slotOf(lo & ADDRESS_LO, (tables.words[at + 1] as number) & ADDRESS_HI);
    const first = (va >>> 12) & 511;
    const n = Math.min(count, ENTRIES - first);
    const counted = filledRun(tables.words, wordOf(l3, first), n);
    if (counted < n) this.#warn(0);
    if (counted > 0) {
      clearEntries(tables, l3, first, counted);
      this.#clean(1, counted * 8);
    }
    return counted * PAGE_BYTES;
  }

  /**
   * Unmap call for 2 MiB units: blocks, and whole level-3 tables, which are freed.
   *
   * @param va - first address
   * @param count - units
   * @returns bytes unmapped
   */
  unmapBlocks(va: number, count: number): number {
    const tables = this.#tables;
    const l2 = this.#level2(va, false);
    if (l2 < 0) return this.#warn(0);
    const first = (va >>> 21) & 511;
    const n = Math.min(count, ENTRIES - first);
    let i = first;
    while (i < first + n) {
      const at = wordOf(l2, i);
      const entry = tables.words[at] as number;
      if (entry === 0) {
        this.#warn(0);
        break;
      }
      if ((entry & TYPE_MASK) === TYPE_TABLE) {
        this.#dropTable(l2, i);
        this.#clean(1, 8);
        i++;
        continue;
      }
      const behind = first + n - i - 1;
      const run = behind === 0 ? 1 : 1 + blockRun(tables.words, at + 2, behind);
      clearEntries(tables, l2, i, run);
      i += run;
    }
    if (i > first) this.#clean(1, (i - first) * 8);
    return (i - first) * BLOCK_BYTES;
  }

  /**
   * @param va - any address
   * @returns its physical address, 0 when nothing is mapped there
   */
  iovaToPhys(va: number): number {
    const { words } = this.#tables;
    const l2 = this.#level2(va, false);
    if (l2 < 0) return 0;
    let at = wordOf(l2, (va >>> 21) & 511);
    let mask = BLOCK_BYTES - 1;
    if (((words[at] as number) & TYPE_MASK) === TYPE_TABLE) {
      const l3 = this.#tables.slotOf(
        (words[at] as number) & ADDRESS_LO,
        (words[at + 1] as number) & ADDRESS_HI,
      );
      at = wordOf(l3, (va >>> 12) & 511);
      mask = PAGE_BYTES - 1;
    }
    if (words[at] === 0) return 0;
    const page =
      ((words[at + 1] as number) & ADDRESS_HI) * TWO_32 + (((words[at] as number) & ADDRESS_LO) >>> 0);
    return page + (va & mask);
  }

  /**
   * @param va - any address
   * @returns true when it lies in a 2 MiB block
   */
  isBlock(va: number): boolean {
    const l2 = this.#level2(va, false);
    if (l2 < 0) return false;
    const entry = this.#tables.words[wordOf(l2, (va >>> 21) & 511)] as number;
    return (entry & TYPE_MASK) === TYPE_BLOCK;
  }

  /** Free every table, the root included. */
  destroy(): void {
    this.#freeTree(this.root, this.#startLevel);
    this.#l2Key = -1;
  }

  #freeTree(slot: number, level: number): void {
    const tables = this.#tables;
    for (let i = 0; level < 3 && i < ENTRIES; i++) {
      const at = wordOf(slot, i);
      const lo = tables.words[at] as number;
      if ((lo & TYPE_MASK) !== TYPE_TABLE) continue;
      this.#freeTree(
        tables.slotOf(lo & ADDRESS_LO, (tables.words[at + 1] as number) & ADDRESS_HI),
        level + 1,
      );
    }
    tables.free(slot);
  }

  /** Slot of the level-2 table of an address, -1 when there is none (and none may be taken). */
  #level2(va: number, create: boolean): number {
    const key = Math.floor(va / 0x40000000);
    if (key === this.#l2Key) return this.#l2Slot;
    const tables = this.#tables;
    let slot = this.root;
    for (let level = this.#startLevel; level < 2; level++) {
      const index = level === 0 ? (key >>> 9) & 511 : key & 511;
      const at = wordOf(slot, index);
      const lo = tables.words[at] as number;
      if (lo !== 0) {
        slot = tables.slotOf(lo & ADDRESS_LO, (tables.words[at + 1] as number) & ADDRESS_HI);
        continue;
      }
      if (!create || this.reserved === 0) return -1;
      slot = this.#newTable(slot, index);
    }
    this.#l2Key = key;
    this.#l2Slot = slot;
    return slot;
  }

  /** Whether {@link #level3} has just made the table. */
  #fresh = false;

  /** Slot of a level-3 table, made if there is none; -EEXIST for a block, -ENOMEM. */
  #level3(l2: number, index: number): number {
    const tables = this.#tables;
    const at = wordOf(l2, index);
    const lo = tables.words[at] as number;
    if (lo === 0) {
      if (this.reserved === 0) return -ENOMEM;
      this.#fresh = true;
      return this.#newTable(l2, index);
    }
    this.#fresh = false;
    if ((lo & TYPE_MASK) === TYPE_BLOCK) return this.#warn(-EEXIST);
    return tables.slotOf(lo & ADDRESS_LO, (tables.words[at + 1] as number) & ADDRESS_HI);
  }

  #newTable(parent: number, index: number): number {
    const tables = this.#tables;
    const slot = tables.alloc();
    this.reserved--;
    const pa = tables.address(slot);
    writeDirectory(tables, parent, index, lpaeTableLo(pa), lpaeTableHi(pa, this.#coherent));
    this.#clean(2, PAGE_BYTES + 8);
    return slot;
  }

  #dropTable(l2: number, index: number): void {
    const tables = this.#tables;
    const at = wordOf(l2, index);
    const slot = tables.slotOf(
      (tables.words[at] as number) & ADDRESS_LO,
      (tables.words[at + 1] as number) & ADDRESS_HI,
    );
    writeDirectory(tables, l2, index, 0, 0);
    tables.free(slot);
  }

  #clean(times: number, bytes: number): void {
    if (this.#coherent) return;
    this.#counters.cacheCleans += times;
    this.#counters.cacheCleanBytes += bytes;
  }

  #warn(result: number): number {
    this.#counters.kernelWarnings++;
    return result;
  }
}
