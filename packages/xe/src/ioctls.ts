/**
 * The ioctls other than VM_BIND, and the table of them all. Checks stand in the kernel's order.
 *
 * @module
 */

import {
  DRM_COMMAND_BASE,
  DRM_IOCTL_GEM_CLOSE,
  EBUSY,
  EINVAL,
  ENOENT,
  ENOMEM,
  EOPNOTSUPP,
  fail,
  IoctlTable,
  ioctlRow,
  type UserSpace,
} from "@vmbind/drm";
import { PLACEMENT_VRAM, XeBo } from "./bo.ts";
import { deviceQuery, mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import { regionMask } from "./platforms.ts";
import * as uapi from "./uapi.ts";
import { DEVICE_QUERY, IOCTL_DEVICE_QUERY } from "./uapi-query.ts";
import { XeVm } from "./vm.ts";
import { XE2_GRAPHICS } from "./vm-bind-args.ts";

const PAGE = 4096;
const BLOCK = 0x1_0000;
/** Where fake mmap offsets begin (`DRM_FILE_PAGE_OFFSET_START`), in bytes, on a 64-bit host. */
const MMAP_OFFSET_BASE = 0x1_0000_0000 * 4096;
/** Fake offset of the PCI barrier page. */
const PCI_BARRIER_OFFSET = 0x5000_0000_0000 / 16;

// -- buffer objects ---------------------------------------------------------------------------------------------------

const GEM_FLAGS =
  uapi.GEM_CREATE_FLAG_DEFER_BACKING |
  uapi.GEM_CREATE_FLAG_SCANOUT |
  uapi.GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM |
  uapi.GEM_CREATE_FLAG_NO_COMPRESSION;

function gemCreate(file: XeFile, create: uapi.GemCreate, user: UserSpace): Partial<uapi.GemCreate> {
  const { device } = file;
  const { platform, options } = device;
  const { size, placement, flags, cpuCaching } = create;
  const vram = (placement & PLACEMENT_VRAM) !== 0;
  mustBeZero(create.pad, "gem_create.pad");
  mustBeZero(create.reserved, "gem_create.reserved");
  if (placement === 0 || (placement & ~regionMask(platform)) !== 0) {
    fail(
      EINVAL,
      `gem_create.placement: 0x${placement.toString(16)} names no region or one that the device lacks`,
    );
  }
  if ((flags & ~GEM_FLAGS) !== 0) fail(EINVAL, `gem_create.flags: 0x${flags.toString(16)} has unknown bits`);
  if (create.handle !== 0) fail(EINVAL, "gem_create.handle: must be 0");
  if (size === 0) fail(EINVAL, "gem_create.size: must not be 0");
  if (size % PAGE !== 0) fail(EINVAL, "gem_create.size: must be a multiple of 4096");
  if ((flags & uapi.GEM_CREATE_FLAG_NO_COMPRESSION) !== 0 && platform.graphics < XE2_GRAPHICS) {
    fail(EOPNOTSUPP, `gem_create.flags: NO_COMPRESSION does not exist on ${platform.title}`);
  }
  if ((flags & uapi.GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM) !== 0 && !vram) {
    fail(EINVAL, "gem_create.flags: NEEDS_VISIBLE_VRAM without a VRAM placement");
  }
  if (cpuCaching === 0 || cpuCaching > uapi.GEM_CPU_CACHING_WC) {
    fail(EINVAL, `gem_create.cpu_caching: ${cpuCaching} is neither WB nor WC`);
  }
  if (vram && cpuCaching !== uapi.GEM_CPU_CACHING_WC) fail(EINVAL, "gem_create.cpu_caching: VRAM needs WC");
  if ((flags & uapi.GEM_CREATE_FLAG_SCANOUT) !== 0 && cpuCaching === uapi.GEM_CPU_CACHING_WB) {
    fail(EINVAL, "gem_create.cpu_caching: SCANOUT needs WC");
  }
  const vm = create.vmId === 0 ? null : file.vm(create.vmId);
  if (vm === undefined) fail(ENOENT, `gem_create.vm_id: no VM ${create.vmId}`);
  if (vram && platform.vram64kOnly && size % BLOCK !== 0) {
    fail(EINVAL, `gem_create.size: must be a multiple of 65536 for VRAM on ${platform.title}`);
  }
  if (create.extensions !== 0) {
    user.view(create.extensions, 16);
    fail(EINVAL, "gem_create.extensions: no extension is modelled");
  }
  if (options.allocFault?.("gem")) fail(ENOMEM, "gem_create: no memory for the object (on purpose)");
  const bo = new XeBo(device, size, { placement, cpuCaching, flags, vm });
  try {
    if ((flags & uapi.GEM_CREATE_FLAG_DEFER_BACKING) === 0) bo.populate();
  } catch (error) {
    bo.put();
    throw error;
  }
  bo.handle = file.bos.alloc(bo);
  return { handle: bo.handle };
}

function gemMmapOffset(file: XeFile, query: uapi.GemMmapOffset): Partial<uapi.GemMmapOffset> {
  mustBeZero([query.extensions], "gem_mmap_offset.extensions");
  mustBeZero(query.reserved, "gem_mmap_offset.reserved");
  if ((query.flags & ~uapi.MMAP_OFFSET_FLAG_PCI_BARRIER) !== 0) {
    fail(EINVAL, `gem_mmap_offset.flags: 0x${query.flags.toString(16)} has unknown bits`);
  }
  if (query.flags !== 0) {
    if (file.device.platform.vramBytes === 0) {
      fail(EINVAL, "gem_mmap_offset.flags: PCI_BARRIER does not exist on an integrated GPU");
    }
    if (query.handle !== 0) fail(EINVAL, "gem_mmap_offset.handle: must be 0 with PCI_BARRIER");
    return { offset: PCI_BARRIER_OFFSET };
  }
  const bo = file.bo(query.handle);
  if (bo === undefined) fail(ENOENT, `gem_mmap_offset.handle: no object with handle ${query.handle}`);
  // Any distinct place will do: the model has no CPU mappings.
  return { offset: MMAP_OFFSET_BASE + bo.id * 2 ** 32 };
}

function gemClose(file: XeFile, { handle }: uapi.GemClose): void {
  const bo = file.bos.remove(handle);
  if (bo === undefined) fail(EINVAL, `gem_close.handle: no object with handle ${handle}`);
  bo.handle = 0;
  bo.put();
}

// -- VMs and queues ---------------------------------------------------------------------------------------------------

const VM_FLAGS =
  uapi.VM_CREATE_FLAG_SCRATCH_PAGE |
  uapi.VM_CREATE_FLAG_LR_MODE |
  uapi.VM_CREATE_FLAG_FAULT_MODE |
  uapi.VM_CREATE_FLAG_NO_VM_OVERCOMMIT;

function vmCreate(file: XeFile, create: uapi.VmCreate): Partial<uapi.VmCreate> {
  const { device } = file;
  const { platform, options } = device;
  const { flags } = create;
  const scratch = (flags & uapi.VM_CREATE_FLAG_SCRATCH_PAGE) !== 0;
  const longRunning = (flags & uapi.VM_CREATE_FLAG_LR_MODE) !== 0;
  const faultMode = (flags & uapi.VM_CREATE_FLAG_FAULT_MODE) !== 0;
  mustBeZero([create.extensions], "vm_create.extensions");
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
  if (options.allocFault?.("vm")) fail(ENOMEM, "vm_create: no memory for the VM (on purpose)");
  return { vmId: file.vmTable.alloc(new XeVm(device, flags, device.nextAsid())) };
}

function vmDestroy(file: XeFile, destroy: uapi.VmDestroy): void {
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

function execQueueCreate(
  file: XeFile,
  create: uapi.ExecQueueCreate,
  user: UserSpace,
): Partial<uapi.ExecQueueCreate> {
  mustBeZero(create.reserved, "exec_queue_create.reserved");
  if ((create.flags & ~1) !== 0) fail(EINVAL, "exec_queue_create.flags: unknown bits");
  const count = create.width * create.numPlacements;
  if (count === 0) fail(EINVAL, "exec_queue_create: width and num_placements must not be 0");
  const { size } = uapi.ENGINE_CLASS_INSTANCE;
  const view = user.view(create.instances, count * size);
  file.device.counters.payloadBytes += count * size;
  const first = uapi.ENGINE_CLASS_INSTANCE.read(view);
  const binds = first.engineClass === uapi.ENGINE_CLASS_VM_BIND;
  if (binds && (count !== 1 || first.engineInstance !== 0)) {
    fail(EINVAL, "exec_queue_create.instances: a bind queue has one placement, instance 0");
  }
  const vm = file.vm(create.vmId);
  if (vm === undefined) fail(ENOENT, `exec_queue_create.vm_id: no VM ${create.vmId}`);
  vm.gpuvm.get();
  return { execQueueId: file.queues.alloc({ vm, binds }) };
}

function execQueueDestroy(file: XeFile, destroy: uapi.ExecQueueDestroy): void {
  mustBeZero([destroy.pad], "exec_queue_destroy.pad");
  mustBeZero(destroy.reserved, "exec_queue_destroy.reserved");
  const queue = file.queues.remove(destroy.execQueueId);
  if (queue === undefined) {
    fail(ENOENT, `exec_queue_destroy.exec_queue_id: no queue ${destroy.execQueueId}`);
  }
  queue.vm?.gpuvm.put();
}

// -- the table --------------------------------------------------------------------------------------------------------

/** The ioctls. */
export const IOCTLS: IoctlTable<XeFile> = new IoctlTable<XeFile>(
  [
    ioctlRow(DRM_IOCTL_GEM_CLOSE, uapi.GEM_CLOSE, gemClose),
    ioctlRow(IOCTL_DEVICE_QUERY, DEVICE_QUERY, deviceQuery),
    ioctlRow(uapi.IOCTL_GEM_CREATE, uapi.GEM_CREATE, gemCreate),
    ioctlRow(uapi.IOCTL_GEM_MMAP_OFFSET, uapi.GEM_MMAP_OFFSET, gemMmapOffset),
    ioctlRow(uapi.IOCTL_VM_CREATE, uapi.VM_CREATE, vmCreate),
    ioctlRow(uapi.IOCTL_VM_DESTROY, uapi.VM_DESTROY, vmDestroy),
    [uapi.IOCTL_VM_BIND, (file, arg, user) => file.device.binder.run(file, arg, user)],
    ioctlRow(uapi.IOCTL_EXEC_QUEUE_CREATE, uapi.EXEC_QUEUE_CREATE, execQueueCreate),
    ioctlRow(uapi.IOCTL_EXEC_QUEUE_DESTROY, uapi.EXEC_QUEUE_DESTROY, execQueueDestroy),
  ],
  {
    foreign: EINVAL,
    notModelled: [
      "EXEC_QUEUE_GET_PROPERTY",
      "EXEC",
      "WAIT_USER_FENCE",
      "OBSERVATION",
      "MADVISE",
      "VM_QUERY_MEM_RANGE_ATTRS",
      "EXEC_QUEUE_SET_PROPERTY",
      "VM_GET_PROPERTY",
    ].map((name, i) => [DRM_COMMAND_BASE + 8 + i, name]),
  },
);
