/**
 * What panthor's calls mean to the fuzzer's model of pages: read from the uAPI header, without the driver.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import {
  BO_CREATE,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_BO_MMAP_OFFSET,
  IOCTL_BO_QUERY_INFO,
  IOCTL_BO_SET_LABEL,
  IOCTL_DEV_QUERY,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  IOCTL_VM_GET_STATE,
  MAP_READONLY,
  MAP_SPARSE,
  OP_MAP,
  OP_SYNC_ONLY,
  OP_TYPE_MASK,
  OP_UNMAP,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  SYNC_OP_TYPE_MASK,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  VM_DESTROY,
  type VmBindOp,
} from "@vmbind/panthor";
import type { Call } from "@vmbind/trace";
import { elementsOf } from "../../fuzz/fuzz-driver.ts";
import type { Job, Meaning, PageOp, Shown } from "../../fuzz/meaning.ts";
import type { SyncPoint } from "../../fuzz/page-syncs.ts";

/** Sparse ranges show an object of this size, by address. */
const SPARSE_BYTES = 0x20_0000;
const NOTHING: Meaning = { kind: "none" };

/** See `FuzzDriver.meaning`. */
export function meaning(call: Call, argOut: Uint8Array): Meaning | null {
  const { request, arg } = call;
  switch (request) {
    case IOCTL_VM_CREATE:
      return { kind: "vm", vm: VM_CREATE.read(viewOf(argOut)).id, unbound: "fault", keepsPromises: true };
    case IOCTL_VM_DESTROY:
      return { kind: "vm-gone", vm: VM_DESTROY.read(viewOf(arg)).id };
    case IOCTL_BO_CREATE:
      return { kind: "object", handle: BO_CREATE.read(viewOf(argOut)).handle };
    case DRM_IOCTL_GEM_CLOSE:
      return { kind: "handle-gone", handle: GEM_CLOSE.read(viewOf(arg)).handle };
    case IOCTL_VM_BIND:
      return bindOf(call);
    case IOCTL_BO_MMAP_OFFSET:
    case IOCTL_BO_QUERY_INFO:
    case IOCTL_BO_SET_LABEL:
    case IOCTL_DEV_QUERY:
    case IOCTL_VM_GET_STATE:
      return NOTHING;
    default:
      return null;
  }
}

function bindOf(call: Call): Meaning | null {
  const { vmId, flags, ops: array } = VM_BIND.read(viewOf(call.arg));
  const repeats = array.stride === VM_BIND_OP_REPEAT.size;
  if (!repeats && array.stride !== VM_BIND_OP.size) return null;
  const whole = repeats ? elementsOf(call, array.array, array.count, VM_BIND_OP_REPEAT) : null;
  const ops = whole ?? (repeats ? null : elementsOf(call, array.array, array.count, VM_BIND_OP));
  if (ops === null) return null;
  const windows = ops.map((_, i) => whole?.[i]?.boRepeatRange ?? 0);
  const pages = ops.map((op, i) => pageOp(op, windows[i] as number));
  if (pages.some((page) => page === null)) return null;
  if ((flags & VM_BIND_ASYNC) === 0) return { kind: "bind", vm: vmId, ops: pages as PageOp[] };
  const jobs = ops.map((op, i) => jobOf(call, op, pages[i] as PageOp));
  return jobs.some((job) => job === null) ? null : { kind: "queue", vm: vmId, jobs: jobs as Job[], queue: 0 };
}

function jobOf(call: Call, { syncs }: VmBindOp, op: PageOp): Job | null {
  const ops = [op];
  if (syncs.count === 0) return { ops, waits: [], signals: [] };
  const list = syncs.stride === SYNC_OP.size ? elementsOf(call, syncs.array, syncs.count, SYNC_OP) : null;
  if (list?.some(({ flags }) => (flags & SYNC_OP_TYPE_MASK) > SYNC_OP_TIMELINE) ?? true) return null;
  const of = (signals: boolean): SyncPoint[] =>
    (list ?? []).flatMap(({ flags, handle: syncobj, timelineValue: point }) =>
      ((flags & SYNC_OP_SIGNAL) !== 0) === signals ? [{ syncobj, point }] : [],
    );
  return { ops, waits: of(false), signals: of(true) };
}

function pageOp({ flags, va, size: bytes, boHandle, boOffset }: VmBindOp, window: number): PageOp | null {
  const type = (flags & OP_TYPE_MASK) >>> 0;
  if (type === OP_SYNC_ONLY) return { kind: "none" };
  const range = (shows: Shown, access: string): PageOp => {
    return { kind: "range", va, bytes, shows, access, promised: false };
  };
  if (type === OP_UNMAP) return range({ kind: "nothing" }, "rw");
  if (type !== OP_MAP) return null;
  const access = flags & MAP_READONLY ? "r" : "rw";
  if ((flags & MAP_SPARSE) !== 0 && window === 0) {
    return range({ kind: "file-memory", period: SPARSE_BYTES }, access);
  }
  return range({ kind: "object", handle: boHandle, offset: boOffset, window }, access);
}
