/**
 * What the driver does with each step of the VA manager (`panthor_mmu.c`, Linux 7.3-rc7): the page table first, then the tree.
 *
 * A cut needs care, because a 2 MiB block cannot be split in the page table. So the range that is unmapped grows to
 * whole chunks where a block may be, and what survives of those chunks is mapped again with pages:
 *
 * ```text
 * before  [======== block ========][======== block ========]
 * cut                  |--- unmapped or mapped anew ---|
 * unmap   |------------------------------------------------|
 * after   [pages......]                                [...]   + what the request itself maps
 * ```
 *
 * @module
 */

import { remainder } from "@vmbind/drm";
import {
  GPUVA_REPEAT,
  GPUVA_SPARSE,
  GPUVA_USERBITS_SHIFT,
  type Gpuvm,
  type MapStep,
  type RemapStep,
  type StepHandlers,
  type UnmapStep,
  type VmBo,
} from "@vmbind/gpuvm-core";
import type { ScatterList } from "@vmbind/mmu";
import type { AsLock } from "./as-lock.ts";
import type { PanthorBindOp } from "./bind-op.ts";
import type { PanthorBo } from "./bo.ts";
import * as sizes from "./page-sizes.ts";
import { PageTable } from "./page-table.ts";

// Copies, as in `io-pgtable.ts`.
const { BLOCK_2M, PAGE_BYTES } = sizes;

/** Driver bit of a gpuva's flags, behind those of the operation: its object was evicted, nothing is in the page table. */
export const VMA_EVICTED: number = 1 << (GPUVA_USERBITS_SHIFT + 4);

/** The step handlers of one VM. */
export class VmSteps implements StepHandlers {
  readonly #gpuvm: Gpuvm;
  readonly #pageTable: PageTable;
  readonly #as: AsLock;
  /** The page table is the driver's, not a what-if's, which may map otherwise. */
  readonly #isOwnTable: boolean;
  /** Handles of what is being unmapped. */
  readonly #vas: number[] = [];
  /** The operation that is being executed: to be set before the VA manager is asked for steps. */
  op: PanthorBindOp;

  /**
   * @param gpuvm - the VM's mappings
   * @param pageTable - its page table
   * @param as - its AS slot, which is locked over what a cut unmaps
   * @param op - any operation, until the first one is executed
   */
  constructor(gpuvm: Gpuvm, pageTable: PageTable, as: AsLock, op: PanthorBindOp) {
    this.#gpuvm = gpuvm;
    this.#pageTable = pageTable;
    this.#as = as;
    this.#isOwnTable = pageTable.constructor === PageTable;
    this.op = op;
  }

  /** See `StepHandlers`. */
  map(step: MapStep): number {
    const { op } = this;
    const bo = op.bo as PanthorBo;
    const { flags } = step;
    if ((flags & GPUVA_SPARSE) !== 0) step.offset = step.addr & (BLOCK_2M - 1);
    const ret = this.#pageTable.mapStep(step, flags >>> GPUVA_USERBITS_SHIFT, bo.pages as ScatterList);
    if (ret !== 0) return ret;
    const va = this.#gpuvm.map(step);
    // The kernel's helper ignores a failing insert (only an empty mapping at address 0 can fail); nothing is linked then.
    if (va > 0) this.#gpuvm.link(va, op.vmBo as VmBo);
    return 0;
  }

  /** See `StepHandlers`. */
  unmap(step: UnmapStep): number {
    const gpuvm = this.#gpuvm;
    const { va } = step;
    if ((gpuvm.flags(va) & VMA_EVICTED) === 0) this.#pageTable.unmap(gpuvm.addr(va), gpuvm.rangeOf(va));
    gpuvm.unmap(step);
    gpuvm.unlinkDefer(va);
    gpuvm.free(va);
    return 0;
  }

  /**
   * Unmap a range whose ends cut no mapping: what as many calls of {@link VmSteps.unmap} come to. Pages that were mapped one by one are
   * unmapped one by one, as runs.
   *
   * @param addr - bytes
   * @param range - bytes
   * @returns false where only split and merge tells: then nothing has happened
   */
  unmapInside(addr: number, range: number): boolean {
    const gpuvm = this.#gpuvm;
    const pageTable = this.#pageTable;
    const vas = this.#vas;
    const count = gpuvm.unmapInside(addr, range, vas);
    if (count < 0) return false;
    for (let i = 0; i < count; ) {
      const va = vas[i] as number;
      const size = gpuvm.rangeOf(va);
      const evicted = (gpuvm.flags(va) & VMA_EVICTED) !== 0;
      const n = evicted || size !== PAGE_BYTES ? 1 : gpuvm.alikeFrom(vas, i, count, VMA_EVICTED);
      if (n > 1) pageTable.unmapPages(gpuvm.addr(va), n);
      else if (!evicted) pageTable.unmap(gpuvm.addr(va), size);
      i += n;
    }
    gpuvm.dropDeferred(vas, count);
    return true;
  }

  /** See `StepHandlers`. */
  remap(step: RemapStep): number {
    const gpuvm = this.#gpuvm;
    const { va } = step.unmap;
    const flags = gpuvm.flags(va);
    if ((flags & GPUVA_SPARSE) !== 0 && step.hasNext) step.next.offset = step.next.addr & (BLOCK_2M - 1);
    if ((flags & VMA_EVICTED) === 0) {
      const ret = this.#recut(step, va, flags);
      if (ret !== 0) return ret;
    }
    const vmBo = gpuvm.vmBo(va) as VmBo;
    gpuvm.remap(step);
    if (step.prevVa !== 0) gpuvm.link(step.prevVa, vmBo);
    if (step.nextVa !== 0) gpuvm.link(step.nextVa, vmBo);
    gpuvm.unlinkDefer(va);
    gpuvm.free(va);
    return 0;
  }

  /** Unmap the cut, widened to whole chunks where blocks may be, and map again what survives of those. */
  #recut(step: RemapStep, va: number, flags: number): number {
    const gpuvm = this.#gpuvm;
    const pageTable = this.#pageTable;
    const { prev, next } = step;
    const cutStart = step.hasPrev ? prev.addr + prev.range : gpuvm.addr(va);
    const cutEnd = step.hasNext ? next.addr : gpuvm.end(va);
    let start = cutStart;
    let end = cutEnd;
    const chunkStart = Math.floor(cutStart / BLOCK_2M) * BLOCK_2M;
    const chunkEnd = Math.ceil(cutEnd / BLOCK_2M) * BLOCK_2M;
    if (
      step.hasPrev &&
      chunkStart < cutStart &&
      prev.addr <= chunkStart &&
      this.#mayBeBlock(va, flags, cutStart)
    ) {
      start = chunkStart;
    }
    if (
      step.hasNext &&
      chunkEnd > cutEnd &&
      next.addr + next.range >= chunkEnd &&
      this.#mayBeBlock(va, flags, cutEnd - 1)
    ) {
      end = chunkEnd;
    }
    this.#as.lock(start, end - start);
    if (end > cutEnd && start === cutStart && this.#unmapInFront(next, start, end)) return 0;
    pageTable.unmap(start, end - start);
    if (start < cutStart) {
      const ret = this.#mapPiece(prev, start, cutStart - start);
      if (ret !== 0) return ret;
    }
    return end > cutEnd ? this.#mapPiece(next, cutEnd, end - cutEnd) : 0;
  }

  /** {@link PageTable.unmapInFront} of the piece behind a cut, in the driver's own page table. */
  #unmapInFront(behind: MapStep, start: number, end: number): boolean {
    if (!this.#isOwnTable || (behind.flags & GPUVA_REPEAT) !== 0) return false;
    return this.#pageTable.unmapInFront(
      behind.flags >>> GPUVA_USERBITS_SHIFT,
      start,
      behind.addr,
      end,
      (behind.gem as PanthorBo).pages as ScatterList,
      behind.offset,
    );
  }

  /** Whether a cut at an address of a mapping may go through a block. */
  #mayBeBlock(va: number, flags: number, address: number): boolean {
    if ((flags & GPUVA_SPARSE) !== 0) return true;
    const gpuvm = this.#gpuvm;
    const distance = address - gpuvm.addr(va);
    const window = gpuvm.gemRange(va);
    const offset =
      gpuvm.offset(va) + (window === 0 ? distance : remainder(distance + gpuvm.phase(va), window));
    // A folio is what the driver looks at. Small ones that happen to be contiguous are mapped as a block, too.
    return (gpuvm.gem(va) as PanthorBo).isHugeFolio(offset) || this.#pageTable.io.isBlock(address);
  }

  /** Map [at, at + size) of a surviving piece again. */
  #mapPiece(piece: MapStep, at: number, size: number): number {
    const distance = at - piece.addr;
    const repeats = (piece.flags & GPUVA_REPEAT) !== 0;
    return this.#pageTable.map(
      piece.flags,
      piece.flags >>> GPUVA_USERBITS_SHIFT,
      at,
      size,
      (piece.gem as PanthorBo).pages as ScatterList,
      repeats ? piece.offset : piece.offset + distance,
      piece.gemRange,
      repeats ? remainder(piece.phase + distance, piece.gemRange) : 0,
    );
  }
}
