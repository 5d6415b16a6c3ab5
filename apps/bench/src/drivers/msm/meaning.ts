/**
 * What msm's calls mean to the fuzzer's model of pages: read from the uAPI header, without the driver.
 *
 * That model knows one queue for each VM, so only binds on the first one are told to it; and it knows no sync files.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import {
  BO_GPU_READONLY,
  GEM_CLOSE,
  GEM_INFO,
  GEM_NEW,
  INFO,
  IOCTL_GEM_INFO,
  IOCTL_GEM_NEW,
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_CLOSE,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTL_VM_BIND,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  PARAM,
  PARAM_ARG,
  SUBMITQUEUE_CLOSE,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  SYNCOBJ,
  VM_BIND,
  VM_BIND_FENCE_FD_IN,
  VM_BIND_OP,
  VM_BIND_OPS_UNION,
  VM_ID,
  type VmBindOp,
} from "@vmbind/msm";
import type { Call } from "@vmbind/trace";
import { elementsOf } from "../../fuzz/fuzz-driver.ts";
import type { Job, Meaning, PageOp, Shown } from "../../fuzz/meaning.ts";
import type { SyncPoint } from "../../fuzz/page-syncs.ts";
import { BIND_QUEUE } from "./probe.ts";

const INLINE = VM_BIND.fields.op.offset;
const NOTHING: Meaning = { kind: "none" };

/** See `FuzzDriver.meaning`. */
export function meaning(call: Call, argOut: Uint8Array): Meaning | null {
  const { request, arg } = call;
  switch (request) {
    case IOCTL_SET_PARAM: {
      const { param, value } = PARAM_ARG.read(viewOf(arg));
      return param === PARAM.enVmBind && value === 1 ? NOTHING : null;
    }
    case IOCTL_SUBMITQUEUE_NEW: {
      const { flags, prio } = SUBMITQUEUE_NEW.read(viewOf(arg));
      if (flags !== SUBMITQUEUE_VM_BIND || prio !== 0) return null;
      return { kind: "vm", vm: VM_ID, unbound: "fault", keepsPromises: true };
    }
    case IOCTL_SUBMITQUEUE_CLOSE:
      return SUBMITQUEUE_CLOSE.read(viewOf(arg)).id === BIND_QUEUE ? null : NOTHING;
    case IOCTL_GEM_NEW: {
      const { handle, flags } = GEM_NEW.read(viewOf(argOut));
      // A mapping says nothing of what the GPU may do; its object does.
      return (flags & BO_GPU_READONLY) === 0 ? { kind: "object", handle } : null;
    }
    case IOCTL_GEM_INFO: {
      const { info } = GEM_INFO.read(viewOf(arg));
      return info === INFO.getOffset || info === INFO.getFlags ? NOTHING : null;
    }
    case DRM_IOCTL_GEM_CLOSE:
      return { kind: "handle-gone", handle: GEM_CLOSE.read(viewOf(arg)).handle };
    case IOCTL_VM_BIND:
      return bindOf(call);
    default:
      return null;
  }
}

function bindOf(call: Call): Meaning | null {
  const view = viewOf(call.arg);
  const arg = VM_BIND.read(view);
  if (arg.queueId !== BIND_QUEUE || (arg.flags & VM_BIND_FENCE_FD_IN) !== 0) return null;
  const { nrOps, inSyncobjs, nrInSyncobjs, outSyncobjs, nrOutSyncobjs, syncobjStride } = arg;
  const ops =
    nrOps === 1
      ? [VM_BIND_OP.read(view, INLINE)]
      : elementsOf(call, VM_BIND_OPS_UNION.read(view, INLINE).ops, nrOps, VM_BIND_OP);
  const pages = ops?.map(pageOp) ?? [null];
  const whole = syncobjStride === SYNCOBJ.size;
  const waits = syncsOf(call, inSyncobjs, nrInSyncobjs, whole);
  const signals = syncsOf(call, outSyncobjs, nrOutSyncobjs, whole);
  if (pages.some((page) => page === null) || waits === null || signals === null) return null;
  const jobs = (pages.length === 0 ? [{ kind: "none" } as const] : (pages as PageOp[])).map(
    (op, i, all): Job => ({
      ops: [op],
      waits: i === 0 ? waits : [],
      signals: i === all.length - 1 ? signals : [],
    }),
  );
  return { kind: "queue", vm: VM_ID, jobs, queue: 0 };
}

/** Syncobjs of an array; null where one is emptied. */
function syncsOf(call: Call, pointer: number, count: number, whole: boolean): SyncPoint[] | null {
  if (pointer === 0 || count === 0) return [];
  const list = whole ? elementsOf(call, pointer, count, SYNCOBJ) : null;
  if (list === null || list.some(({ flags }) => flags !== 0)) return null;
  return list.map(({ handle: syncobj, point }) => ({ syncobj, point }));
}

function pageOp({ op, iova: va, range: bytes, handle, objOffset: offset }: VmBindOp): PageOp | null {
  const range = (shows: Shown): PageOp => ({
    kind: "range",
    va,
    bytes,
    shows,
    access: "rw",
    promised: false,
  });
  if (op === OP_UNMAP) return range({ kind: "nothing" });
  if (op === OP_MAP_NULL) return range({ kind: "null" });
  if (op === OP_MAP) return range({ kind: "object", handle, offset, window: 0 });
  return null;
}
