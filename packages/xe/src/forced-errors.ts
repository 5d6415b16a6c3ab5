/**
 * Errors that a VM_BIND asks for. A driver that is built for debugging (`CONFIG_DRM_XE_DEBUG`) takes bit 31 in the flags of an
 * operation: the ioctl then fails with ENOSPC, so that a test can see whether everything is as it was. It does so at one of
 * three steps, by turns, and each leaves more to undo (`xe_vm_types.h`, `xe_vm.c`, `xe_pt.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { ENOSPC, fail } from "@vmbind/drm";

/** `FORCE_OP_ERROR` (`xe_vm_types.h`, Linux 7.3-rc7): no bit of the uAPI's header. */
export const FORCE_OP_ERROR = 0x8000_0000;

/** Where a VM_BIND fails that has to. */
export type ForcedStep =
  /** Its objects are locked and where they have to be. */
  | "lock"
  /** Its page-table work is staged. */
  | "prepare"
  /** Its entries are about to be written; one that has none to write goes through. */
  | "run";

const STEPS = ["lock", "prepare", "run"] as const;

/** Which step is next, over all VMs of a device. */
export class ForcedErrors {
  #turn = 0;

  /** An operation has the bit; of several in one ioctl the last one's step counts. */
  next(): ForcedStep {
    this.#turn = (this.#turn + 1) % STEPS.length;
    return STEPS[this.#turn] as ForcedStep;
  }
}

/**
 * @param asked - where the ioctl has to fail
 * @param step - where it is
 * @throws `DrmError` ENOSPC when it is there
 */
export function failIfForced(asked: ForcedStep, step: ForcedStep): void {
  if (asked === step)
    fail(ENOSPC, `vm_bind: bit 31 of an operation's flags forces an error, at step "${step}"`);
}
