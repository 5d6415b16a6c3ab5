/**
 * The page-table job of one ioctl: stage all work in order, write it, invalidate the TLB once.
 *
 * Nothing is written before everything was staged, so an error leaves the page tables as they were.
 *
 * @module
 */

import { type AllocFault, ENOBUFS, ENOMEM, fail } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import type { AddressSpace } from "@vmbind/mmu";
import type { BindSource } from "./bind-source.ts";
import type { XeBo } from "./bo.ts";
import type { XeCounters } from "./cost-sheet.ts";
import type { PageTable } from "./page-table.ts";
import type { Platform } from "./platforms.ts";
import { BindStager } from "./pt-stage-bind.ts";
import type { XeTables } from "./pt-tables.ts";
import { UnbindStager } from "./pt-unbind.ts";
import { PtUpdates } from "./pt-updates.ts";
import type { XeQuirks } from "./quirks.ts";
import { flushBeforeBatch, invalidate, setTlbRange, type TlbInvalidation } from "./tlb-range.ts";
import { ATOMIC_CPU, ATOMIC_DEVICE } from "./uapi-madvise.ts";
import { VMA_FORGOTTEN, VMA_PRESENT, VMA_READ_ONLY, VMA_STAGED, VMA_ZEROED, type XeVmas } from "./vma.ts";
import { WORK_BIND, WORK_CLEAR, WORK_UNBIND, type WorkList } from "./work-list.ts";

/** What a job needs of its VM; see `XeVm`. */
export interface JobVm {
  /** Mappings. */
  readonly gpuvm: Gpuvm;
  /** The driver's data of the mappings. */
  readonly vmas: XeVmas;
  /** The tables to write. */
  readonly pageTable: PageTable;
  /** Whose translations the TLB forgets. */
  readonly addressSpace: AddressSpace;
  /** What is not mapped reads as zero. */
  readonly scratch: boolean;
  /** Preempted instead of fenced. */
  readonly longRunning: boolean;
  /** Grows when the next batch must flush the TLB. */
  tlbFlushSeqno: number;
  /** The invalidation that the job sent, null for none. */
  lastInvalidation: TlbInvalidation | null;
  /** The record for it. */
  readonly invalidation: TlbInvalidation;
  /** Gives objects the memory that is to be shown. */
  readonly moves: { prepare(work: WorkList): void };
}

/** Runs page-table jobs of a device. */
export class PtJob {
  readonly #platform: Platform;
  readonly #quirks: XeQuirks;
  readonly #counters: XeCounters;
  readonly #allocFault: AllocFault | undefined;
  readonly #updates: PtUpdates;
  readonly #binder: BindStager;
  readonly #unbinder: UnbindStager;
  readonly #source: BindSource = {
    start: 0.5,
    end: 0.5,
    pages: null,
    offset: 0.5,
    vram: false,
    needs64k: false,
    readOnly: false,
    atomics: false,
    pat: 0,
    clear: false,
  };
  /** A batch would have to flush the TLB before it sees this job's entries. */
  #flushBefore = false;

  /**
   * @param tables - the device's tables
   * @param platform - the device
   * @param quirks - the device's
   * @param counters - where to count
   * @param allocFault - makes allocations fail
   */
  constructor(
    tables: XeTables,
    platform: Platform,
    quirks: XeQuirks,
    counters: XeCounters,
    allocFault?: AllocFault,
  ) {
    this.#platform = platform;
    this.#quirks = quirks;
    this.#counters = counters;
    this.#allocFault = allocFault;
    this.#updates = new PtUpdates(tables);
    this.#binder = new BindStager(tables, this.#updates, platform.graphics, counters);
    this.#unbinder = new UnbindStager(tables, this.#updates);
  }

  /**
   * Run the work that was parsed.
   *
   * @param vm - the VM
   * @param work - what to do
   * @param isArray - the ioctl had more than one operation
   * @throws `DrmError` ENOMEM, ENOBUFS, EINVAL, EBUSY; nothing was changed then, but for objects that moved
   */
  run(vm: JobVm, work: WorkList, isArray: boolean): void {
    const updates = this.#updates;
    updates.reset();
    this.#flushBefore = false;
    vm.lastInvalidation = null;
    if (this.#allocFault?.("op-array")) {
      fail(isArray ? ENOBUFS : ENOMEM, "vm_bind: no memory for the page-table operations (injected)");
    }
    vm.moves.prepare(work);
    try {
      for (let i = 0; i < work.count; i++) {
        const kind = work.kind(i);
        if (kind === WORK_UNBIND) this.#stageUnbind(vm, work.va(i));
        else this.#stageBind(vm, work.va(i), kind === WORK_CLEAR);
      }
    } catch (error) {
      updates.abort();
      for (let i = 0; i < work.count; i++) vm.vmas.state[work.va(i)] = stateOf(vm, work.va(i)) & ~VMA_STAGED;
      throw error;
    }
    const counters = this.#counters;
    counters.ptOps += updates.ops === 0 ? 0 : work.count;
    counters.ptUpdates += updates.count;
    counters.ptQwords += updates.apply(vm.pageTable);
    this.#commitStates(vm, work);
    this.#invalidateTlb(vm);
  }

  #stageBind(vm: JobVm, va: number, clear: boolean): void {
    const { gpuvm, vmas } = vm;
    const updates = this.#updates;
    const first = updates.count;
    const state = stateOf(vm, va);
    const rebind = (state & (VMA_PRESENT | VMA_ZEROED)) !== 0;
    const source = this.#source;
    const bo = gpuvm.gem(va) as XeBo | null;
    const flags = vmas.flags[va] as number;
    source.start = vmas.trims.start(va, gpuvm.addr(va));
    source.end = vmas.trims.end(va, gpuvm.end(va));
    const user = vmas.user.size === 0 ? undefined : vmas.user.get(va);
    // Nothing is behind a purged object, as behind a null mapping: its leaves are null.
    source.pages = bo === null ? (user?.pages ?? null) : bo.purged ? null : bo.populate();
    source.offset = gpuvm.offset(va) - (user?.base ?? 0);
    source.vram = bo !== null && !bo.purged && bo.vram;
    source.needs64k = source.vram && this.#platform.vram64kOnly;
    source.readOnly = (flags & VMA_READ_ONLY) !== 0;
    source.atomics = source.pages !== null && this.#atomics(vm, bo, vmas.atomic(va));
    source.pat = vmas.pat[va] as number;
    source.clear = clear;
    const leaves = this.#binder.stage(vm.pageTable, source);
    vmas.flags[va] = flags | leaves;
    vmas.state[va] = state | VMA_STAGED;
    updates.addInterval(source.start, source.end, first);
    const counted = rebind || ((state & VMA_STAGED) !== 0 && !this.#quirks.countedTwice);
    updates.commitBind(first, counted);
    if (!rebind && vm.scratch && vm.longRunning) updates.needsInvalidation = true;
    // Long-running queues are preempted while a VM binds, and flush when they go on; in fault mode only null leaves change here.
    if (rebind || (!vm.longRunning && vm.scratch)) this.#flushBefore = true;
    if (rebind && !vm.longRunning) {
      vm.tlbFlushSeqno++;
      this.#counters.tlbFlushRequests++;
    }
  }

  #stageUnbind(vm: JobVm, va: number): void {
    if (stateOf(vm, va) === 0) return;
    const { gpuvm, vmas } = vm;
    const updates = this.#updates;
    const first = updates.count;
    const start = vmas.trims.start(va, gpuvm.addr(va));
    const end = vmas.trims.end(va, gpuvm.end(va));
    this.#unbinder.stage(vm.pageTable, start, end);
    updates.addInterval(start, end, first);
    updates.commitUnbind(first);
    updates.needsInvalidation = true;
  }

  /** Whether leaves that show memory have the atomics-enable bit. */
  #atomics(vm: JobVm, bo: XeBo | null, advised: number): boolean {
    const platform = this.#platform;
    if (!platform.atomicEnableBit || advised === ATOMIC_CPU) return false;
    if (bo?.vram) return true;
    if (!platform.systemAtomics) return false;
    if (advised === ATOMIC_DEVICE || platform.vramBytes === 0 || !vm.longRunning) return true;
    return bo !== null && (bo.placement & (bo.placement - 1)) === 0;
  }

  #commitStates(vm: JobVm, work: WorkList): void {
    const { vmas } = vm;
    const { state } = vmas;
    for (let i = 0; i < work.count; i++) {
      const va = work.va(i);
      const kind = work.kind(i);
      vmas.leavesWritten(va);
      if (kind === WORK_UNBIND) state[va] = 0;
      else if (kind === WORK_BIND) state[va] = VMA_PRESENT;
      else state[va] = this.#quirks.faultScratch ? VMA_FORGOTTEN : VMA_ZEROED;
    }
  }

  #invalidateTlb(vm: JobVm): void {
    const updates = this.#updates;
    if (updates.needsInvalidation) {
      setTlbRange(vm.invalidation, updates.start, updates.end);
      vm.lastInvalidation = vm.invalidation;
      invalidate(vm.addressSpace, this.#platform, this.#counters, vm.invalidation);
    } else if (this.#flushBefore) {
      flushBeforeBatch(vm.addressSpace);
    }
  }
}

function stateOf(vm: JobVm, va: number): number {
  return vm.vmas.state[va] as number;
}
