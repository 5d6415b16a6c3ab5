/**
 * Facts of `asahi_drm.h` (Linux 7.3-rc7): request numbers and struct layouts; flags are in `uapi-values.ts`. The numbers of the address space are the
 * driver's (the downstream asahi driver, branches of 2025); user space learns them from GET_PARAMS.
 *
 * Nothing here behaves. The only page size of this uAPI is 16 KiB, and no parameter says so: the hardware implies it.
 *
 * @module
 */

import { array, drmIow, drmIowr, readU64, type StructLayout, struct, u32, u64 } from "@vmbind/drm";
import { BIND_NAMES, BIND_OBJECT_NAMES, BIND_OBJECT_OP_NAMES, GEM_NAMES } from "./uapi-values.ts";

export * from "./uapi-submit.ts";
export * from "./uapi-values.ts";

/** Bytes of a GPU page, the only size there is. */
export const PAGE_BYTES = 0x4000;

/** First VA that VM_BIND may use, `vm_start` of GET_PARAMS in the driver; page 0 is never bindable. */
export const VM_START = 0x4000;
/** First VA above the window of VM_BIND, `vm_end` of GET_PARAMS in the driver: 2^39 less two pages. */
export const VM_END = 0x7f_ffff_8000;
/** Smallest kernel range that VM_CREATE accepts, in bytes, `vm_kernel_min_size` of GET_PARAMS in the driver. */
export const VM_KERNEL_MIN_SIZE = 0x2000_0000;
/** VA of the zeroed page that the driver maps into every VM, just above the window of VM_BIND. */
export const DUMMY_PAGE_VA = 0x7f_ffff_8000;
/** The driver shrinks the kernel range inward to this many bytes, so that each half of it holds whole pages. */
export const KERNEL_RANGE_ALIGN: number = 2 * PAGE_BYTES;

/** Number of GET_PARAMS. */
export const NR_GET_PARAMS = 0x40;
/** Number of GET_TIME. */
export const NR_GET_TIME = 0x41;
/** Number of VM_CREATE. */
export const NR_VM_CREATE = 0x42;
/** Number of VM_DESTROY. */
export const NR_VM_DESTROY = 0x43;
/** Number of VM_BIND. */
export const NR_VM_BIND = 0x44;
/** Number of GEM_CREATE. */
export const NR_GEM_CREATE = 0x45;
/** Number of GEM_MMAP_OFFSET. */
export const NR_GEM_MMAP_OFFSET = 0x46;
/** Number of GEM_BIND_OBJECT. */
export const NR_GEM_BIND_OBJECT = 0x47;
/** Number of QUEUE_CREATE. */
export const NR_QUEUE_CREATE = 0x48;
/** Number of QUEUE_DESTROY. */
export const NR_QUEUE_DESTROY = 0x49;
/** Number of SUBMIT. */
export const NR_SUBMIT = 0x4a;

/** `DRM_IOCTL_ASAHI_GET_PARAMS`. */
export const IOCTL_GET_PARAMS: number = drmIow(NR_GET_PARAMS, 24);
/** `DRM_IOCTL_ASAHI_GET_TIME`. */
export const IOCTL_GET_TIME: number = drmIowr(NR_GET_TIME, 16);
/** `DRM_IOCTL_ASAHI_VM_CREATE`. */
export const IOCTL_VM_CREATE: number = drmIowr(NR_VM_CREATE, 24);
/** `DRM_IOCTL_ASAHI_VM_DESTROY`. */
export const IOCTL_VM_DESTROY: number = drmIow(NR_VM_DESTROY, 8);
/** `DRM_IOCTL_ASAHI_VM_BIND`: nothing is copied back, so a caller cannot learn which op failed. */
export const IOCTL_VM_BIND: number = drmIow(NR_VM_BIND, 24);
/** `DRM_IOCTL_ASAHI_GEM_CREATE`. */
export const IOCTL_GEM_CREATE: number = drmIowr(NR_GEM_CREATE, 24);
/** `DRM_IOCTL_ASAHI_GEM_MMAP_OFFSET`. */
export const IOCTL_GEM_MMAP_OFFSET: number = drmIowr(NR_GEM_MMAP_OFFSET, 16);
/** `DRM_IOCTL_ASAHI_GEM_BIND_OBJECT`. */
export const IOCTL_GEM_BIND_OBJECT: number = drmIowr(NR_GEM_BIND_OBJECT, 40);
/** `DRM_IOCTL_ASAHI_QUEUE_CREATE`. */
export const IOCTL_QUEUE_CREATE: number = drmIowr(NR_QUEUE_CREATE, 24);
/** `DRM_IOCTL_ASAHI_QUEUE_DESTROY`. */
export const IOCTL_QUEUE_DESTROY: number = drmIow(NR_QUEUE_DESTROY, 8);
/** `DRM_IOCTL_ASAHI_SUBMIT`. */
export const IOCTL_SUBMIT: number = drmIow(NR_SUBMIT, 40);

/** `drm_asahi_get_params`. */
export interface GetParams {
  /** Must be 0. */
  paramGroup: number;
  /** Must be 0. */
  pad: number;
  /** User address of the buffer. */
  pointer: number;
  /** Bytes of the buffer; not updated. */
  size: number;
}

/** Layout of {@link GetParams}. */
export const GET_PARAMS: StructLayout<GetParams> = struct("drm_asahi_get_params", 24, {
  paramGroup: u32(0),
  pad: u32(4),
  pointer: u64(8),
  size: u64(16),
});

/** `drm_asahi_params_global`: what GET_PARAMS returns. */
export interface ParamsGlobal {
  /** Feature bits, {@link FEATURE_SOFT_FAULTS}. */
  features: number;
  /** GPU generation, 13 on M1. */
  gpuGeneration: number;
  /** Variant as an ASCII letter, e.g. `G`. */
  gpuVariant: number;
  /** Revision as two hex digits, e.g. 0x11 for B1. */
  gpuRevision: number;
  /** Chip id, 0x8103 on M1. */
  chipId: number;
  /** Dies of the chip. */
  numDies: number;
  /** Core clusters of all dies. */
  numClustersTotal: number;
  /** Cores of a cluster, absent ones included. */
  numCoresPerCluster: number;
  /** Highest clock in kHz. */
  maxFrequencyKhz: number;
  /** Bit mask of the present cores, one per cluster. */
  coreMasks: number[];
  /** First bindable VA. */
  vmStart: number;
  /** First VA above the bindable window. */
  vmEnd: number;
  /** Smallest kernel range in bytes. */
  vmKernelMinSize: number;
  /** Most commands of a submission. */
  maxCommandsPerSubmission: number;
  /** Most attachments of a render command. */
  maxAttachments: number;
  /** Clock of command timestamps in Hz. */
  commandTimestampFrequencyHz: number;
}

/** Layout of {@link ParamsGlobal}. */
export const PARAMS_GLOBAL: StructLayout<ParamsGlobal> = struct("drm_asahi_params_global", 592, {
  features: u64(0),
  gpuGeneration: u32(8),
  gpuVariant: u32(12),
  gpuRevision: u32(16),
  chipId: u32(20),
  numDies: u32(24),
  numClustersTotal: u32(28),
  numCoresPerCluster: u32(32),
  maxFrequencyKhz: u32(36),
  coreMasks: array(40, 64, u64),
  vmStart: u64(552),
  vmEnd: u64(560),
  vmKernelMinSize: u64(568),
  maxCommandsPerSubmission: u32(576),
  maxAttachments: u32(580),
  commandTimestampFrequencyHz: u64(584),
});

/** `drm_asahi_get_time`. */
export interface GetTime {
  /** Must be 0. */
  flags: number;
  /** GPU timestamp (out). */
  gpuTimestamp: number;
}

/** Layout of {@link GetTime}. */
export const GET_TIME: StructLayout<GetTime> = struct("drm_asahi_get_time", 16, {
  flags: u64(0),
  gpuTimestamp: u64(8),
});

/** `drm_asahi_vm_create`. */
export interface VmCreate {
  /** First VA of the range that the kernel keeps for itself, a multiple of 16 KiB. */
  kernelStart: number;
  /** End of that range in bytes, a multiple of 16 KiB. */
  kernelEnd: number;
  /** New id (out), 1 and up. */
  vmId: number;
  /** Not checked. */
  pad: number;
}

/** Layout of {@link VmCreate}. */
export const VM_CREATE: StructLayout<VmCreate> = struct("drm_asahi_vm_create", 24, {
  kernelStart: u64(0),
  kernelEnd: u64(8),
  vmId: u32(16),
  pad: u32(20),
});

/** `drm_asahi_vm_destroy`. */
export interface VmDestroy {
  /** VM id. */
  vmId: number;
  /** Not checked. */
  pad: number;
}

/** Layout of {@link VmDestroy}. */
export const VM_DESTROY: StructLayout<VmDestroy> = struct("drm_asahi_vm_destroy", 8, {
  vmId: u32(0),
  pad: u32(4),
});

/** `drm_asahi_vm_bind`. */
export interface VmBind {
  /** VM id; every op looks it up for itself. */
  vmId: number;
  /** Records in the array; there is no upper limit. */
  numBinds: number;
  /** Bytes from one record to the next, not 0. */
  stride: number;
  /** Must be 0. */
  pad: number;
  /** User address of the array. */
  userptr: number;
}

/** Layout of {@link VmBind}. */
export const VM_BIND: StructLayout<VmBind> = struct("drm_asahi_vm_bind", 24, {
  vmId: u32(0),
  numBinds: u32(4),
  stride: u32(8),
  pad: u32(12),
  userptr: u64(16),
});

/**
 * {@link VM_BIND} decoded without the detour over the table: this is the one struct of the fast path.
 *
 * @param view - the argument
 */
export function readVmBind(view: DataView): VmBind {
  return {
    vmId: view.getUint32(0, true),
    numBinds: view.getUint32(4, true),
    stride: view.getUint32(8, true),
    pad: view.getUint32(12, true),
    userptr: readAddress(view, 16),
  };
}

/** `drm_asahi_gem_bind_op`: one record of VM_BIND. */
export interface GemBindOp {
  /** {@link BIND_UNBIND}, or {@link BIND_READ} | {@link BIND_WRITE} | {@link BIND_SINGLE_PAGE}. */
  flags: number;
  /** GEM handle, 0 for UNBIND. */
  handle: number;
  /** Byte offset into the object; with SINGLE_PAGE that of the page to repeat; 0 for UNBIND. */
  offset: number;
  /** Bytes of VA. */
  range: number;
  /** First VA. */
  addr: number;
}

/** Layout of {@link GemBindOp}; 32 bytes is the natural stride. */
export const GEM_BIND_OP: StructLayout<GemBindOp> = struct("drm_asahi_gem_bind_op", 32, {
  flags: u32(0, BIND_NAMES),
  handle: u32(4),
  offset: u64(8),
  range: u64(16),
  addr: u64(24),
});

/**
 * Decode one record into an object that exists already: VM_BIND decodes tens of thousands of them in one call.
 *
 * @param view - memory
 * @param base - byte where the record begins
 * @param op - receives the fields
 */
export function readBindOp(view: DataView, base: number, op: GemBindOp): void {
  op.flags = view.getUint32(base, true);
  op.handle = view.getUint32(base + 4, true);
  op.offset = readAddress(view, base + 8);
  op.range = readAddress(view, base + 16);
  op.addr = readAddress(view, base + 24);
}

/** `readU64` with a short way for values below 2^53, which need no check. */
function readAddress(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high < 0x20_0000 ? high * 2 ** 32 + view.getUint32(at, true) : readU64(view, at);
}

/** `drm_asahi_gem_create`. */
export interface GemCreate {
  /** Bytes; the object is rounded up to 16 KiB, this field is left as it is. */
  size: number;
  /** {@link GEM_WRITEBACK} | {@link GEM_VM_PRIVATE}. */
  flags: number;
  /** The VM of a private object, else 0. */
  vmId: number;
  /** New handle (out), 1 and up. */
  handle: number;
  /** Not checked. */
  pad: number;
}

/** Layout of {@link GemCreate}. */
export const GEM_CREATE: StructLayout<GemCreate> = struct("drm_asahi_gem_create", 24, {
  size: u64(0),
  flags: u32(8, GEM_NAMES),
  vmId: u32(12),
  handle: u32(16),
  pad: u32(20),
});

/** `drm_asahi_gem_mmap_offset`. */
export interface GemMmapOffset {
  /** GEM handle. */
  handle: number;
  /** Must be 0. */
  flags: number;
  /** Offset to give to mmap, in bytes (out). */
  offset: number;
}

/** Layout of {@link GemMmapOffset}. */
export const GEM_MMAP_OFFSET: StructLayout<GemMmapOffset> = struct("drm_asahi_gem_mmap_offset", 16, {
  handle: u32(0),
  flags: u32(4),
  offset: u64(8),
});

/** `drm_asahi_gem_bind_object`. */
export interface GemBindObject {
  /** {@link BIND_OBJECT_OP_BIND} or {@link BIND_OBJECT_OP_UNBIND}. */
  op: number;
  /** {@link BIND_OBJECT_USAGE_TIMESTAMPS} to bind, 0 to unbind. */
  flags: number;
  /** GEM handle to bind, 0 to unbind. */
  handle: number;
  /** Must be 0: the range goes into the firmware's address space, not into a VM. */
  vmId: number;
  /** Byte offset into the object, a multiple of 16 KiB; 0 to unbind. */
  offset: number;
  /** Bytes, a multiple of 16 KiB; 0 to unbind. */
  range: number;
  /** Out when binding, in when unbinding; 1 and up. */
  objectHandle: number;
  /** Must be 0. */
  pad: number;
}

/** Layout of {@link GemBindObject}. */
export const GEM_BIND_OBJECT: StructLayout<GemBindObject> = struct("drm_asahi_gem_bind_object", 40, {
  op: u32(0, BIND_OBJECT_OP_NAMES),
  flags: u32(4, BIND_OBJECT_NAMES),
  handle: u32(8),
  vmId: u32(12),
  offset: u64(16),
  range: u64(24),
  objectHandle: u32(32),
  pad: u32(36),
});
