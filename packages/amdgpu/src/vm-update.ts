/**
 * Bringing page tables up to date: what was only written down in lists until now reaches memory (`amdgpu_vm_clear_freed`,
 * `amdgpu_vm_bo_update`, `amdgpu_vm_handle_moved`, `amdgpu_vm_update_pdes` of `amdgpu_vm.c`, Linux 7.3-rc7).
 *
 * It happens at two moments. At the end of a GEM_VA without DELAY_UPDATE what is gone is cleared and the bo_va of *this*
 * operation is written, not those of remnants that it left elsewhere. At a submission everything is. In between the GPU sees
 * what the tables say: around a tile that was put into a large PRT leaf there is a hole until the next submission.
 *
 * A failed update loses nothing: what was to be cleared stays on `freed`, what was to be written stays on `invalids`.
 *
 * @module
 */

import { EBUSY, fail } from "@vmbind/drm";
import { GCVM_VALID, type ScatterList } from "@vmbind/mmu";
import { type AmdgpuBo, isPreferred } from "./bo.ts";
import type { BoVa } from "./bo-va.ts";
import { type LeafFlags, type LeafRules, leafFlags } from "./leaf-flags.ts";
import { STATE_INVALID, STATE_VALID } from "./mappings.ts";
import type { GcvmPageTable } from "./page-table.ts";
import { PAGE_BYTES, VM_PAGE_PRT } from "./uapi.ts";
import type { VaSpace } from "./va-space.ts";

const PAGE = PAGE_BYTES;

/** What an update works on. */
export interface UpdatedVm {
  /** The mappings and their lists. */
  readonly space: VaSpace;
  /** The tables. */
  readonly pageTable: GcvmPageTable;
  /** What makes the flags of an entry. */
  readonly leafRules: LeafRules;
  /** Its page tables are being taken away: nothing can be written. */
  readonly evicting: boolean;
  /**
   * The TLB is to forget what it knows of the VM.
   *
   * @param requests - of the driver that lead to it
   */
  flushTlb(requests: number): void;
  /** Nothing of what is gone is in the tables any more. */
  allCleared(): void;
}

/** This file's own constants: imported ones are slow in what runs for every ioctl. */
const VALID = GCVM_VALID;
const PRT = VM_PAGE_PRT;
const INVALID = STATE_INVALID;
const WRITTEN = STATE_VALID;

const FLAGS: LeafFlags = { lo: 0, hi: 0 };

/**
 * Clear the entries of all mappings that are gone, newest first.
 *
 * @throws DrmError ENOMEM, EBUSY; what is not cleared stays on the list
 */
export function clearFreed(vm: UpdatedVm): void {
  const { space } = vm;
  const { mappings, freed } = space;
  while (freed.head !== 0) {
    const id = freed.head;
    const first = mappings.first[id] as number;
    const end = (mappings.last[id] as number) + 1;
    updateRange(vm, first, end, 0, null, 0, 0, true);
    space.forgetFreed();
  }
  vm.allCleared();
}

/**
 * Write the entries of a bo_va's mappings that the page tables do not show.
 *
 * @param vm - the VM
 * @param boVa - one of its bo_vas
 * @param asAbsent - write them as if the object had no memory: its reservation could not be had
 * @throws DrmError ENOMEM, EBUSY; all mappings that were to be written stay on `invalids`
 */
function updateBoVa(vm: UpdatedVm, boVa: BoVa, asAbsent: boolean): void {
  const { space, leafRules } = vm;
  const { mappings } = space;
  const { bo, invalids, valids } = boVa;
  const pages = asAbsent || bo === null || bo.place === "none" ? null : bo.pages;
  const place = asAbsent || bo === null ? "none" : bo.place;
  let flush = asAbsent;
  if (!asAbsent && boVa.moved) {
    mappings.splice(valids, invalids, INVALID);
    flush = true;
  } else if (boVa.cleared !== asAbsent) {
    mappings.splice(valids, invalids, INVALID);
  }
  for (let id = invalids.head; id !== 0; id = mappings.next(id)) {
    const flags = mappings.flags[id] as number;
    leafFlags(leafRules, place, bo === null ? 0 : bo.flags, flags, FLAGS);
    const { lo, hi } = FLAGS;
    const offset = mappings.offset[id] as number;
    const first = mappings.first[id] as number;
    const end = (mappings.last[id] as number) + 1;
    const hasAddress = (lo & VALID) !== 0 || (flags & PRT) !== 0;
    if (pages === null) updateRange(vm, first, end, hasAddress ? offset : 0, null, lo, hi, flush);
    else updateRange(vm, first, end, offset, bo, lo, hi, flush);
  }
  if (bo !== null) {
    const lists = space.listsOf(boVa);
    if (boVa.isAlwaysValid && !isPreferred(bo)) lists.evicted.moveHere(boVa);
    else lists.idle.moveHere(boVa);
  }
  mappings.splice(invalids, valids, WRITTEN);
  boVa.cleared = asAbsent;
  boVa.moved = false;
}

/**
 * What GEM_VA does at its end.
 *
 * @param vm - the VM
 * @param boVa - the bo_va of a MAP or a REPLACE, null for other operations
 * @throws DrmError ENOMEM, which GEM_VA keeps to itself
 */
export function updateAfterOperation(vm: UpdatedVm, boVa: BoVa | null): void {
  if (vm.evicting) return;
  clearFreed(vm);
  if (boVa !== null) updateBoVa(vm, boVa, false);
  linkTables(vm);
}

/**
 * What a submission does before its job: everything.
 *
 * @param vm - the VM, whose page tables are there
 * @param listed - objects in the submission's list, in order
 * @throws DrmError ENOMEM
 */
export function updateForSubmission(vm: UpdatedVm, listed: readonly BoVa[]): void {
  const { space } = vm;
  const { evicted, needsUpdate } = space.alwaysValid;
  for (let boVa = evicted.head; boVa !== null; boVa = evicted.head) {
    boVa.moved = true;
    needsUpdate.moveHere(boVa);
  }
  clearFreed(vm);
  updateBoVa(vm, space.prt, false);
  for (const boVa of listed) updateBoVa(vm, boVa, false);
  for (let boVa = needsUpdate.head; boVa !== null; boVa = needsUpdate.head) updateBoVa(vm, boVa, false);
  const { needsUpdate: others } = space.individual;
  for (let boVa = others.head; boVa !== null; boVa = others.head) {
    updateBoVa(vm, boVa, (boVa.bo as AmdgpuBo).busy && !listed.includes(boVa));
  }
  linkTables(vm);
}

/**
 * The pass over the entries that point to tables. It asks for no flush: who cleared part of a leaf did, before the new table took the leaf's
 * place, which may be calls ago. A request is met before the next job begins, and that comes after this pass.
 */
function linkTables(vm: UpdatedVm): void {
  if (vm.pageTable.linkTables()) vm.flushTlb(0);
}

/** The entries of one range: in as many pieces as the memory behind it has. */
function updateRange(
  vm: UpdatedVm,
  first: number,
  end: number,
  offset: number,
  bo: AmdgpuBo | null,
  lo: number,
  hi: number,
  flush: boolean,
): void {
  const { pageTable } = vm;
  pageTable.begin();
  if (vm.evicting) fail(EBUSY, "vm: its page tables are being evicted");
  let needsFlush = true;
  try {
    if (bo === null) pageTable.write(first, end, offset, lo, hi);
    else if (bo.place === "vram") writeBlocks(pageTable, first, end, bo.pages as ScatterList, offset, lo, hi);
    else writeSystemPages(pageTable, first, end, bo, offset, lo, hi);
  } finally {
    needsFlush = pageTable.finish(flush);
    if (needsFlush) vm.flushTlb(1);
  }
}

/** VRAM: a piece for each block of the allocation, also where blocks follow each other. */
function writeBlocks(
  pageTable: GcvmPageTable,
  first: number,
  end: number,
  blocks: ScatterList,
  offset: number,
  lo: number,
  hi: number,
): void {
  const { pa, bytes } = blocks;
  let block = blocks.segmentAt(offset);
  let skip = offset - (blocks.offset[block] as number);
  for (let page = first; page < end; block++) {
    const left = ((bytes[block] as number) - skip) / PAGE;
    const until = Math.min(page + left, end);
    pageTable.write(page, until, (pa[block] as number) + skip, lo, hi);
    skip = 0;
    page = until;
  }
}

/**
 * System memory: a piece for each run of pages that follow each other, and one for each stretch of pages that do not. The last
 * page of such a stretch may begin a run, so it is left to the next piece.
 */
function writeSystemPages(
  pageTable: GcvmPageTable,
  first: number,
  end: number,
  bo: AmdgpuBo,
  offset: number,
  lo: number,
  hi: number,
): void {
  const pages = bo.pages as ScatterList;
  const runEnds = bo.runEnds();
  const starts = pages.offset;
  let segment = pages.segmentAt(offset);
  let at = offset;
  for (let page = first; page < end; ) {
    const left = end - page;
    const runEnd = runEnds[segment] as number;
    const runBytes = (starts[runEnd] as number) + (pages.bytes[runEnd] as number) - at;
    if (left === 1 || runBytes > PAGE) {
      const count = Math.min(left, runBytes / PAGE);
      pageTable.write(
        page,
        page + count,
        (pages.pa[segment] as number) + at - (starts[segment] as number),
        lo,
        hi,
      );
      page += count;
      at += count * PAGE;
      segment =
        at < (starts[runEnd] as number) + (pages.bytes[runEnd] as number) ? pages.segmentAt(at) : runEnd + 1;
      continue;
    }
    // Every run from here on has one page; the first may be the end of a longer one.
    const singles = (bo.singleEnds()[segment + 1] as number) - segment;
    const count = Math.min(singles, left - 1);
    const skip = at - (starts[segment] as number);
    pageTable.writePages(page, page + count, bo.segmentHalves(), segment, skip, at, lo, hi);
    page += count;
    at += count * PAGE;
    segment += count;
  }
}
