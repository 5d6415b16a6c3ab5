/**
 * The ioctls of descriptors that are no DRM nodes: sync files (`drivers/dma-buf/sync_file.c`), `sw_sync` (`sw_sync.c`) and
 * dma-bufs (`dma-buf.c`, Linux 7.3-rc7).
 *
 * @module
 */

import {
  decodeIoctl,
  EINVAL,
  ENOENT,
  ENOTTY,
  type Fence,
  fail,
  readU64,
  signaledFence,
  TYPE_DRM,
} from "@vmbind/drm";
import type { LiveCall } from "../call.ts";
import type { Descriptor } from "../descriptors.ts";
import { allOf } from "./fences.ts";
import type { SwSyncTimeline } from "./sw-sync.ts";

/** Requests of sync files (`sync_file.h`). Unlike the DRM core these know a request by all of its bits. */
const SYNC_IOC_MERGE = 0xc030_3e03;
const SYNC_IOC_FILE_INFO = 0xc038_3e04;
const SYNC_IOC_SET_DEADLINE = 0x4010_3e05;
/** Requests of `sw_sync` (`sync_debug.h`). */
const SW_SYNC_IOC_CREATE_FENCE = 0xc028_5700;
const SW_SYNC_IOC_INC = 0x4004_5701;
/** Requests of dma-bufs (`dma-buf.h`); a name is set by a pointer, which older headers took for 32 bits. */
const DMA_BUF_IOCTL_SYNC = 0x4008_6200;
const DMA_BUF_SET_NAME_A = 0x4004_6201;
const DMA_BUF_SET_NAME_B = 0x4008_6201;
const DMA_BUF_IOCTL_EXPORT_SYNC_FILE = 0xc008_6202;
const DMA_BUF_IOCTL_IMPORT_SYNC_FILE = 0x4008_6203;
/** `sync_fence_info`: obj_name, driver_name, status, flags, timestamp_ns. */
const FENCE_INFO_BYTES = 80;

/**
 * @param from - what the descriptor is
 * @param call - who calls
 * @param request - 32-bit request number
 * @param arg - the argument; changed in place
 * @returns 0
 * @throws `DrmError` ENOTTY for a request that this kind of descriptor has not, and what each refuses
 */
export function descriptorIoctl(
  from: Exclude<Descriptor, { what: "file" }>,
  call: LiveCall,
  request: number,
  arg: DataView,
): number {
  const known = request >>> 0;
  // The argument of a known request is as long as the request says.
  if (arg.byteLength >= decodeIoctl(known).size) {
    if (from.what === "sync-file" && syncFile(from.fence, call, known, arg)) return 0;
    if (from.what === "sw-sync" && swSync(from.timeline, call, known, arg)) return 0;
    if (from.what === "dma-buf" && dmaBuf(call, known, arg)) return 0;
  }
  const what = decodeIoctl(known).type === TYPE_DRM ? "a DRM request" : `request 0x${known.toString(16)}`;
  return fail(ENOTTY, `ioctl: ${what} on a ${from.what}`);
}

/** @returns whether a sync file has the request */
function syncFile(fence: Fence, call: LiveCall, request: number, arg: DataView): boolean {
  switch (request) {
    case SYNC_IOC_MERGE: {
      if (arg.getUint32(40, true) !== 0 || arg.getUint32(44, true) !== 0)
        fail(EINVAL, "sync_merge: flags and pad must be 0");
      const fd = arg.getInt32(32, true);
      const other = call.descriptorOf(fd);
      if (other?.what !== "sync-file") fail(ENOENT, `sync_merge.fd2: ${fd} is not a sync file`);
      call.makeDescriptor({ what: "sync-file", fence: allOf([fence, other.fence]) }, 36);
      return true;
    }
    case SYNC_IOC_FILE_INFO:
      fileInfo(fence, call, arg);
      return true;
    case SYNC_IOC_SET_DEADLINE:
      if (arg.getBigUint64(8, true) !== 0n) fail(EINVAL, "sync_set_deadline.pad: must be 0");
      return true;
    default:
      return false;
  }
}

function statusOf(fence: Fence): number {
  if (!fence.signaled) return 0;
  return fence.error === 0 ? 1 : fence.error;
}

/** `sync_file_info`: name, status, flags, num_fences, pad, pointer to `sync_fence_info`. */
function fileInfo(fence: Fence, call: LiveCall, arg: DataView): void {
  if (arg.getUint32(36, true) !== 0 || arg.getUint32(44, true) !== 0) {
    fail(EINVAL, "sync_file_info: flags and pad must be 0");
  }
  const room = arg.getUint32(40, true);
  if (room > 0) {
    const info = new DataView(new ArrayBuffer(FENCE_INFO_BYTES));
    info.setInt32(64, statusOf(fence), true);
    call.user.write(readU64(arg, 48), new Uint8Array(info.buffer));
  }
  arg.setInt32(32, statusOf(fence), true);
  arg.setUint32(40, 1, true);
}

/** @returns whether `sw_sync` has the request */
function swSync(timeline: SwSyncTimeline, call: LiveCall, request: number, arg: DataView): boolean {
  switch (request) {
    case SW_SYNC_IOC_CREATE_FENCE:
      call.makeDescriptor({ what: "sync-file", fence: timeline.fenceAt(arg.getUint32(0, true)) }, 36);
      return true;
    case SW_SYNC_IOC_INC:
      timeline.advance(arg.getUint32(0, true));
      return true;
    default:
      return false;
  }
}

/**
 * Implicit fences are not modelled: an exported sync file has happened, an imported one is nobody's business.
 *
 * @returns whether a dma-buf has the request
 */
function dmaBuf(call: LiveCall, request: number, arg: DataView): boolean {
  switch (request) {
    case DMA_BUF_IOCTL_SYNC: {
      const flags = arg.getBigUint64(0, true);
      if ((flags & ~7n) !== 0n || (flags & 3n) === 0n)
        fail(
          EINVAL,
          `dma_buf_sync.flags: 0x${flags.toString(16)} is not READ, WRITE or both, perhaps with END`,
        );
      return true;
    }
    case DMA_BUF_SET_NAME_A:
    case DMA_BUF_SET_NAME_B:
      return true;
    case DMA_BUF_IOCTL_EXPORT_SYNC_FILE:
      readOrWrite(arg, "dma_buf_export_sync_file");
      call.makeDescriptor({ what: "sync-file", fence: signaledFence() }, 4);
      return true;
    case DMA_BUF_IOCTL_IMPORT_SYNC_FILE: {
      readOrWrite(arg, "dma_buf_import_sync_file");
      const fd = arg.getInt32(4, true);
      if (call.descriptorOf(fd)?.what !== "sync-file")
        fail(EINVAL, `dma_buf_import_sync_file.fd: ${fd} is not a sync file`);
      return true;
    }
    default:
      return false;
  }
}

/** Which accesses a sync file is about. */
function readOrWrite(arg: DataView, what: string): void {
  const flags = arg.getUint32(0, true);
  if (flags === 0 || (flags & ~3) !== 0) fail(EINVAL, `${what}.flags: neither READ nor WRITE`);
}
