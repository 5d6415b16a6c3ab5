/**
 * What xe's calls mean to the fuzzer's model of pages: read from the uAPI header, without the driver.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call } from "@vmbind/trace";
import {
  EXEC_QUEUE_DESTROY,
  GEM_CLOSE,
  GEM_CREATE,
  IOCTL_DEVICE_QUERY,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_DESTROY,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP_OFFSET,
  IOCTL_MADVISE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  IOCTL_VM_GET_PROPERTY,
  IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
  MADVISE,
  SYNC,
  SYNC_FLAG_SIGNAL,
  SYNC_TYPE_TIMELINE_SYNCOBJ,
  SYNC_TYPE_USER_FENCE,
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
  VMA_ATTR_PURGEABLE_STATE,
  VMA_PURGEABLE_STATE_DONTNEED,
  type VmBindOp,
} from "@vmbind/xe";
import { elementsOf } from "../../fuzz/fuzz-driver.ts";
import type { Meaning, PageOp, Shown } from "../../fuzz/meaning.ts";
import type { SyncPoint } from "../../fuzz/page-syncs.ts";

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
    case IOCTL_GEM_CREATE: {
      const { handle, placement } = GEM_CREATE.read(viewOf(argOut));
      // What may be in either region comes back to the GPU's with the bind that names it.
      return { kind: "object", handle, wanders: (placement & (placement - 1)) !== 0 };
    }
    case DRM_IOCTL_GEM_CLOSE:
      return { kind: "handle-gone", handle: GEM_CLOSE.read(viewOf(arg)).handle };
    case IOCTL_VM_BIND:
      return bindOf(call);
    case IOCTL_EXEC_QUEUE_DESTROY:
      return { kind: "queue-gone", queue: EXEC_QUEUE_DESTROY.read(viewOf(arg)).execQueueId };
    case IOCTL_MADVISE: {
      const { vmId: vm, start: va, range: bytes, type, val } = MADVISE.read(viewOf(arg));
      if (type !== VMA_ATTR_PURGEABLE_STATE) return { kind: "advice", vm, va, bytes };
      return val === VMA_PURGEABLE_STATE_DONTNEED ? { kind: "not-needed", vm, va, bytes } : { kind: "none" };
    }
    case IOCTL_DEVICE_QUERY:
    case IOCTL_EXEC_QUEUE_CREATE:
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
  const { vmId, numBinds, execQueueId, numSyncs, syncs: at } = VM_BIND.read(view);
  const list =
    numBinds === 1
      ? [VM_BIND_OP.read(view, INLINE)]
      : elementsOf(call, VM_BIND_VECTOR.read(view, INLINE).vectorOfBinds, numBinds, VM_BIND_OP);
  const ops = list?.map(pageOp) ?? [null];
  const syncs = elementsOf(call, at, numSyncs, SYNC);
  if (syncs === null || ops.some((op) => op === null)) return null;
  const of = (signals: boolean): SyncPoint[] =>
    syncs.flatMap(({ type, flags, addr: syncobj, timelineValue }) => {
      if (type === SYNC_TYPE_USER_FENCE || ((flags & SYNC_FLAG_SIGNAL) !== 0) !== signals) return [];
      return [{ syncobj, point: type === SYNC_TYPE_TIMELINE_SYNCOBJ ? timelineValue : 0 }];
    });
  const job = { ops: ops as PageOp[], waits: of(false), signals: of(true) };
  return { kind: "queue", vm: vmId, jobs: [job], queue: execQueueId };
}

function pageOp({ op, flags, addr: va, range: bytes, obj, objOffset: offset }: VmBindOp): PageOp | null {
  const range = (shows: Shown): PageOp => {
    // In a VM in fault mode a page is bound by the first access, unless told, and again by the next one where its memory has
    // moved or was advised about; in others at once.
    const promised = (flags & VM_BIND_FLAG_IMMEDIATE) === 0 || shows.kind !== "null";
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
      return { kind: "move" };
    case VM_BIND_OP_MAP_USERPTR:
      return range({ kind: "process-memory", addr: offset });
    case VM_BIND_OP_MAP:
      if (flags & VM_BIND_FLAG_CPU_ADDR_MIRROR) return range({ kind: "unknown" });
      if (flags & VM_BIND_FLAG_NULL) return range({ kind: "null" });
      return range({ kind: "object", handle: obj, offset, window: 0 });
    default:
      return null;
  }
}
