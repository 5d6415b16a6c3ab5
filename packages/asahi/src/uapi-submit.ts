/**
 * The rest of `asahi_drm.h` (Linux 7.3): the structs of queues and submissions. The model runs no queues; a tool that reads traces
 * or writes test cases still needs their layouts.
 *
 * @module
 */

import { type StructLayout, struct, u32, u64 } from "@vmbind/drm";

/** `drm_asahi_sync`: an element of the arrays of SUBMIT. VM_BIND has none. */
export interface Sync {
  /** 0 binary, 1 timeline. */
  sync_type: number;
  /** Sync object handle. */
  handle: number;
  /** Point of a timeline. */
  timeline_value: number;
}

/** Layout of {@link Sync}. */
export const SYNC: StructLayout<Sync> = struct("drm_asahi_sync", 16, {
  sync_type: u32(0),
  handle: u32(4),
  timeline_value: u64(8),
});

/** `drm_asahi_queue_create`. */
export interface QueueCreate {
  /** Must be 0. */
  flags: number;
  /** VM id. */
  vm_id: number;
  /** Priority. */
  priority: number;
  /** New id (out). */
  queue_id: number;
  /** VA that 32-bit shader addresses are relative to; the bind path does not know of it. */
  usc_exec_base: number;
}

/** Layout of {@link QueueCreate}. */
export const QUEUE_CREATE: StructLayout<QueueCreate> = struct("drm_asahi_queue_create", 24, {
  flags: u32(0),
  vm_id: u32(4),
  priority: u32(8),
  queue_id: u32(12),
  usc_exec_base: u64(16),
});

/** `drm_asahi_queue_destroy`. */
export interface QueueDestroy {
  /** Queue id. */
  queue_id: number;
  /** Padding. */
  pad: number;
}

/** Layout of {@link QueueDestroy}. */
export const QUEUE_DESTROY: StructLayout<QueueDestroy> = struct("drm_asahi_queue_destroy", 8, {
  queue_id: u32(0),
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
  queue_id: number;
  /** Syncs to wait for, first in the array. */
  in_sync_count: number;
  /** Syncs to signal, behind them. */
  out_sync_count: number;
  /** Bytes of the commands. */
  cmdbuf_size: number;
  /** Padding. */
  pad: number;
}

/** Layout of {@link Submit}. */
export const SUBMIT: StructLayout<Submit> = struct("drm_asahi_submit", 40, {
  syncs: u64(0),
  cmdbuf: u64(8),
  flags: u32(16),
  queue_id: u32(20),
  in_sync_count: u32(24),
  out_sync_count: u32(28),
  cmdbuf_size: u32(32),
  pad: u32(36),
});
