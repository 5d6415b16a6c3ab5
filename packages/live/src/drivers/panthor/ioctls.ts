/**
 * The ioctls of `panthor_drm.h` (Linux 7.3-rc7) that have to do with running jobs.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { DriverIoctls } from "../../driver-ioctls.ts";
import type { PanthorLiveFile } from "./file.ts";
import { groupCreate, groupDestroy, groupGetState, groupSubmit } from "./group-ioctls.ts";
import * as uapi from "./uapi.ts";

/** Where the contexts and chunks of heaps are said to be: in the kernel's part of every VM. They have no memory here. */
const HEAP_CONTEXT_VA = 2 ** 47 + 0x1_0000;
const HEAP_CHUNK_VA = 2 ** 47 + 0x20_0000;
const CHUNK_MIN = 128 * 1024;
const CHUNK_MAX = 8 * 1024 * 1024;

/** The rows. */
export const IOCTLS: DriverIoctls<PanthorLiveFile> = new DriverIoctls<PanthorLiveFile>([
  {
    name: "PANTHOR_GROUP_CREATE",
    request: uapi.IOCTL.groupCreate,
    layout: uapi.GROUP_CREATE,
    act: (file, call, arg) => groupCreate(file, arg, call.user),
  },
  {
    name: "PANTHOR_GROUP_DESTROY",
    request: uapi.IOCTL.groupDestroy,
    layout: uapi.GROUP_DESTROY,
    act: (file, _, arg) => groupDestroy(file, arg),
  },
  {
    name: "PANTHOR_GROUP_SUBMIT",
    request: uapi.IOCTL.groupSubmit,
    layout: uapi.GROUP_SUBMIT,
    act: (file, call, arg) => groupSubmit(file, arg, call.user),
  },
  {
    name: "PANTHOR_GROUP_GET_STATE",
    request: uapi.IOCTL.groupGetState,
    layout: uapi.GROUP_GET_STATE,
    act: (file, _, arg) => groupGetState(file, arg),
  },
  {
    name: "PANTHOR_TILER_HEAP_CREATE",
    request: uapi.IOCTL.tilerHeapCreate,
    layout: uapi.TILER_HEAP_CREATE,
    act: (file, _, arg) => tilerHeapCreate(file, arg),
  },
  {
    name: "PANTHOR_TILER_HEAP_DESTROY",
    request: uapi.IOCTL.tilerHeapDestroy,
    layout: uapi.TILER_HEAP_DESTROY,
    act: (file, _, arg) => tilerHeapDestroy(file, arg),
  },
  {
    name: "PANTHOR_SET_USER_MMIO_OFFSET",
    request: uapi.IOCTL.setUserMmioOffset,
    layout: uapi.SET_USER_MMIO_OFFSET,
    act: (file, _, arg) => {
      const { offset } = uapi.SET_USER_MMIO_OFFSET.read(arg);
      if (!file.hasPage(offset))
        fail(EINVAL, "set_user_mmio_offset.offset: is neither of the two that there are");
    },
  },
]);

function tilerHeapCreate({ model, heaps }: PanthorLiveFile, arg: DataView): void {
  const { vmId, initialChunkCount, chunkSize, maxChunks, targetInFlight } = uapi.TILER_HEAP_CREATE.read(arg);
  if (initialChunkCount === 0) fail(EINVAL, "tiler_heap_create.initial_chunk_count: must not be 0");
  if (maxChunks < initialChunkCount) fail(EINVAL, "tiler_heap_create.max_chunks: below initial_chunk_count");
  if (chunkSize < CHUNK_MIN || chunkSize > CHUNK_MAX || (chunkSize & (chunkSize - 1)) !== 0) {
    fail(
      EINVAL,
      `tiler_heap_create.chunk_size: ${chunkSize} is no power of two from ${CHUNK_MIN} to ${CHUNK_MAX}`,
    );
  }
  if (targetInFlight === 0) fail(EINVAL, "tiler_heap_create.target_in_flight: must not be 0");
  if (model.vm(vmId) === undefined) fail(EINVAL, `tiler_heap_create.vm_id: no VM ${vmId}`);
  const { handle, tilerHeapCtxGpuVa, firstHeapChunkGpuVa } = uapi.TILER_HEAP_CREATE.fields;
  handle.write(arg, 0, vmId * 2 ** 16 + heaps.alloc(vmId));
  tilerHeapCtxGpuVa.write(arg, 0, HEAP_CONTEXT_VA);
  firstHeapChunkGpuVa.write(arg, 0, HEAP_CHUNK_VA);
}

function tilerHeapDestroy({ heaps }: PanthorLiveFile, arg: DataView): void {
  const { handle, pad } = uapi.TILER_HEAP_DESTROY.read(arg);
  if (pad !== 0) fail(EINVAL, "tiler_heap_destroy.pad: must be 0");
  if (heaps.get(handle & 0xffff) !== handle >>> 16) {
    fail(EINVAL, `tiler_heap_destroy.handle: no heap 0x${(handle >>> 0).toString(16)}`);
  }
  heaps.remove(handle & 0xffff);
}
