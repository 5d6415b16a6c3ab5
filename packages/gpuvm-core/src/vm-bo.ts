/**
 * vm_bo: the pair of a VM and a GEM object. It holds the one reference that all mappings of the object in that VM share,
 * and their list (`struct drm_gpuvm_bo`, `include/drm/drm_gpuvm.h`, Linux 7.3-rc7).
 *
 * @module
 */

import type { GemObject, GemVmBo } from "@vmbind/drm";
import type { GpuvaPool } from "./gpuva-pool.ts";
import type { ListEntry } from "./list-head.ts";

/** What a pair needs of its VM. */
export interface VmBoOwner {
  /** See `VmObjectsOptions.immediateMode`. */
  readonly immediateMode: boolean;
  /** Data of the mappings. @internal */
  readonly pool: GpuvaPool;
  /** The last reference to a pair is gone. @internal */
  vmBoDestroy(vmBo: VmBo): void;
  /** The last reference to a pair is gone, in immediate mode. @internal */
  vmBoDefer(vmBo: VmBo): void;
}

/** A VM/BO pair (`drm_gpuvm_bo`). Made by `VmObjects.vmBoCreate`. */
export class VmBo implements GemVmBo {
  /** The VM, counted. */
  readonly vm: VmBoOwner;
  /** The object, counted. */
  readonly gem: GemObject;
  /** References: one per linked mapping, and what drivers hold. At 0 a deferred put has made it a zombie. */
  refs = 1;
  /** The object's pages are not where the GPU expects them. */
  evicted = false;
  /** For the driver. */
  data: unknown = null;
  /** Number in the VM, which mappings store. @internal */
  readonly slot: number;
  /** First linked mapping, 0 = none. @internal */
  head = 0;
  /** Last linked mapping, 0 = none. @internal */
  tail = 0;
  /** Linked mappings. */
  vaCount = 0;
  /** Place in the VM's list of external objects, null before it was on it. @internal */
  extobj: ListEntry<VmBo> | null = null;
  /** Place in the VM's list of evicted ones, null before it was on it. @internal */
  evict: ListEntry<VmBo> | null = null;

  /** @internal */
  constructor(vm: VmBoOwner, gem: GemObject, slot: number) {
    this.vm = vm;
    this.gem = gem;
    this.slot = slot;
  }

  /** Take a reference. */
  get(): this {
    this.refs++;
    return this;
  }

  /**
   * Drop a reference (`drm_gpuvm_bo_put`).
   *
   * @returns true when it was the last one and the vm_bo is gone
   */
  put(): boolean {
    if (--this.refs > 0) return false;
    this.vm.vmBoDestroy(this);
    return true;
  }

  /**
   * Drop a reference; the last one leaves a zombie for `VmObjects.deferredCleanup`.
   *
   * @throws Error outside immediate mode, where the kernel warns
   */
  putDeferred(): void {
    if (!this.vm.immediateMode) throw new Error("vm_bo: deferred put needs immediate mode");
    if (--this.refs === 0) this.vm.vmBoDefer(this);
  }

  /** Linked mappings in the order of linking. */
  *vas(): Generator<number> {
    for (let va = this.head; va !== 0; va = this.vm.pool.next(va)) yield va;
  }
}

/**
 * The VMs that map an object, in the order of first mapping (`drm_gem_for_each_gpuvm_bo`).
 *
 * @param gem - an object
 * @returns its vm_bos, zombies left out
 */
export function vmBosOf(gem: GemObject): readonly VmBo[] {
  // Nobody but VmObjects puts entries on the list.
  return gem.vmBos as VmBo[];
}
