/**
 * What xe's calls mean to the fuzzer's model of pages: read from the uAPI header, without the driver.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call } from "@vmbind/trace";
import {
  GEM_CLOSE,
  GEM_CREATE,
  IOCTL_DEVICE_QUERY,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_DESTROY,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP_OFFSET,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  IOCTL_VM_GET_PROPERTY,
  IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
  VM_BIND,
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_IMMEDIATE,
  VM_BIND_FLAG_NULL,
  VM_BIND_FLAG_READONLY,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_PREFETCH,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_UNMAP_ALL,
  VM_BIND_VECTOR,
  VM_CREATE,
  VM_CREATE_FLAG_FAULT_MODE,
  VM_CREATE_FLAG_SCRATCH_PAGE,
  VM_DESTROY,
  type VmBindOp,
} from "@vmbind/xe";
import { elementsOf } from "../../fuzz/fuzz-driver.ts";
import type { Meaning, PageOp, Shown } from "../../fuzz/meaning.ts";

const INLINE = VM_BIND.fields.bind.offset;

/** See `FuzzDriver.meaning`. */
export function meaning(call: Call, argOut: Uint8Array): Meaning | null {
  const { request, arg } = call;
  switch (request) {
    case IOCTL_VM_CREATE: {
      const { vmId, flags } = VM_CREATE.read(viewOf(argOut));
      const unbound = flags & VM_CREATE_FLAG_SCRATCH_PAGE ? "null" : "fault";
      return { kind: "vm", vm: vmId, unbound, keepsPromises: (flags & VM_CREATE_FLAG_FAULT_MODE) === 0 };
    }
    case IOCTL_VM_DESTROY:
      return { kind: "vm-gone", vm: VM_DESTROY.read(viewOf(arg)).vmId };
    case IOCTL_GEM_CREATE:
      return { kind: "object", handle: GEM_CREATE.read(viewOf(argOut)).handle };
    case DRM_IOCTL_GEM_CLOSE:
      return { kind: "handle-gone", handle: GEM_CLOSE.read(viewOf(arg)).handle };
    case IOCTL_VM_BIND:
      return bindOf(call);
    case IOCTL_DEVICE_QUERY:
    case IOCTL_EXEC_QUEUE_CREATE:
    case IOCTL_EXEC_QUEUE_DESTROY:
    case IOCTL_GEM_MMAP_OFFSET:
    case IOCTL_VM_GET_PROPERTY:
    case IOCTL_VM_QUERY_MEM_RANGE_ATTRS:
      return { kind: "none" };
    default:
      return null;
  }
}

function bindOf(call: Call): Meaning | null {
  const view = viewOf(call.arg);
  const { vmId, numBinds } = VM_BIND.read(view);
  const ops =
    numBinds === 1
      ? [VM_BIND_OP.read(view, INLINE)]
      : elementsOf(call, VM_BIND_VECTOR.read(view, INLINE).vectorOfBinds, numBinds, VM_BIND_OP);
  const pages = ops?.map(pageOp) ?? [null];
  return pages.some((page) => page === null) ? null : { kind: "bind", vm: vmId, ops: pages as PageOp[] };
}

function pageOp({ op, flags, addr: va, range: bytes, obj, objOffset: offset }: VmBindOp): PageOp | null {
  const range = (shows: Shown): PageOp => {
    // In a VM in fault mode a page is bound by the first access, unless told, and again by the next one where the object has
    // moved; in others at once.
    const promised = (flags & VM_BIND_FLAG_IMMEDIATE) === 0 || shows.kind === "object";
    return {
      kind: "range",
      va,
      bytes,
      shows,
      access: flags & VM_BIND_FLAG_READONLY ? "r" : "rw",
      promised,
    };
  };
  switch (op) {
    case VM_BIND_OP_UNMAP:
      return range({ kind: "nothing" });
    case VM_BIND_OP_UNMAP_ALL:
      return { kind: "unbind-object", handle: obj };
    case VM_BIND_OP_PREFETCH:
      return { kind: "none" };
    case VM_BIND_OP_MAP_USERPTR:
      return range({ kind: "unknown" });
    case VM_BIND_OP_MAP:
      if (flags & VM_BIND_FLAG_CPU_ADDR_MIRROR) return range({ kind: "unknown" });
      if (flags & VM_BIND_FLAG_NULL) return range({ kind: "null" });
      return range({ kind: "object", handle: obj, offset, window: 0 });
    default:
      return null;
  }
}
