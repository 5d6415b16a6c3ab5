/**
 * The ioctls of syncobjs (`drivers/gpu/drm/drm_syncobj.c`, Linux 7.3-rc7) over the syncobjs of a model's file: what the driver's
 * VM_BIND attaches, a client here waits for.
 *
 * @module
 */

import {
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  type Fence,
  FenceChain,
  fail,
  readU64,
  type Syncobj,
  signaledFence,
  writeU64,
} from "@vmbind/drm";
import type { ModelFile } from "@vmbind/trace";
import { type LiveCall, O_CLOEXEC } from "../call.ts";
import type { Answer } from "../hardware.ts";
import { monotonicNow } from "../scheduler.ts";
import type { CoreIoctl } from "./core-ioctl.ts";
import * as layouts from "./syncobj-layouts.ts";

const CREATE_SIGNALED = 1;
const SYNC_FILE = 1;
const TIMELINE = 2;
const WAIT_ALL = 1;
const WAIT_FOR_SUBMIT = 2;
const WAIT_AVAILABLE = 4;
const WAIT_DEADLINE = 8;
const LAST_SUBMITTED = 1;
/** So long a transfer waits for something to be submitted (`DRM_SYNCOBJ_WAIT_FOR_SUBMIT_TIMEOUT`). */
const SUBMIT_TIMEOUT_NS = 5_000_000_000n;

function syncobjOf(file: ModelFile, handle: number, errno: number, what: string): Syncobj {
  return file.syncobjs.get(handle) ?? fail(errno, `${what}: ${handle} is not a syncobj of this file`);
}

/** The syncobjs behind a pointer to handles (`drm_syncobj_array_find`). */
function arrayOf(file: ModelFile, call: LiveCall, addr: number, count: number, what: string): Syncobj[] {
  const view = call.user.view(addr, 4 * count);
  return Array.from({ length: count }, (_, i) =>
    syncobjOf(file, view.getUint32(4 * i, true), ENOENT, `${what}.handles[${i}]`),
  );
}

function pointsAt(call: LiveCall, addr: number, count: number): number[] {
  if (addr === 0) return new Array<number>(count).fill(0);
  const view = call.user.view(addr, 8 * count);
  return Array.from({ length: count }, (_, i) => readU64(view, 8 * i));
}

function mustBeZero(value: number, what: string): void {
  if (value !== 0) fail(EINVAL, `${what}: must be 0`);
}

function noFlagsBut(flags: number, known: number, what: string): void {
  if ((flags & ~known) !== 0) fail(EINVAL, `${what}.flags: 0x${(flags >>> 0).toString(16)} has unknown bits`);
}

function create({ model }: { model: ModelFile }, _: LiveCall, arg: DataView): Answer {
  const flags = arg.getUint32(4, true);
  noFlagsBut(flags, CREATE_SIGNALED, "syncobj_create");
  arg.setUint32(0, model.syncobjs.create(flags === CREATE_SIGNALED), true);
  return 0;
}

function destroy({ model }: { model: ModelFile }, _: LiveCall, arg: DataView): Answer {
  mustBeZero(arg.getUint32(4, true), "syncobj_destroy.pad");
  model.syncobjs.destroy(arg.getUint32(0, true));
  return 0;
}

/** Of a sync file only TIMELINE asks for a point; older clients send a struct without one, which reads as 0. */
function pointOf(arg: DataView, flags: number): number {
  return (flags & TIMELINE) === 0 ? 0 : readU64(arg, 16);
}

/** A syncobj goes as a whole, whatever TIMELINE says. */
function mustBeWhole(arg: DataView, what: string, flag: string): void {
  const point = readU64(arg, 16);
  if (point !== 0) fail(EINVAL, `${what}.point: ${point} without ${flag}`);
}

function handleToFd({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  const what = "syncobj_handle_to_fd";
  const handle = arg.getUint32(0, true);
  const flags = arg.getUint32(4, true);
  mustBeZero(arg.getUint32(12, true), `${what}.pad`);
  noFlagsBut(flags, SYNC_FILE | TIMELINE, what);
  if ((flags & SYNC_FILE) === 0) {
    mustBeWhole(arg, what, "EXPORT_SYNC_FILE");
    call.makeDescriptor({ what: "syncobj", syncobj: model.syncobjs.export(handle) }, 8);
    return 0;
  }
  const point = pointOf(arg, flags);
  const fence = syncobjOf(model, handle, ENOENT, what).find(point);
  if (fence === null) fail(EINVAL, `${what}.handle: syncobj ${handle} has no fence for point ${point}`);
  call.makeDescriptor({ what: "sync-file", fence }, 8, O_CLOEXEC);
  return 0;
}

function fdToHandle({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  const what = "syncobj_fd_to_handle";
  const flags = arg.getUint32(4, true);
  mustBeZero(arg.getUint32(12, true), `${what}.pad`);
  noFlagsBut(flags, SYNC_FILE | TIMELINE, what);
  const fd = arg.getInt32(8, true);
  if ((flags & SYNC_FILE) !== 0) {
    const from = call.descriptorOf(fd);
    if (from?.what !== "sync-file") fail(EINVAL, `${what}.fd: ${fd} is not a sync file`);
    syncobjOf(model, arg.getUint32(0, true), ENOENT, `${what}.handle`).attach(
      pointOf(arg, flags),
      from.fence,
    );
    return 0;
  }
  mustBeWhole(arg, what, "IMPORT_SYNC_FILE");
  const from = call.descriptorOf(fd);
  if (from?.what !== "syncobj") fail(EINVAL, `${what}.fd: ${fd} is not a syncobj`);
  arg.setUint32(0, model.syncobjs.import(from.syncobj), true);
  return 0;
}

function transfer({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  const what = "syncobj_transfer";
  const flags = arg.getUint32(24, true);
  mustBeZero(arg.getUint32(28, true), `${what}.pad`);
  const to = syncobjOf(model, arg.getUint32(4, true), ENOENT, `${what}.dst_handle`);
  noFlagsBut(flags, WAIT_FOR_SUBMIT, what);
  const from = syncobjOf(model, arg.getUint32(0, true), ENOENT, `${what}.src_handle`);
  const point = readU64(arg, 8);
  const toPoint = readU64(arg, 16);
  const move = (): number => {
    const fence = from.find(point) ?? fail(EINVAL, `${what}.src_point: nothing was submitted for ${point}`);
    to.attach(toPoint, fence);
    return 0;
  };
  if ((flags & WAIT_FOR_SUBMIT) === 0) return move();
  const deadline = monotonicNow() + SUBMIT_TIMEOUT_NS;
  return call.waitThen(
    { ready: () => from.find(point) !== null, deadline, watch: (look) => from.onAttach(look) },
    what,
    move,
  );
}

/** SYNCOBJ_WAIT and SYNCOBJ_TIMELINE_WAIT (`drm_syncobj_array_wait_timeout`). */
function waitIoctl(timeline: boolean): CoreIoctl["run"] {
  const what = timeline ? "syncobj_timeline_wait" : "syncobj_wait";
  const shift = timeline ? 8 : 0;
  const known = WAIT_ALL | WAIT_FOR_SUBMIT | WAIT_DEADLINE | (timeline ? WAIT_AVAILABLE : 0);
  return ({ model }, call, arg) => {
    const timeout = arg.getBigInt64(8 + shift, true);
    const count = arg.getUint32(16 + shift, true);
    const flags = arg.getUint32(20 + shift, true);
    noFlagsBut(flags, known, what);
    if (count === 0) return 0;
    const syncobjs = arrayOf(model, call, readU64(arg, 0), count, what);
    const points = timeline ? pointsAt(call, readU64(arg, 8), count) : new Array<number>(count).fill(0);
    const waiters = syncobjs.map((syncobj, i) => new Waiter(syncobj, points[i] as number));
    const available = (flags & WAIT_AVAILABLE) !== 0;
    if ((flags & (WAIT_FOR_SUBMIT | WAIT_AVAILABLE)) === 0) {
      waiters.forEach((waiter, i) => {
        if (waiter.fence === null) fail(EINVAL, `${what}.handles[${i}]: nothing was submitted`);
      });
    }
    const done = (waiter: Waiter) => waiter.fence !== null && (available || waiter.fence.signaled);
    const all = (flags & WAIT_ALL) !== 0;
    const ready = () => {
      const first = waiters.findIndex(done);
      if (first < 0 || (all && !waiters.every(done))) return false;
      arg.setUint32(24 + shift, all ? 0 : first, true);
      return true;
    };
    // Times before the epoch are over, those that a clock never reaches are none.
    const deadline = timeout === 2n ** 63n - 1n ? null : timeout;
    const watch = (look: () => void) => {
      for (const waiter of waiters) waiter.watch(look, available);
    };
    return call.waitThen({ ready, deadline, watch }, what);
  };
}

/** What one handle of a wait waits for: a fence that it has once found it keeps. */
class Waiter {
  readonly #syncobj: Syncobj;
  readonly #point: number;
  #fence: Fence | null = null;
  #watched: Fence | "attach" | null = null;

  constructor(syncobj: Syncobj, point: number) {
    this.#syncobj = syncobj;
    this.#point = point;
  }

  get fence(): Fence | null {
    this.#fence ??= this.#syncobj.find(this.#point);
    return this.#fence;
  }

  /** Have `look` called at the next thing that may matter; at most one call is outstanding. */
  watch(look: () => void, available: boolean): void {
    const { fence } = this;
    if (fence !== null && (available || fence.signaled || this.#watched === fence)) return;
    if (fence !== null) {
      this.#watched = fence;
      fence.onSignal(look);
    } else if (this.#watched === null) {
      this.#watched = "attach";
      this.#syncobj.onAttach(() => {
        this.#watched = null;
        look();
      });
    }
  }
}

function reset({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  for (const syncobj of listOf(model, call, arg, "syncobj_reset")) syncobj.reset();
  return 0;
}

function signal({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  for (const syncobj of listOf(model, call, arg, "syncobj_signal")) syncobj.attach(0, signaledFence());
  return 0;
}

function listOf(model: ModelFile, call: LiveCall, arg: DataView, what: string): Syncobj[] {
  const count = arg.getUint32(8, true);
  mustBeZero(arg.getUint32(12, true), `${what}.pad`);
  if (count === 0) fail(EINVAL, `${what}.count_handles: 0`);
  return arrayOf(model, call, readU64(arg, 0), count, what);
}

function timelineSignal({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  const what = "syncobj_timeline_signal";
  const count = arg.getUint32(16, true);
  mustBeZero(arg.getUint32(20, true), `${what}.flags`);
  if (count === 0) fail(EINVAL, `${what}.count_handles: 0`);
  const syncobjs = arrayOf(model, call, readU64(arg, 0), count, what);
  const points = pointsAt(call, readU64(arg, 8), count);
  syncobjs.forEach((syncobj, i) => {
    syncobj.addPoint(points[i] as number, signaledFence());
  });
  return 0;
}

function query({ model }: { model: ModelFile }, call: LiveCall, arg: DataView): Answer {
  const what = "syncobj_query";
  const count = arg.getUint32(16, true);
  const flags = arg.getUint32(20, true);
  noFlagsBut(flags, LAST_SUBMITTED, what);
  if (count === 0) fail(EINVAL, `${what}.count_handles: 0`);
  const syncobjs = arrayOf(model, call, readU64(arg, 0), count, what);
  const out = new DataView(new ArrayBuffer(8 * count));
  syncobjs.forEach(({ fence }, i) => {
    const point = flags === LAST_SUBMITTED ? lastSubmitted(fence) : lastSignaled(fence);
    if (point === Number.POSITIVE_INFINITY) out.setBigUint64(8 * i, 2n ** 64n - 1n, true);
    else writeU64(out, 8 * i, point);
  });
  call.user.write(readU64(arg, 8), new Uint8Array(out.buffer));
  return 0;
}

function lastSubmitted(fence: Fence | null): number {
  return fence instanceof FenceChain ? fence.seqno : 0;
}

/** The last point of a timeline up to which everything has happened (`drm_syncobj_query_ioctl`). */
function lastSignaled(fence: Fence | null): number {
  if (!(fence instanceof FenceChain)) return 0;
  let last = fence;
  for (
    let at: Fence | null = fence;
    at instanceof FenceChain && at.context === fence.context;
    at = at.walk()
  ) {
    last = at;
  }
  return last.signaled ? last.seqno : last.prevSeqno;
}

function eventfd(): Answer {
  return fail(EOPNOTSUPP, "syncobj_eventfd: the server cannot write to an eventfd of a client");
}

/** The rows. */
export const SYNCOBJ_IOCTLS: readonly CoreIoctl[] = [
  { nr: 0xbf, layout: layouts.SYNCOBJ_CREATE, name: "SYNCOBJ_CREATE", run: create },
  { nr: 0xc0, layout: layouts.SYNCOBJ_DESTROY, name: "SYNCOBJ_DESTROY", run: destroy },
  { nr: 0xc1, layout: layouts.SYNCOBJ_HANDLE, name: "SYNCOBJ_HANDLE_TO_FD", run: handleToFd },
  { nr: 0xc2, layout: layouts.SYNCOBJ_HANDLE, name: "SYNCOBJ_FD_TO_HANDLE", run: fdToHandle },
  { nr: 0xc3, layout: layouts.SYNCOBJ_WAIT, name: "SYNCOBJ_WAIT", run: waitIoctl(false) },
  { nr: 0xc4, layout: layouts.SYNCOBJ_ARRAY, name: "SYNCOBJ_RESET", run: reset },
  { nr: 0xc5, layout: layouts.SYNCOBJ_ARRAY, name: "SYNCOBJ_SIGNAL", run: signal },
  { nr: 0xca, layout: layouts.SYNCOBJ_TIMELINE_WAIT, name: "SYNCOBJ_TIMELINE_WAIT", run: waitIoctl(true) },
  { nr: 0xcb, layout: layouts.SYNCOBJ_TIMELINE_ARRAY, name: "SYNCOBJ_QUERY", run: query },
  { nr: 0xcc, layout: layouts.SYNCOBJ_TRANSFER, name: "SYNCOBJ_TRANSFER", run: transfer },
  { nr: 0xcd, layout: layouts.SYNCOBJ_TIMELINE_ARRAY, name: "SYNCOBJ_TIMELINE_SIGNAL", run: timelineSignal },
  { nr: 0xcf, layout: layouts.SYNCOBJ_EVENTFD, name: "SYNCOBJ_EVENTFD", run: eventfd },
];
