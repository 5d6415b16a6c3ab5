/**
 * Structs of the syncobj ioctls (`drm.h`, Linux 7.3-rc7), for printing and for their sizes.
 *
 * @module
 */

import { type StructLayout, struct, u32, u64 } from "@vmbind/drm";

/** `drm_syncobj_create`. */
export const SYNCOBJ_CREATE: StructLayout<object> = struct("drm_syncobj_create", 8, {
  handle: u32(0),
  flags: u32(4),
});

/** `drm_syncobj_destroy`. */
export const SYNCOBJ_DESTROY: StructLayout<object> = struct("drm_syncobj_destroy", 8, {
  handle: u32(0),
  pad: u32(4),
});

/** `drm_syncobj_handle`. */
export const SYNCOBJ_HANDLE: StructLayout<object> = struct("drm_syncobj_handle", 24, {
  handle: u32(0),
  flags: u32(4),
  fd: u32(8),
  pad: u32(12),
  point: u64(16),
});

/** `drm_syncobj_transfer`. */
export const SYNCOBJ_TRANSFER: StructLayout<object> = struct("drm_syncobj_transfer", 32, {
  srcHandle: u32(0),
  dstHandle: u32(4),
  srcPoint: u64(8),
  dstPoint: u64(16),
  flags: u32(24),
  pad: u32(28),
});

/** `drm_syncobj_wait`. */
export const SYNCOBJ_WAIT: StructLayout<object> = struct("drm_syncobj_wait", 40, {
  handles: u64(0),
  timeoutNsec: u64(8),
  countHandles: u32(16),
  flags: u32(20),
  firstSignaled: u32(24),
  pad: u32(28),
  deadlineNsec: u64(32),
});

/** `drm_syncobj_timeline_wait`. */
export const SYNCOBJ_TIMELINE_WAIT: StructLayout<object> = struct("drm_syncobj_timeline_wait", 48, {
  handles: u64(0),
  points: u64(8),
  timeoutNsec: u64(16),
  countHandles: u32(24),
  flags: u32(28),
  firstSignaled: u32(32),
  pad: u32(36),
  deadlineNsec: u64(40),
});

/** `drm_syncobj_array`. */
export const SYNCOBJ_ARRAY: StructLayout<object> = struct("drm_syncobj_array", 16, {
  handles: u64(0),
  countHandles: u32(8),
  pad: u32(12),
});

/** `drm_syncobj_timeline_array`. */
export const SYNCOBJ_TIMELINE_ARRAY: StructLayout<object> = struct("drm_syncobj_timeline_array", 24, {
  handles: u64(0),
  points: u64(8),
  countHandles: u32(16),
  flags: u32(20),
});

/** `drm_syncobj_eventfd`. */
export const SYNCOBJ_EVENTFD: StructLayout<object> = struct("drm_syncobj_eventfd", 24, {
  handle: u32(0),
  flags: u32(4),
  point: u64(8),
  fd: u32(16),
  pad: u32(20),
});
