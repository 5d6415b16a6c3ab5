/**
 * Counting references in a living VM: what GPUVM's objects say, not what the rules predict.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { type Gpuvm, type VmBo, vmBosOf } from "@vmbind/gpuvm-core";

/** Bytes of a `drm_gpuvm_bo`, upstream. */
export const VM_BO_BYTES = 96;

/**
 * @param gpuvm - a VM
 * @returns bytes of its `drm_gpuva`s: REPEAT adds a field and a hole
 */
export function gpuvaBytesOf(gpuvm: Gpuvm): number {
  return gpuvm.repeat === "upstream" ? 120 : 128;
}

/** All objects of the device that a VM belongs to. */
export function* gemObjects(gpuvm: Gpuvm): Generator<GemObject> {
  const { gems } = gpuvm;
  for (let id = 1, seen = 0; seen < gems.size; id++) {
    const gem = gems.get(id);
    if (gem === null) continue;
    seen++;
    yield gem;
  }
}

/**
 * @param gpuvm - a VM
 * @param gem - an object
 * @returns their vm_bo, undefined when the VM does not map the object
 */
export function vmBoOf(gpuvm: Gpuvm, gem: GemObject): VmBo | undefined {
  return vmBosOf(gem).find((vmBo) => vmBo.vm === gpuvm);
}

/** What one VM is the cause of. */
export interface References {
  /** References to the VM. */
  vmRefs: number;
  /** References to its vm_bos, together. */
  vmBoRefs: number;
  /** References to the objects that it maps, together. */
  gemRefs: number;
  /** Reservations that a submit locks. */
  submitLocks: number;
}

/**
 * @param gpuvm - a VM
 * @returns its references now
 */
export function references(gpuvm: Gpuvm): References {
  let vmBoRefs = 0;
  let gemRefs = 0;
  for (const gem of gemObjects(gpuvm)) {
    const vmBo = vmBoOf(gpuvm, gem);
    if (vmBo === undefined) continue;
    vmBoRefs += vmBo.refs;
    gemRefs += gem.refs;
  }
  const submitLocks = gpuvm.execLock({ ignoreDuplicates: true }).locked.length;
  return { vmRefs: gpuvm.refs, vmBoRefs, gemRefs, submitLocks };
}
