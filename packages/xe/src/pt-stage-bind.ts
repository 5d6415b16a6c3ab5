/**
 * Staging a bind: which leaves cover a mapping, and which tables hold them.
 *
 * Each aligned 1 GiB or 2 MiB of the mapping becomes one leaf when it can: always for a null mapping, which has no
 * memory that would have to be contiguous, otherwise when the memory there is one aligned run. There is no test over
 * the whole mapping, so a mapping may mix all sizes:
 *
 * ```text
 * null [2 MiB - 8 KiB, 1 GiB + 2 MiB + 4 KiB)
 *   2 x 4 KiB | 511 x 2 MiB | 1 x 2 MiB | 1 x 4 KiB
 * ```
 *
 * Below 2 MiB there are entries of 4 KiB. Where 16 of them cover an aligned, contiguous 64 KiB, all carry the PS64
 * hint; from graphics 12.50 a whole 2 MiB of such blocks takes a *compact* table of 32 entries instead.
 *
 * @module
 */

import {
  PPGTT_ATOMIC,
  PPGTT_DEVICE_MEMORY,
  PPGTT_NULL,
  PPGTT_PS64,
  PPGTT_WRITE,
  ppgttLeafHi,
  ppgttLeafLo,
  type ScatterList,
  writeRepeated,
} from "@vmbind/mmu";
import { type BindSource, contiguousBlocks, failSmallPages } from "./bind-source.ts";
import type { XeCounters } from "./cost-sheet.ts";
import { BLOCK_64K, PAGE_BYTES } from "./page-sizes.ts";
import { MAX_LEAF_LEVEL, type PageTable } from "./page-table.ts";
import { INDEX_MASK, type XeTables } from "./pt-tables.ts";
import { ENTRIES_PER_BYTE, ENTRY_BYTES, type PtUpdates } from "./pt-updates.ts";
import { VMA_PTE_4K, VMA_PTE_64K, VMA_PTE_COMPACT } from "./vma.ts";

// Copies: an imported constant is a cell that is loaded and checked at every use, which the loops below feel.
const PAGE: number = PAGE_BYTES;
const BLOCK: number = BLOCK_64K;

const TWO_32 = 4294967296;
const COMPACT_ENTRIES = 32;
/** Lowest level whose entries are never leaves. */
const FIRST_DIRECTORY_LEVEL: number = MAX_LEAF_LEVEL + 1;
/** Flags of leaves lie below, PAT indices have 8 bits. */
const PAT_SHIFT = 16;
const CLEAR_KIND = -2;
/** First graphics version that knows compact tables. */
const COMPACT_GRAPHICS = 1250;

/** Stages binds of a device, one at a time. */
export class BindStager {
  readonly #tables: XeTables;
  readonly #updates: PtUpdates;
  readonly #compactTables: boolean;
  readonly #counters: XeCounters;
  #pageTable!: PageTable;
  #source!: BindSource;
  /** `PTE_*` flags of the leaves written so far. */
  #flags = 0;
  /** Attributes of a leaf by level. */
  readonly #leafLo = new Int32Array(MAX_LEAF_LEVEL + 1);
  #leafHi = 0;
  /** PAT index and flags that these were made of. */
  #leafKind = -1;
  /** Every aligned leaf is possible, and takes its attributes alone: a null or a clearing bind. */
  #anyLeaf = false;
  /** Place in the memory: segment, and byte in it. */
  #segment = 0;
  #inSegment = 0;
  /** Where the run being emitted goes. */
  #words!: Int32Array;
  #at = 0;

  /**
   * @param tables - the device's tables
   * @param updates - where updates are collected
   * @param graphics - version of the graphics IP times 100
   * @param counters - where to count
   */
  constructor(tables: XeTables, updates: PtUpdates, graphics: number, counters: XeCounters) {
    this.#tables = tables;
    this.#updates = updates;
    this.#compactTables = graphics >= COMPACT_GRAPHICS;
    this.#counters = counters;
  }

  /**
   * Stage one bind.
   *
   * @param pageTable - the VM's
   * @param source - what to show where
   * @returns `PTE_*` flags of all leaves
   * @throws `DrmError` ENOMEM, or EINVAL for VRAM that is not in 64 KiB blocks; the whole ioctl is to be aborted then
   */
  stage(pageTable: PageTable, source: BindSource): number {
    this.#pageTable = pageTable;
    this.#source = source;
    this.#flags = 0;
    const { pages } = source;
    this.#anyLeaf = pages === null || source.clear;
    if (pages !== null) {
      this.#segment = pages.segmentAt(source.offset);
      this.#inSegment = source.offset - (pages.offset[this.#segment] as number);
    }
    let flags = source.readOnly ? 0 : PPGTT_WRITE;
    if (pages === null) flags |= PPGTT_NULL;
    else flags |= (source.vram ? PPGTT_DEVICE_MEMORY : 0) | (source.atomics ? PPGTT_ATOMIC : 0);
    const leafKind = source.clear ? CLEAR_KIND : (source.pat << PAT_SHIFT) | flags;
    if (leafKind !== this.#leafKind) this.#setLeaf(source, flags, leafKind);
    this.#stageBelow(pageTable, source.start, source.end);
    return this.#flags;
  }

  /** Make the attributes of leaves. Binds that follow each other most often have the same. */
  #setLeaf({ clear, pat }: BindSource, flags: number, leafKind: number): void {
    for (let level = 0; level <= MAX_LEAF_LEVEL; level++) {
      this.#leafLo[level] = clear ? 0 : ppgttLeafLo(level, pat, flags);
    }
    this.#leafHi = clear ? 0 : ppgttLeafHi(pat);
    this.#leafKind = leafKind;
  }

  /** Go down while one entry holds all of the range and more: most binds are small, and nothing happens in the tables on their way. */
  #stageBelow({ root, rootLevel }: PageTable, start: number, end: number): void {
    const tables = this.#tables;
    let slot = root;
    let level = rootLevel;
    for (; level > 0; level--) {
      const entryBytes = ENTRY_BYTES[level] as number;
      const entry = Math.floor(start * (ENTRIES_PER_BYTE[level] as number));
      const first = entry * entryBytes;
      if (end > first + entryBytes || (start === first && end === first + entryBytes)) break;
      const child = tables.child(slot, entry & INDEX_MASK);
      if (child < 0 || tables.compact[child] === 1) break;
      slot = child;
    }
    if (level > 0) this.#directory(slot, level, start, end, false);
    else this.#table(slot, start, end, false);
  }

  /** Stage `[start, end)` of a table above level 0. `fresh`: made by this bind, so written directly. */
  #directory(slot: number, level: number, start: number, end: number, fresh: boolean): void {
    const tables = this.#tables;
    const entryBytes = ENTRY_BYTES[level] as number;
    let opened = fresh;
    let entry = Math.floor(start * (ENTRIES_PER_BYTE[level] as number));
    for (let a = start; a < end; ) {
      const index = entry & INDEX_MASK;
      const next = Math.min((entry + 1) * entryBytes, end);
      const whole = next - a === entryBytes;
      if (whole && level <= MAX_LEAF_LEVEL && this.#leafPossible(entryBytes)) {
        const count = this.#anyLeaf ? Math.floor((end - a) / entryBytes) : 1;
        if (!opened) this.#updates.open(slot, index);
        opened = true;
        this.#leaves(slot, level, index, count, fresh);
        entry += count;
        a += count * entryBytes;
        continue;
      }
      let child = tables.child(slot, index);
      const fill = whole || child < 0;
      // Leaves of the level below cover all of it, and are equal.
      const equal = whole && this.#anyLeaf && level === FIRST_DIRECTORY_LEVEL;
      if (fill) {
        child = equal ? this.#equalLeaves(level - 1) : tables.alloc(level - 1);
        this.#updates.created(child);
        if (!whole) this.#pageTable.fillEmpty(child);
        const { pages } = this.#source;
        if (level === 1 && whole && this.#compactTables && pages !== null) {
          const isBlocks = contiguousBlocks(pages, this.#segment, this.#inSegment, entryBytes);
          if (isBlocks) tables.compact[child] = 1;
        }
        if (!opened) this.#updates.open(slot, index);
        opened = true;
        this.#link(slot, index, child, fresh);
      }
      if (equal) this.#flags |= VMA_PTE_4K << (level - 1);
      else if (level > 1) this.#directory(child, level - 1, a, next, fill);
      else if (tables.compact[child] === 1) this.#compactTable(child);
      else this.#table(child, a, next, fill);
      entry++;
      a = next;
    }
  }

  /** A new table full of leaves, of a null or a clearing bind. */
  #equalLeaves(level: number): number {
    return this.#tables.allocFilled(level, this.#leafLo[level] as number, this.#leafHi);
  }

  /** A whole entry at the current place in memory can be one leaf. */
  #leafPossible(entryBytes: number): boolean {
    if (this.#anyLeaf) return true;
    const { pages } = this.#source;
    const left = (pages?.bytes[this.#segment] as number) - this.#inSegment;
    if (left < entryBytes) return false;
    // Bitwise operators see the low 32 bits of a number, which is what alignment up to 1 GiB is about.
    return (((pages?.pa[this.#segment] as number) + this.#inSegment) & (entryBytes - 1)) === 0;
  }

  #advance(bytes: number): void {
    this.#inSegment += bytes;
    if (this.#inSegment >= (this.#source.pages?.bytes[this.#segment] as number)) {
      this.#segment++;
      this.#inSegment = 0;
    }
  }

  /** Point an entry of a directory to a new table. */
  #link(slot: number, index: number, child: number, fresh: boolean): void {
    const pageTable = this.#pageTable;
    this.#seekRun(slot, index, fresh);
    this.#words[this.#at] = pageTable.directoryLo(child);
    this.#words[this.#at + 1] = pageTable.directoryHi(child);
    if (fresh) {
      this.#tables.setChild(slot, index, child);
      this.#tables.numLive[slot] = (this.#tables.numLive[slot] as number) + 1;
      this.#tables.memory.counters.tableWrites++;
    } else {
      this.#updates.stored(1, 1);
      this.#updates.setChild(slot, index, child);
    }
  }

  /** Set where entries from `index` on go. */
  #seekRun(slot: number, index: number, fresh: boolean): void {
    if (fresh) {
      const { memory } = this.#tables;
      this.#words = memory.words;
      this.#at = slot * memory.wordsPerTable + 2 * index;
    } else {
      this.#updates.spell();
      this.#words = this.#updates.words;
      this.#at = this.#updates.word;
    }
  }

  /** Count `count` leaves that were written from where {@link BindStager.#seekRun} pointed. */
  #wrote(slot: number, level: number, count: number, fresh: boolean): void {
    this.#flags |= VMA_PTE_4K << level;
    if (fresh) {
      this.#tables.numLive[slot] = (this.#tables.numLive[slot] as number) + count;
      this.#tables.memory.counters.pteWrites += count | 0;
    } else {
      this.#updates.stored(count, 0);
    }
  }

  /** Leaves of 2 MiB or 1 GiB. */
  #leaves(slot: number, level: number, index: number, count: number, fresh: boolean): void {
    const lo = this.#leafLo[level] as number;
    if (!fresh) this.#updates.clearChildren(slot, index, count);
    if (this.#anyLeaf) {
      this.#repeat(slot, level, index, count, lo, fresh);
      return;
    }
    const { pages } = this.#source;
    const pa = (pages?.pa[this.#segment] as number) + this.#inSegment;
    this.#seekRun(slot, index, fresh);
    this.#words[this.#at] = pa | lo;
    this.#words[this.#at + 1] = (pa / TWO_32) | this.#leafHi;
    this.#wrote(slot, level, 1, fresh);
    this.#advance(ENTRY_BYTES[level] as number);
  }

  /** A run of equal leaves. */
  #repeat(slot: number, level: number, index: number, count: number, lo: number, fresh: boolean): void {
    this.#flags |= VMA_PTE_4K << level;
    if (fresh) {
      writeRepeated(this.#tables.memory, slot, index, count, lo, this.#leafHi);
      this.#tables.numLive[slot] = (this.#tables.numLive[slot] as number) + count;
    } else this.#updates.repeated(count, lo, this.#leafHi);
  }

  /** A whole compact table. */
  #compactTable(slot: number): void {
    const { pages } = this.#source;
    if (pages === null) return;
    const lo = this.#leafLo[0] as number;
    const hi = this.#leafHi;
    this.#seekRun(slot, 0, true);
    const words = this.#words;
    let w = this.#at;
    let segment = this.#segment;
    let at = this.#inSegment;
    for (let i = 0; i < COMPACT_ENTRIES; i++, w += 2) {
      const pa = (pages.pa[segment] as number) + at;
      words[w] = pa | lo;
      words[w + 1] = (pa / TWO_32) | hi;
      at += BLOCK;
      if (at >= (pages.bytes[segment] as number)) {
        segment++;
        at = 0;
      }
    }
    this.#segment = segment;
    this.#inSegment = at;
    this.#flags |= VMA_PTE_COMPACT;
    this.#wrote(slot, 0, COMPACT_ENTRIES, true);
  }

  /** Stage `[start, end)` of a normal level-0 table. */
  #table(slot: number, start: number, end: number, fresh: boolean): void {
    const index = (start / PAGE) & INDEX_MASK;
    if (!fresh) this.#updates.open(slot, index);
    if (this.#anyLeaf) this.#nullPages(slot, index, start, end, fresh);
    else this.#pages(slot, index, start, end, fresh, this.#source.pages as ScatterList);
  }

  /** 4 KiB null leaves; the 64 KiB blocks among them carry the hint. */
  #nullPages(slot: number, index: number, start: number, end: number, fresh: boolean): void {
    const lo = this.#leafLo[0] as number;
    if (this.#source.clear) {
      this.#repeat(slot, 0, index, (end - start) / PAGE, 0, fresh);
      return;
    }
    const firstBlock = Math.min(Math.ceil(start / BLOCK) * BLOCK, end);
    const endBlock = Math.max(Math.floor(end / BLOCK) * BLOCK, firstBlock);
    const head = (firstBlock - start) / PAGE;
    const blocks = (endBlock - firstBlock) / PAGE;
    const tail = (end - endBlock) / PAGE;
    if (head > 0) this.#repeat(slot, 0, index, head, lo, fresh);
    if (blocks > 0) {
      this.#repeat(slot, 0, index + head, blocks, lo | PPGTT_PS64, fresh);
      this.#flags |= VMA_PTE_64K;
    }
    if (tail > 0) this.#repeat(slot, 0, index + head + blocks, tail, lo, fresh);
  }

  /** 4 KiB leaves that follow the memory; 64 KiB blocks carry the hint. */
  #pages(slot: number, index: number, start: number, end: number, fresh: boolean, pages: ScatterList): void {
    const { pa: segmentPa, bytes: segmentBytes } = pages;
    const { needs64k } = this.#source;
    const lo = this.#leafLo[0] as number;
    const hi = this.#leafHi;
    this.#seekRun(slot, index, fresh);
    const words = this.#words;
    let w = this.#at;
    let segment = this.#segment;
    let at = this.#inSegment;
    for (let va = start; va < end; ) {
      if (at === 0 && !needs64k) {
        // Scattered memory: one page a segment.
        while (va < end && segmentBytes[segment] === PAGE) {
          const pa = segmentPa[segment++] as number;
          words[w] = pa | lo;
          words[w + 1] = (pa / TWO_32) | hi;
          w += 2;
          va += PAGE;
        }
        if (va === end) break;
      }
      let pa = (segmentPa[segment] as number) + at;
      const left = (segmentBytes[segment] as number) - at;
      const run = Math.min(left, end - va);
      const runEnd = va + run;
      // Blocks need VA and memory aligned alike, and lie wholly in this segment and in this table's part of the mapping.
      let firstBlock = runEnd;
      let endBlock = runEnd;
      if (run >= BLOCK) {
        const block = Math.ceil(va / BLOCK) * BLOCK;
        if (((pa + (block - va)) & (BLOCK - 1)) === 0 && block + BLOCK <= runEnd) {
          firstBlock = block;
          endBlock = Math.floor(runEnd / BLOCK) * BLOCK;
          this.#flags |= VMA_PTE_64K;
        }
      }
      if (needs64k && (firstBlock > va || endBlock < runEnd)) failSmallPages(va, run, this.#counters);
      for (; va < firstBlock; va += PAGE, pa += PAGE, w += 2) {
        words[w] = pa | lo;
        words[w + 1] = (pa / TWO_32) | hi;
      }
      for (; va < endBlock; va += BLOCK, pa += BLOCK) {
        // The high half is one for all of a block.
        const blockLo = pa | lo | PPGTT_PS64;
        const blockHi = (pa / TWO_32) | hi;
        for (let page = 0; page < BLOCK; page += PAGE, w += 2) {
          words[w] = blockLo + page;
          words[w + 1] = blockHi;
        }
      }
      for (; va < runEnd; va += PAGE, pa += PAGE, w += 2) {
        words[w] = pa | lo;
        words[w + 1] = (pa / TWO_32) | hi;
      }
      at += run;
      if (run === left) {
        segment++;
        at = 0;
      }
    }
    this.#segment = segment;
    this.#inSegment = at;
    this.#wrote(slot, 0, (end - start) / PAGE, fresh);
  }
}
