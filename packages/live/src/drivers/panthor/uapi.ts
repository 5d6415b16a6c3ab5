/**
 * Facts of `panthor_drm.h` (Linux 7.3-rc7) about groups of queues and the tiler's heaps, which `@vmbind/panthor` does not model.
 *
 * @module
 */

import {
  array,
  DRM_COMMAND_BASE,
  drmIowr,
  nested,
  type StructLayout,
  struct,
  u8,
  u32,
  u64,
} from "@vmbind/drm";
import { IOCTL_ID, OBJ_ARRAY, type ObjArray } from "@vmbind/panthor";

/** `drm_panthor_group_create`. */
export interface GroupCreate {
  /** Array of {@link QueueCreate}. */
  queues: ObjArray;
  /** Most cores that compute jobs use at a time. */
  maxComputeCores: number;
  /** Most cores that fragment jobs use. */
  maxFragmentCores: number;
  /** Most tilers. */
  maxTilerCores: number;
  /** Priority, 0 low to 3 realtime. */
  priority: number;
  /** Must be 0. */
  pad: number;
  /** Cores for compute jobs. */
  computeCoreMask: number;
  /** Cores for fragment jobs. */
  fragmentCoreMask: number;
  /** Tilers. */
  tilerCoreMask: number;
  /** VM id. */
  vmId: number;
  /** New handle (out). */
  groupHandle: number;
}

/** Layout of {@link GroupCreate}. */
export const GROUP_CREATE: StructLayout<GroupCreate> = struct("drm_panthor_group_create", 56, {
  queues: nested(0, OBJ_ARRAY),
  maxComputeCores: u8(16),
  maxFragmentCores: u8(17),
  maxTilerCores: u8(18),
  priority: u8(19),
  pad: u32(20),
  computeCoreMask: u64(24),
  fragmentCoreMask: u64(32),
  tilerCoreMask: u64(40),
  vmId: u32(48),
  groupHandle: u32(52),
});

/** `drm_panthor_queue_create`. */
export interface QueueCreate {
  /** Priority within the group, up to 15. */
  priority: number;
  /** Must be 0. */
  pad: number[];
  /** Bytes of the ring buffer: a power of two, 4 KiB to 64 KiB. */
  ringbufSize: number;
}

/** Layout of {@link QueueCreate}. */
export const QUEUE_CREATE: StructLayout<QueueCreate> = struct("drm_panthor_queue_create", 8, {
  priority: u8(0),
  pad: array(1, 3, u8),
  ringbufSize: u32(4),
});

/** `drm_panthor_group_destroy`. */
export interface GroupDestroy {
  /** Group handle. */
  groupHandle: number;
  /** Must be 0. */
  pad: number;
}

/** Layout of {@link GroupDestroy}. */
export const GROUP_DESTROY: StructLayout<GroupDestroy> = struct("drm_panthor_group_destroy", 8, {
  groupHandle: u32(0),
  pad: u32(4),
});

/** `drm_panthor_group_submit`. */
export interface GroupSubmit {
  /** Group handle. */
  groupHandle: number;
  /** Must be 0. */
  pad: number;
  /** Array of {@link QueueSubmit}. */
  queueSubmits: ObjArray;
}

/** Layout of {@link GroupSubmit}. */
export const GROUP_SUBMIT: StructLayout<GroupSubmit> = struct("drm_panthor_group_submit", 24, {
  groupHandle: u32(0),
  pad: u32(4),
  queueSubmits: nested(8, OBJ_ARRAY),
});

/** `drm_panthor_queue_submit`. */
export interface QueueSubmit {
  /** Which queue of the group. */
  queueIndex: number;
  /** Bytes of the command stream, a multiple of 8; 0 for none. */
  streamSize: number;
  /** VA of the command stream, a multiple of 64. */
  streamAddr: number;
  /** What the flush-id register showed when the stream was made. */
  latestFlush: number;
  /** Must be 0. */
  pad: number;
  /** Array of `drm_panthor_sync_op`. */
  syncs: ObjArray;
}

/** Layout of {@link QueueSubmit}. */
export const QUEUE_SUBMIT: StructLayout<QueueSubmit> = struct("drm_panthor_queue_submit", 40, {
  queueIndex: u32(0),
  streamSize: u32(4),
  streamAddr: u64(8),
  latestFlush: u32(16),
  pad: u32(20),
  syncs: nested(24, OBJ_ARRAY),
});

/** `drm_panthor_group_get_state`. */
export interface GroupGetState {
  /** Group handle. */
  groupHandle: number;
  /** {@link GROUP_STATE_FATAL_FAULT}, or 0 (out). */
  state: number;
  /** Queues that faulted, a bit each (out). */
  fatalQueues: number;
  /** Must be 0. */
  pad: number;
}

/** Layout of {@link GroupGetState}. */
export const GROUP_GET_STATE: StructLayout<GroupGetState> = struct("drm_panthor_group_get_state", 16, {
  groupHandle: u32(0),
  state: u32(4),
  fatalQueues: u32(8),
  pad: u32(12),
});

/** `DRM_PANTHOR_GROUP_STATE_FATAL_FAULT`. */
export const GROUP_STATE_FATAL_FAULT = 2;

/** `drm_panthor_tiler_heap_create`. */
export interface TilerHeapCreate {
  /** VM id. */
  vmId: number;
  /** Chunks to begin with, at least 1. */
  initialChunkCount: number;
  /** Bytes of a chunk: a power of two, 128 KiB to 8 MiB. */
  chunkSize: number;
  /** Most chunks, at least the first ones. */
  maxChunks: number;
  /** Render passes that may be under way, at least 1. */
  targetInFlight: number;
  /** New handle (out): VM id in the upper half. */
  handle: number;
  /** VA of the heap's context (out). */
  tilerHeapCtxGpuVa: number;
  /** VA of the first chunk (out). */
  firstHeapChunkGpuVa: number;
}

/** Layout of {@link TilerHeapCreate}. */
export const TILER_HEAP_CREATE: StructLayout<TilerHeapCreate> = struct("drm_panthor_tiler_heap_create", 40, {
  vmId: u32(0),
  initialChunkCount: u32(4),
  chunkSize: u32(8),
  maxChunks: u32(12),
  targetInFlight: u32(16),
  handle: u32(20),
  tilerHeapCtxGpuVa: u64(24),
  firstHeapChunkGpuVa: u64(32),
});

/** `drm_panthor_tiler_heap_destroy`. */
export interface TilerHeapDestroy {
  /** Handle. */
  handle: number;
  /** Must be 0. */
  pad: number;
}

/** Layout of {@link TilerHeapDestroy}. */
export const TILER_HEAP_DESTROY: StructLayout<TilerHeapDestroy> = struct(
  "drm_panthor_tiler_heap_destroy",
  8,
  {
    handle: u32(0),
    pad: u32(4),
  },
);

/** `drm_panthor_set_user_mmio_offset`. */
export interface SetUserMmioOffset {
  /** One of the two offsets that the header has. */
  offset: number;
}

/** Layout of {@link SetUserMmioOffset}. */
export const SET_USER_MMIO_OFFSET: StructLayout<SetUserMmioOffset> = struct(
  "drm_panthor_set_user_mmio_offset",
  8,
  {
    offset: u64(0),
  },
);

function request(id: number, { size }: StructLayout<object>): number {
  return drmIowr(DRM_COMMAND_BASE + id, size);
}

/** The ioctls of this module. */
export type GroupIoctl =
  | "groupCreate"
  | "groupDestroy"
  | "groupSubmit"
  | "groupGetState"
  | "tilerHeapCreate"
  | "tilerHeapDestroy"
  | "setUserMmioOffset";

/** Request numbers. */
export const IOCTL: Readonly<Record<GroupIoctl, number>> = {
  groupCreate: request(IOCTL_ID.groupCreate, GROUP_CREATE),
  groupDestroy: request(IOCTL_ID.groupDestroy, GROUP_DESTROY),
  groupSubmit: request(IOCTL_ID.groupSubmit, GROUP_SUBMIT),
  groupGetState: request(IOCTL_ID.groupGetState, GROUP_GET_STATE),
  tilerHeapCreate: request(IOCTL_ID.tilerHeapCreate, TILER_HEAP_CREATE),
  tilerHeapDestroy: request(IOCTL_ID.tilerHeapDestroy, TILER_HEAP_DESTROY),
  setUserMmioOffset: request(IOCTL_ID.setUserMmioOffset, SET_USER_MMIO_OFFSET),
};
