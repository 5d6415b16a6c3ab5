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
  SYNC,
  SYNC_TIMELINE_SYNCOBJ,
  SYNC_TYPE_MASK,
  type Sync,
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
import type { SyncPoint } from "../../fuzz/page-syncs.ts";

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
    case IOCTL_VM_BIND:
      return bindOf(call);
    case IOCTL_CHANNEL_FREE:
    case IOCTL_GEM_INFO:
    case IOCTL_GETPARAM:
      return { kind: "none" };
    default:
      return null;
  }
}

/** One job: behind those before it in the file's queue, a synchronous one too. A region is there with the call. */
function bindOf(call: Call): Meaning | null {
  const { opCount, opPtr, waitCount, waitPtr, sigCount, sigPtr } = VM_BIND.read(viewOf(call.arg));
  const all = elementsOf(call, opPtr, opCount, VM_BIND_OP);
  const waits = elementsOf(call, waitPtr, waitCount, SYNC)?.map(syncPoint);
  const signals = elementsOf(call, sigPtr, sigCount, SYNC)?.map(syncPoint);
  if (all === null || waits === undefined || signals === undefined) return null;
  const ops = all.map((op) => [isRegion(op), pageOp(op)] as const);
  const now: PageOp[] = [];
  const later: PageOp[] = [];
  for (const [region, op] of ops) {
    if (op === null) return null;
    (region ? now : later).push(op);
  }
  return { kind: "queue", vm: VM_ID, now, jobs: [{ ops: later, waits, signals }], queue: 0 };
}

function syncPoint({ flags, handle: syncobj, timelineValue }: Sync): SyncPoint {
  return { syncobj, point: (flags & SYNC_TYPE_MASK) === SYNC_TIMELINE_SYNCOBJ ? timelineValue : 0 };
}

/** Whether an operation makes a region. */
function isRegion({ op, flags }: VmBindOp): boolean {
  return op === VM_BIND_OP_MAP && (flags & VM_BIND_SPARSE) !== 0;
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
