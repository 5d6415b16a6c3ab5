/**
 * What is known of each ioctl of `amdgpu_drm.h` (Linux 7.3-rc7) that has to do with memory, and which method of the open file runs
 * it.
 *
 * @module
 */

import {
  EFAULT,
  EINTR,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  EPERM,
  gemCloseIoctl,
  IoctlTable,
  ioctl,
  notModelled,
  userArray,
  writeU64,
} from "@vmbind/drm";
import type { AmdgpuFile } from "./file.ts";
import * as uapi from "./uapi.ts";
import { gemVa } from "./vm-bind.ts";

/** The first Linux with the driver. */
const since = "Linux 4.2";

/** The ioctls. */
export const IOCTLS: IoctlTable<AmdgpuFile> = new IoctlTable<AmdgpuFile>([
  ioctl({
    name: "AMDGPU_GEM_CREATE",
    request: uapi.IOCTL_GEM_CREATE,
    layout: uapi.GEM_CREATE,
    errnos: [EINVAL, ENOMEM],
    since,
    support: { without: "memory of the domains GDS, GWS, OA and DOORBELL; encrypted memory" },
    runBytes: (file, arg) => {
      const handle = file.gemCreate(uapi.GEM_CREATE.read(arg));
      uapi.GEM_CREATE.write(arg, 0, {});
      arg.setUint32(0, handle, true);
    },
  }),
  ioctl({
    name: "AMDGPU_GEM_MMAP",
    request: uapi.IOCTL_GEM_MMAP,
    layout: uapi.GEM_MMAP,
    errnos: [ENOENT, EPERM, ENOSPC],
    since,
    support: "full",
    runBytes: (file, arg) => writeU64(arg, 0, file.gemMmap(arg.getUint32(0, true))),
  }),
  ioctl({
    name: "AMDGPU_CTX",
    request: uapi.IOCTL_CTX,
    layout: uapi.CTX,
    errnos: [EINVAL],
    since,
    support: { without: "priorities, resets, power states" },
    runBytes: (file, arg) => {
      const args = uapi.CTX.read(arg);
      const id = file.submissions.ctx(args);
      uapi.CTX.write(arg, 0, { op: id });
    },
  }),
  ioctl({
    name: "AMDGPU_BO_LIST",
    request: uapi.IOCTL_BO_LIST,
    layout: uapi.BO_LIST,
    arrays: [
      userArray(uapi.BO_LIST, "boInfoPtr", {
        field: "bo_info_ptr",
        count: "boNumber",
        stride: "boInfoSize",
        element: uapi.BO_LIST_ENTRY,
      }),
    ],
    errnos: [EINVAL, ENOENT, EFAULT],
    since,
    support: { without: "priorities" },
    runBytes: (file, arg, user) => {
      const handle = file.submissions.boList(uapi.BO_LIST.read(arg), user);
      uapi.BO_LIST.write(arg, 0, { operation: handle });
    },
  }),
  ioctl({
    name: "AMDGPU_CS",
    request: uapi.IOCTL_CS,
    layout: uapi.CS,
    arrays: [
      userArray(uapi.CS, "chunks", {
        field: "chunks",
        count: "numChunks",
        element: uapi.CS_CHUNK_ADDRESS,
        arrays: [
          userArray(uapi.CS_CHUNK_ADDRESS, "address", {
            field: "chunk",
            element: uapi.CS_CHUNK,
            arrays: [
              userArray(uapi.CS_CHUNK, "chunkData", {
                field: "chunk_data",
                count: "lengthDw",
                element: uapi.SYNCOBJ_HANDLE,
              }),
            ],
          }),
        ],
      }),
    ],
    errnos: [EINVAL, ENOENT, EFAULT, ENOMEM],
    since,
    support: {
      without: "the commands: it brings page tables up to date, and its syncobjs are signalled at once",
    },
    runBytes: (file, arg, user) => {
      const fence = file.submissions.cs(uapi.CS.read(arg), user);
      uapi.CS.write(arg, 0, {});
      writeU64(arg, 0, fence);
    },
  }),
  ioctl({
    name: "AMDGPU_INFO",
    request: uapi.IOCTL_INFO,
    layout: uapi.INFO,
    arrays: [
      userArray(uapi.INFO, "returnPointer", { field: "return_pointer", count: "returnSize", access: "out" }),
    ],
    errnos: [EINVAL, EFAULT, EOPNOTSUPP],
    since,
    support: { without: "what has nothing to do with memory" },
    act: (file, args, user) => file.info(args, user),
  }),
  ioctl({
    name: "AMDGPU_GEM_WAIT_IDLE",
    request: uapi.IOCTL_GEM_WAIT_IDLE,
    layout: uapi.GEM_WAIT_IDLE,
    errnos: [ENOENT],
    since,
    support: "full",
    runBytes: (file, arg) => {
      const flags = file.gemWaitIdle(uapi.GEM_WAIT_IDLE.read(arg));
      uapi.GEM_WAIT_IDLE.write(arg, 0, { flags });
    },
  }),
  ioctl({
    name: "AMDGPU_GEM_VA",
    request: uapi.IOCTL_GEM_VA,
    layout: uapi.GEM_VA,
    arrays: [
      userArray(uapi.GEM_VA, "inputFenceSyncobjHandles", {
        field: "input_fence_syncobj_handles",
        count: "numSyncobjHandles",
        element: uapi.SYNCOBJ_HANDLE,
      }),
    ],
    errnos: [EINVAL, ENOENT, EFAULT, ENOMEM, EINTR],
    since,
    support: { without: "waiting for an input fence that has not been signalled (EINTR)" },
    actBytes: gemVa,
  }),
  ioctl({
    name: "AMDGPU_GEM_OP",
    request: uapi.IOCTL_GEM_OP,
    layout: uapi.GEM_OP,
    errnos: [ENOENT, EINVAL, EFAULT],
    since,
    support: "full",
    run: (file, args, user) => file.gemOp(args, user),
  }),
  notModelled({
    name: "AMDGPU_GEM_METADATA",
    request: uapi.IOCTL_GEM_METADATA,
    since,
    note: "what an object's users tell each other of it",
  }),
  notModelled({
    name: "AMDGPU_WAIT_CS",
    request: uapi.IOCTL_WAIT_CS,
    since,
    note: "waiting for commands, which are not run",
  }),
  notModelled({ name: "AMDGPU_VM", request: uapi.IOCTL_VM, since: "Linux 4.15", note: "reserving a VMID" }),
  notModelled({
    name: "AMDGPU_GEM_USERPTR",
    request: uapi.IOCTL_GEM_USERPTR,
    layout: uapi.GEM_USERPTR,
    since,
    note: "objects over memory of the process",
  }),
  gemCloseIoctl((file, handle) => file.gemClose(handle)),
]);
