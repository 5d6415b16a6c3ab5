/**
 * What is known of each ioctl of `msm_drm.h` (Linux 7.3-rc7, driver version 1.13), and what runs it. `since` is the driver version.
 *
 * @module
 */

import {
  EBUSY,
  EFAULT,
  EINTR,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EOVERFLOW,
  EPERM,
  EPIPE,
  ETOOSMALL,
  gemCloseIoctl,
  IoctlTable,
  ioctl,
  notModelled,
  type UserArray,
  unionArray,
  userArray,
} from "@vmbind/drm";
import { gemClose, gemCpuFini, gemCpuPrep, gemInfo, gemMadvise, gemNew } from "./bo-ioctls.ts";
import type { MsmFile } from "./file.ts";
import { getParam, setParam } from "./params.ts";
import { submitqueueClose, submitqueueNew, submitqueueQuery } from "./queue-ioctls.ts";
import { gemSubmit, waitFence } from "./submit.ts";
import * as uapi from "./uapi.ts";
import { vmBind } from "./vm-bind.ts";

/** The operations of a VM_BIND that has more than one. */
export const VM_BIND_OPS: UserArray<uapi.VmBind, uapi.VmBindOp> = unionArray(
  uapi.VM_BIND,
  "op",
  uapi.VM_BIND_OPS_UNION,
  "ops",
  { field: "ops", count: "nrOps", when: { member: "nrOps", above: 1 }, element: uapi.VM_BIND_OP },
);

const BIND_IN = userArray(uapi.VM_BIND, "inSyncobjs", {
  field: "in_syncobjs",
  count: "nrInSyncobjs",
  stride: "syncobjStride",
  element: uapi.SYNCOBJ,
  optional: true,
});

const BIND_OUT = userArray(uapi.VM_BIND, "outSyncobjs", {
  field: "out_syncobjs",
  count: "nrOutSyncobjs",
  stride: "syncobjStride",
  element: uapi.SYNCOBJ,
  optional: true,
});

const SUBMIT_IN = userArray(uapi.GEM_SUBMIT, "inSyncobjs", {
  field: "in_syncobjs",
  count: "nrInSyncobjs",
  stride: "syncobjStride",
  element: uapi.SYNCOBJ,
  optional: true,
});

const SUBMIT_OUT = userArray(uapi.GEM_SUBMIT, "outSyncobjs", {
  field: "out_syncobjs",
  count: "nrOutSyncobjs",
  stride: "syncobjStride",
  element: uapi.SYNCOBJ,
  optional: true,
});

/** The ioctls. */
export const IOCTLS: IoctlTable<MsmFile> = new IoctlTable<MsmFile>([
  ioctl({
    name: "MSM_GET_PARAM",
    request: uapi.IOCTL_GET_PARAM,
    layout: uapi.PARAM_ARG,
    errnos: [EINVAL, ENOMEM],
    since: "1.0",
    support: "full",
    run: getParam,
  }),
  ioctl({
    name: "MSM_SET_PARAM",
    request: uapi.IOCTL_SET_PARAM,
    layout: uapi.PARAM_ARG,
    // Only strings lie behind `value`, and nothing but `param` tells them from numbers, of which 0 is one.
    arrays: [
      userArray(uapi.PARAM_ARG, "value", {
        field: "value",
        count: "len",
        when: { member: "param", is: uapi.PARAM.comm },
      }),
      userArray(uapi.PARAM_ARG, "value", {
        field: "value",
        count: "len",
        when: { member: "param", is: uapi.PARAM.cmdline },
      }),
    ],
    errnos: [EINVAL, EBUSY, EPERM, EFAULT],
    since: "1.10",
    support: "full",
    runBytes: setParam,
  }),
  ioctl({
    name: "MSM_GEM_NEW",
    request: uapi.IOCTL_GEM_NEW,
    layout: uapi.GEM_NEW,
    errnos: [EINVAL, ENOMEM],
    since: "1.0",
    support: "full",
    runBytes: gemNew,
  }),
  ioctl({
    name: "MSM_GEM_INFO",
    request: uapi.IOCTL_GEM_INFO,
    layout: uapi.GEM_INFO,
    arrays: [
      userArray(uapi.GEM_INFO, "value", {
        field: "value",
        count: "len",
        when: { member: "info", is: uapi.INFO.setName },
      }),
      userArray(uapi.GEM_INFO, "value", {
        field: "value",
        count: "len",
        when: { member: "info", is: uapi.INFO.getName },
        access: "out",
        optional: true,
      }),
      userArray(uapi.GEM_INFO, "value", {
        field: "value",
        count: "len",
        when: { member: "info", is: uapi.INFO.setMetadata },
      }),
      userArray(uapi.GEM_INFO, "value", {
        field: "value",
        count: "len",
        when: { member: "info", is: uapi.INFO.getMetadata },
        access: "out",
        optional: true,
      }),
    ],
    errnos: [EINVAL, ENOENT, EFAULT, EBUSY, ENOSPC, ENOMEM, EOVERFLOW, ETOOSMALL],
    since: "1.0",
    support: { without: "page tables of VMs that the kernel manages: their addresses are kept" },
    run: gemInfo,
  }),
  ioctl({
    name: "MSM_GEM_CPU_PREP",
    request: uapi.IOCTL_GEM_CPU_PREP,
    layout: uapi.GEM_CPU_PREP,
    errnos: [EINVAL, ENOENT],
    since: "1.0",
    support: { without: "waiting" },
    act: gemCpuPrep,
  }),
  ioctl({
    name: "MSM_GEM_CPU_FINI",
    request: uapi.IOCTL_GEM_CPU_FINI,
    layout: uapi.GEM_CPU_FINI,
    errnos: [ENOENT],
    since: "1.0",
    support: "full",
    act: gemCpuFini,
  }),
  ioctl({
    name: "MSM_GEM_SUBMIT",
    request: uapi.IOCTL_GEM_SUBMIT,
    layout: uapi.GEM_SUBMIT,
    arrays: [SUBMIT_IN, SUBMIT_OUT],
    errnos: [EINVAL, EPIPE, ENOENT, EFAULT, EBUSY, ENOMEM],
    since: "1.0",
    support: { without: "running commands, and the table of objects where the kernel manages the VM" },
    run: gemSubmit,
  }),
  ioctl({
    name: "MSM_WAIT_FENCE",
    request: uapi.IOCTL_WAIT_FENCE,
    layout: uapi.WAIT_FENCE,
    errnos: [EINVAL, ENOENT],
    since: "1.0",
    support: { without: "waiting" },
    act: waitFence,
  }),
  ioctl({
    name: "MSM_GEM_MADVISE",
    request: uapi.IOCTL_GEM_MADVISE,
    layout: uapi.GEM_MADVISE,
    errnos: [EINVAL, ENOENT],
    since: "1.1",
    support: "full",
    run: gemMadvise,
  }),
  ioctl({
    name: "MSM_SUBMITQUEUE_NEW",
    request: uapi.IOCTL_SUBMITQUEUE_NEW,
    layout: uapi.SUBMITQUEUE_NEW,
    errnos: [EINVAL, ENOMEM],
    since: "1.2",
    support: "full",
    run: submitqueueNew,
  }),
  ioctl({
    name: "MSM_SUBMITQUEUE_CLOSE",
    request: uapi.IOCTL_SUBMITQUEUE_CLOSE,
    layout: uapi.SUBMITQUEUE_CLOSE,
    errnos: [ENOENT],
    since: "1.2",
    support: "full",
    act: submitqueueClose,
  }),
  ioctl({
    name: "MSM_SUBMITQUEUE_QUERY",
    request: uapi.IOCTL_SUBMITQUEUE_QUERY,
    layout: uapi.SUBMITQUEUE_QUERY,
    arrays: [
      userArray(uapi.SUBMITQUEUE_QUERY, "data", {
        field: "data",
        count: "len",
        access: "out",
        optional: true,
      }),
    ],
    errnos: [EINVAL, ENOENT, EFAULT],
    since: "1.4",
    support: "full",
    act: submitqueueQuery,
  }),
  ioctl({
    name: "MSM_VM_BIND",
    request: uapi.IOCTL_VM_BIND,
    layout: uapi.VM_BIND,
    arrays: [VM_BIND_OPS, BIND_IN, BIND_OUT],
    errnos: [ENOMEM, EPIPE, EINVAL, ENOENT, EFAULT, EBUSY, EINTR],
    since: "1.13",
    support: "full",
    runBytes: vmBind,
  }),
  notModelled({
    name: "MSM_PERFCNTR_CONFIG",
    request: uapi.IOCTL_PERFCNTR_CONFIG,
    since: "1.13",
    note: "performance counters",
  }),
  gemCloseIoctl(gemClose),
]);
