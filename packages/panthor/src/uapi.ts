/**
 * Facts of `panthor_drm.h` (Linux 7.3-rc7): struct layouts and request numbers; flags and other values are in
 * `uapi-values.ts`, what DEV_QUERY answers in `uapi-query.ts`. What a comment says of the kernel's checks is the driver's
 * (`panthor_drv.c`, `panthor_mmu.c`). What belongs to REPEAT is from the patches posted as v2 (July 2025) to v5 (March
 * 2026), which were never merged.
 *
 * Every offset that the model uses comes from these tables; the hot bind loop reads members at
 * `VM_BIND_OP.fields.va.offset` and its neighbours instead of building an object per operation.
 *
 * @module
 */

import { drmIowr, nested, type StructLayout, struct, u32, u64 } from "@vmbind/drm";
import {
  BO_EXTRA_NAMES,
  BO_NAMES,
  BO_SYNC_NAMES,
  DEV_QUERY_NAMES,
  SYNC_OP_NAMES,
  VM_BIND_NAMES,
  VM_BIND_OP_NAMES,
  VM_BIND_OP_REPEAT_NAMES,
  VM_STATE_NAMES,
} from "./uapi-values.ts";

export { GEM_CLOSE, type GemClose } from "@vmbind/drm";
export * from "./uapi-query.ts";
export * from "./uapi-values.ts";

/** ioctl ids of `panthor_drm.h`, to be added to `DRM_COMMAND_BASE`. */
export const IOCTL_ID = {
  /** `DRM_PANTHOR_DEV_QUERY`. */
  devQuery: 0,
  /** `DRM_PANTHOR_VM_CREATE`. */
  vmCreate: 1,
  /** `DRM_PANTHOR_VM_DESTROY`. */
  vmDestroy: 2,
  /** `DRM_PANTHOR_VM_BIND`. */
  vmBind: 3,
  /** `DRM_PANTHOR_VM_GET_STATE`. */
  vmGetState: 4,
  /** `DRM_PANTHOR_BO_CREATE`. */
  boCreate: 5,
  /** `DRM_PANTHOR_BO_MMAP_OFFSET`. */
  boMmapOffset: 6,
  /** `DRM_PANTHOR_GROUP_CREATE`. */
  groupCreate: 7,
  /** `DRM_PANTHOR_GROUP_DESTROY`. */
  groupDestroy: 8,
  /** `DRM_PANTHOR_GROUP_SUBMIT`. */
  groupSubmit: 9,
  /** `DRM_PANTHOR_GROUP_GET_STATE`. */
  groupGetState: 10,
  /** `DRM_PANTHOR_TILER_HEAP_CREATE`. */
  tilerHeapCreate: 11,
  /** `DRM_PANTHOR_TILER_HEAP_DESTROY`. */
  tilerHeapDestroy: 12,
  /** `DRM_PANTHOR_BO_SET_LABEL`. */
  boSetLabel: 13,
  /** `DRM_PANTHOR_SET_USER_MMIO_OFFSET`. */
  setUserMmioOffset: 14,
  /** `DRM_PANTHOR_BO_SYNC`. */
  boSync: 15,
  /** `DRM_PANTHOR_BO_QUERY_INFO`. */
  boQueryInfo: 16,
} as const;

/** `drm_panthor_obj_array`: an array in user memory whose elements may grow from one kernel to the next. */
export interface ObjArray {
  /** Bytes from one element to the next. */
  stride: number;
  /** Elements. */
  count: number;
  /** User pointer. */
  array: number;
}

/** Layout of {@link ObjArray}. */
export const OBJ_ARRAY: StructLayout<ObjArray> = struct("drm_panthor_obj_array", 16, {
  stride: u32(0x00),
  count: u32(0x04),
  array: u64(0x08),
});

/** `drm_panthor_dev_query`. */
export interface DevQuery {
  /** One of {@link DEV_QUERY}. */
  type: number;
  /** Bytes of the user buffer; with a null pointer the kernel writes its own size here. */
  size: number;
  /** User pointer, 0 to ask for the size. */
  pointer: number;
}

/** Layout of {@link DevQuery}. */
export const DEV_QUERY_ARG: StructLayout<DevQuery> = struct("drm_panthor_dev_query", 16, {
  type: u32(0x00, DEV_QUERY_NAMES),
  size: u32(0x04),
  pointer: u64(0x08),
});

/** `drm_panthor_vm_create`. */
export interface VmCreate {
  /** Must be zero. */
  flags: number;
  /** Out: VM id, 1..32. */
  id: number;
  /** In: bytes of user VA wanted, 0 to let the kernel choose. Out: bytes of user VA given. */
  userVaRange: number;
}

/** Layout of {@link VmCreate}. */
export const VM_CREATE: StructLayout<VmCreate> = struct("drm_panthor_vm_create", 16, {
  flags: u32(0x00),
  id: u32(0x04),
  userVaRange: u64(0x08),
});

/** `drm_panthor_vm_destroy`. */
export interface VmDestroy {
  /** VM id. */
  id: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link VmDestroy}. */
export const VM_DESTROY: StructLayout<VmDestroy> = struct("drm_panthor_vm_destroy", 8, {
  id: u32(0x00),
  pad: u32(0x04),
});

/** `drm_panthor_vm_bind`. */
export interface VmBind {
  /** VM id. */
  vmId: number;
  /** {@link VM_BIND_ASYNC} or 0; other bits are not looked at. */
  flags: number;
  /** Array of {@link VmBindOp}. A failing synchronous call writes the number of operations done to `count`. */
  ops: ObjArray;
}

/** Layout of {@link VmBind}. */
export const VM_BIND: StructLayout<VmBind> = struct("drm_panthor_vm_bind", 24, {
  vmId: u32(0x00),
  flags: u32(0x04, VM_BIND_NAMES),
  ops: nested(0x08, OBJ_ARRAY),
});

/** `drm_panthor_vm_bind_op`. */
export interface VmBindOp {
  /** Type in bits 28..31 and `MAP_*` flags. */
  flags: number;
  /** GEM handle, 0 for UNMAP, SYNC_ONLY and sparse MAP. */
  boHandle: number;
  /** Byte offset into the object. */
  boOffset: number;
  /** GPU address in bytes. */
  va: number;
  /** Bytes. */
  size: number;
  /** Array of {@link SyncOp}; only for asynchronous calls. */
  syncs: ObjArray;
}

/** Layout of {@link VmBindOp}: 48 bytes, also the smallest stride that the kernel takes. */
export const VM_BIND_OP: StructLayout<VmBindOp> = struct("drm_panthor_vm_bind_op", 48, {
  flags: u32(0x00, VM_BIND_OP_NAMES),
  boHandle: u32(0x04),
  boOffset: u64(0x08),
  va: u64(0x10),
  size: u64(0x18),
  syncs: nested(0x20, OBJ_ARRAY),
});

/** `drm_panthor_vm_bind_op` of the REPEAT proposal: the same 48 bytes and the length of the repeated window. */
export interface VmBindOpRepeat extends VmBindOp {
  /** Bytes of the object that repeat, below 2^32. */
  boRepeatRange: number;
  /** Must be zero; the upper half of a u64 `bo_repeat_range` in what the review of v4 agreed on. */
  pad: number;
}

/** Layout of {@link VmBindOpRepeat}: 56 bytes. */
export const VM_BIND_OP_REPEAT: StructLayout<VmBindOpRepeat> = struct("drm_panthor_vm_bind_op", 56, {
  ...VM_BIND_OP.fields,
  flags: u32(0x00, VM_BIND_OP_REPEAT_NAMES),
  boRepeatRange: u32(0x30),
  pad: u32(0x34),
});

/** `drm_panthor_sync_op`. */
export interface SyncOp {
  /** Handle type in bits 0..7, {@link SYNC_OP_SIGNAL} or 0 for wait. */
  flags: number;
  /** Syncobj handle. */
  handle: number;
  /** Point of a timeline syncobj, 0 for a binary one. */
  timelineValue: number;
}

/** Layout of {@link SyncOp}. */
export const SYNC_OP: StructLayout<SyncOp> = struct("drm_panthor_sync_op", 16, {
  flags: u32(0x00, SYNC_OP_NAMES),
  handle: u32(0x04),
  timelineValue: u64(0x08),
});

/** `drm_panthor_vm_get_state`. */
export interface VmGetState {
  /** VM id. */
  vmId: number;
  /** Out: {@link VM_STATE_USABLE} or {@link VM_STATE_UNUSABLE}. */
  state: number;
}

/** Layout of {@link VmGetState}. */
export const VM_GET_STATE: StructLayout<VmGetState> = struct("drm_panthor_vm_get_state", 8, {
  vmId: u32(0x00),
  state: u32(0x04, VM_STATE_NAMES),
});

/** `drm_panthor_bo_create`. */
export interface BoCreate {
  /** In: bytes wanted. Out: rounded up to a page. */
  size: number;
  /** {@link BO_NO_MMAP} or {@link BO_WB_MMAP}. */
  flags: number;
  /** VM that alone may map the object, 0 for any. */
  exclusiveVmId: number;
  /** Out: GEM handle. */
  handle: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link BoCreate}. */
export const BO_CREATE: StructLayout<BoCreate> = struct("drm_panthor_bo_create", 24, {
  size: u64(0x00),
  flags: u32(0x08, BO_NAMES),
  exclusiveVmId: u32(0x0c),
  handle: u32(0x10),
  pad: u32(0x14),
});

/** `drm_panthor_bo_mmap_offset`. */
export interface BoMmapOffset {
  /** GEM handle. */
  handle: number;
  /** Must be zero. */
  pad: number;
  /** Out: offset for mmap of the device node. */
  offset: number;
}

/** Layout of {@link BoMmapOffset}. */
export const BO_MMAP_OFFSET: StructLayout<BoMmapOffset> = struct("drm_panthor_bo_mmap_offset", 16, {
  handle: u32(0x00),
  pad: u32(0x04),
  offset: u64(0x08),
});

/** `drm_panthor_bo_set_label`, since driver version 1.4. */
export interface BoSetLabel {
  /** GEM handle. */
  handle: number;
  /** Must be zero. */
  pad: number;
  /** User pointer to a string that ends with a zero byte, 4096 bytes with it at most; 0 for none. */
  label: number;
}

/** Layout of {@link BoSetLabel}. */
export const BO_SET_LABEL: StructLayout<BoSetLabel> = struct("drm_panthor_bo_set_label", 16, {
  handle: u32(0x00),
  pad: u32(0x04),
  label: u64(0x08),
});

/** Longest label in bytes, its zero byte included. */
export const BO_LABEL_MAX_BYTES = 4096;

/** `drm_panthor_bo_sync_op`, since driver version 1.7. */
export interface BoSyncOp {
  /** GEM handle. */
  handle: number;
  /** {@link BO_SYNC_CPU_CACHE_FLUSH} or {@link BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE}. */
  type: number;
  /** First byte in the object. */
  offset: number;
  /** Bytes. */
  size: number;
}

/** Layout of {@link BoSyncOp}; also the smallest stride. */
export const BO_SYNC_OP: StructLayout<BoSyncOp> = struct("drm_panthor_bo_sync_op", 24, {
  handle: u32(0x00),
  type: u32(0x04, BO_SYNC_NAMES),
  offset: u64(0x08),
  size: u64(0x10),
});

/** `drm_panthor_bo_sync`, since driver version 1.7. */
export interface BoSync {
  /** Array of {@link BoSyncOp}. */
  ops: ObjArray;
}

/** Layout of {@link BoSync}. */
export const BO_SYNC: StructLayout<BoSync> = struct("drm_panthor_bo_sync", 16, {
  ops: nested(0x00, OBJ_ARRAY),
});

/** `drm_panthor_bo_query_info`, since driver version 1.7. */
export interface BoQueryInfo {
  /** GEM handle. */
  handle: number;
  /** Out: {@link BO_IS_IMPORTED} or 0. */
  extraFlags: number;
  /** Out: flags of BO_CREATE, 0 for an imported object. */
  createFlags: number;
  /** Out: zero. */
  pad: number;
}

/** Layout of {@link BoQueryInfo}. */
export const BO_QUERY_INFO: StructLayout<BoQueryInfo> = struct("drm_panthor_bo_query_info", 16, {
  handle: u32(0x00),
  extraFlags: u32(0x04, BO_EXTRA_NAMES),
  createFlags: u32(0x08, BO_NAMES),
  pad: u32(0x0c),
});

/** `DRM_IOCTL_PANTHOR_DEV_QUERY`. */
export const IOCTL_DEV_QUERY: number = drmIowr(0x40 + IOCTL_ID.devQuery, DEV_QUERY_ARG.size);
/** `DRM_IOCTL_PANTHOR_VM_CREATE`. */
export const IOCTL_VM_CREATE: number = drmIowr(0x40 + IOCTL_ID.vmCreate, VM_CREATE.size);
/** `DRM_IOCTL_PANTHOR_VM_DESTROY`. */
export const IOCTL_VM_DESTROY: number = drmIowr(0x40 + IOCTL_ID.vmDestroy, VM_DESTROY.size);
/** `DRM_IOCTL_PANTHOR_VM_BIND`. */
export const IOCTL_VM_BIND: number = drmIowr(0x40 + IOCTL_ID.vmBind, VM_BIND.size);
/** `DRM_IOCTL_PANTHOR_VM_GET_STATE`. */
export const IOCTL_VM_GET_STATE: number = drmIowr(0x40 + IOCTL_ID.vmGetState, VM_GET_STATE.size);
/** `DRM_IOCTL_PANTHOR_BO_CREATE`. */
export const IOCTL_BO_CREATE: number = drmIowr(0x40 + IOCTL_ID.boCreate, BO_CREATE.size);
/** `DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET`. */
export const IOCTL_BO_MMAP_OFFSET: number = drmIowr(0x40 + IOCTL_ID.boMmapOffset, BO_MMAP_OFFSET.size);
/** `DRM_IOCTL_PANTHOR_BO_SET_LABEL`. */
export const IOCTL_BO_SET_LABEL: number = drmIowr(0x40 + IOCTL_ID.boSetLabel, BO_SET_LABEL.size);
/** `DRM_IOCTL_PANTHOR_BO_SYNC`. */
export const IOCTL_BO_SYNC: number = drmIowr(0x40 + IOCTL_ID.boSync, BO_SYNC.size);
/** `DRM_IOCTL_PANTHOR_BO_QUERY_INFO`. */
export const IOCTL_BO_QUERY_INFO: number = drmIowr(0x40 + IOCTL_ID.boQueryInfo, BO_QUERY_INFO.size);

/** VMs that one open file can have (`PANTHOR_MAX_VMS_PER_FILE` of `panthor_mmu.c`, Linux 7.3-rc7). */
export const MAX_VMS_PER_FILE = 32;
