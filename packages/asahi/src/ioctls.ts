/**
 * Which ioctl number runs what: the typed methods of the open file, whose results go into the struct.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, decodeIoctl, IoctlTable, ioctlRow } from "@vmbind/drm";
import type { AsahiFile } from "./file.ts";
import * as uapi from "./uapi.ts";

/** The ioctls. */
export const IOCTLS: IoctlTable<AsahiFile> = new IoctlTable<AsahiFile>(
  [
    [DRM_IOCTL_GEM_CLOSE, (file, arg) => file.gemClose(arg.getUint32(0, true))],
    ioctlRow(uapi.IOCTL_GET_PARAMS, uapi.GET_PARAMS, (file, args, user) => file.getParams(args, user)),
    ioctlRow(uapi.IOCTL_VM_CREATE, uapi.VM_CREATE, (file, args) => ({ vmId: file.vmCreate(args) })),
    ioctlRow(uapi.IOCTL_VM_DESTROY, uapi.VM_DESTROY, (file, args) => file.vmDestroy(args)),
    [uapi.IOCTL_VM_BIND, (file, arg, user) => file.vmBind(uapi.readVmBind(arg), user)],
    ioctlRow(uapi.IOCTL_GEM_CREATE, uapi.GEM_CREATE, (file, args) => ({ handle: file.gemCreate(args) })),
    ioctlRow(uapi.IOCTL_GEM_MMAP_OFFSET, uapi.GEM_MMAP_OFFSET, (file, args) => ({
      offset: file.gemMmapOffset(args),
    })),
    ioctlRow(uapi.IOCTL_GEM_BIND_OBJECT, uapi.GEM_BIND_OBJECT, (file, args) => ({
      objectHandle: file.gemBindObject(args),
    })),
  ],
  {
    notModelled: [
      [decodeIoctl(uapi.IOCTL_GET_TIME).nr, "GET_TIME"],
      [decodeIoctl(uapi.IOCTL_QUEUE_CREATE).nr, "QUEUE_CREATE"],
      [decodeIoctl(uapi.IOCTL_QUEUE_DESTROY).nr, "QUEUE_DESTROY"],
      [decodeIoctl(uapi.IOCTL_SUBMIT).nr, "SUBMIT"],
    ],
  },
);
