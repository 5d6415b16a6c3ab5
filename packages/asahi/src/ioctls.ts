/**
 * What is known of each ioctl of `asahi_drm.h` (Linux 7.3-rc7), and which method of the open file runs it.
 *
 * @module
 */

import {
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  gemCloseIoctl,
  IoctlTable,
  ioctl,
  notModelled,
  readWholePages,
  type UserArray,
  userArray,
} from "@vmbind/drm";
import type { AsahiFile } from "./file.ts";
import * as uapi from "./uapi.ts";
import { QUEUE_CREATE, QUEUE_DESTROY, SUBMIT } from "./uapi-submit.ts";

/** The first Linux with the header; the driver is downstream. */
const since = "Linux 6.16";

/** The records of a VM_BIND. */
export const VM_BIND_OPS: UserArray<uapi.VmBind, uapi.GemBindOp> = userArray(uapi.VM_BIND, "userptr", {
  field: "userptr",
  count: "numBinds",
  stride: "stride",
  element: uapi.GEM_BIND_OP,
});

/** The ioctls. */
export const IOCTLS: IoctlTable<AsahiFile> = new IoctlTable<AsahiFile>([
  ioctl({
    name: "ASAHI_GET_PARAMS",
    request: uapi.IOCTL_GET_PARAMS,
    layout: uapi.GET_PARAMS,
    arrays: [
      userArray(uapi.GET_PARAMS, "pointer", {
        field: "pointer",
        count: "size",
        access: "out",
        most: uapi.PARAMS_GLOBAL.size,
      }),
    ],
    errnos: [EINVAL, ENODEV, EFAULT],
    since,
    support: { without: "facts of an M1 that have nothing to do with memory: plausible values" },
    act: (file, args, user) => file.getParams(args, user),
  }),
  notModelled({
    name: "ASAHI_GET_TIME",
    request: uapi.IOCTL_GET_TIME,
    layout: uapi.GET_TIME,
    since,
    note: "the GPU's clock",
  }),
  ioctl({
    name: "ASAHI_VM_CREATE",
    request: uapi.IOCTL_VM_CREATE,
    layout: uapi.VM_CREATE,
    errnos: [EINVAL, ENOMEM],
    since,
    support: "full",
    run: (file, args) => ({ vmId: file.vmCreate(args) }),
  }),
  ioctl({
    name: "ASAHI_VM_DESTROY",
    request: uapi.IOCTL_VM_DESTROY,
    layout: uapi.VM_DESTROY,
    errnos: [ENOENT],
    since,
    support: "full",
    act: (file, args) => file.vmDestroy(args),
  }),
  ioctl({
    name: "ASAHI_VM_BIND",
    request: uapi.IOCTL_VM_BIND,
    layout: uapi.VM_BIND,
    arrays: [VM_BIND_OPS],
    errnos: [EINVAL, EFAULT, ENOENT, ENOMEM],
    since,
    support: { without: "signals (EINTR)" },
    actBytes: (file, arg, user) => file.vmBind(uapi.readVmBind(arg), user),
  }),
  ioctl({
    name: "ASAHI_GEM_CREATE",
    request: uapi.IOCTL_GEM_CREATE,
    layout: uapi.GEM_CREATE,
    errnos: [EINVAL, ENOENT, ENOMEM],
    since,
    support: "full",
    runBytes(file, arg) {
      const { GEM_CREATE } = uapi;
      const size = readWholePages(arg, GEM_CREATE.fields.size.offset, uapi.PAGE_BYTES);
      GEM_CREATE.fields.handle.write(arg, 0, file.gemCreate({ ...GEM_CREATE.read(arg), size }));
    },
  }),
  ioctl({
    name: "ASAHI_GEM_MMAP_OFFSET",
    request: uapi.IOCTL_GEM_MMAP_OFFSET,
    layout: uapi.GEM_MMAP_OFFSET,
    errnos: [EINVAL, ENOENT, ENOSPC],
    since,
    support: "full",
    run: (file, args) => ({ offset: file.gemMmapOffset(args) }),
  }),
  ioctl({
    name: "ASAHI_GEM_BIND_OBJECT",
    request: uapi.IOCTL_GEM_BIND_OBJECT,
    layout: uapi.GEM_BIND_OBJECT,
    errnos: [EINVAL, ENOENT, ENOMEM],
    since,
    support: "full",
    run: (file, args) => ({ objectHandle: file.gemBindObject(args) }),
  }),
  notModelled({
    name: "ASAHI_QUEUE_CREATE",
    request: uapi.IOCTL_QUEUE_CREATE,
    layout: QUEUE_CREATE,
    since,
    note: "job submission",
  }),
  notModelled({
    name: "ASAHI_QUEUE_DESTROY",
    request: uapi.IOCTL_QUEUE_DESTROY,
    layout: QUEUE_DESTROY,
    since,
    note: "job submission",
  }),
  notModelled({
    name: "ASAHI_SUBMIT",
    request: uapi.IOCTL_SUBMIT,
    layout: SUBMIT,
    since,
    note: "job submission",
  }),
  gemCloseIoctl((file, handle) => file.gemClose(handle)),
]);
