/**
 * The ioctls of descriptors that are no DRM nodes: sync files (`drivers/dma-buf/sync_file.c`), `sw_sync` (`sw_sync.c`) and
 * dma-bufs (`dma-buf.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, ENOENT, ENOTTY, type Fence, fail, readU64, signaledFence, TYPE_DRM } from "@vmbind/drm";
import type { LiveCall } from "../call.ts";
import type { Descriptor } from "../descriptors.ts";
import { allOf } from "./fences.ts";
import type { SwSyncTimeline } from "./sw-sync.ts";

const TYPE_SYNC_FILE = 0x3e;
const TYPE_SW_SYNC = 0x57;
const TYPE_DMA_BUF = 0x62;
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
  const nr = request & 0xff;
  const type = (request >>> 8) & 0xff;
  if (from.what === "sync-file" && type === TYPE_SYNC_FILE) return syncFile(from.fence, call, nr, arg);
  if (from.what === "sw-sync" && type === TYPE_SW_SYNC) return swSync(from.timeline, call, nr, arg);
  if (from.what === "dma-buf" && type === TYPE_DMA_BUF) return dmaBuf(call, nr, arg);
  const what = type === TYPE_DRM ? "a DRM request" : `request 0x${(request >>> 0).toString(16)}`;
  return fail(ENOTTY, `ioctl: ${what} on a ${from.what}`);
}

function syncFile(fence: Fence, call: LiveCall, nr: number, arg: DataView): number {
  if (nr === 3) {
    if (arg.getUint32(40, true) !== 0 || arg.getUint32(44, true) !== 0)
      fail(EINVAL, "sync_merge: flags and pad must be 0");
    const fd = arg.getInt32(32, true);
    const other = call.descriptorOf(fd);
    if (other?.what !== "sync-file") return fail(ENOENT, `sync_merge.fd2: ${fd} is not a sync file`);
    call.makeDescriptor({ what: "sync-file", fence: allOf([fence, other.fence]) }, 36);
    return 0;
  }
  if (nr === 4) return fileInfo(fence, call, arg);
  if (nr === 5) {
    if (arg.getBigUint64(8, true) !== 0n) fail(EINVAL, "sync_set_deadline.pad: must be 0");
    return 0;
  }
  return fail(ENOTTY, `ioctl: a sync file has no request ${nr}`);
}

function statusOf(fence: Fence): number {
  if (!fence.signaled) return 0;
  return fence.error === 0 ? 1 : fence.error;
}

/** `sync_file_info`: name, status, flags, num_fences, pad, pointer to `sync_fence_info`. */
function fileInfo(fence: Fence, call: LiveCall, arg: DataView): number {
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
  return 0;
}

function swSync(timeline: SwSyncTimeline, call: LiveCall, nr: number, arg: DataView): number {
  if (nr === 0) {
    call.makeDescriptor({ what: "sync-file", fence: timeline.fenceAt(arg.getUint32(0, true)) }, 36);
    return 0;
  }
  if (nr === 1) {
    timeline.advance(arg.getUint32(0, true));
    return 0;
  }
  return fail(ENOTTY, `ioctl: sw_sync has no request ${nr}`);
}

/** Implicit fences are not modelled: an exported sync file has happened, an imported one is nobody's business. */
function dmaBuf(call: LiveCall, nr: number, arg: DataView): number {
  switch (nr) {
    case 0: {
      const flags = arg.getBigUint64(0, true);
      if ((flags & ~7n) !== 0n || (flags & 3n) === 0n)
        fail(
          EINVAL,
          `dma_buf_sync.flags: 0x${flags.toString(16)} is not READ, WRITE or both, perhaps with END`,
        );
      return 0;
    }
    case 1:
      return 0;
    case 2:
      readOrWrite(arg, "dma_buf_export_sync_file");
      call.makeDescriptor({ what: "sync-file", fence: signaledFence() }, 4);
      return 0;
    case 3: {
      readOrWrite(arg, "dma_buf_import_sync_file");
      const fd = arg.getInt32(4, true);
      if (call.descriptorOf(fd)?.what !== "sync-file")
        fail(EINVAL, `dma_buf_import_sync_file.fd: ${fd} is not a sync file`);
      return 0;
    }
    default:
      return fail(ENOTTY, `ioctl: a dma-buf has no request ${nr}`);
  }
}

/** Which accesses a sync file is about. */
function readOrWrite(arg: DataView, what: string): void {
  const flags = arg.getUint32(0, true);
  if (flags === 0 || (flags & ~3) !== 0) fail(EINVAL, `${what}.flags: neither READ nor WRITE`);
}
