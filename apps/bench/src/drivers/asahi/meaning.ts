/**
 * What asahi's calls mean to the fuzzer's model of pages: read from the uAPI header, without the driver.
 *
 * @module
 */

import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  GEM_CREATE,
  type GemBindOp,
  IOCTL_GEM_BIND_OBJECT,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP_OFFSET,
  IOCTL_GET_PARAMS,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  PAGE_BYTES,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
} from "@vmbind/asahi";
import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call } from "@vmbind/trace";
import { elementsOf } from "../../fuzz/fuzz-driver.ts";
import type { Meaning, PageOp, Shown } from "../../fuzz/meaning.ts";

/** See `FuzzDriver.meaning`. */
export function meaning(call: Call, argOut: Uint8Array): Meaning | null {
  const { request, arg } = call;
  switch (request) {
    case IOCTL_VM_CREATE:
      return { kind: "vm", vm: VM_CREATE.read(viewOf(argOut)).vmId, unbound: "fault", keepsPromises: true };
    case IOCTL_VM_DESTROY:
      return { kind: "vm-gone", vm: VM_DESTROY.read(viewOf(arg)).vmId };
    case IOCTL_GEM_CREATE:
      return { kind: "object", handle: GEM_CREATE.read(viewOf(argOut)).handle };
    case DRM_IOCTL_GEM_CLOSE:
      return { kind: "handle-gone", handle: viewOf(arg).getUint32(0, true) };
    case IOCTL_VM_BIND: {
      const { vmId, numBinds, stride, userptr } = VM_BIND.read(viewOf(arg));
      const ops = stride === GEM_BIND_OP.size ? elementsOf(call, userptr, numBinds, GEM_BIND_OP) : null;
      return ops && { kind: "bind", vm: vmId, ops: ops.map(pageOp) };
    }
    case IOCTL_GEM_BIND_OBJECT:
    case IOCTL_GEM_MMAP_OFFSET:
    case IOCTL_GET_PARAMS:
      return { kind: "none" };
    default:
      return null;
  }
}

function pageOp({ flags, handle, offset, range: bytes, addr: va }: GemBindOp): PageOp {
  const range = (shows: Shown): PageOp => {
    const access = (flags & BIND_READ ? "r" : "") + (flags & BIND_WRITE ? "w" : "");
    return { kind: "range", va, bytes, shows, access, promised: false };
  };
  if (flags & BIND_UNBIND) return range({ kind: "nothing" });
  const window = flags & BIND_SINGLE_PAGE ? PAGE_BYTES : 0;
  return range({ kind: "object", handle, offset, window });
}
