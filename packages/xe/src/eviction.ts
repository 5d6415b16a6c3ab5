/**
 * Eviction: VRAM that is full is made free by moving objects that nobody uses to system memory (`ttm_bo.c` as `xe_bo.c` has it,
 * Linux 7.3-rc7).
 *
 * Whom an eviction may hit depends on what the room is for. Objects that share a VM's reservation, or that it maps, may go for that
 * same VM, unless it is long-running; one in fault mode without NO_VM_OVERCOMMIT brings them back by faults, which always may
 * take from it. Objects that the
 * ioctl itself names are locked and stay. Those of others go if nobody uses them: where a batch or a bind waits the kernel would
 * wait with it, and the model takes another one. Page tables never move.
 *
 * An object that was evicted shows nowhere, until the VM is made resident for a batch (`XeVm.makeResident`), a fault, or a
 * VM_BIND brings it back. One that may live in system memory as well is at home there then.
 *
 * @module
 */

import { DrmError, type GemObjects } from "@vmbind/drm";
import { type Gpuvm, type VmBo, vmBosOf } from "@vmbind/gpuvm-core";
import type { BindJobs } from "./bind-jobs.ts";
import { XeBo } from "./bo.ts";
import type { VmLeaves } from "./vm-leaves.ts";
import type { EvictionRules, Vram } from "./vram.ts";

/** What a VM notices of evictions; see `XeVm`. */
interface EvictedVm {
  readonly gpuvm: Gpuvm;
  readonly jobs: BindJobs;
  readonly leaves: VmLeaves;
  /** Objects that it maps may be away. */
  hasEvicted: boolean;
}

/** What is needed of the device; see `XeDevice`. */
export interface EvictionDevice {
  /** All objects. */
  readonly gems: GemObjects;
  /** VMs by their VA manager. */
  readonly vms: { get(gpuvm: object): EvictedVm | undefined };
  /** How full VRAM is. */
  readonly vram: Vram;
}

/**
 * An object is in use: by a batch of a VM that maps it, by binds there that wait, or by somebody who knows its physical address.
 *
 * @param device - its device
 * @param bo - the object
 */
export function isBusy({ vms }: Pick<EvictionDevice, "vms">, bo: XeBo): boolean {
  if (bo.heldByJobs > 0) return true;
  return bo.vmBos.some((vmBo) => vms.get(vmBo.vm)?.jobs.quiet === false);
}

/**
 * @param device - a device
 * @returns bytes of VRAM whose objects could be evicted if nobody used them
 */
export function busyVramBytes(device: EvictionDevice): number {
  let bytes = 0;
  for (const gem of device.gems.values()) {
    if (gem instanceof XeBo && gem.evictable && isBusy(device, gem)) bytes += gem.residentBytes;
  }
  return bytes;
}

/**
 * Make room in VRAM: what came there first goes first. Nothing goes when that would not be enough.
 *
 * @param device - the device
 * @param bytes - how much is needed
 * @param rules - whom it may hit
 * @returns whether there is room now
 */
export function makeRoom(device: EvictionDevice, bytes: number, rules: EvictionRules): boolean {
  const { vram } = device;
  if (bytes <= vram.leftBytes) return true;
  if (bytes > vram.bytes) return false;
  const found: XeBo[] = [];
  let free = vram.leftBytes;
  for (const gem of device.gems.values()) {
    if (!(gem instanceof XeBo) || !gem.evictable || isBusy(device, gem) || !rules.mayEvict(gem)) continue;
    found.push(gem);
    free += gem.residentBytes;
  }
  if (free < bytes) return false;
  found.sort((a, b) => a.inVramSince - b.inVramSince);
  for (const bo of found) {
    evict(device, bo);
    if (bytes <= vram.leftBytes) return true;
  }
  return false;
}

/** Move one object out, or drop the contents that nobody needs. One that finds no system memory stays. */
function evict({ vms }: EvictionDevice, bo: XeBo): void {
  const leave = bo.dontNeed ? () => bo.dropContents() : moveOut(bo);
  if (leave === null) return;
  for (const vmBo of vmBosOf(bo)) {
    const vm = vms.get(vmBo.vm);
    if (vm === undefined) continue;
    vm.leaves.loseMemory([...vmBo.vas()]);
    setEvicted(vm, vmBo, true);
  }
  leave();
}

function moveOut(bo: XeBo): (() => void) | null {
  try {
    const home = bo.moveTo(false);
    return () => bo.leave(home);
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
    return null;
  }
}

/**
 * Note that a VM maps an object that is away, or no longer is.
 *
 * @param vm - the VM
 * @param vmBo - its pair with the object
 * @param evicted - it is
 */
export function setEvicted(
  vm: { readonly gpuvm: Gpuvm; hasEvicted: boolean },
  vmBo: VmBo,
  evicted: boolean,
): void {
  vm.gpuvm.evict(vmBo, evicted);
  if (evicted) vm.hasEvicted = true;
}
