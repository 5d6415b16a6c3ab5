/**
 * The rest of `asahi_drm.h` (Linux 7.3-rc7): the structs of queues and submissions. The model runs no queues; a tool that reads traces
 * or writes test cases still needs their layouts.
 *
 * @module
 */

import { type StructLayout, struct, u32, u64 } from "@vmbind/drm";

/** `drm_asahi_sync`: an element of the arrays of SUBMIT. VM_BIND has none. */
export interface Sync {
  /** 0 binary, 1 timeline. */
  syncType: number;
  /** Sync object handle. */
  handle: number;
  /** Point of a timeline. */
  timelineValue: number;
}

/** Layout of {@link Sync}. */
export const SYNC: StructLayout<Sync> = struct("drm_asahi_sync", 16, {
  syncType: u32(0),
  handle: u32(4),
  timelineValue: u64(8),
});

/** `drm_asahi_queue_create`. */
export interface QueueCreate {
  /** Must be 0. */
  flags: number;
  /** VM id. */
  vmId: number;
  /** Priority. */
  priority: number;
  /** New id (out). */
  queueId: number;
  /** VA that 32-bit shader addresses are relative to; the bind path does not know of it. */
  uscExecBase: number;
}

/** Layout of {@link QueueCreate}. */
export const QUEUE_CREATE: StructLayout<QueueCreate> = struct("drm_asahi_queue_create", 24, {
  flags: u32(0),
  vmId: u32(4),
  priority: u32(8),
  queueId: u32(12),
  uscExecBase: u64(16),
});

/** `drm_asahi_queue_destroy`. */
export interface QueueDestroy {
  /** Queue id. */
  queueId: number;
  /** Padding. */
  pad: number;
}

/** Layout of {@link QueueDestroy}. */
export const QUEUE_DESTROY: StructLayout<QueueDestroy> = struct("drm_asahi_queue_destroy", 8, {
  queueId: u32(0),
  pad: u32(4),
});

/** `drm_asahi_submit`. */
export interface Submit {
  /** User address of the syncs. */
  syncs: number;
  /** User address of the commands. */
  cmdbuf: number;
  /** Flags. */
  flags: number;
  /** Queue id. */
  queueId: number;
  /** Syncs to wait for, first in the array. */
  inSyncCount: number;
  /** Syncs to signal, behind them. */
  outSyncCount: number;
  /** Bytes of the commands. */
  cmdbufSize: number;
  /** Padding. */
  pad: number;
}

/** Layout of {@link Submit}. */
export const SUBMIT: StructLayout<Submit> = struct("drm_asahi_submit", 40, {
  syncs: u64(0),
  cmdbuf: u64(8),
  flags: u32(16),
  queueId: u32(20),
  inSyncCount: u32(24),
  outSyncCount: u32(28),
  cmdbufSize: u32(32),
  pad: u32(36),
});
