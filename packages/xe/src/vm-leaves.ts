/**
 * What happens to leaves when no VM_BIND asks for it: they are zapped where they say what is no longer so, or show memory that
 * goes, and bound again later (`xe_vm_invalidate_vma`, `xe_vm_rebind` of `xe_vm.c`, Linux 7.3-rc7).
 *
 * Binds that wait come first: what they are about to write is zapped behind them.
 *
 * @module
 */

import type { Fence } from "@vmbind/drm";
import { BindJob, type JobOrder } from "./bind-jobs.ts";
import type { XeBo } from "./bo.ts";
import type { XeCounters } from "./cost-sheet.ts";
import type { Platform } from "./platforms.ts";
import type { JobVm, PtJob } from "./pt-job.ts";
import { ParkedUpdates } from "./pt-parked.ts";
import { zapLeaves } from "./pt-zap.ts";
import { flushBeforeBatch, invalidate, setTlbRange } from "./tlb-range.ts";
import { VMA_PRESENT, VMA_SPARSE, VMA_ZAPPED } from "./vma.ts";
import { WORK_BIND, WorkList } from "./work-list.ts";

const NO_FENCES: readonly Fence[] = [];
const NO_WORDS = new Int32Array(0);

/** The VM whose leaves these are; see `XeVm`. */
export interface LeavesVm extends JobVm {
  /** What the device is. */
  readonly platform: Platform;
  /** Page tables are filled by recoverable faults. */
  readonly faultMode: boolean;
}

/** What is needed of its device; see `XeDevice`. */
export interface LeavesDevice {
  /** The cost sheet. */
  readonly counters: XeCounters;
  /** Runs page-table work. */
  readonly job: PtJob;
}

/** The leaves of one VM. */
export class VmLeaves {
  readonly #vm: LeavesVm;
  readonly #device: LeavesDevice;
  readonly #work: WorkList = new WorkList();
  /** Where work stands that no VM_BIND asked for: behind everything that is booked. */
  readonly order: JobOrder = {
    queue: this,
    waits: NO_FENCES,
    rebuilds: true,
    maps: true,
    byIoctl: false,
    evictsOwn: false,
    fails: null,
  };
  readonly #zapOrder: JobOrder = { ...this.order, rebuilds: false, maps: false };

  /**
   * @param vm - the VM
   * @param device - its device
   */
  constructor(vm: LeavesVm, device: LeavesDevice) {
    this.#vm = vm;
    this.#device = device;
  }

  /**
   * Zap the leaves of mappings, with one TLB invalidation for all: of the range, or more where a mapping reaches out of it.
   * Those without leaves that are valid are left alone, null mappings too.
   *
   * @param vas - mappings
   * @param start - first VA of the range in bytes
   * @param end - first VA behind it
   */
  zap(vas: readonly number[], start: number, end: number): void {
    const zapped = vas.filter((va) => this.#zappable(va));
    if (zapped.length === 0) return;
    const { gpuvm } = this.#vm;
    const from = zapped.reduce((least, va) => Math.min(least, gpuvm.addr(va)), start);
    const to = zapped.reduce((most, va) => Math.max(most, gpuvm.end(va)), end);
    this.#zap(zapped, from, to, () => this.#invalidate(from, to));
  }

  #zappable(va: number): boolean {
    const { state, flags } = this.#vm.vmas;
    if (((state[va] as number) & (VMA_PRESENT | VMA_ZAPPED)) !== VMA_PRESENT) return false;
    return ((flags[va] as number) & VMA_SPARSE) === 0;
  }

  /** Zap mappings between two VAs, then do something. */
  #zap(vas: readonly number[], from: number, to: number, then: () => void): void {
    const { gpuvm, vmas, jobs, pageTable } = this.#vm;
    const updates: number[] = [];
    for (const va of vas) {
      zapLeaves(pageTable, gpuvm.addr(va), gpuvm.end(va), updates);
      vmas.state[va] = (vmas.state[va] as number) | VMA_ZAPPED;
    }
    const parked = new ParkedUpdates(pageTable, Int32Array.from(updates), NO_WORDS);
    const apply = (): void => {
      parked.apply();
      then();
    };
    const waits = jobs.waitsOf(this.#zapOrder, from, to);
    if (waits.length === 0) {
      apply();
      return;
    }
    const work = { detached: [], apply, drop: () => parked.drop(), preview: () => parked.preview() };
    jobs.park(this.#zapOrder.queue, new BindJob(waits, from, to, false, work));
  }

  #invalidate(from: number, to: number): void {
    const vm = this.#vm;
    setTlbRange(vm.invalidation, from, to);
    vm.lastInvalidation = vm.invalidation;
    invalidate(vm.addressSpace, vm.platform, this.#device.counters, vm.invalidation);
  }

  /**
   * The memory of an object is about to go or to move: no leaf shows it any more. In fault mode each mapping is invalidated by
   * itself, for the GPU may be running; elsewhere it is not, and what it knows is flushed before it runs again.
   *
   * @param vas - the object's mappings
   */
  loseMemory(vas: readonly number[]): void {
    const { addressSpace, faultMode, gpuvm } = this.#vm;
    for (const va of vas) {
      const [start, end] = [gpuvm.addr(va), gpuvm.end(va)];
      if (faultMode) this.zap([va], start, end);
      else if (this.#zappable(va)) this.#zap([va], start, end, () => flushBeforeBatch(addressSpace));
    }
  }

  /**
   * Mappings were bound to other memory by page-table work that takes them for the same as before: forget them, too.
   *
   * @param vas - mappings of an object that moved
   */
  forgetMoved(vas: readonly number[]): void {
    const { addressSpace, faultMode, gpuvm } = this.#vm;
    if (!faultMode) flushBeforeBatch(addressSpace);
    for (const va of faultMode ? vas : []) this.#invalidate(gpuvm.addr(va), gpuvm.end(va));
  }

  /**
   * Bind mappings that {@link VmLeaves.loseMemory} zapped, as happens outside fault mode before the GPU runs again. Those of a
   * fault-mode VM wait for a fault.
   *
   * @param vas - mappings of one object
   * @throws `DrmError` ENOMEM; they stay zapped then
   */
  bindAgain(vas: readonly number[]): void {
    const { faultMode, gpuvm, vmas } = this.#vm;
    const zapped = vas.filter((va) => {
      // What was evicted has to come back first.
      const away = (gpuvm.gem(va) as XeBo | null)?.displaced;
      return !away && ((vmas.state[va] as number) & VMA_ZAPPED) !== 0;
    });
    if (faultMode || zapped.length === 0) return;
    this.#work.clear();
    for (const va of zapped) this.#work.push(WORK_BIND, va);
    this.#device.job.run(this.#vm, this.#work, false, this.order);
  }
}
