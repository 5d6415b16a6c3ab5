/**
 * Facts of `xe_drm.h` (Linux 7.3-rc7): the values of flags, ops and types, and their names for people. The structs that hold them are in
 * `uapi.ts`.
 *
 * @module
 */

import { flagNames, type ValueNames, valueNames } from "@vmbind/drm";

/** `DRM_XE_GEM_CREATE_FLAG_DEFER_BACKING`: pages come at first use. */
export const GEM_CREATE_FLAG_DEFER_BACKING = 0x1;
/** `DRM_XE_GEM_CREATE_FLAG_SCANOUT`: for the display engine. */
export const GEM_CREATE_FLAG_SCANOUT = 0x2;
/** `DRM_XE_GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM`: VRAM that the CPU can reach. */
export const GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM = 0x4;
/** `DRM_XE_GEM_CREATE_FLAG_NO_COMPRESSION`: never compressed. */
export const GEM_CREATE_FLAG_NO_COMPRESSION = 0x8;
/** Names of the flags of a `GemCreate`. */
export const GEM_CREATE_FLAG_NAMES: ValueNames = flagNames({
  GEM_CREATE_FLAG_DEFER_BACKING,
  GEM_CREATE_FLAG_SCANOUT,
  GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM,
  GEM_CREATE_FLAG_NO_COMPRESSION,
});

/** `DRM_XE_GEM_CPU_CACHING_WB`: write-back. */
export const GEM_CPU_CACHING_WB = 1;
/** `DRM_XE_GEM_CPU_CACHING_WC`: write-combined. */
export const GEM_CPU_CACHING_WC = 2;
/** Names of the CPU caching of a `GemCreate`. */
export const GEM_CPU_CACHING_NAMES: ValueNames = valueNames({ GEM_CPU_CACHING_WB, GEM_CPU_CACHING_WC });

/** `DRM_XE_MMAP_OFFSET_FLAG_PCI_BARRIER`: ask for the page that orders PCI writes. */
export const MMAP_OFFSET_FLAG_PCI_BARRIER = 1;
/** Names of the flags of a `GemMmapOffset`. */
export const MMAP_OFFSET_FLAG_NAMES: ValueNames = flagNames({ MMAP_OFFSET_FLAG_PCI_BARRIER });

/** `DRM_XE_VM_CREATE_FLAG_SCRATCH_PAGE`: addresses without a mapping read zero and drop writes. */
export const VM_CREATE_FLAG_SCRATCH_PAGE = 0x1;
/** `DRM_XE_VM_CREATE_FLAG_LR_MODE`: long-running; no dma-fences, preempted instead. */
export const VM_CREATE_FLAG_LR_MODE = 0x2;
/** `DRM_XE_VM_CREATE_FLAG_FAULT_MODE`: page tables are filled by recoverable faults. */
export const VM_CREATE_FLAG_FAULT_MODE = 0x4;
/** `DRM_XE_VM_CREATE_FLAG_NO_VM_OVERCOMMIT`: no overcommit of VRAM. */
export const VM_CREATE_FLAG_NO_VM_OVERCOMMIT = 0x8;
/** Names of the flags of a `VmCreate`. */
export const VM_CREATE_FLAG_NAMES: ValueNames = flagNames({
  VM_CREATE_FLAG_SCRATCH_PAGE,
  VM_CREATE_FLAG_LR_MODE,
  VM_CREATE_FLAG_FAULT_MODE,
  VM_CREATE_FLAG_NO_VM_OVERCOMMIT,
});

/** `DRM_XE_CONSULT_MEM_ADVISE_PREF_LOC`: the region of a PREFETCH that means "where madvise says"; an object stays where it is. */
export const CONSULT_MEM_ADVISE_PREF_LOC = 0xffff_ffff;

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
/** Names of the ops of a `VmBindOp`. */
export const VM_BIND_OP_NAMES: ValueNames = valueNames({
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_UNMAP_ALL,
  VM_BIND_OP_PREFETCH,
});

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
/** Names of the flags of a `VmBindOp`. */
export const VM_BIND_FLAG_NAMES: ValueNames = flagNames({
  VM_BIND_FLAG_READONLY,
  VM_BIND_FLAG_IMMEDIATE,
  VM_BIND_FLAG_NULL,
  VM_BIND_FLAG_DUMPABLE,
  VM_BIND_FLAG_CHECK_PXP,
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_MADVISE_AUTORESET,
  VM_BIND_FLAG_DECOMPRESS,
});

/** `DRM_XE_SYNC_TYPE_SYNCOBJ`: binary syncobj. */
export const SYNC_TYPE_SYNCOBJ = 0;
/** `DRM_XE_SYNC_TYPE_TIMELINE_SYNCOBJ`: timeline syncobj. */
export const SYNC_TYPE_TIMELINE_SYNCOBJ = 1;
/** `DRM_XE_SYNC_TYPE_USER_FENCE`: a u64 in user memory. */
export const SYNC_TYPE_USER_FENCE = 2;
/** Names of the types of a `Sync`. */
export const SYNC_TYPE_NAMES: ValueNames = valueNames({
  SYNC_TYPE_SYNCOBJ,
  SYNC_TYPE_TIMELINE_SYNCOBJ,
  SYNC_TYPE_USER_FENCE,
});

/** `DRM_XE_SYNC_FLAG_SIGNAL`: signal when done; without it, wait before. */
export const SYNC_FLAG_SIGNAL = 1;
/** Names of the flags of a `Sync`. */
export const SYNC_FLAG_NAMES: ValueNames = flagNames({ SYNC_FLAG_SIGNAL });

/** `DRM_XE_MAX_SYNCS`: most syncs of one VM_BIND. */
export const MAX_SYNCS = 1024;

/** `DRM_XE_ENGINE_CLASS_VM_BIND`. */
export const ENGINE_CLASS_VM_BIND = 5;
/** Names of the classes of an `EngineClassInstance`. */
export const ENGINE_CLASS_NAMES: ValueNames = valueNames({
  ENGINE_CLASS_RENDER: 0,
  ENGINE_CLASS_COPY: 1,
  ENGINE_CLASS_VIDEO_DECODE: 2,
  ENGINE_CLASS_VIDEO_ENHANCE: 3,
  ENGINE_CLASS_COMPUTE: 4,
  ENGINE_CLASS_VM_BIND,
});

/** `DRM_XE_EXEC_QUEUE_SET_PROPERTY_PRIORITY`: 0 low, 1 normal, 2 high, and high needs CAP_SYS_NICE. */
export const EXEC_QUEUE_SET_PROPERTY_PRIORITY = 0;
/** `DRM_XE_EXEC_QUEUE_SET_PROPERTY_TIMESLICE`: microseconds. */
export const EXEC_QUEUE_SET_PROPERTY_TIMESLICE = 1;
/** The last property that 7.3-rc7 knows, `DRM_XE_EXEC_QUEUE_SET_DISABLE_STATE_CACHE_PERF_FIX`. */
export const EXEC_QUEUE_SET_PROPERTY_LAST = 6;
