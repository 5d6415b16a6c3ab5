/**
 * Facts of `xe_drm.h` (Linux 7.3-rc7) about memory attributes of a VM's ranges and about what a VM can tell: MADVISE,
 * VM_QUERY_MEM_RANGE_ATTRS, VM_GET_PROPERTY. The rest of the header is in `uapi.ts`.
 *
 * @module
 */

import {
  array,
  DRM_COMMAND_BASE,
  drmIow,
  drmIowr,
  type StructLayout,
  struct,
  u8,
  u16,
  u32,
  u64,
  type ValueNames,
  valueNames,
} from "@vmbind/drm";

/** `DRM_XE_MEM_RANGE_ATTR_PREFERRED_LOC`: where memory should be; {@link MadviseLocation} says where. */
export const MEM_RANGE_ATTR_PREFERRED_LOC = 0;
/** `DRM_XE_MEM_RANGE_ATTR_ATOMIC`: who uses atomics there. */
export const MEM_RANGE_ATTR_ATOMIC = 1;
/** `DRM_XE_MEM_RANGE_ATTR_PAT`: index into the page-attribute table. */
export const MEM_RANGE_ATTR_PAT = 2;
/** `DRM_XE_VMA_ATTR_PURGEABLE_STATE`: whether the contents of objects are needed. */
export const VMA_ATTR_PURGEABLE_STATE = 3;
/** Names of the types of a `Madvise`. */
export const MADVISE_TYPE_NAMES: ValueNames = valueNames({
  MEM_RANGE_ATTR_PREFERRED_LOC,
  MEM_RANGE_ATTR_ATOMIC,
  MEM_RANGE_ATTR_PAT,
  VMA_ATTR_PURGEABLE_STATE,
});

/** `DRM_XE_PREFERRED_LOC_DEFAULT_DEVICE`: the device's own memory; what a mapping has at first. */
export const PREFERRED_LOC_DEFAULT_DEVICE = 0;
/** `DRM_XE_PREFERRED_LOC_DEFAULT_SYSTEM`: system memory. */
export const PREFERRED_LOC_DEFAULT_SYSTEM = -1;
/** `DRM_XE_MIGRATE_ALL_PAGES`: what a mapping has at first. */
export const MIGRATE_ALL_PAGES = 0;
/** `DRM_XE_MIGRATE_ONLY_SYSTEM_PAGES`. */
export const MIGRATE_ONLY_SYSTEM_PAGES = 1;

/** `DRM_XE_ATOMIC_UNDEFINED`: nobody said; what a mapping has at first. */
export const ATOMIC_UNDEFINED = 0;
/** `DRM_XE_ATOMIC_DEVICE`: the GPU alone. */
export const ATOMIC_DEVICE = 1;
/** `DRM_XE_ATOMIC_GLOBAL`: CPU and GPU. */
export const ATOMIC_GLOBAL = 2;
/** `DRM_XE_ATOMIC_CPU`: the CPU alone. */
export const ATOMIC_CPU = 3;

/** `DRM_XE_VMA_PURGEABLE_STATE_WILLNEED`: the contents are needed; what a mapping has at first. */
export const VMA_PURGEABLE_STATE_WILLNEED = 0;
/** `DRM_XE_VMA_PURGEABLE_STATE_DONTNEED`: the contents may go when memory is short. */
export const VMA_PURGEABLE_STATE_DONTNEED = 1;

/** `drm_xe_madvise` of `xe_drm.h`, Linux 7.3-rc7. With {@link MEM_RANGE_ATTR_PREFERRED_LOC} the 16 bytes at `val` are {@link MadviseLocation}. */
export interface Madvise {
  /** Chain of extensions; not looked at by 7.3-rc7. */
  extensions: number;
  /** First VA in bytes, a multiple of 4096. */
  start: number;
  /** Bytes, a multiple of 4096, not 0. */
  range: number;
  /** VM id. */
  vmId: number;
  /** Which attribute: `MEM_RANGE_ATTR_*` or {@link VMA_ATTR_PURGEABLE_STATE}. */
  type: number;
  /** Its value: `ATOMIC_*`, a PAT index, or `VMA_PURGEABLE_STATE_*`. */
  val: number;
  /** Must be zero. */
  pad: number;
  /** With {@link VMA_ATTR_PURGEABLE_STATE}: user pointer to a u32 that is 0, or 0 for none; otherwise must be zero. */
  retainedPtr: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link Madvise}: 64 bytes. */
export const MADVISE: StructLayout<Madvise> = struct("drm_xe_madvise", 64, {
  extensions: u64(0),
  start: u64(8),
  range: u64(16),
  vmId: u32(24),
  type: u32(28, MADVISE_TYPE_NAMES),
  val: u32(32),
  pad: u32(36),
  retainedPtr: u64(40),
  reserved: array(48, 2, u64),
});

/** What the union in `drm_xe_madvise` (at {@link Madvise.val}) holds for {@link MEM_RANGE_ATTR_PREFERRED_LOC}. */
export interface MadviseLocation {
  /** `PREFERRED_LOC_*` as a signed number in 32 bits, or a file descriptor of a device. */
  devmemFd: number;
  /** `MIGRATE_*`. */
  migrationPolicy: number;
  /** Region of the device behind the file descriptor; must be zero without one. */
  regionInstance: number;
  /** Must be zero. */
  reserved: number;
}

/** Layout of {@link MadviseLocation}. */
export const MADVISE_LOCATION: StructLayout<MadviseLocation> = struct(
  "drm_xe_madvise.preferred_mem_loc",
  16,
  { devmemFd: u32(0), migrationPolicy: u16(4), regionInstance: u16(6), reserved: u64(8) },
);

/** `drm_xe_mem_range_attr` of `xe_drm.h`, Linux 7.3-rc7: the attributes of one mapping. */
export interface MemRangeAttr {
  /** Zero. */
  extensions: number;
  /** First VA in bytes. */
  start: number;
  /** First VA behind it. */
  end: number;
  /** Preferred location, see {@link MadviseLocation.devmemFd}. */
  devmemFd: number;
  /** `MIGRATE_*`. */
  migrationPolicy: number;
  /** `ATOMIC_*`. */
  atomic: number;
  /** Zero. */
  atomicReserved: number;
  /** PAT index. */
  patIndex: number;
  /** Zero. */
  patReserved: number;
  /** Zero. */
  reserved: number[];
}

/** Layout of {@link MemRangeAttr}: 64 bytes. */
export const MEM_RANGE_ATTR: StructLayout<MemRangeAttr> = struct("drm_xe_mem_range_attr", 64, {
  extensions: u64(0),
  start: u64(8),
  end: u64(16),
  devmemFd: u32(24),
  migrationPolicy: u32(28),
  atomic: u32(32),
  atomicReserved: u32(36),
  patIndex: u32(40),
  patReserved: u32(44),
  reserved: array(48, 2, u64),
});

/** `drm_xe_vm_query_mem_range_attr` of `xe_drm.h`, Linux 7.3-rc7. */
export interface VmQueryMemRangeAttr {
  /** Chain of extensions; not looked at by 7.3-rc7. */
  extensions: number;
  /** VM id. */
  vmId: number;
  /** In: elements at `vectorOfMemAttr`, 0 to ask how many there are; out: mappings. */
  numMemRanges: number;
  /** First VA in bytes; any number. */
  start: number;
  /** Bytes; any number. */
  range: number;
  /** In: 64, or 0 to ask; out: 64. */
  sizeofMemRangeAttr: number;
  /** User pointer to an array of {@link MemRangeAttr}, 0 to ask. */
  vectorOfMemAttr: number;
  /** Not looked at by 7.3-rc7. */
  reserved: number[];
}

/** Layout of {@link VmQueryMemRangeAttr}: 64 bytes. */
export const VM_QUERY_MEM_RANGE_ATTR: StructLayout<VmQueryMemRangeAttr> = struct(
  "drm_xe_vm_query_mem_range_attr",
  64,
  {
    extensions: u64(0),
    vmId: u32(8),
    numMemRanges: u32(12),
    start: u64(16),
    range: u64(24),
    sizeofMemRangeAttr: u64(32),
    vectorOfMemAttr: u64(40),
    reserved: array(48, 2, u64),
  },
);

/** `DRM_XE_VM_GET_PROPERTY_FAULTS`: the faults that the driver recorded, as an array of {@link VmFault}. */
export const VM_GET_PROPERTY_FAULTS = 0;
/** Names of the properties of a VM. */
export const VM_GET_PROPERTY_NAMES: ValueNames = valueNames({ VM_GET_PROPERTY_FAULTS });

/** `drm_xe_vm_get_property` of `xe_drm.h`, Linux 7.3-rc7. */
export interface VmGetProperty {
  /** Chain of extensions; none exist. */
  extensions: number;
  /** VM id. */
  vmId: number;
  /** {@link VM_GET_PROPERTY_FAULTS}. */
  property: number;
  /** Bytes at `data`; 0 asks for the size, which is written back here. */
  size: number;
  /** Must be zero. */
  pad: number;
  /** User pointer; for a property that is a number, the number. */
  data: number;
  /** Must be zero. */
  reserved: number[];
}

/** Layout of {@link VmGetProperty}: 56 bytes. */
export const VM_GET_PROPERTY: StructLayout<VmGetProperty> = struct("drm_xe_vm_get_property", 56, {
  extensions: u64(0),
  vmId: u32(8),
  property: u32(12, VM_GET_PROPERTY_NAMES),
  size: u32(16),
  pad: u32(20),
  data: u64(24),
  reserved: array(32, 3, u64),
});

/** `FAULT_ACCESS_TYPE_READ`. */
export const FAULT_ACCESS_TYPE_READ = 0;
/** `FAULT_ACCESS_TYPE_WRITE`. */
export const FAULT_ACCESS_TYPE_WRITE = 1;
/** `FAULT_ACCESS_TYPE_ATOMIC`. */
export const FAULT_ACCESS_TYPE_ATOMIC = 2;
/** Names of the accesses of a `VmFault`. */
export const FAULT_ACCESS_TYPE_NAMES: ValueNames = valueNames({
  FAULT_ACCESS_TYPE_READ,
  FAULT_ACCESS_TYPE_WRITE,
  FAULT_ACCESS_TYPE_ATOMIC,
});
/** `FAULT_TYPE_NOT_PRESENT`. */
export const FAULT_TYPE_NOT_PRESENT = 0;
/** `FAULT_TYPE_WRITE_ACCESS`: a write to what may only be read. */
export const FAULT_TYPE_WRITE_ACCESS = 1;
/** `FAULT_TYPE_ATOMIC_ACCESS`: an atomic access to a leaf without the atomics-enable bit. */
export const FAULT_TYPE_ATOMIC_ACCESS = 2;
/** Names of the types of a `VmFault`. */
export const FAULT_TYPE_NAMES: ValueNames = valueNames({
  FAULT_TYPE_NOT_PRESENT,
  FAULT_TYPE_WRITE_ACCESS,
  FAULT_TYPE_ATOMIC_ACCESS,
});

/** `xe_vm_fault` of `xe_drm.h`, Linux 7.3-rc7: one recorded fault. */
export interface VmFault {
  /** VA in bytes, as exact as `addressPrecision` says. */
  address: number;
  /** Bytes that the address may mean. */
  addressPrecision: number;
  /** `FAULT_ACCESS_TYPE_*`. */
  accessType: number;
  /** `FAULT_TYPE_*`. */
  faultType: number;
  /** Level of the entry that refused: 0 PTE, 1 PDE, 2 PDP, 3 PML4, 4 PML5. */
  faultLevel: number;
  /** Zero. */
  pad: number;
  /** Zero. */
  reserved: number[];
}

/** Layout of {@link VmFault}: 48 bytes. */
export const VM_FAULT: StructLayout<VmFault> = struct("xe_vm_fault", 48, {
  address: u64(0),
  addressPrecision: u32(8),
  accessType: u8(12, FAULT_ACCESS_TYPE_NAMES),
  faultType: u8(13, FAULT_TYPE_NAMES),
  faultLevel: u8(14),
  pad: u8(15),
  reserved: array(16, 4, u64),
});

/** `DRM_IOCTL_XE_MADVISE`, 0x4040644c. */
export const IOCTL_MADVISE: number = drmIow(DRM_COMMAND_BASE + 0x0c, MADVISE.size);
/** `DRM_IOCTL_XE_VM_QUERY_MEM_RANGE_ATTRS`, 0xc040644d. */
export const IOCTL_VM_QUERY_MEM_RANGE_ATTRS: number = drmIowr(
  DRM_COMMAND_BASE + 0x0d,
  VM_QUERY_MEM_RANGE_ATTR.size,
);
/** `DRM_IOCTL_XE_VM_GET_PROPERTY`, 0xc038644f. */
export const IOCTL_VM_GET_PROPERTY: number = drmIowr(DRM_COMMAND_BASE + 0x0f, VM_GET_PROPERTY.size);
