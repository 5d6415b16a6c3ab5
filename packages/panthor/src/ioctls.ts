/**
 * What is known of each ioctl of `panthor_drm.h` (Linux 7.3-rc7, driver version 1.9), and what runs it. `since` is the driver version.
 *
 * @module
 */

import {
  DRM_COMMAND_BASE,
  drmIowr,
  E2BIG,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EPERM,
  gemCloseIoctl,
  type IoctlRow,
  IoctlTable,
  ioctl,
  notModelled,
  type UserArray,
  userArray,
} from "@vmbind/drm";
import { boQueryInfo, boSetLabel, boSync } from "./bo-care-ioctls.ts";
import { boCreate, boMmapOffset, gemClose } from "./bo-ioctls.ts";
import { devQuery } from "./dev-query.ts";
import type { PanthorFile } from "./file.ts";
import * as uapi from "./uapi.ts";
import { vmBind } from "./vm-bind.ts";
import { vmCreate, vmDestroy, vmGetState } from "./vm-ioctls.ts";

const ID = uapi.IOCTL_ID;

const SYNCS = userArray(uapi.VM_BIND_OP, "syncs.array", {
  field: "syncs",
  count: "syncs.count",
  stride: "syncs.stride",
  element: uapi.SYNC_OP,
});

/** The operations of a VM_BIND. */
export const VM_BIND_OPS: UserArray<uapi.VmBind, uapi.VmBindOp> = userArray(uapi.VM_BIND, "ops.array", {
  field: "ops",
  count: "ops.count",
  stride: "ops.stride",
  element: uapi.VM_BIND_OP,
  grown: uapi.VM_BIND_OP_REPEAT,
  arrays: [SYNCS],
});

/** An ioctl that the model lacks; all of them pass their struct both ways. */
function other(name: string, id: number, bytes: number, since: string, note: string): IoctlRow<unknown> {
  return notModelled({ name, request: drmIowr(DRM_COMMAND_BASE + id, bytes), since, note });
}

/** The ioctls. */
export const IOCTLS: IoctlTable<PanthorFile> = new IoctlTable<PanthorFile>([
  ioctl({
    name: "PANTHOR_DEV_QUERY",
    request: uapi.IOCTL_DEV_QUERY,
    layout: uapi.DEV_QUERY_ARG,
    arrays: [
      userArray(uapi.DEV_QUERY_ARG, "pointer", {
        field: "pointer",
        count: "size",
        access: "out",
        optional: true,
      }),
    ],
    errnos: [EINVAL, EFAULT, E2BIG],
    since: "1.0",
    support: "full",
    run: devQuery,
  }),
  ioctl({
    name: "PANTHOR_VM_CREATE",
    request: uapi.IOCTL_VM_CREATE,
    layout: uapi.VM_CREATE,
    errnos: [EINVAL, EBUSY, ENOMEM],
    since: "1.0",
    support: "full",
    run: vmCreate,
  }),
  ioctl({
    name: "PANTHOR_VM_DESTROY",
    request: uapi.IOCTL_VM_DESTROY,
    layout: uapi.VM_DESTROY,
    errnos: [EINVAL],
    since: "1.0",
    support: "full",
    act: vmDestroy,
  }),
  ioctl({
    name: "PANTHOR_VM_BIND",
    request: uapi.IOCTL_VM_BIND,
    layout: uapi.VM_BIND,
    arrays: [VM_BIND_OPS],
    errnos: [EINVAL, EFAULT, ENOMEM, E2BIG, ENOENT],
    since: "1.0",
    support: "full",
    runBytes: vmBind,
  }),
  ioctl({
    name: "PANTHOR_VM_GET_STATE",
    request: uapi.IOCTL_VM_GET_STATE,
    layout: uapi.VM_GET_STATE,
    errnos: [EINVAL],
    since: "1.0",
    support: "full",
    run: vmGetState,
  }),
  ioctl({
    name: "PANTHOR_BO_CREATE",
    request: uapi.IOCTL_BO_CREATE,
    layout: uapi.BO_CREATE,
    errnos: [EINVAL, ENOMEM],
    since: "1.0",
    support: "full",
    runBytes: boCreate,
  }),
  ioctl({
    name: "PANTHOR_BO_MMAP_OFFSET",
    request: uapi.IOCTL_BO_MMAP_OFFSET,
    layout: uapi.BO_MMAP_OFFSET,
    errnos: [EINVAL, ENOENT, EPERM, ENOSPC],
    since: "1.0",
    support: "full",
    run: boMmapOffset,
  }),
  other("PANTHOR_GROUP_CREATE", ID.groupCreate, 56, "1.0", "job submission"),
  other("PANTHOR_GROUP_DESTROY", ID.groupDestroy, 8, "1.0", "job submission"),
  other("PANTHOR_GROUP_SUBMIT", ID.groupSubmit, 24, "1.0", "job submission"),
  other("PANTHOR_GROUP_GET_STATE", ID.groupGetState, 16, "1.0", "job submission"),
  other("PANTHOR_TILER_HEAP_CREATE", ID.tilerHeapCreate, 40, "1.0", "heaps of the tiler"),
  other("PANTHOR_TILER_HEAP_DESTROY", ID.tilerHeapDestroy, 8, "1.0", "heaps of the tiler"),
  ioctl({
    name: "PANTHOR_BO_SET_LABEL",
    request: uapi.IOCTL_BO_SET_LABEL,
    layout: uapi.BO_SET_LABEL,
    errnos: [EINVAL, ENOENT, EFAULT, E2BIG],
    since: "1.4",
    support: "full",
    act: boSetLabel,
  }),
  other("PANTHOR_SET_USER_MMIO_OFFSET", ID.setUserMmioOffset, 8, "1.5", "mmap of registers"),
  ioctl({
    name: "PANTHOR_BO_SYNC",
    request: uapi.IOCTL_BO_SYNC,
    layout: uapi.BO_SYNC,
    arrays: [
      userArray(uapi.BO_SYNC, "ops.array", {
        field: "ops",
        count: "ops.count",
        stride: "ops.stride",
        element: uapi.BO_SYNC_OP,
      }),
    ],
    errnos: [EINVAL, EFAULT, ENOMEM, E2BIG, ENOENT],
    since: "1.7",
    support: "full",
    act: boSync,
  }),
  ioctl({
    name: "PANTHOR_BO_QUERY_INFO",
    request: uapi.IOCTL_BO_QUERY_INFO,
    layout: uapi.BO_QUERY_INFO,
    errnos: [EINVAL, ENOENT],
    since: "1.7",
    support: "full",
    run: boQueryInfo,
  }),
  gemCloseIoctl(gemClose),
]);
