/**
 * Facts of `xe_drm.h` (Linux 7.3-rc7): struct layouts and request numbers; flags and other values are in `uapi-values.ts`.
 *
 * All structs have the same layout for 32- and 64-bit callers. A u64 is a plain number, NaN when a double cannot hold
 * it exactly.
 *
 * @module
 */

import {
  array,
  bytes,
  DRM_COMMAND_BASE,
  drmIow,
  drmIowr,
  nested,
  type StructLayout,
  struct,
  u16,
  u32,
  u64,
} from "@vmbind/drm";
import {
  ENGINE_CLASS_NAMES,
  GEM_CPU_CACHING_NAMES,
  GEM_CREATE_FLAG_NAMES,
  MMAP_OFFSET_FLAG_NAMES,
  SYNC_FLAG_NAMES,
  SYNC_TYPE_NAMES,
  VM_BIND_FLAG_NAMES,
  VM_BIND_OP_NAMES,
  VM_CREATE_FLAG_NAMES,
} from "./uapi-values.ts";

export { GEM_CLOSE, type GemClose } from "@vmbind/drm";
export * from "./uapi-madvise.ts";
export * from "./uapi-query.ts";
export * from "./uapi-values.ts";

/** `drm_xe_user_extension` of `xe_drm.h`, Linux 7.3-rc7: what every extension begins with. */
export interface UserExtension {
  /** User pointer to the next one, 0 for none. */
  nextExtension: number;
  /** Which extension it is. */
  name: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link UserExtension}. */
export const USER_EXTENSION: StructLayout<UserExtension> = struct("drm_xe_user_extension", 16, {
  nextExtension: u64(0),
  name: u32(8),
  pad: u32(12),
});

/** `drm_xe_ext_set_property` of `xe_drm.h`, Linux 7.3-rc7: an extension that sets one property. */
export interface ExtSetProperty {
  /** User address of the next extension, 0 for none. */
  nextExtension: number;
  /** Which extension it is: 0. */
  name: number;
  /** Must be 0. */
  pad: number;
  /** Which property it is, as the ioctl numbers them. */
  property: number;
  /** Must be 0; `pad` behind the property's number. */
  propertyPad: number;
  /** What it is to be. */
  value: number;
  /** Must be 0. */
  reserved: number[];
}

/** Layout of {@link ExtSetProperty}. */
export const EXT_SET_PROPERTY: StructLayout<ExtSetProperty> = struct("drm_xe_ext_set_property", 48, {
  nextExtension: u64(0),
  name: u32(8),
  pad: u32(12),
  property: u32(16),
  propertyPad: u32(20),
  value: u64(24),
  reserved: array(32, 2, u64),
});

/** `drm_xe_gem_create` of `xe_drm.h`, Linux 7.3-rc7. */
export interface GemCreate {
  /** Chain of extensions. */
  extensions: number;
  /** Bytes, a multiple of 4096. */
  size: number;
  /** Regions where the object may live, one bit each. */
  placement: number;
  /** `GEM_CREATE_FLAG_*`. */
  flags: number;
  /** VM whose private object it is, 0 = external. */
  vmId: number;
  /** Out: handle. */
  handle: number;
  /** {@link GEM_CPU_CACHING_WB} or {@link GEM_CPU_CACHING_WC}. */
  cpuCaching: number;
  /** Must be zero. */
  pad: number[];
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link GemCreate}. */
export const GEM_CREATE: StructLayout<GemCreate> = struct("drm_xe_gem_create", 56, {
  extensions: u64(0),
  size: u64(8),
  placement: u32(16),
  flags: u32(20, GEM_CREATE_FLAG_NAMES),
  vmId: u32(24),
  handle: u32(28),
  cpuCaching: u16(32, GEM_CPU_CACHING_NAMES),
  pad: array(34, 3, u16),
  reserved: array(40, 2, u64),
});

/** `drm_xe_gem_mmap_offset` of `xe_drm.h`, Linux 7.3-rc7. */
export interface GemMmapOffset {
  /** Chain of extensions; none exist. */
  extensions: number;
  /** GEM handle. */
  handle: number;
  /** 0 or {@link MMAP_OFFSET_FLAG_PCI_BARRIER}. */
  flags: number;
  /** Out: offset for mmap, in bytes. */
  offset: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link GemMmapOffset}. */
export const GEM_MMAP_OFFSET: StructLayout<GemMmapOffset> = struct("drm_xe_gem_mmap_offset", 40, {
  extensions: u64(0),
  handle: u32(8),
  flags: u32(12, MMAP_OFFSET_FLAG_NAMES),
  offset: u64(16),
  reserved: array(24, 2, u64),
});

/** `drm_xe_vm_create` of `xe_drm.h`, Linux 7.3-rc7. */
export interface VmCreate {
  /** Chain of extensions; none exist. */
  extensions: number;
  /** `VM_CREATE_FLAG_*`. */
  flags: number;
  /** Out: id, from 1. */
  vmId: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link VmCreate}. */
export const VM_CREATE: StructLayout<VmCreate> = struct("drm_xe_vm_create", 32, {
  extensions: u64(0),
  flags: u32(8, VM_CREATE_FLAG_NAMES),
  vmId: u32(12),
  reserved: array(16, 2, u64),
});

/** `drm_xe_vm_destroy` of `xe_drm.h`, Linux 7.3-rc7. */
export interface VmDestroy {
  /** VM id. */
  vmId: number;
  /** Must be zero. */
  pad: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link VmDestroy}. */
export const VM_DESTROY: StructLayout<VmDestroy> = struct("drm_xe_vm_destroy", 24, {
  vmId: u32(0),
  pad: u32(4),
  reserved: array(8, 2, u64),
});

/** `drm_xe_vm_bind_op` of `xe_drm.h`, Linux 7.3-rc7. */
export interface VmBindOp {
  /** Not looked at by 7.3-rc7. */
  extensions: number;
  /** GEM handle: MAP of an object and UNMAP_ALL; 0 otherwise. */
  obj: number;
  /** Index into the platform's PAT table. */
  patIndex: number;
  /** Not looked at by 7.3-rc7. */
  pad: number;
  /** Byte offset into the object, or the user address of MAP_USERPTR. */
  objOffset: number;
  /** Bytes, a multiple of 4096. */
  range: number;
  /** GPU address in bytes, a multiple of 4096. */
  addr: number;
  /** `VM_BIND_OP_*`. */
  op: number;
  /** `VM_BIND_FLAG_*`. */
  flags: number;
  /** Where PREFETCH is to bring the memory. */
  prefetchMemRegionInstance: number;
  /** Not looked at by 7.3-rc7. */
  pad2: number;
  /** Not looked at by 7.3-rc7. */
  reserved: number[];
}

/** Layout of {@link VmBindOp}: 80 bytes. */
export const VM_BIND_OP: StructLayout<VmBindOp> = struct("drm_xe_vm_bind_op", 80, {
  extensions: u64(0),
  obj: u32(8),
  patIndex: u16(12),
  pad: u16(14),
  objOffset: u64(16),
  range: u64(24),
  addr: u64(32),
  op: u32(40, VM_BIND_OP_NAMES),
  flags: u32(44, VM_BIND_FLAG_NAMES),
  prefetchMemRegionInstance: u32(48),
  pad2: u32(52),
  reserved: array(56, 3, u64),
});

/** `drm_xe_vm_bind` of `xe_drm.h`, Linux 7.3-rc7; with more than one op the bytes at `bind` are {@link VmBindVector}. */
export interface VmBind {
  /** Chain of extensions; none exist. */
  extensions: number;
  /** VM id. */
  vmId: number;
  /** Bind queue, 0 = the VM's default one. */
  execQueueId: number;
  /** Must be zero. */
  pad: number;
  /** Number of operations; 0 only moves fences. */
  numBinds: number;
  /** The operation, when `numBinds` is 1. */
  bind: VmBindOp;
  /** Must be zero. */
  pad2: number;
  /** Elements at `syncs`. */
  numSyncs: number;
  /** User pointer to an array of {@link Sync}. */
  syncs: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link VmBind}: 136 bytes. */
export const VM_BIND: StructLayout<VmBind> = struct("drm_xe_vm_bind", 136, {
  extensions: u64(0),
  vmId: u32(8),
  execQueueId: u32(12),
  pad: u32(16),
  numBinds: u32(20),
  bind: nested(24, VM_BIND_OP),
  pad2: u32(104),
  numSyncs: u32(108),
  syncs: u64(112),
  reserved: array(120, 2, u64),
});

/** What the union in `drm_xe_vm_bind` ({@link VmBind.bind}) holds when `numBinds` is above 1. */
export interface VmBindVector {
  /** User pointer to an array of {@link VmBindOp}. */
  vectorOfBinds: number;
  /** The rest of the union. */
  unused: Uint8Array;
}

/** Layout of {@link VmBindVector}; it begins where {@link VmBind.bind} does. */
export const VM_BIND_VECTOR: StructLayout<VmBindVector> = struct("drm_xe_vm_bind.vector_of_binds", 80, {
  vectorOfBinds: u64(0),
  unused: bytes(8, 72),
});

/** `drm_xe_sync` of `xe_drm.h`, Linux 7.3-rc7. */
export interface Sync {
  /** Not looked at by 7.3-rc7. */
  extensions: number;
  /** `SYNC_TYPE_*`. */
  type: number;
  /** 0 = wait, or {@link SYNC_FLAG_SIGNAL}. */
  flags: number;
  /** Syncobj handle in the low 32 bits, or the user fence's address. */
  addr: number;
  /** Point of a timeline syncobj, or value of a user fence. */
  timelineValue: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link Sync}: 48 bytes. */
export const SYNC: StructLayout<Sync> = struct("drm_xe_sync", 48, {
  extensions: u64(0),
  type: u32(8, SYNC_TYPE_NAMES),
  flags: u32(12, SYNC_FLAG_NAMES),
  addr: u64(16),
  timelineValue: u64(24),
  reserved: array(32, 2, u64),
});

/** `drm_xe_exec_queue_create` of `xe_drm.h`, Linux 7.3-rc7. */
export interface ExecQueueCreate {
  /** Chain of {@link ExtSetProperty}, 16 at most. */
  extensions: number;
  /** Engines that run side by side. */
  width: number;
  /** Choices for each. */
  numPlacements: number;
  /** VM id. */
  vmId: number;
  /** 0, or bit 0 for the low-latency hint. */
  flags: number;
  /** Out: id, from 1. */
  execQueueId: number;
  /** User pointer to `width * numPlacements` {@link EngineClassInstance}. */
  instances: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link ExecQueueCreate}. */
export const EXEC_QUEUE_CREATE: StructLayout<ExecQueueCreate> = struct("drm_xe_exec_queue_create", 48, {
  extensions: u64(0),
  width: u16(8),
  numPlacements: u16(10),
  vmId: u32(12),
  flags: u32(16),
  execQueueId: u32(20),
  instances: u64(24),
  reserved: array(32, 2, u64),
});

/** `drm_xe_engine_class_instance` of `xe_drm.h`, Linux 7.3-rc7. */
export interface EngineClassInstance {
  /** Class; {@link ENGINE_CLASS_VM_BIND} makes a bind queue. */
  engineClass: number;
  /** Instance. */
  engineInstance: number;
  /** GT. */
  gtId: number;
  /** Must be zero. */
  pad: number;
}

/** Layout of {@link EngineClassInstance}. */
export const ENGINE_CLASS_INSTANCE: StructLayout<EngineClassInstance> = struct(
  "drm_xe_engine_class_instance",
  8,
  { engineClass: u16(0, ENGINE_CLASS_NAMES), engineInstance: u16(2), gtId: u16(4), pad: u16(6) },
);

/** `drm_xe_exec_queue_destroy` of `xe_drm.h`, Linux 7.3-rc7. */
export interface ExecQueueDestroy {
  /** Queue id. */
  execQueueId: number;
  /** Must be zero. */
  pad: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link ExecQueueDestroy}. */
export const EXEC_QUEUE_DESTROY: StructLayout<ExecQueueDestroy> = struct("drm_xe_exec_queue_destroy", 24, {
  execQueueId: u32(0),
  pad: u32(4),
  reserved: array(8, 2, u64),
});

/** `DRM_IOCTL_XE_GEM_CREATE`, 0xc0386441. */
export const IOCTL_GEM_CREATE: number = drmIowr(DRM_COMMAND_BASE + 0x01, GEM_CREATE.size);
/** `DRM_IOCTL_XE_GEM_MMAP_OFFSET`, 0xc0286442. */
export const IOCTL_GEM_MMAP_OFFSET: number = drmIowr(DRM_COMMAND_BASE + 0x02, GEM_MMAP_OFFSET.size);
/** `DRM_IOCTL_XE_VM_CREATE`, 0xc0206443. */
export const IOCTL_VM_CREATE: number = drmIowr(DRM_COMMAND_BASE + 0x03, VM_CREATE.size);
/** `DRM_IOCTL_XE_VM_DESTROY`, 0x40186444. */
export const IOCTL_VM_DESTROY: number = drmIow(DRM_COMMAND_BASE + 0x04, VM_DESTROY.size);
/** `DRM_IOCTL_XE_VM_BIND`, 0x40886445. */
export const IOCTL_VM_BIND: number = drmIow(DRM_COMMAND_BASE + 0x05, VM_BIND.size);
/** `DRM_IOCTL_XE_EXEC_QUEUE_CREATE`, 0xc0306446. */
export const IOCTL_EXEC_QUEUE_CREATE: number = drmIowr(DRM_COMMAND_BASE + 0x06, EXEC_QUEUE_CREATE.size);
/** `DRM_IOCTL_XE_EXEC_QUEUE_DESTROY`, 0x40186447. */
export const IOCTL_EXEC_QUEUE_DESTROY: number = drmIow(DRM_COMMAND_BASE + 0x07, EXEC_QUEUE_DESTROY.size);
