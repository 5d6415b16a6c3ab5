/**
 * User fences and mappings: what a VM_BIND with a user fence made stays until the value is written, and so the process can rely on
 * what it finds (`check_ufence` of `xe_vm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { EBUSY, type Fence, fail, hex } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import { VMA_DESTROYED, type XeVmas } from "./vma.ts";
import { WORK_BIND, WORK_UNBIND, type WorkList } from "./work-list.ts";

/**
 * A mapping cannot go, nor be cut, while the user fence of the VM_BIND that made or bound it has not happened.
 *
 * @param gpuvm - the VM's mappings
 * @param vmas - their records
 * @param work - what an ioctl is about to do
 * @throws `DrmError` EBUSY
 */
export function checkUserFences(gpuvm: Gpuvm, { userFences }: XeVmas, work: WorkList): void {
  if (userFences.size === 0) return;
  for (let i = 0; i < work.count; i++) {
    const va = work.va(i);
    const fence = work.kind(i) === WORK_UNBIND ? userFences.get(va) : undefined;
    if (fence === undefined || fence.signaled) continue;
    fail(EBUSY, `vm_bind: the user fence of the mapping at ${hex(gpuvm.addr(va))} is not signalled yet`);
  }
}

/**
 * An ioctl with a user fence that has not happened is done.
 *
 * @param vmas - records of the VM's mappings
 * @param made - mappings that it made
 * @param work - what it did
 * @param fence - its end
 */
export function setUserFence(
  { flags, userFences }: XeVmas,
  made: Iterable<number>,
  work: WorkList,
  fence: Fence,
): void {
  const set = (va: number): void => {
    // A later operation of the ioctl may have taken it out again.
    if (((flags[va] as number) & VMA_DESTROYED) === 0) userFences.set(va, fence);
  };
  for (const va of made) set(va);
  for (let i = 0; i < work.count; i++) if (work.kind(i) === WORK_BIND) set(work.va(i));
}
