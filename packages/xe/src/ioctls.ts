/**
 * What is known of each ioctl of `xe_drm.h` (Linux 7.3-rc7), and what runs it.
 *
 * @module
 */

import {
  DRM_COMMAND_BASE,
  drmIow,
  drmIowr,
  E2BIG,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOBUFS,
  ENODEV,
  ENOENT,
  ENOEXEC,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  EPERM,
  gemCloseIoctl,
  IoctlTable,
  ioctl,
  notModelled,
  type StructLayout,
  struct,
  type UserArray,
  u32,
  u64,
  unionArray,
  userArray,
} from "@vmbind/drm";
import { gemClose, gemCreate, gemMmapOffset } from "./bo-ioctls.ts";
import { deviceQuery } from "./device-query.ts";
import { execQueueCreate, execQueueDestroy } from "./exec-queue-ioctls.ts";
import type { XeFile } from "./file.ts";
import { madvise } from "./madvise.ts";
import * as uapi from "./uapi.ts";
import {
  IOCTL_MADVISE,
  IOCTL_VM_GET_PROPERTY,
  IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
  MADVISE,
  MEM_RANGE_ATTR,
  VM_GET_PROPERTY,
  VM_QUERY_MEM_RANGE_ATTR,
  VMA_ATTR_PURGEABLE_STATE,
} from "./uapi-madvise.ts";
import { DEVICE_QUERY, IOCTL_DEVICE_QUERY } from "./uapi-query.ts";
import { vmCreate, vmDestroy } from "./vm-ioctls.ts";
import { vmGetProperty, vmQueryMemRangeAttrs } from "./vm-queries.ts";

/** The first Linux with the driver. */
const since = "Linux 6.8";

/** What a user fence is: the value that is written when the work is done. */
const USER_FENCE: StructLayout<{ value: number }> = struct("u64", 8, { value: u64(0) });

/** The operations of a VM_BIND that has more than one. */
export const VM_BIND_OPS: UserArray<uapi.VmBind, uapi.VmBindOp> = unionArray(
  uapi.VM_BIND,
  "bind",
  uapi.VM_BIND_VECTOR,
  "vectorOfBinds",
  {
    field: "vector_of_binds",
    count: "numBinds",
    when: { member: "numBinds", above: 1 },
    element: uapi.VM_BIND_OP,
  },
);

/** What MADVISE tells: 1 while no object of the range was purged. It must be 0 before. */
const RETAINED: StructLayout<{ retained: number }> = struct("u32", 4, { retained: u32(0) });

const SYNCS = userArray(uapi.VM_BIND, "syncs", {
  field: "syncs",
  count: "numSyncs",
  element: uapi.SYNC,
  arrays: [
    userArray(uapi.SYNC, "addr", {
      field: "addr",
      when: { member: "type", is: uapi.SYNC_TYPE_USER_FENCE },
      element: USER_FENCE,
      access: "out",
    }),
  ],
});

/** A chain of extensions as far as the driver follows it, each of which points to the next. */
function extensionsBehind(count: number): readonly UserArray<uapi.ExtSetProperty>[] {
  if (count === 0) return [];
  return [
    userArray(uapi.EXT_SET_PROPERTY, "nextExtension", {
      field: "next_extension",
      element: uapi.EXT_SET_PROPERTY,
      optional: true,
      arrays: extensionsBehind(count - 1),
    }),
  ];
}

/** The ioctls. */
export const IOCTLS: IoctlTable<XeFile> = new IoctlTable<XeFile>(
  [
    ioctl({
      name: "XE_DEVICE_QUERY",
      request: IOCTL_DEVICE_QUERY,
      layout: DEVICE_QUERY,
      arrays: [userArray(DEVICE_QUERY, "data", { field: "data", count: "size", access: "out" })],
      errnos: [EINVAL, EFAULT, ENOSPC, EOPNOTSUPP, ENOMEM],
      since,
      support: { without: "all queries but CONFIG and MEM_REGIONS (EOPNOTSUPP)" },
      run: deviceQuery,
    }),
    ioctl({
      name: "XE_GEM_CREATE",
      request: uapi.IOCTL_GEM_CREATE,
      layout: uapi.GEM_CREATE,
      arrays: [
        userArray(uapi.GEM_CREATE, "extensions", {
          field: "extensions",
          element: uapi.EXT_SET_PROPERTY,
          optional: true,
          arrays: extensionsBehind(15),
        }),
      ],
      errnos: [EINVAL, EOPNOTSUPP, ENOENT, EFAULT, ENOMEM, ENOSPC, E2BIG, ENODEV],
      since,
      support: { without: "protected content (ENODEV)" },
      run: gemCreate,
    }),
    ioctl({
      name: "XE_GEM_MMAP_OFFSET",
      request: uapi.IOCTL_GEM_MMAP_OFFSET,
      layout: uapi.GEM_MMAP_OFFSET,
      errnos: [EINVAL, ENOENT, ENOSPC],
      since,
      support: "full",
      run: gemMmapOffset,
    }),
    ioctl({
      name: "XE_VM_CREATE",
      request: uapi.IOCTL_VM_CREATE,
      layout: uapi.VM_CREATE,
      errnos: [EINVAL, ENOMEM],
      since,
      support: "full",
      runBytes: vmCreate,
    }),
    ioctl({
      name: "XE_VM_DESTROY",
      request: uapi.IOCTL_VM_DESTROY,
      layout: uapi.VM_DESTROY,
      errnos: [EINVAL, ENOENT, EBUSY],
      since,
      support: "full",
      act: vmDestroy,
    }),
    ioctl({
      name: "XE_VM_BIND",
      request: uapi.IOCTL_VM_BIND,
      layout: uapi.VM_BIND,
      arrays: [VM_BIND_OPS, SYNCS],
      errnos: [EINVAL, ENOBUFS, EFAULT, EPERM, ENOENT, EBUSY, ENOMEM, EOPNOTSUPP, ENOEXEC],
      since,
      support: { without: "signals (EINTR), pages behind CPU_ADDR_MIRROR" },
      actBytes: (file, arg, user) => file.device.binder.run(file, arg, user),
    }),
    ioctl({
      name: "XE_EXEC_QUEUE_CREATE",
      request: uapi.IOCTL_EXEC_QUEUE_CREATE,
      layout: uapi.EXEC_QUEUE_CREATE,
      arrays: [
        userArray(uapi.EXEC_QUEUE_CREATE, "instances", {
          field: "instances",
          count: ["width", "numPlacements"],
          element: uapi.ENGINE_CLASS_INSTANCE,
          most: 9,
        }),
        userArray(uapi.EXEC_QUEUE_CREATE, "extensions", {
          field: "extensions",
          element: uapi.EXT_SET_PROPERTY,
          optional: true,
          arrays: extensionsBehind(15),
        }),
      ],
      errnos: [EINVAL, EFAULT, ENOENT, E2BIG, EPERM],
      since,
      support: {
        without: "engines and what the properties do: a queue is an id, and whether it binds",
      },
      run: execQueueCreate,
    }),
    ioctl({
      name: "XE_EXEC_QUEUE_DESTROY",
      request: uapi.IOCTL_EXEC_QUEUE_DESTROY,
      layout: uapi.EXEC_QUEUE_DESTROY,
      errnos: [EINVAL, ENOENT],
      since,
      support: "full",
      act: execQueueDestroy,
    }),
    notModelled({
      name: "XE_EXEC_QUEUE_GET_PROPERTY",
      request: drmIowr(DRM_COMMAND_BASE + 0x08, 40),
      since: "Linux 6.8",
      note: "exec queues",
    }),
    notModelled({
      name: "XE_EXEC",
      request: drmIow(DRM_COMMAND_BASE + 0x09, 56),
      since: "Linux 6.8",
      note: "job submission",
    }),
    notModelled({
      name: "XE_WAIT_USER_FENCE",
      request: drmIowr(DRM_COMMAND_BASE + 0x0a, 72),
      since: "Linux 6.8",
      note: "waiting: a user fence is in memory of the process",
    }),
    notModelled({
      name: "XE_OBSERVATION",
      request: drmIow(DRM_COMMAND_BASE + 0x0b, 32),
      since: "Linux 6.11",
      note: "performance counters",
    }),
    ioctl({
      name: "XE_MADVISE",
      request: IOCTL_MADVISE,
      layout: MADVISE,
      arrays: [
        userArray(MADVISE, "retainedPtr", {
          field: "retained_ptr",
          when: { member: "type", is: VMA_ATTR_PURGEABLE_STATE },
          element: RETAINED,
          access: "out",
          optional: true,
        }),
      ],
      errnos: [EINVAL, EFAULT, ENOENT, ENOMEM],
      since: "Linux 6.18",
      support: {
        without: "other devices as preferred locations (ENOENT), what MADVISE_AUTORESET takes back",
      },
      runBytes: madvise,
    }),
    ioctl({
      name: "XE_VM_QUERY_MEM_RANGE_ATTRS",
      request: IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
      layout: VM_QUERY_MEM_RANGE_ATTR,
      arrays: [
        userArray(VM_QUERY_MEM_RANGE_ATTR, "vectorOfMemAttr", {
          field: "vector_of_mem_attr",
          count: "numMemRanges",
          element: MEM_RANGE_ATTR,
          access: "out",
          optional: true,
        }),
      ],
      errnos: [EINVAL, ENOSPC, ENOMEM, ENOBUFS, EFAULT],
      since: "Linux 6.18",
      support: "full",
      runBytes: vmQueryMemRangeAttrs,
    }),
    notModelled({
      name: "XE_EXEC_QUEUE_SET_PROPERTY",
      request: drmIow(DRM_COMMAND_BASE + 0x0e, 40),
      since: "Linux 7.0",
      note: "exec queues",
    }),
    ioctl({
      name: "XE_VM_GET_PROPERTY",
      request: IOCTL_VM_GET_PROPERTY,
      layout: VM_GET_PROPERTY,
      arrays: [
        userArray(VM_GET_PROPERTY, "data", {
          field: "data",
          count: "size",
          access: "out",
          optional: true,
        }),
      ],
      errnos: [EINVAL, ENOENT, EFAULT],
      since: "by Linux 7.3-rc7",
      support: "full",
      run: vmGetProperty,
    }),
    gemCloseIoctl(gemClose),
  ],
  { foreign: EINVAL },
);
