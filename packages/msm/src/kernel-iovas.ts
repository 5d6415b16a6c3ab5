/**
 * Addresses of objects where the kernel manages the VM, which is how it is until a file asks for VM_BIND: the kernel finds
 * one when it is asked for (`MSM_INFO_GET_IOVA`), or user space tells (`MSM_INFO_SET_IOVA`). `msm_gem.c`, Linux 7.3-rc7.
 *
 * Only the addresses are kept: the page tables of such VMs are not modelled.
 *
 * @module
 */

import { EBUSY, ENOSPC, fail, hex } from "@vmbind/drm";
import type { MsmBo } from "./bo.ts";
import { VA_START } from "./uapi.ts";

/** The addresses of a file's objects. */
export class KernelIovas {
  readonly #iovas: Map<MsmBo, number> = new Map();

  /**
   * The object's address; the lowest one that is free if it has none.
   *
   * @param bo - the object
   * @param vaEnd - first address behind the VM
   * @throws `DrmError` ENOSPC
   */
  get(bo: MsmBo, vaEnd: number): number {
    const known = this.#iovas.get(bo);
    if (known !== undefined) return known;
    let iova = VA_START;
    for (const [other, at] of [...this.#iovas].sort((a, b) => a[1] - b[1])) {
      if (iova + bo.size <= at) break;
      iova = at + other.size;
    }
    if (iova + bo.size > vaEnd) fail(ENOSPC, `gem_info.value: no room for ${bo.size} bytes`);
    this.#iovas.set(bo, iova);
    return iova;
  }

  /**
   * Give an object an address.
   *
   * @param bo - the object
   * @param iova - bytes; 0 takes its address away
   * @param vaEnd - first address behind the VM
   * @throws `DrmError` EBUSY for an object that has another one, ENOSPC where it does not fit
   */
  set(bo: MsmBo, iova: number, vaEnd: number): void {
    if (iova === 0) {
      this.drop(bo);
      return;
    }
    const known = this.#iovas.get(bo);
    if (known === iova) return;
    if (known !== undefined) fail(EBUSY, `gem_info.value: the object is at ${hex(known)} already`);
    const end = iova + bo.size;
    const free = [...this.#iovas].every(([other, at]) => end <= at || at + other.size <= iova);
    if (!(iova >= VA_START && iova % 4096 === 0 && end <= vaEnd && free))
      fail(ENOSPC, `gem_info.value: no room for ${bo.size} bytes at ${hex(iova)}`);
    this.#iovas.set(bo, iova);
  }

  /** The object is gone, or its address. */
  drop(bo: MsmBo): void {
    this.#iovas.delete(bo);
  }
}
