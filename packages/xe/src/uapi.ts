/**
 * Facts of `xe_drm.h` (Linux 7.3): struct layouts, flags and request numbers, and nothing else.
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

/** `drm_xe_gem_create` of `xe_drm.h`, Linux 7.3. */
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
  flags: u32(20),
  vmId: u32(24),
  handle: u32(28),
  cpuCaching: u16(32),
  pad: array(34, 3, u16),
  reserved: array(40, 2, u64),
});

/** `DRM_XE_GEM_CREATE_FLAG_DEFER_BACKING`: pages come at first use. */
export const GEM_CREATE_FLAG_DEFER_BACKING = 0x1;
/** `DRM_XE_GEM_CREATE_FLAG_SCANOUT`: for the display engine. */
export const GEM_CREATE_FLAG_SCANOUT = 0x2;
/** `DRM_XE_GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM`: VRAM that the CPU can reach. */
export const GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM = 0x4;
/** `DRM_XE_GEM_CREATE_FLAG_NO_COMPRESSION`: never compressed. */
export const GEM_CREATE_FLAG_NO_COMPRESSION = 0x8;
/** `DRM_XE_GEM_CPU_CACHING_WB`: write-back. */
export const GEM_CPU_CACHING_WB = 1;
/** `DRM_XE_GEM_CPU_CACHING_WC`: write-combined. */
export const GEM_CPU_CACHING_WC = 2;

/** `drm_xe_gem_mmap_offset` of `xe_drm.h`, Linux 7.3. */
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
  flags: u32(12),
  offset: u64(16),
  reserved: array(24, 2, u64),
});

/** `DRM_XE_MMAP_OFFSET_FLAG_PCI_BARRIER`: ask for the page that orders PCI writes. */
export const MMAP_OFFSET_FLAG_PCI_BARRIER = 1;

/** `drm_xe_vm_create` of `xe_drm.h`, Linux 7.3. */
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
  flags: u32(8),
  vmId: u32(12),
  reserved: array(16, 2, u64),
});

/** `DRM_XE_VM_CREATE_FLAG_SCRATCH_PAGE`: addresses without a mapping read zero and drop writes. */
export const VM_CREATE_FLAG_SCRATCH_PAGE = 0x1;
/** `DRM_XE_VM_CREATE_FLAG_LR_MODE`: long-running; no dma-fences, preempted instead. */
export const VM_CREATE_FLAG_LR_MODE = 0x2;
/** `DRM_XE_VM_CREATE_FLAG_FAULT_MODE`: page tables are filled by recoverable faults. */
export const VM_CREATE_FLAG_FAULT_MODE = 0x4;
/** `DRM_XE_VM_CREATE_FLAG_NO_VM_OVERCOMMIT`: no overcommit of VRAM. */
export const VM_CREATE_FLAG_NO_VM_OVERCOMMIT = 0x8;

/** `drm_xe_vm_destroy` of `xe_drm.h`, Linux 7.3. */
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

/** `drm_xe_vm_bind_op` of `xe_drm.h`, Linux 7.3. */
export interface VmBindOp {
  /** Not looked at by 7.3. */
  extensions: number;
  /** GEM handle: MAP of an object and UNMAP_ALL; 0 otherwise. */
  obj: number;
  /** Index into the platform's PAT table. */
  patIndex: number;
  /** Not looked at by 7.3. */
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
  /** Not looked at by 7.3. */
  pad2: number;
  /** Not looked at by 7.3. */
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
  op: u32(40),
  flags: u32(44),
  prefetchMemRegionInstance: u32(48),
  pad2: u32(52),
  reserved: array(56, 3, u64),
});

/** `DRM_XE_VM_BIND_OP_MAP`: map an object, or nothing at all ({@link VM_BIND_FLAG_NULL}). */
export const VM_BIND_OP_MAP = 0;
/** `DRM_XE_VM_BIND_OP_UNMAP`: unmap a range. */
export const VM_BIND_OP_UNMAP = 1;
/** `DRM_XE_VM_BIND_OP_MAP_USERPTR`: map memory of the process. */
export const VM_BIND_OP_MAP_USERPTR = 2;
/** `DRM_XE_VM_BIND_OP_UNMAP_ALL`: unmap every mapping of an object. */
export const VM_BIND_OP_UNMAP_ALL = 3;
/** `DRM_XE_VM_BIND_OP_PREFETCH`: bring memory near and fill page tables. */
export const VM_BIND_OP_PREFETCH = 4;

/** `DRM_XE_VM_BIND_FLAG_READONLY`: the GPU may not write. */
export const VM_BIND_FLAG_READONLY = 0x01;
/** `DRM_XE_VM_BIND_FLAG_IMMEDIATE`: fill page tables now, also in a fault-mode VM. */
export const VM_BIND_FLAG_IMMEDIATE = 0x02;
/** `DRM_XE_VM_BIND_FLAG_NULL`: no memory behind; reads give zero, writes are dropped. */
export const VM_BIND_FLAG_NULL = 0x04;
/** `DRM_XE_VM_BIND_FLAG_DUMPABLE`: part of a device core dump. */
export const VM_BIND_FLAG_DUMPABLE = 0x08;
/** `DRM_XE_VM_BIND_FLAG_CHECK_PXP`: fail when the object's protected-content key is no longer valid. */
export const VM_BIND_FLAG_CHECK_PXP = 0x10;
/** `DRM_XE_VM_BIND_FLAG_CPU_ADDR_MIRROR`: mirror the process's address space. */
export const VM_BIND_FLAG_CPU_ADDR_MIRROR = 0x20;
/** `DRM_XE_VM_BIND_FLAG_MADVISE_AUTORESET`: attributes of madvise end with the CPU mapping. */
export const VM_BIND_FLAG_MADVISE_AUTORESET = 0x40;
/** `DRM_XE_VM_BIND_FLAG_DECOMPRESS`: decompress in place. */
export const VM_BIND_FLAG_DECOMPRESS = 0x80;

/** `drm_xe_vm_bind` of `xe_drm.h`, Linux 7.3; with more than one op the bytes at `bind` are {@link VmBindVector}. */
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

/** `DRM_XE_MAX_SYNCS`: most syncs of one VM_BIND. */
export const MAX_SYNCS = 1024;

/** `drm_xe_sync` of `xe_drm.h`, Linux 7.3. */
export interface Sync {
  /** Not looked at by 7.3. */
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
  type: u32(8),
  flags: u32(12),
  addr: u64(16),
  timelineValue: u64(24),
  reserved: array(32, 2, u64),
});

/** `DRM_XE_SYNC_TYPE_SYNCOBJ`: binary syncobj. */
export const SYNC_TYPE_SYNCOBJ = 0;
/** `DRM_XE_SYNC_TYPE_TIMELINE_SYNCOBJ`: timeline syncobj. */
export const SYNC_TYPE_TIMELINE_SYNCOBJ = 1;
/** `DRM_XE_SYNC_TYPE_USER_FENCE`: a u64 in user memory. */
export const SYNC_TYPE_USER_FENCE = 2;
/** `DRM_XE_SYNC_FLAG_SIGNAL`: signal when done; without it, wait before. */
export const SYNC_FLAG_SIGNAL = 1;

/** `drm_xe_exec_queue_create` of `xe_drm.h`, Linux 7.3. */
export interface ExecQueueCreate {
  /** Chain of extensions. */
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

/** `drm_xe_engine_class_instance` of `xe_drm.h`, Linux 7.3. */
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
  { engineClass: u16(0), engineInstance: u16(2), gtId: u16(4), pad: u16(6) },
);

/** `DRM_XE_ENGINE_CLASS_VM_BIND`. */
export const ENGINE_CLASS_VM_BIND = 5;

/** `drm_xe_exec_queue_destroy` of `xe_drm.h`, Linux 7.3. */
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

/** `drm_gem_close` of `drm.h`, a core ioctl. */
export interface GemClose {
  /** GEM handle. */
  handle: number;
  /** Must be zero by convention; not looked at. */
  pad: number;
}

/** Layout of {@link GemClose}. */
export const GEM_CLOSE: StructLayout<GemClose> = struct("drm_gem_close", 8, { handle: u32(0), pad: u32(4) });

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
