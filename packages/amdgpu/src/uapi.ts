/**
 * Facts of `amdgpu_drm.h` (Linux 7.3-rc7): request numbers and struct layouts; values and flags are in `uapi-values.ts`.
 *
 * Nothing here behaves. Where the header has a union of what goes in and what comes out, there are two layouts over the same
 * bytes.
 *
 * @module
 */

import { drmIow, drmIowr, type StructLayout, struct, u32, u64 } from "@vmbind/drm";
import { BO_LIST_OP_NAMES, GEM_OP_NAMES, VA_OP_NAMES, VM_NAMES } from "./uapi-values.ts";

export * from "./uapi-values.ts";

/** Bytes of a GPU page, the smallest piece that can be mapped. */
export const PAGE_BYTES = 0x1000;
/** First VA that GEM_VA accepts (`AMDGPU_VA_RESERVED_BOTTOM` of `amdgpu_vm.h`, Linux 7.3-rc7). */
export const VA_START = 0x1_0000;
/** First VA of the hole in the middle of the address space (`AMDGPU_GMC_HOLE_START`, `amdgpu_gmc.h`). */
export const VA_HOLE_START: number = 2 ** 47;
/** First VA behind the hole, sign-extended (`AMDGPU_GMC_HOLE_END`). */
export const VA_HOLE_END: number = 2 ** 64 - 2 ** 47;
/** First VA behind what GEM_VA accepts, of 48 bits: above are the driver's own mappings and the trap handler's. */
export const VA_END = 0xffff_ffbf_0000;
/** Bytes of VA space, of which GEM_VA leaves the ends alone. */
export const VA_BYTES: number = 2 ** 48;
/** Alignment of addresses that INFO reports. */
export const VA_ALIGNMENT = 0x1000;
/** Fragment size that INFO reports, in bytes. */
export const PTE_FRAGMENT_BYTES = 0x20_0000;

/** `DRM_IOCTL_AMDGPU_GEM_CREATE`. */
export const IOCTL_GEM_CREATE: number = drmIowr(0x40, 32);
/** `DRM_IOCTL_AMDGPU_GEM_MMAP`. */
export const IOCTL_GEM_MMAP: number = drmIowr(0x41, 8);
/** `DRM_IOCTL_AMDGPU_CTX`. */
export const IOCTL_CTX: number = drmIowr(0x42, 16);
/** `DRM_IOCTL_AMDGPU_BO_LIST`. */
export const IOCTL_BO_LIST: number = drmIowr(0x43, 24);
/** `DRM_IOCTL_AMDGPU_CS`. */
export const IOCTL_CS: number = drmIowr(0x44, 24);
/** `DRM_IOCTL_AMDGPU_INFO`. */
export const IOCTL_INFO: number = drmIow(0x45, 32);
/** `DRM_IOCTL_AMDGPU_GEM_WAIT_IDLE`. */
export const IOCTL_GEM_WAIT_IDLE: number = drmIowr(0x47, 16);
/** `DRM_IOCTL_AMDGPU_GEM_VA`: libdrm sends it as read and write (0xc0406448), and the kernel looks at the number only. */
export const IOCTL_GEM_VA: number = drmIow(0x48, 64);
/** `DRM_IOCTL_AMDGPU_GEM_OP`. */
export const IOCTL_GEM_OP: number = drmIowr(0x50, 24);
/** `DRM_IOCTL_AMDGPU_GEM_METADATA`. */
export const IOCTL_GEM_METADATA: number = drmIowr(0x46, 288);
/** `DRM_IOCTL_AMDGPU_WAIT_CS`. */
export const IOCTL_WAIT_CS: number = drmIowr(0x49, 32);
/** `DRM_IOCTL_AMDGPU_VM`. */
export const IOCTL_VM: number = drmIowr(0x53, 8);
/** `DRM_IOCTL_AMDGPU_GEM_USERPTR`. */
export const IOCTL_GEM_USERPTR: number = drmIowr(0x51, 24);
/** `DRM_IOCTL_AMDGPU_GEM_VA` as libdrm sends it. */
export const IOCTL_GEM_VA_RW: number = drmIowr(0x48, 64);

/** `drm_amdgpu_gem_va`: one operation. */
export interface GemVa {
  /** GEM handle; not looked at with PRT, nor by CLEAR. */
  handle: number;
  /** Not looked at. */
  pad: number;
  /** {@link VA_OP_MAP} and so on. */
  operation: number;
  /** {@link VM_PAGE_READABLE} and so on. */
  flags: number;
  /** First VA, sign-extended or not. */
  vaAddress: number;
  /** Byte offset into the object; with PRT it only shows in the entries. */
  offsetInBo: number;
  /** Bytes of VA. */
  mapSize: number;
  /** Point of the timeline, 0 for the syncobj itself. */
  vmTimelinePoint: number;
  /** Syncobj that is signalled when the page tables are written, 0 for none. */
  vmTimelineSyncobjOut: number;
  /** Syncobjs to wait for, before anything else happens. */
  numSyncobjHandles: number;
  /** User address of their handles. */
  inputFenceSyncobjHandles: number;
}

/** Layout of {@link GemVa}. */
export const GEM_VA: StructLayout<GemVa> = struct("drm_amdgpu_gem_va", 64, {
  handle: u32(0),
  pad: u32(4),
  operation: u32(8, VA_OP_NAMES),
  flags: u32(12, VM_NAMES),
  vaAddress: u64(16),
  offsetInBo: u64(24),
  mapSize: u64(32),
  vmTimelinePoint: u64(40),
  vmTimelineSyncobjOut: u32(48),
  numSyncobjHandles: u32(52),
  inputFenceSyncobjHandles: u64(56),
});

/** An element of an array of syncobj handles. */
export interface SyncobjHandle {
  /** Syncobj handle. */
  handle: number;
}

/** Layout of {@link SyncobjHandle}. */
export const SYNCOBJ_HANDLE: StructLayout<SyncobjHandle> = struct("__u32", 4, {
  handle: u32(0),
});

/** `drm_amdgpu_gem_create_in`. */
export interface GemCreate {
  /** Bytes, rounded up to 4 KiB. */
  boSize: number;
  /** Of the memory, in bytes. */
  alignment: number;
  /** {@link DOMAIN_GTT} and so on. */
  domains: number;
  /** {@link CREATE_VM_ALWAYS_VALID} and so on. */
  domainFlags: number;
}

/** Layout of {@link GemCreate}. */
export const GEM_CREATE: StructLayout<GemCreate> = struct("drm_amdgpu_gem_create_in", 32, {
  boSize: u64(0),
  alignment: u64(8),
  domains: u64(16),
  domainFlags: u64(24),
});

/** `drm_amdgpu_gem_create_out`: over the beginning of {@link GemCreate}; the rest is zeroed. */
export interface GemCreateOut {
  /** New handle, 1 and up. */
  handle: number;
  /** 0. */
  pad: number;
}

/** Layout of {@link GemCreateOut}. */
export const GEM_CREATE_OUT: StructLayout<GemCreateOut> = struct("drm_amdgpu_gem_create_out", 8, {
  handle: u32(0),
  pad: u32(4),
});

/** `drm_amdgpu_gem_mmap_in`; the offset for mmap comes back over all of it. */
export interface GemMmap {
  /** GEM handle. */
  handle: number;
  /** Not looked at. */
  pad: number;
}

/** Layout of {@link GemMmap}. */
export const GEM_MMAP: StructLayout<GemMmap> = struct("drm_amdgpu_gem_mmap_in", 8, {
  handle: u32(0),
  pad: u32(4),
});

/** `drm_amdgpu_ctx_in`. */
export interface Ctx {
  /** 1 make, 2 forget, others ask. */
  op: number;
  /** Must be 0; of the operation that sets a power state its number. */
  flags: number;
  /** Of the context; comes back over `op` when one is made. */
  ctxId: number;
  /** Not looked at by the model. */
  priority: number;
}

/** Layout of {@link Ctx}. */
export const CTX: StructLayout<Ctx> = struct("drm_amdgpu_ctx_in", 16, {
  op: u32(0),
  flags: u32(4),
  ctxId: u32(8),
  priority: u32(12),
});

/** `drm_amdgpu_bo_list_in`; a chunk of a submission holds the same. */
export interface BoList {
  /** {@link BO_LIST_OP_CREATE} and so on. */
  operation: number;
  /** Of the list; comes back over `operation`. */
  listHandle: number;
  /** Entries. */
  boNumber: number;
  /** Bytes from one entry to the next. */
  boInfoSize: number;
  /** User address of the entries. */
  boInfoPtr: number;
}

/** Layout of {@link BoList}. */
export const BO_LIST: StructLayout<BoList> = struct("drm_amdgpu_bo_list_in", 24, {
  operation: u32(0, BO_LIST_OP_NAMES),
  listHandle: u32(4),
  boNumber: u32(8),
  boInfoSize: u32(12),
  boInfoPtr: u64(16),
});

/** `drm_amdgpu_bo_list_entry`. */
export interface BoListEntry {
  /** GEM handle. */
  boHandle: number;
  /** Not looked at by the model. */
  boPriority: number;
}

/** Layout of {@link BoListEntry}. */
export const BO_LIST_ENTRY: StructLayout<BoListEntry> = struct("drm_amdgpu_bo_list_entry", 8, {
  boHandle: u32(0),
  boPriority: u32(4),
});

/** `drm_amdgpu_cs_in`. */
export interface Cs {
  /** Context. */
  ctxId: number;
  /** List of objects, 0 for none. */
  boListHandle: number;
  /** Chunks. */
  numChunks: number;
  /** Not looked at. */
  flags: number;
  /** User address of the addresses of the chunks; a fence number comes back over the beginning. */
  chunks: number;
}

/** Layout of {@link Cs}. */
export const CS: StructLayout<Cs> = struct("drm_amdgpu_cs_in", 24, {
  ctxId: u32(0),
  boListHandle: u32(4),
  numChunks: u32(8),
  flags: u32(12),
  chunks: u64(16),
});

/** An element of the array of a submission. */
export interface CsChunkAddress {
  /** User address of a {@link CsChunk}. */
  address: number;
}

/** Layout of {@link CsChunkAddress}. */
export const CS_CHUNK_ADDRESS: StructLayout<CsChunkAddress> = struct("__u64", 8, {
  address: u64(0),
});

/** `drm_amdgpu_cs_chunk`. */
export interface CsChunk {
  /** {@link CHUNK_ID_IB} and so on. */
  chunkId: number;
  /** Words of 32 bits. */
  lengthDw: number;
  /** User address of them. */
  chunkData: number;
}

/** Layout of {@link CsChunk}. */
export const CS_CHUNK: StructLayout<CsChunk> = struct("drm_amdgpu_cs_chunk", 16, {
  chunkId: u32(0),
  lengthDw: u32(4),
  chunkData: u64(8),
});

/** `drm_amdgpu_info`. */
export interface Info {
  /** User address of the buffer. */
  returnPointer: number;
  /** Bytes of the buffer; less than the answer has is fine. */
  returnSize: number;
  /** What is asked for. */
  query: number;
  /** Depends on the query. */
  argument0: number;
  /** Depends on the query. */
  argument1: number;
  /** Depends on the query. */
  argument2: number;
  /** Depends on the query. */
  argument3: number;
}

/** Layout of {@link Info}. */
export const INFO: StructLayout<Info> = struct("drm_amdgpu_info", 32, {
  returnPointer: u64(0),
  returnSize: u32(8),
  query: u32(12),
  argument0: u32(16),
  argument1: u32(20),
  argument2: u32(24),
  argument3: u32(28),
});

/** `drm_amdgpu_gem_wait_idle_in`. */
export interface GemWaitIdle {
  /** GEM handle; the status (0: idle) comes back over it. */
  handle: number;
  /** Not looked at; where the object is comes back over it. */
  flags: number;
  /** Point in time. */
  timeout: number;
}

/** Layout of {@link GemWaitIdle}. */
export const GEM_WAIT_IDLE: StructLayout<GemWaitIdle> = struct("drm_amdgpu_gem_wait_idle_in", 16, {
  handle: u32(0),
  flags: u32(4),
  timeout: u64(8),
});

/** `drm_amdgpu_gem_op`. */
export interface GemOp {
  /** GEM handle. */
  handle: number;
  /** {@link GEM_OP_GET_GEM_CREATE_INFO} and so on. */
  op: number;
  /** User address of an array, or a placement. */
  value: number;
  /** Elements of the array; those that there are come back. */
  numEntries: number;
  /** Not looked at. */
  padding: number;
}

/** Layout of {@link GemOp}. */
export const GEM_OP: StructLayout<GemOp> = struct("drm_amdgpu_gem_op", 24, {
  handle: u32(0),
  op: u32(4, GEM_OP_NAMES),
  value: u64(8),
  numEntries: u32(16),
  padding: u32(20),
});

/** `drm_amdgpu_gem_vm_entry`: one mapping. */
export interface GemVmEntry {
  /** First VA, of 48 bits. */
  addr: number;
  /** Bytes. */
  size: number;
  /** Byte offset into the object. */
  offset: number;
  /** As the mapping was made with. */
  flags: number;
}

/** Layout of {@link GemVmEntry}. */
export const GEM_VM_ENTRY: StructLayout<GemVmEntry> = struct("drm_amdgpu_gem_vm_entry", 32, {
  addr: u64(0),
  size: u64(8),
  offset: u64(16),
  flags: u64(24),
});

/** `drm_amdgpu_gem_userptr`. */
export interface GemUserptr {
  /** User address. */
  addr: number;
  /** Bytes. */
  size: number;
  /** How it is watched. */
  flags: number;
  /** New handle (out). */
  handle: number;
}

/** Layout of {@link GemUserptr}. */
export const GEM_USERPTR: StructLayout<GemUserptr> = struct("drm_amdgpu_gem_userptr", 24, {
  addr: u64(0),
  size: u64(8),
  flags: u32(16),
  handle: u32(20),
});
