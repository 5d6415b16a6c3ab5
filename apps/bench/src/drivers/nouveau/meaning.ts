/**
 * What nouveau's calls mean to the fuzzer's model of pages: read from the uAPI header, without the driver.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE, viewOf } from "@vmbind/drm";
import {
  GEM_NEW,
  IOCTL_CHANNEL_FREE,
  IOCTL_GEM_INFO,
  IOCTL_GEM_NEW,
  IOCTL_GETPARAM,
  IOCTL_VM_BIND,
  IOCTL_VM_INIT,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_SPARSE,
  type VmBindOp,
} from "@vmbind/nouveau";
import type { Call } from "@vmbind/trace";
import { elementsOf } from "../../fuzz/fuzz-driver.ts";
import type { Meaning, PageOp, Shown } from "../../fuzz/meaning.ts";

const VM_ID = 1;

/** See `FuzzDriver.meaning`. */
export function meaning(call: Call, argOut: Uint8Array): Meaning | null {
  const { request, arg } = call;
  switch (request) {
    case IOCTL_VM_INIT:
      return { kind: "vm", vm: VM_ID, unbound: "fault", keepsPromises: true };
    case IOCTL_GEM_NEW:
      return { kind: "object", handle: GEM_NEW.read(viewOf(argOut)).info.handle };
    case DRM_IOCTL_GEM_CLOSE:
      return { kind: "handle-gone", handle: GEM_CLOSE.read(viewOf(arg)).handle };
    case IOCTL_VM_BIND: {
      const { opCount, opPtr } = VM_BIND.read(viewOf(arg));
      const ops = elementsOf(call, opPtr, opCount, VM_BIND_OP)?.map(pageOp);
      if (!ops || ops.some((op) => op === null)) return null;
      return { kind: "bind", vm: VM_ID, ops: ops as PageOp[] };
    }
    case IOCTL_CHANNEL_FREE:
    case IOCTL_GEM_INFO:
    case IOCTL_GETPARAM:
      return { kind: "none" };
    default:
      return null;
  }
}

/** A region lies under mappings, an UNMAP shows it again; it goes with all that is mapped in it. */
function pageOp({ op, flags, addr: va, range: bytes, handle, boOffset: offset }: VmBindOp): PageOp | null {
  const range = (shows: Shown, under = false): PageOp => ({
    kind: "range",
    va,
    bytes,
    shows,
    access: "rw",
    promised: false,
    under,
  });
  const sparse = (flags & VM_BIND_SPARSE) !== 0;
  if (op === VM_BIND_OP_MAP) {
    return sparse ? range({ kind: "null" }, true) : range({ kind: "object", handle, offset, window: 0 });
  }
  if (op === VM_BIND_OP_UNMAP) return sparse ? range({ kind: "nothing" }, true) : range({ kind: "under" });
  return null;
}
