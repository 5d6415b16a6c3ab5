/**
 * What happens to objects between the parsing of an ioctl and its page-table work (`op_lock_and_prep` of `xe_vm.c`, Linux
 * 7.3-rc7): those that are bound get their memory, and PREFETCH brings those that it names to the region that it asks for.
 *
 * An object that moves takes its contents with it, and every leaf that showed it has to follow: those of the mappings
 * that the ioctl binds do so by its own work, all others, in every VM, once the ioctl has succeeded. Until then the old
 * memory is kept, so that an ioctl that fails later leaves the object where it was.
 *
 * @module
 */

import { DrmError, EBUSY, EINVAL, fail, hex } from "@vmbind/drm";
import { type Gpuvm, vmBosOf } from "@vmbind/gpuvm-core";
import type { BindJobs } from "./bind-jobs.ts";
import { PLACEMENT_SYSTEM, PLACEMENT_VRAM, type XeBo, type XeBoHome } from "./bo.ts";
import { CONSULT_MEM_ADVISE_PREF_LOC } from "./uapi-values.ts";
import type { VmLeaves } from "./vm-leaves.ts";
import { type Prefetch, WORK_BIND, type WorkList } from "./work-list.ts";

/** Region instance of VRAM. */
const REGION_VRAM = 1;

/** What follows an object that moved; see `XeVm`. */
interface MovingVm {
  /** Mappings. */
  readonly gpuvm: Gpuvm;
  /** Page-table work that waits. */
  readonly jobs: BindJobs;
  /** Its leaves. */
  readonly leaves: VmLeaves;
}

/** Finds the VM that an entry of an object's list belongs to. */
export interface VmsOfDevice {
  /** VMs by their VA manager. */
  readonly vms: { get(gpuvm: object): MovingVm | undefined };
  /** Where objects were that have moved, while jobs that wait may still show it. */
  readonly leaving: Set<XeBoHome>;
}

/** The objects of one ioctl. One per VM, reused. */
export class ObjectMoves {
  readonly #device: VmsOfDevice;
  readonly #gpuvm: Gpuvm;
  /** Where the objects that moved were, in the order of their moves. */
  readonly #left: { readonly bo: XeBo; readonly home: XeBoHome; readonly zapped: boolean }[] = [];

  /**
   * @param device - the device
   * @param gpuvm - the VM's mappings
   */
  constructor(device: VmsOfDevice, gpuvm: Gpuvm) {
    this.#device = device;
    this.#gpuvm = gpuvm;
  }

  /** Objects have moved since the ioctl began. */
  get any(): boolean {
    return this.#left.length > 0;
  }

  /**
   * Give every object that is to be bound its memory, where it is wanted.
   *
   * @param work - what the ioctl will do
   * @param waits - its entries may be written later: until then nothing shows an object that moves
   * @throws `DrmError` EINVAL, EBUSY, ENOMEM; {@link ObjectMoves.undo} is to follow
   */
  prepare(work: WorkList, waits: boolean): void {
    const { prefetches } = work;
    let next = 0;
    for (let i = 0; i < work.count; i++) {
      if (work.kind(i) !== WORK_BIND) continue;
      const va = work.va(i);
      const wish = prefetches[next];
      const bo = this.#gpuvm.gem(va) as XeBo | null;
      if (wish?.at === i) {
        next++;
        if (bo !== null) this.#bring(bo, wish, va, waits);
      } else if (bo !== null && !bo.purged) bo.populate();
    }
  }

  #bring(bo: XeBo, { region, name }: Prefetch, va: number, waits: boolean): void {
    const what = `the object at ${hex(this.#gpuvm.addr(va))}`;
    if (bo.purged) fail(EINVAL, `${name}: ${what} is purged: its contents are gone`);
    if (bo.dontNeed) fail(EBUSY, `${name}: madvise gave the contents of ${what} up`);
    const vram = region === CONSULT_MEM_ADVISE_PREF_LOC ? bo.vram : region === REGION_VRAM;
    if (vram === bo.vram) {
      bo.populate();
      return;
    }
    if (bo.shared) fail(EBUSY, `${name}: another device uses ${what}, which has to stay`);
    if (bo.imported || (bo.placement & (vram ? PLACEMENT_VRAM : PLACEMENT_SYSTEM)) === 0) {
      fail(EINVAL, `${name}.prefetch_mem_region_instance: ${what} may not live in region ${region}`);
    }
    this.#left.push({ bo, home: bo.moveTo(vram), zapped: waits });
    if (waits) this.#everywhere(bo, (vm, vas) => vm.leaves.loseMemory(vas));
  }

  /** Every VM that maps an object, with its mappings. */
  #everywhere(bo: XeBo, visit: (vm: MovingVm, vas: number[]) => void): void {
    for (const vmBo of vmBosOf(bo)) {
      const vm = this.#device.vms.get(vmBo.vm);
      if (vm !== undefined) visit(vm, [...vmBo.vas()]);
    }
  }

  /** The ioctl failed: objects go back. */
  undo(): void {
    for (const { bo, home, zapped } of this.#left.splice(0).reverse()) {
      bo.moveBack(home);
      if (zapped) this.#everywhere(bo, bindIfPossible);
    }
  }

  /**
   * The ioctl succeeded: the other mappings of the objects follow, and the old memory goes.
   *
   * @param work - what the ioctl did
   */
  finish(work: WorkList): void {
    const left = this.#left.splice(0);
    const follow: { vm: MovingVm; bound: number[]; others: number[] }[] = [];
    for (const bo of new Set(left.map((move) => move.bo))) {
      this.#everywhere(bo, (vm, vas) => {
        const isBound = (va: number): boolean => vm.gpuvm === this.#gpuvm && work.has(WORK_BIND, va);
        follow.push({ vm, bound: vas.filter(isBound), others: vas.filter((va) => !isBound(va)) });
      });
    }
    for (const { vm, bound, others } of follow) {
      vm.leaves.forgetMoved(bound);
      vm.leaves.loseMemory(others);
    }
    for (const { vm, others } of follow) bindIfPossible(vm, others);
    const busy = new Set(follow.flatMap(({ vm }) => (vm.jobs.idle ? [] : [vm.jobs])));
    for (const { bo, home } of left) this.#leave(bo, home, busy);
  }

  /** Give up the memory where an object was, once no job waits that may still show it. */
  #leave(bo: XeBo, home: XeBoHome, busy: ReadonlySet<BindJobs>): void {
    const { leaving } = this.#device;
    let left = busy.size;
    const leave = (): void => {
      leaving.delete(home);
      bo.leave(home);
    };
    if (left === 0) leave();
    else leaving.add(home);
    for (const jobs of busy) {
      jobs.whenIdle(() => {
        if (--left === 0) leave();
      });
    }
  }
}

/** Without memory for page tables the leaves stay zero, until the mappings are bound by something else. */
function bindIfPossible(vm: MovingVm, vas: readonly number[]): void {
  try {
    vm.leaves.bindAgain(vas);
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
  }
}
