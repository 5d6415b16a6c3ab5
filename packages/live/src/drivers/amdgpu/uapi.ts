/**
 * Facts of `amdgpu_drm.h` (Linux 7.3-rc7) about ioctls that have nothing to do with the VM, which `@vmbind/amdgpu` does not model.
 *
 * @module
 */

import { bytes, type StructLayout, struct, u32, u64 } from "@vmbind/drm";

/** Types of engines that the uAPI has (`AMDGPU_HW_IP_NUM`). */
export const ENGINE_TYPES = 10;

/** `drm_amdgpu_gem_metadata`. */
export interface GemMetadata {
  /** GEM handle. */
  handle: number;
  /** {@link METADATA_SET} or {@link METADATA_GET}. */
  op: number;
  /** Kept as it is. */
  flags: number;
  /** How the pixels lie, kept as it is: bits that only user space and the display read. */
  tilingInfo: Uint8Array;
  /** Bytes of {@link GemMetadata.data} that are meant. */
  dataSizeBytes: number;
  /** What the object's users want to know of each other. */
  data: Uint8Array;
  /** Up to a multiple of 8. */
  pad: number;
}

/** Most bytes of metadata. */
export const METADATA_BYTES = 256;
/** `AMDGPU_GEM_METADATA_OP_SET_METADATA`. */
export const METADATA_SET = 1;
/** `AMDGPU_GEM_METADATA_OP_GET_METADATA`. */
export const METADATA_GET = 2;

/** Layout of {@link GemMetadata}. */
export const GEM_METADATA: StructLayout<GemMetadata> = struct("drm_amdgpu_gem_metadata", 288, {
  handle: u32(0),
  op: u32(4),
  flags: u64(8),
  tilingInfo: bytes(16, 8),
  dataSizeBytes: u32(24),
  data: bytes(28, METADATA_BYTES),
  pad: u32(284),
});

/** `drm_amdgpu_wait_cs_in`; what comes back stands over {@link WaitCs.handle}. */
export interface WaitCs {
  /** Number of the submission's fence. */
  handle: number;
  /** A time of CLOCK_MONOTONIC, in nanoseconds. */
  timeout: number;
  /** Type of engine, `AMDGPU_HW_IP_`. */
  ipType: number;
  /** Which of several; 0. */
  ipInstance: number;
  /** Ring. */
  ring: number;
  /** Context. */
  ctxId: number;
}

/** Layout of {@link WaitCs}. */
export const WAIT_CS: StructLayout<WaitCs> = struct("drm_amdgpu_wait_cs_in", 32, {
  handle: u64(0),
  timeout: u64(8),
  ipType: u32(16),
  ipInstance: u32(20),
  ring: u32(24),
  ctxId: u32(28),
});

/** `drm_amdgpu_vm_in`. */
export interface Vm {
  /** {@link VM_OP_RESERVE_VMID} or {@link VM_OP_UNRESERVE_VMID}. */
  op: number;
  /** Must be 0. */
  flags: number;
}

/** `AMDGPU_VM_OP_RESERVE_VMID`. */
export const VM_OP_RESERVE_VMID = 1;
/** `AMDGPU_VM_OP_UNRESERVE_VMID`. */
export const VM_OP_UNRESERVE_VMID = 2;

/** Layout of {@link Vm}. */
export const VM: StructLayout<Vm> = struct("drm_amdgpu_vm_in", 8, { op: u32(0), flags: u32(4) });
