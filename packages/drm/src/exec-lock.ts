/**
 * What a submit locks: reservation objects, in order (`drivers/gpu/drm/drm_exec.c`, Linux 7.3-rc7). Contention does not
 * exist here; the order, the duplicates and who gets which fence do.
 *
 * @module
 */

import { EALREADY, fail } from "./errno.ts";
import type { GemObject, Resv } from "./gem.ts";

/** How to lock. */
export interface ExecLockOptions {
  /** `DRM_EXEC_IGNORE_DUPLICATES`: a reservation met twice is locked once. Otherwise it is an error. */
  ignoreDuplicates?: boolean;
  /** Fence slots to reserve in each reservation. */
  numFences?: number;
  /** Objects to lock after the VM's own. */
  extra?: readonly GemObject[];
}

/** A fence in a reservation. */
export interface ExecFence<U> {
  /** Object whose reservation gets it. */
  gem: GemObject;
  /** Usage, in the driver's terms. */
  usage: U;
}

/** A lock context. */
export class ExecLock {
  readonly #ignoreDuplicates: boolean;
  readonly #resvs: Set<Resv> = new Set();
  /** Fence slots reserved in each reservation. */
  readonly numFences: number;
  /** Objects whose reservations were locked, in order. */
  readonly locked: GemObject[] = [];

  /** @param options - see {@link ExecLockOptions} */
  constructor(options: ExecLockOptions = {}) {
    this.#ignoreDuplicates = options.ignoreDuplicates ?? false;
    this.numFences = options.numFences ?? 0;
  }

  /**
   * Lock an object's reservation.
   *
   * @throws {@link DrmError} EALREADY when it is locked and duplicates are not ignored
   */
  prepare(gem: GemObject): void {
    if (this.#resvs.has(gem.resv)) {
      if (!this.#ignoreDuplicates) fail(EALREADY, `exec: reservation "${gem.resv.name}" is locked already`);
      return;
    }
    this.#resvs.add(gem.resv);
    this.locked.push(gem);
  }

  /**
   * Who gets a job's fence how (`drm_gpuvm_resv_add_fence`).
   *
   * @param vmResv - the VM's reservation
   * @param privateUsage - for objects that share it
   * @param extobjUsage - for external objects
   * @returns one entry per locked object, in order
   */
  fences<U>(vmResv: Resv, privateUsage: U, extobjUsage: U): ExecFence<U>[] {
    return this.locked.map((gem) => ({ gem, usage: gem.resv === vmResv ? privateUsage : extobjUsage }));
  }
}
