/**
 * The page-table job of one ioctl: stage all work in order, write it, invalidate the TLB once.
 *
 * Nothing is written before everything was staged, so an error leaves the page tables as they were. What has to wait is
 * written later, see `bind-jobs.ts`; for the driver's own records it is done.
 *
 * @module
 */

import { type AllocFault, ENOBUFS, ENOMEM, type Fence, fail } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import type { AddressSpace } from "@vmbind/mmu";
import { BindJob, type BindJobs, type JobOrder } from "./bind-jobs.ts";
import type { BindSource } from "./bind-source.ts";
import type { XeBo } from "./bo.ts";
import type { XeCounters } from "./cost-sheet.ts";
import { failIfForced } from "./forced-errors.ts";
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
import type { EvictionRules } from "./vram.ts";
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
  readonly moves: EvictionRules & { prepare(work: WorkList, order: JobOrder): void };
  /** Jobs that wait. */
  readonly jobs: BindJobs;
}

/** Bytes of the pool that the GPU's batches for updates come from: 1 MiB, of which a page stays free (`xe_sa.c`, `xe_tile.c`). */
const BATCH_POOL_BYTES = 0x10_0000 - 0x1000;
/** First graphics version whose engines read 1024 bytes ahead, and not 512 (`xe_bb.c`). */
const LONG_PREFETCH_GRAPHICS = 1250;

/** Runs page-table jobs of a device. */
export class PtJob {
  readonly #tables: XeTables;
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
    this.#tables = tables;
    this.#platform = platform;
    this.#quirks = quirks;
    this.#counters = counters;
    this.#allocFault = allocFault;
    this.#updates = new PtUpdates(tables);
    this.#binder = new BindStager(tables, this.#updates, platform.graphics, counters);
    this.#unbinder = new UnbindStager(tables, this.#updates);
  }

  /**
   * Run the work that was parsed, or leave it to a job.
   *
   * @param vm - the VM
   * @param work - what to do
   * @param isArray - the ioctl had more than one operation
   * @param order - what has to come first
   * @returns the job that does it later, null when it is done
   * @throws `DrmError` ENOMEM, ENOBUFS, EINVAL, EBUSY, ENOSPC where it was forced; nothing was changed then, but for objects that moved
   */
  run(vm: JobVm, work: WorkList, isArray: boolean, order: JobOrder): BindJob | null {
    const updates = this.#updates;
    updates.reset();
    this.#flushBefore = false;
    vm.lastInvalidation = null;
    if (this.#allocFault?.("op-array")) {
      fail(isArray ? ENOBUFS : ENOMEM, "vm_bind: no memory for the page-table operations (injected)");
    }
    vm.moves.prepare(work, order);
    const { fails } = order;
    if (fails !== null) failIfForced(fails, "lock");
    this.#tables.rules = vm.moves;
    let waits = order.waits;
    try {
      for (let i = 0; i < work.count; i++) {
        const kind = work.kind(i);
        if (kind === WORK_UNBIND) this.#stageUnbind(vm, work.va(i));
        else this.#stageBind(vm, work.va(i), kind === WORK_CLEAR);
      }
      if (fails !== null) failIfForced(fails, "prepare");
      if (fails !== null && updates.ops > 0) failIfForced(fails, "run");
      // Where nothing is to be written the driver's fence has happened, whatever it was to wait for. Most often there is nothing.
      if (updates.ops === 0) waits = [];
      else if (waits.length > 0 || !vm.jobs.quiet) waits = vm.jobs.waitsOf(order, updates.start, updates.end);
      if (waits.length > 0 && order.byIoctl) this.#fitBatch();
    } catch (error) {
      updates.abort();
      for (let i = 0; i < work.count; i++) vm.vmas.state[work.va(i)] = stateOf(vm, work.va(i)) & ~VMA_STAGED;
      throw error;
    }
    const counters = this.#counters;
    counters.ptOps += updates.ops === 0 ? 0 : work.count;
    if (waits.length > 0) {
      const job = this.#park(vm, waits, order);
      this.#commitStates(vm, work);
      return job;
    }
    counters.ptUpdates += updates.count;
    counters.ptQwords += updates.apply(vm.pageTable);
    this.#commitStates(vm, work);
    this.#invalidateTlb(vm, updates.needsInvalidation, this.#flushBefore, updates.start, updates.end);
    return null;
  }

  /** With open waits the GPU writes the entries, with one batch. */
  #fitBatch(): void {
    const { graphics, vramBytes } = this.#platform;
    const bytes = this.#updates.batchBytes(vramBytes > 0, graphics < LONG_PREFETCH_GRAPHICS ? 512 : 1024);
    if (bytes <= BATCH_POOL_BYTES) return;
    fail(
      ENOBUFS,
      `vm_bind: it has to wait, and the GPU's batch that would write its entries then, ${bytes} bytes, is larger than the pool, ${BATCH_POOL_BYTES}; split the array`,
    );
  }

  #park(vm: JobVm, waits: readonly Fence[], order: JobOrder): BindJob {
    const { needsInvalidation, start, end } = this.#updates;
    const flushBefore = this.#flushBefore;
    const parked = this.#updates.park(vm.pageTable);
    const counters = this.#counters;
    const job = new BindJob(waits, start, end, order.rebuilds, {
      detached: parked.detached,
      apply: () => {
        counters.ptUpdates += parked.count;
        counters.ptQwords += parked.apply();
        this.#invalidateTlb(vm, needsInvalidation, flushBefore, start, end);
      },
      drop: () => parked.drop(),
      preview: () => parked.preview(),
    });
    vm.jobs.park(order.queue, job);
    return job;
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
    const counted = rebind || ((state & VMA_STAGED) !== 0 && !this.#quirks.countedTwice);
    updates.commitBind(first, counted, source.start, source.end);
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
    updates.commitUnbind(first, start, end);
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
    const advised = vmas.advice !== null;
    for (let i = 0; i < work.count; i++) {
      const va = work.va(i);
      const kind = work.kind(i);
      if (advised) vmas.leavesWritten(va);
      if (kind === WORK_UNBIND) state[va] = 0;
      else if (kind === WORK_BIND) state[va] = VMA_PRESENT;
      else state[va] = this.#quirks.faultScratch ? VMA_FORGOTTEN : VMA_ZEROED;
    }
  }

  #invalidateTlb(vm: JobVm, needed: boolean, flushBefore: boolean, start: number, end: number): void {
    if (needed) {
      setTlbRange(vm.invalidation, start, end);
      vm.lastInvalidation = vm.invalidation;
      invalidate(vm.addressSpace, this.#platform, this.#counters, vm.invalidation);
    } else if (flushBefore) {
      flushBeforeBatch(vm.addressSpace);
    }
  }
}

function stateOf(vm: JobVm, va: number): number {
  return vm.vmas.state[va] as number;
}
