/**
 * What the driver does with each step of the VA manager: it ignores all merge hints; what is replaced is cleared and
 * invalidated first and written afterwards. A step never frees a table. After the driver (the downstream asahi driver,
 * branches of 2025) on GPUVM of Linux 7.3-rc7.
 *
 * @module
 */

import {
  GPUVA_REPEAT,
  GPUVA_USERBITS_SHIFT,
  type Gpuvm,
  type MapStep,
  type RemapStep,
  type StepHandlers,
  type UnmapStep,
  type VmBo,
} from "@vmbind/gpuvm-core";
import type { AsahiBo } from "./bo.ts";
import type { UatPageTable } from "./page-table.ts";
import { leafHi, leafLo } from "./protection.ts";
import { BIND_READ, BIND_WRITE } from "./uapi.ts";

/** Flags of the uAPI that say who may access a mapping. */
export const ACCESS_FLAGS: number = BIND_READ | BIND_WRITE;
/** Where a mapping keeps its access flags: READ (bit 1) in the lowest bit that GPUVM leaves to drivers. */
export const ACCESS_SHIFT: number = GPUVA_USERBITS_SHIFT - 1;

/** The step handlers of one VM. */
export class VmSteps implements StepHandlers {
  readonly #gpuvm: Gpuvm;
  readonly #pageTable: UatPageTable;
  readonly #invalidate: (va: number, bytes: number) => void;
  /** Handles of what is being unmapped. */
  readonly #vas: number[] = [];
  /** The vm_bo that the running bind links its mapping to. */
  vmBo: VmBo | null = null;

  /**
   * @param gpuvm - the VM's mappings
   * @param pageTable - its tables
   * @param invalidate - called for each range whose leaves were cleared: first VA and bytes
   */
  constructor(gpuvm: Gpuvm, pageTable: UatPageTable, invalidate: (va: number, bytes: number) => void) {
    this.#gpuvm = gpuvm;
    this.#pageTable = pageTable;
    this.#invalidate = invalidate;
  }

  /** See `StepHandlers`. */
  map(op: MapStep): number {
    const va = this.#gpuvm.map(op);
    if (va < 0) return va;
    this.#gpuvm.link(va, this.vmBo as VmBo);
    this.#writeLeaves(op);
    return 0;
  }

  /** The pieces that stay keep their entries: only the hole between them is cleared. */
  remap(op: RemapStep): number {
    const gpuvm = this.#gpuvm;
    const old = op.unmap.va;
    const start = op.hasPrev ? op.prev.addr + op.prev.range : gpuvm.addr(old);
    const end = op.hasNext ? op.next.addr : gpuvm.end(old);
    this.#clearLeaves(start, end - start);
    const vmBo = gpuvm.vmBo(old) as VmBo;
    gpuvm.remap(op);
    if (op.prevVa !== 0) gpuvm.link(op.prevVa, vmBo);
    if (op.nextVa !== 0) gpuvm.link(op.nextVa, vmBo);
    gpuvm.unlinkDefer(old);
    gpuvm.free(old);
    return 0;
  }

  /** See `StepHandlers`. */
  unmap(op: UnmapStep): number {
    const gpuvm = this.#gpuvm;
    const { va } = op;
    this.#clearLeaves(gpuvm.addr(va), gpuvm.rangeOf(va));
    gpuvm.unmap(op);
    gpuvm.unlinkDefer(va);
    gpuvm.free(va);
    return 0;
  }

  /**
   * Unmap a range whose ends cut no mapping: what as many calls of {@link VmSteps.unmap} come to.
   *
   * @param addr - bytes
   * @param range - bytes
   * @returns false where only split and merge tells: then nothing has happened
   */
  unmapInside(addr: number, range: number): boolean {
    const gpuvm = this.#gpuvm;
    const vas = this.#vas;
    const count = gpuvm.unmapInside(addr, range, vas);
    if (count < 0) return false;
    for (let i = 0; i < count; i++) {
      const va = vas[i] as number;
      this.#clearLeaves(gpuvm.addr(va), gpuvm.rangeOf(va));
    }
    gpuvm.dropDeferred(vas, count);
    return true;
  }

  #writeLeaves(op: MapStep): void {
    const pages = (op.gem as AsahiBo).pages();
    const access = (op.flags >> ACCESS_SHIFT) & ACCESS_FLAGS;
    const lo = leafLo(access);
    const hi = leafHi(access);
    const pageTable = this.#pageTable;
    if ((op.flags & GPUVA_REPEAT) === 0) pageTable.mapList(op.addr, op.range, pages, op.offset, lo, hi);
    else pageTable.map(op.addr, op.range, pages.addressAt(op.offset), lo, hi, true);
  }

  #clearLeaves(va: number, bytes: number): void {
    this.#pageTable.unmap(va, bytes);
    this.#invalidate(va, bytes);
  }
}
