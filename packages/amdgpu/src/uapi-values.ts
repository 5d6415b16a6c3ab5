/**
 * Facts of `amdgpu_drm.h` (Linux 7.3-rc7): the values of operations, flags and domains, and their names for people. The structs
 * that hold them are in `uapi.ts`.
 *
 * @module
 */

import { flagNames, type ValueNames, valueNames } from "@vmbind/drm";

/** GEM_VA operation: add a mapping where nothing is mapped. */
export const VA_OP_MAP = 1;
/** GEM_VA operation: remove the one mapping of an object that begins at an address. */
export const VA_OP_UNMAP = 2;
/** GEM_VA operation: remove whatever is in a range. */
export const VA_OP_CLEAR = 3;
/** GEM_VA operation: CLEAR, then MAP. */
export const VA_OP_REPLACE = 4;
/** Names of the operations. */
export const VA_OP_NAMES: ValueNames = valueNames({ VA_OP_MAP, VA_OP_UNMAP, VA_OP_CLEAR, VA_OP_REPLACE });

/** GEM_VA flag: leave the page tables for later. */
export const VM_DELAY_UPDATE = 0x1;
/** GEM_VA flag: the GPU may read. */
export const VM_PAGE_READABLE = 0x2;
/** GEM_VA flag: the GPU may write. */
export const VM_PAGE_WRITEABLE = 0x4;
/** GEM_VA flag: the GPU may fetch instructions. */
export const VM_PAGE_EXECUTABLE = 0x8;
/** GEM_VA flag: a partially resident texture: no object, reads give 0, writes are dropped. */
export const VM_PAGE_PRT = 0x10;
/** GEM_VA flag: do not allocate in the last-level cache. */
export const VM_PAGE_NOALLOC = 0x200;
/** Bits of the caching policy (MTYPE) in the flags of GEM_VA. */
export const VM_MTYPE_MASK = 0x1e0;
/** Caching policy: the driver's choice. */
export const VM_MTYPE_DEFAULT = 0;
/** Caching policy: not coherent. */
export const VM_MTYPE_NC = 0x20;
/** Caching policy: write combined. */
export const VM_MTYPE_WC = 0x40;
/** Caching policy: cache coherent. */
export const VM_MTYPE_CC = 0x60;
/** Caching policy: not cached. */
export const VM_MTYPE_UC = 0x80;
/** Caching policy: cached for reads and writes. */
export const VM_MTYPE_RW = 0xa0;
/** Names of the flags of GEM_VA. */
export const VM_NAMES: ValueNames = flagNames(
  {
    VM_DELAY_UPDATE,
    VM_PAGE_READABLE,
    VM_PAGE_WRITEABLE,
    VM_PAGE_EXECUTABLE,
    VM_PAGE_PRT,
    VM_PAGE_NOALLOC,
  },
  {
    mask: VM_MTYPE_MASK,
    values: { VM_MTYPE_DEFAULT, VM_MTYPE_NC, VM_MTYPE_WC, VM_MTYPE_CC, VM_MTYPE_UC, VM_MTYPE_RW },
  },
);

/** Memory domain: system memory that the GPU does not see. */
export const DOMAIN_CPU = 0x1;
/** Memory domain: system memory. */
export const DOMAIN_GTT = 0x2;
/** Memory domain: the card's memory. */
export const DOMAIN_VRAM = 0x4;
/** Memory domain: global data share, no memory at all. */
export const DOMAIN_GDS = 0x8;
/** Memory domain: global wave sync, no memory at all. */
export const DOMAIN_GWS = 0x10;
/** Memory domain: ordered append, no memory at all. */
export const DOMAIN_OA = 0x20;
/** Memory domain: doorbells, registers of the card. */
export const DOMAIN_DOORBELL = 0x40;
/** Names of the domains. */
export const DOMAIN_NAMES: ValueNames = flagNames({
  DOMAIN_CPU,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  DOMAIN_GDS,
  DOMAIN_GWS,
  DOMAIN_OA,
  DOMAIN_DOORBELL,
});

/** GEM flag: the CPU will map it; a hint. */
export const CREATE_CPU_ACCESS_REQUIRED = 0x1;
/** GEM flag: the CPU never maps it. */
export const CREATE_NO_CPU_ACCESS = 0x2;
/** GEM flag: system memory is write-combined, and not snooped. */
export const CREATE_CPU_GTT_USWC = 0x4;
/** GEM flag: VRAM is zero to begin with. */
export const CREATE_VRAM_CLEARED = 0x8;
/** GEM flag: VRAM in one piece; not for user space. */
export const CREATE_VRAM_CONTIGUOUS = 0x20;
/** GEM flag: belongs to one VM, is always resident there, and is in no list of a submission. */
export const CREATE_VM_ALWAYS_VALID = 0x40;
/** GEM flag: no implicit synchronisation. */
export const CREATE_EXPLICIT_SYNC = 0x80;
/** GEM flag: VRAM is wiped when the object goes. */
export const CREATE_VRAM_WIPE_ON_RELEASE = 0x200;
/** GEM flag: encrypted memory. */
export const CREATE_ENCRYPTED = 0x400;
/** GEM flag: the content may be dropped in place of moved. */
export const CREATE_DISCARDABLE = 0x1000;
/** GEM flag: coherent with the CPU. */
export const CREATE_COHERENT = 0x2000;
/** GEM flag: not cached. */
export const CREATE_UNCACHED = 0x4000;
/** GEM flag: coherent with other devices. */
export const CREATE_EXT_COHERENT = 0x8000;
/** GEM flag: compressed (GFX12). */
export const CREATE_GFX12_DCC = 0x10000;
/** Names of the flags of GEM_CREATE. */
export const CREATE_NAMES: ValueNames = flagNames({
  CREATE_CPU_ACCESS_REQUIRED,
  CREATE_NO_CPU_ACCESS,
  CREATE_CPU_GTT_USWC,
  CREATE_VRAM_CLEARED,
  CREATE_VRAM_CONTIGUOUS,
  CREATE_VM_ALWAYS_VALID,
  CREATE_EXPLICIT_SYNC,
  CREATE_VRAM_WIPE_ON_RELEASE,
  CREATE_ENCRYPTED,
  CREATE_DISCARDABLE,
  CREATE_COHERENT,
  CREATE_UNCACHED,
  CREATE_EXT_COHERENT,
  CREATE_GFX12_DCC,
});

/** GEM_OP: what GEM_CREATE was told. */
export const GEM_OP_GET_GEM_CREATE_INFO = 0;
/** GEM_OP: change where an object prefers to be. */
export const GEM_OP_SET_PLACEMENT = 1;
/** GEM_OP: the object's mappings in this file's VM. */
export const GEM_OP_GET_MAPPING_INFO = 2;
/** Names of the operations of GEM_OP. */
export const GEM_OP_NAMES: ValueNames = valueNames({
  GEM_OP_GET_GEM_CREATE_INFO,
  GEM_OP_SET_PLACEMENT,
  GEM_OP_GET_MAPPING_INFO,
});

/** BO_LIST: make a list. */
export const BO_LIST_OP_CREATE = 0;
/** BO_LIST: forget a list. */
export const BO_LIST_OP_DESTROY = 1;
/** BO_LIST: give a list other objects. */
export const BO_LIST_OP_UPDATE = 2;
/** Names of the operations of BO_LIST. */
export const BO_LIST_OP_NAMES: ValueNames = valueNames({
  BO_LIST_OP_CREATE,
  BO_LIST_OP_DESTROY,
  BO_LIST_OP_UPDATE,
});

/** CS chunk: commands. */
export const CHUNK_ID_IB = 0x1;
/** CS chunk: syncobjs to wait for. */
export const CHUNK_ID_SYNCOBJ_IN = 0x4;
/** CS chunk: syncobjs to signal. */
export const CHUNK_ID_SYNCOBJ_OUT = 0x5;
/** CS chunk: the list of objects, as BO_LIST has it. */
export const CHUNK_ID_BO_HANDLES = 0x6;
