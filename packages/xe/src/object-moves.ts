/**
 * What happens to objects between the parsing of an ioctl and its page-table work (`op_lock_and_prep` of `xe_vm.c`, Linux
 * 7.3-rc7): those that are bound get their memory, or come back to where they may be shown, and PREFETCH brings those that it
 * names to the region that it asks for.
 *
 * An object that moves takes its contents with it, and every leaf that showed it has to follow: those of the mappings
 * that the ioctl binds do so by its own work, all others, in every VM, once the ioctl has succeeded. Until then the old
 * memory is kept, so that an ioctl that fails later leaves the object where it was. Objects that were evicted for its room stay
 * evicted.
 *
 * @module
 */

import { DrmError, EBUSY, EINVAL, fail, type GemObject, hex } from "@vmbind/drm";
import { type Gpuvm, type VmBo, vmBosOf } from "@vmbind/gpuvm-core";
import type { BindJobs, JobOrder } from "./bind-jobs.ts";
import { PLACEMENT_SYSTEM, PLACEMENT_VRAM, type XeBo, type XeBoHome } from "./bo.ts";
import { setEvicted } from "./eviction.ts";
import { CONSULT_MEM_ADVISE_PREF_LOC } from "./uapi-values.ts";
import type { VmLeaves } from "./vm-leaves.ts";
import { VMA_NEW } from "./vma.ts";
import type { EvictionRules } from "./vram.ts";
import { type Prefetch, WORK_BIND, WORK_UNBIND, WorkList } from "./work-list.ts";

/** Region instance of VRAM. */
const REGION_VRAM = 1;
const NO_WORK = new WorkList();
/** Nobody has to go. */
const EVICT_NONE: EvictionRules = { mayEvict: () => false };

/** What follows an object that moved; see `XeVm`. */
interface MovingVm {
  /** Mappings. */
  readonly gpuvm: Gpuvm;
  /** Page-table work that waits. */
  readonly jobs: BindJobs;
  /** Its leaves. */
  readonly leaves: VmLeaves;
  /** Objects that it maps may have been evicted. */
  hasEvicted: boolean;
}

/** The VM whose ioctls these are; see `XeVm`. */
export interface OwningVm extends MovingVm {
  /** All that it maps has to be in its memory after a VM_BIND. */
  readonly keepsAll: boolean;
  /** What it knows of its mappings. */
  readonly vmas: { readonly flags: Uint16Array };
}

/** Finds the VM that an entry of an object's list belongs to. */
export interface VmsOfDevice {
  /** VMs by their VA manager. */
  readonly vms: { get(gpuvm: object): MovingVm | undefined; values(): Iterable<MovingVm> };
  /** Where objects were that have moved, while jobs that wait may still show it. */
  readonly leaving: Set<XeBoHome>;
}

/** The objects of one ioctl. One per VM, reused. */
export class ObjectMoves implements EvictionRules {
  readonly #device: VmsOfDevice;
  readonly #vm: OwningVm;
  /** Where the objects that moved were, in the order of their moves. */
  readonly #left: { readonly bo: XeBo; readonly home: XeBoHome; readonly zapped: boolean }[] = [];
  /** What the running ioctl will do; the objects that it names are locked. */
  #work: WorkList = NO_WORK;
  #locked: Set<GemObject> | null = null;
  #evictsOwn = false;
  #evictsUnmapped = false;

  /**
   * @param device - the device
   * @param vm - the VM
   */
  constructor(device: VmsOfDevice, vm: OwningVm) {
    this.#device = device;
    this.#vm = vm;
  }

  /** Objects have moved since the ioctl began. */
  get any(): boolean {
    return this.#left.length > 0;
  }

  /**
   * Give every object that is to be bound its memory, where it is wanted.
   *
   * @param work - what the ioctl will do
   * @param order - where it stands: what it has to wait for, and whom room for it may cost
   * @throws `DrmError` EINVAL, EBUSY, ENOMEM; {@link ObjectMoves.undo} is to follow
   */
  prepare(work: WorkList, { waits, evictsOwn, byIoctl }: JobOrder): void {
    const vm = this.#vm;
    this.#begin(work, evictsOwn);
    // Until the entries are written nothing shows an object that moves.
    const zap = waits.length > 0 || !vm.jobs.idle;
    const { prefetches } = work;
    let next = 0;
    for (let i = 0; i < work.count; i++) {
      if (work.kind(i) !== WORK_BIND) continue;
      const va = work.va(i);
      const wish = next < prefetches.length ? prefetches[next] : undefined;
      const bo = vm.gpuvm.gem(va) as XeBo | null;
      if (wish?.at === i) {
        next++;
        if (bo !== null) this.#bring(bo, wish, va, zap);
      } else if (bo !== null && !bo.purged) this.#settle(bo, zap, byIoctl);
    }
    if (byIoctl && vm.keepsAll && vm.hasEvicted) {
      // What the VM owns and does not map is of no use to its batches.
      this.#evictsUnmapped = true;
      for (const { gem } of this.#evicted()) this.#settle(gem as XeBo, zap, byIoctl);
      this.#evictsUnmapped = false;
    }
    // Page tables come next: nothing that the VM maps makes room for those.
    this.#evictsOwn = false;
  }

  #begin(work: WorkList, evictsOwn: boolean): void {
    this.#work = work;
    this.#locked = null;
    this.#evictsOwn = evictsOwn;
    this.#evictsUnmapped = false;
  }

  /** See {@link EvictionRules.mayEvict}. */
  mayEvict(gem: GemObject): boolean {
    const { gpuvm } = this.#vm;
    this.#locked ??= new Set(
      Array.from({ length: this.#work.count }, (_, i) => gpuvm.gem(this.#work.va(i)) as XeBo),
    );
    if (this.#locked.has(gem)) return false;
    if (this.#evictsOwn) return true;
    if (gem.resv === gpuvm.resv && !this.#evictsUnmapped) return false;
    return gem.vmBos.every(({ vm }) => vm !== gpuvm);
  }

  /**
   * Memory for an object that has none; and one that was evicted comes back. One that may live in either region comes back with a
   * VM_BIND that names it, if there is room without an eviction (`ttm_bo_validate`: system memory is its fallback).
   */
  #settle(bo: XeBo, zap: boolean, byIoctl: boolean): void {
    if (bo.displaced && bo.ownsPages) this.#move(bo, true, zap, this);
    else if (byIoctl && bo.prefersVram) this.#moveIfPossible(bo, zap);
    else bo.populate(this);
  }

  #bring(bo: XeBo, { region, name }: Prefetch, va: number, zap: boolean): void {
    const what = `the object at ${hex(this.#vm.gpuvm.addr(va))}`;
    if (bo.purged) fail(EINVAL, `${name}: ${what} is purged: its contents are gone`);
    if (bo.dontNeed) fail(EBUSY, `${name}: madvise gave the contents of ${what} up`);
    const vram = region === CONSULT_MEM_ADVISE_PREF_LOC ? bo.vram || bo.displaced : region === REGION_VRAM;
    if (vram === bo.vram && !bo.displaced) {
      bo.populate(this);
      return;
    }
    if (bo.shared || bo.cpuMappings > 0)
      fail(EBUSY, `${name}: somebody else uses ${what}, which has to stay`);
    if (bo.imported || (bo.placement & (vram ? PLACEMENT_VRAM : PLACEMENT_SYSTEM)) === 0) {
      fail(EINVAL, `${name}.prefetch_mem_region_instance: ${what} may not live in region ${region}`);
    }
    this.#move(bo, vram, zap, this);
  }

  #move(bo: XeBo, vram: boolean, zapped: boolean, rules: EvictionRules): void {
    this.#left.push({ bo, home: bo.moveTo(vram, rules), zapped });
    if (!zapped) return;
    this.#everywhere(bo, (vm, _, vas) =>
      vm.leaves.loseMemory(vm === this.#vm ? vas.filter((va) => !this.#isCut(va)) : vas),
    );
  }

  /**
   * Whether the ioctl takes a mapping away or cuts it, or made it. Pieces are zapped once the ioctl has succeeded: zapping the mapping as a
   * whole would take a table out that they share, and a piece that is taken back would not be bound again.
   */
  #isCut(va: number): boolean {
    return ((this.#vm.vmas.flags[va] as number) & VMA_NEW) !== 0 || this.#work.has(WORK_UNBIND, va);
  }

  /** Every VM that maps an object, with its mappings. */
  #everywhere(bo: XeBo, visit: (vm: MovingVm, vmBo: VmBo, vas: number[]) => void): void {
    for (const vmBo of vmBosOf(bo)) {
      const vm = this.#device.vms.get(vmBo.vm);
      if (vm !== undefined) visit(vm, vmBo, [...vmBo.vas()]);
    }
  }

  #evicted(): VmBo[] {
    return [...this.#vm.gpuvm.vmBos()].filter((vmBo) => vmBo.evicted);
  }

  /**
   * Bring all that the VM maps back to its memory, as EXEC does; nothing that the VM maps makes room for it. Objects that may
   * live in system memory come back if there is room.
   *
   * @throws `DrmError` ENOMEM; those that came back have gone again
   */
  makeResident(): void {
    const away = this.#evicted();
    this.#begin(NO_WORK, false);
    try {
      for (const { gem } of away) {
        const bo = gem as XeBo;
        if (bo.purged || bo.vram) continue;
        if (bo.displaced) this.#move(bo, true, false, this);
        else this.#moveIfPossible(bo, false);
      }
    } catch (error) {
      if (error instanceof DrmError) this.undo();
      throw error;
    }
    this.finish(NO_WORK);
    for (const vmBo of away) {
      this.#vm.leaves.bindAgain([...vmBo.vas()]);
      setEvicted(this.#vm, vmBo, false);
    }
    this.#vm.hasEvicted = false;
  }

  #moveIfPossible(bo: XeBo, zap: boolean): void {
    try {
      this.#move(bo, true, zap, EVICT_NONE);
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
    }
  }

  /** The ioctl failed: objects go back, those that moved twice the whole way before they are shown again. */
  undo(): void {
    const left = this.#left.splice(0).reverse();
    for (const { bo, home } of left) bo.moveBack(home);
    const hidden = new Set(left.filter(({ zapped }) => zapped).map(({ bo }) => bo));
    for (const bo of hidden) this.#everywhere(bo, (vm, _, vas) => bindIfPossible(vm, vas));
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
      this.#everywhere(bo, (vm, vmBo, vas) => {
        const isBound = (va: number): boolean => vm === this.#vm && work.has(WORK_BIND, va);
        follow.push({ vm, bound: vas.filter(isBound), others: vas.filter((va) => !isBound(va)) });
        if (vmBo.evicted) setEvicted(vm, vmBo, false);
      });
    }
    for (const { vm, bound, others } of follow) {
      vm.leaves.forgetMoved(bound);
      vm.leaves.loseMemory(others);
    }
    for (const { vm, others } of follow) bindIfPossible(vm, others);
    const busy = new Set(follow.flatMap(({ vm }) => (vm.jobs.idle ? [] : [vm.jobs])));
    // A mapping may be gone from a VM, and not yet from its page tables.
    for (const { jobs } of this.#device.vms.values()) {
      if (!jobs.idle && left.some(({ bo }) => jobs.holds(bo))) busy.add(jobs);
    }
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
