/**
 * What is known of each ioctl of `nouveau_drm.h` (Linux 7.3-rc7), and which method of the open file runs it.
 *
 * @module
 */

import {
  EBUSY,
  EEXIST,
  EFAULT,
  EINTR,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOSYS,
  EOPNOTSUPP,
  gemCloseIoctl,
  IoctlTable,
  ioctl,
  notModelled,
  type UserArray,
  userArray,
} from "@vmbind/drm";
import { VmBindRecord } from "./bind-records.ts";
import type { NouveauFile } from "./file.ts";
import { getParam } from "./getparam.ts";
import * as uapi from "./uapi.ts";

/** VM_BIND came with driver version 1.4. */
const since = "Linux 6.6";
const before = "Linux 2.6.33";

/** The operations of a VM_BIND. */
export const VM_BIND_OPS: UserArray<uapi.VmBind, uapi.VmBindOp> = userArray(uapi.VM_BIND, "opPtr", {
  field: "op_ptr",
  count: "opCount",
  element: uapi.VM_BIND_OP,
});
const VM_BIND_WAITS = userArray(uapi.VM_BIND, "waitPtr", {
  field: "wait_ptr",
  count: "waitCount",
  element: uapi.SYNC,
});
const VM_BIND_SIGNALS = userArray(uapi.VM_BIND, "sigPtr", {
  field: "sig_ptr",
  count: "sigCount",
  element: uapi.SYNC,
});

/** Decoded into; whoever gets it reads it before anything else can run. */
const ARGS = new VmBindRecord();

/** The ioctls. */
export const IOCTLS: IoctlTable<NouveauFile> = new IoctlTable<NouveauFile>([
  ioctl({
    name: "NOUVEAU_GETPARAM",
    request: uapi.IOCTL_GETPARAM,
    layout: uapi.GETPARAM,
    errnos: [EINVAL],
    since: before,
    support: { without: "facts that have nothing to do with memory: plausible values" },
    run: (file, { param }) => ({ value: getParam(file.device, param) }),
  }),
  ioctl({
    name: "NOUVEAU_CHANNEL_ALLOC",
    request: uapi.IOCTL_CHANNEL_ALLOC,
    layout: uapi.CHANNEL_ALLOC,
    errnos: [ENOSYS, ENOMEM],
    since: before,
    support: { without: "the channel: it has a number and a notifier page" },
    run: (file, args) => file.channelAlloc(args),
  }),
  ioctl({
    name: "NOUVEAU_CHANNEL_FREE",
    request: uapi.IOCTL_CHANNEL_FREE,
    layout: uapi.CHANNEL_FREE,
    errnos: [ENOENT],
    since: before,
    support: "full",
    act: (file, args) => file.channelFree(args),
  }),
  notModelled({
    name: "NOUVEAU_NVIF",
    request: uapi.IOCTL_NVIF,
    since: "Linux 3.18",
    note: "methods of the driver's own objects",
  }),
  ioctl({
    name: "NOUVEAU_VM_INIT",
    request: uapi.IOCTL_VM_INIT,
    layout: uapi.VM_INIT,
    errnos: [EINVAL, ENOSYS, EBUSY, ENOMEM],
    since,
    support: "full",
    act: (file, args) => file.vmInit(args),
  }),
  ioctl({
    name: "NOUVEAU_VM_BIND",
    request: uapi.IOCTL_VM_BIND,
    layout: uapi.VM_BIND,
    arrays: [VM_BIND_OPS, VM_BIND_WAITS, VM_BIND_SIGNALS],
    errnos: [ENOSYS, EFAULT, EINVAL, EOPNOTSUPP, ENOENT, ENOSPC, EEXIST, ENOMEM, EINTR],
    since,
    support: "full",
    actBytes: (file, arg, user) => file.vmBind(uapi.readVmBind(arg, ARGS), user),
  }),
  ioctl({
    name: "NOUVEAU_EXEC",
    request: uapi.IOCTL_EXEC,
    layout: uapi.EXEC,
    arrays: [
      userArray(uapi.EXEC, "pushPtr", {
        field: "push_ptr",
        count: "pushCount",
        element: uapi.EXEC_PUSH,
      }),
      userArray(uapi.EXEC, "waitPtr", { field: "wait_ptr", count: "waitCount", element: uapi.SYNC }),
      userArray(uapi.EXEC, "sigPtr", { field: "sig_ptr", count: "sigCount", element: uapi.SYNC }),
    ],
    errnos: [ENOSYS, ENOENT, ENODEV, EINVAL, EFAULT, EOPNOTSUPP, ENOMEM],
    since,
    support: { without: "the job: it ends when what it waits for has happened" },
    act: (file, args, user) => file.exec(args, user),
  }),
  notModelled({
    name: "NOUVEAU_GET_ZCULL_INFO",
    request: uapi.IOCTL_GET_ZCULL_INFO,
    since: "by Linux 7.3-rc7",
    note: "a unit of the graphics engine",
  }),
  ioctl({
    name: "NOUVEAU_GEM_NEW",
    request: uapi.IOCTL_GEM_NEW,
    layout: uapi.GEM_NEW,
    errnos: [EINVAL, ENOMEM, ENOSPC],
    since: before,
    support: { without: "addresses in the VM that the kernel manages" },
    run: (file, args) => ({ ...args, info: file.gemNew(args) }),
  }),
  notModelled({
    name: "NOUVEAU_GEM_PUSHBUF",
    request: uapi.IOCTL_GEM_PUSHBUF,
    since: before,
    note: "job submission without a VM of one's own",
  }),
  notModelled({
    name: "NOUVEAU_GEM_CPU_PREP",
    request: uapi.IOCTL_GEM_CPU_PREP,
    since: before,
    note: "implicit fences",
  }),
  notModelled({
    name: "NOUVEAU_GEM_CPU_FINI",
    request: uapi.IOCTL_GEM_CPU_FINI,
    since: before,
    note: "implicit fences",
  }),
  ioctl({
    name: "NOUVEAU_GEM_INFO",
    request: uapi.IOCTL_GEM_INFO,
    layout: uapi.GEM_INFO,
    errnos: [ENOENT, ENOSPC],
    since: before,
    support: { without: "addresses in the VM that the kernel manages" },
    run: (file, { handle }) => file.gemInfo(handle),
  }),
  gemCloseIoctl((file, handle) => file.gemClose(handle)),
]);
