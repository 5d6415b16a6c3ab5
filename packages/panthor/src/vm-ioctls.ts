/**
 * The ioctls that make, ask and destroy VMs, with their checks in the order of `panthor_drv.c` (Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, ENOMEM, fail, hex } from "@vmbind/drm";
import type { PanthorFile } from "./file.ts";
import * as uapi from "./uapi.ts";
import { divideVa } from "./va-ranges.ts";

/** Output address sizes that `io-pgtable-arm.c` knows, in bits. */
const PA_BITS = [32, 36, 40, 42, 44, 48, 52];

/**
 * VM_CREATE: a VM whose user range is what was asked for or more.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, EBUSY, ENOMEM
 */
export function vmCreate(file: PanthorFile, arg: uapi.VmCreate): Partial<uapi.VmCreate> {
  const { vaBits, paBits, taskSize, allocFault } = file.device.options;
  if (arg.flags !== 0) fail(EINVAL, `vm_create.flags: ${hex(arg.flags)} is not 0`);
  const ranges = divideVa(vaBits, taskSize, arg.userVaRange);
  if (ranges === null) {
    return fail(
      EINVAL,
      `vm_create.user_va_range: ${hex(arg.userVaRange)} leaves the kernel less than 256 MiB of ${vaBits} bits`,
    );
  }
  if (!PA_BITS.includes(paBits))
    fail(EINVAL, `vm_create: io-pgtable knows no output address of ${paBits} bits`);
  if (allocFault?.("vm")) fail(ENOMEM, "vm_create: no memory (injected)");
  return { id: file.createVm(ranges.userRange), userVaRange: ranges.userRange };
}

/**
 * VM_DESTROY: the id is free, the mappings go.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL
 */
export function vmDestroy(file: PanthorFile, arg: uapi.VmDestroy): void {
  if (arg.pad !== 0) fail(EINVAL, `vm_destroy.pad: ${arg.pad} is not 0`);
  const vm = file.takeVm(arg.id) ?? fail(EINVAL, `vm_destroy.id: ${arg.id} is not a VM of this file`);
  vm.destroy();
}

/**
 * VM_GET_STATE: whether an operation has broken the VM.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL
 */
export function vmGetState(file: PanthorFile, arg: uapi.VmGetState): Partial<uapi.VmGetState> {
  const vm = file.vm(arg.vmId) ?? fail(EINVAL, `vm_get_state.vm_id: ${arg.vmId} is not a VM of this file`);
  return { state: vm.unusable ? uapi.VM_STATE_UNUSABLE : uapi.VM_STATE_USABLE };
}
