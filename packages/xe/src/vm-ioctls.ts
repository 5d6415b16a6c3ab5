/**
 * The ioctls that make and destroy VMs (`xe_vm.c`, Linux 7.3-rc7). Checks stand in the kernel's order.
 *
 * @module
 */

import { EBUSY, EINVAL, ENOENT, ENOMEM, fail } from "@vmbind/drm";
import { mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import * as uapi from "./uapi.ts";
import { XeVm } from "./vm.ts";

const VM_FLAGS =
  uapi.VM_CREATE_FLAG_SCRATCH_PAGE |
  uapi.VM_CREATE_FLAG_LR_MODE |
  uapi.VM_CREATE_FLAG_FAULT_MODE |
  uapi.VM_CREATE_FLAG_NO_VM_OVERCOMMIT;

/**
 * VM_CREATE. Where the scratch page is forced, `flags` says so afterwards, even if the flags are then refused: the struct
 * is copied out whatever came of the ioctl.
 *
 * @param file - the open file
 * @param arg - `drm_xe_vm_create`
 * @throws `DrmError` EINVAL, ENOMEM
 */
export function vmCreate(file: XeFile, arg: DataView): void {
  const { device } = file;
  const { platform, options } = device;
  const create = uapi.VM_CREATE.read(arg);
  mustBeZero([create.extensions], "vm_create.extensions");
  if (options.forcedScratch ?? platform.forcedScratch) create.flags |= uapi.VM_CREATE_FLAG_SCRATCH_PAGE;
  const flags = create.flags >>> 0;
  uapi.VM_CREATE.fields.flags.write(arg, 0, flags);
  const scratch = (flags & uapi.VM_CREATE_FLAG_SCRATCH_PAGE) !== 0;
  const longRunning = (flags & uapi.VM_CREATE_FLAG_LR_MODE) !== 0;
  const faultMode = (flags & uapi.VM_CREATE_FLAG_FAULT_MODE) !== 0;
  if (faultMode && !platform.usm)
    fail(EINVAL, `vm_create.flags: ${platform.title} has no recoverable faults`);
  mustBeZero(create.reserved, "vm_create.reserved");
  if ((flags & ~VM_FLAGS) !== 0) fail(EINVAL, `vm_create.flags: 0x${flags.toString(16)} has unknown bits`);
  if (scratch && faultMode && !platform.scratchWithFaults) {
    fail(EINVAL, `vm_create.flags: SCRATCH_PAGE with FAULT_MODE is not possible on ${platform.title}`);
  }
  if (faultMode && !longRunning) fail(EINVAL, "vm_create.flags: FAULT_MODE needs LR_MODE");
  if ((flags & uapi.VM_CREATE_FLAG_NO_VM_OVERCOMMIT) !== 0 && !faultMode) {
    fail(EINVAL, "vm_create.flags: NO_VM_OVERCOMMIT needs FAULT_MODE");
  }
  if (options.allocFault?.("vm")) fail(ENOMEM, "vm_create: no memory for the VM (injected)");
  const vmId = file.vmTable.alloc(new XeVm(device, flags, device.nextAsid(), file.handles));
  uapi.VM_CREATE.fields.vmId.write(arg, 0, vmId);
}

/**
 * VM_DESTROY: the id is free, the mappings go.
 *
 * @param file - the open file
 * @param destroy - the struct
 * @throws `DrmError` EINVAL, ENOENT, EBUSY
 */
export function vmDestroy(file: XeFile, destroy: uapi.VmDestroy): void {
  mustBeZero([destroy.pad], "vm_destroy.pad");
  mustBeZero(destroy.reserved, "vm_destroy.reserved");
  const vm = file.vm(destroy.vmId);
  if (vm === undefined) fail(ENOENT, `vm_destroy.vm_id: no VM ${destroy.vmId}`);
  if (vm.longRunning && !vm.faultMode) {
    for (const [id, queue] of file.queues.entries()) {
      if (queue.vm === vm && !queue.binds)
        fail(EBUSY, `vm_destroy.vm_id: long-running queue ${id} uses the VM`);
    }
  }
  file.vmTable.remove(destroy.vmId);
  vm.close();
}
