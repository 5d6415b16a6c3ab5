/**
 * msm for the fuzzer.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import {
  BO_CACHED,
  BO_CACHED_COHERENT,
  BO_GPU_READONLY,
  BO_NO_SHARE,
  BO_WC,
  GEM_CLOSE,
  GEM_INFO,
  GEM_MADVISE,
  GEM_NEW,
  GEM_SUBMIT,
  INFO,
  IOCTL_GEM_INFO,
  IOCTL_GEM_MADVISE,
  IOCTL_GEM_NEW,
  IOCTL_GEM_SUBMIT,
  IOCTL_GET_PARAM,
  IOCTL_SUBMITQUEUE_CLOSE,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTL_VM_BIND,
  IOCTLS,
  type MsmFile,
  NO_QUIRKS,
  OP_DUMP,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  PAGE_BYTES,
  PARAM_ARG,
  PIPE_3D0,
  SUBMITQUEUE_CLOSE,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  SYNCOBJ,
  SYNCOBJ_RESET,
  VA_START,
  VM_BIND,
  VM_BIND_FENCE_FD_IN,
  VM_BIND_FENCE_FD_OUT,
  VM_BIND_OP,
  VM_BIND_OPS_UNION,
  type VmBindOp,
} from "@vmbind/msm";
import type { Call, CallBuffer } from "@vmbind/trace";
import type { Draw } from "../../fuzz/draw.ts";
import {
  boundObject,
  type FuzzDriver,
  Ids,
  near,
  OBJECTS_MAX,
  OPS_ADDR,
  pieceOf,
  SYNCS_ADDR,
  shorten,
} from "../../fuzz/fuzz-driver.ts";
import { specsOf } from "../../fuzz/spec.ts";
import { meaning } from "./meaning.ts";
import { BIND_QUEUE, call, enableVmBind, probe } from "./probe.ts";

const MIB2 = 0x20_0000;
const GIB = 0x4000_0000;
/** Borders of every level, the ends of the VM, and turnip's heap. */
const ANCHORS = [
  VA_START,
  VA_START + 0x26000,
  VA_START + GIB,
  2 ** 36 - 2 * MIB2,
  2 ** 39,
  2 ** 40,
  2 ** 47,
  2 ** 48 - 4 * MIB2,
];
/** Longest range that is let through: 64 leaf tables. */
const RANGE_MAX = 64 * MIB2;
const QUEUES_MAX = 4;
const SYNCOBJS = 4;
const INLINE = VM_BIND.fields.op.offset;
const RANGE = VM_BIND_OP.fields.range.offset;

const FACTS = {
  driver_version: "1.13",
  chip_id: "0x43051401",
  page_size: PAGE_BYTES,
  va_start: "0x100000000",
  va_size: "0xffff00000000",
  has_prr: true,
};

/** Any other call makes a VM that the kernel manages, in which little is of use, and no bind has to succeed. */
function mustEnable(file: MsmFile): boolean {
  return !file.hasVm && !file.wantsVmBind;
}

function valid(draw: Draw, file: MsmFile): Call {
  if (mustEnable(file)) return enableVmBind();
  const ids = new Ids(draw, file);
  const how = draw.below(100);
  if (file.queue(BIND_QUEUE) === undefined || (how < 2 && [...file.queues()].length < QUEUES_MAX))
    return call(IOCTL_SUBMITQUEUE_NEW, SUBMITQUEUE_NEW.encode({ flags: SUBMITQUEUE_VM_BIND }));
  if (ids.handles.length < 3 || (how < 10 && ids.handles.length < OBJECTS_MAX)) return gemNew(draw);
  if (how < 11) return call(IOCTL_SUBMITQUEUE_CLOSE, SUBMITQUEUE_CLOSE.encode({ id: 2 + draw.below(4) }));
  if (how < 15 || ids.handles.length >= OBJECTS_MAX) {
    return call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: ids.handle() }));
  }
  if (how < 17) {
    const info = draw.pick([INFO.getOffset, INFO.getFlags, draw.below(8)]);
    return call(IOCTL_GEM_INFO, GEM_INFO.encode({ handle: ids.handle(), info }));
  }
  if (how < 18)
    return call(IOCTL_GET_PARAM, PARAM_ARG.encode({ pipe: PIPE_3D0, param: 1 + draw.below(0x18) }));
  if (how < 20)
    return call(
      IOCTL_GEM_MADVISE,
      GEM_MADVISE.encode({ handle: ids.handle(), madv: draw.chance(30) ? 1 : 0 }),
    );
  if (how < 24) return call(IOCTL_GEM_SUBMIT, GEM_SUBMIT.encode({ flags: PIPE_3D0 }));
  const count = draw.chance(5) ? draw.below(40) : 1 + draw.below(4);
  return vmBind(draw, ids, file, count);
}

function gemNew(draw: Draw): Call {
  const mode = draw.pick([BO_WC, BO_WC, BO_CACHED, BO_CACHED_COHERENT]);
  const flags = mode | (draw.chance(50) ? BO_NO_SHARE : 0) | (draw.chance(10) ? BO_GPU_READONLY : 0);
  const size = PAGE_BYTES * draw.length(9) - (draw.chance(10) ? draw.below(PAGE_BYTES) : 0);
  return call(IOCTL_GEM_NEW, GEM_NEW.encode({ size, flags }));
}

function vmBind(draw: Draw, ids: Ids, file: MsmFile, nrOps: number): Call {
  const bytes = new Uint8Array(nrOps * VM_BIND_OP.size);
  const view = viewOf(bytes);
  for (let i = 0; i < nrOps; i++) VM_BIND_OP.write(view, i * VM_BIND_OP.size, bindOp(draw, ids));
  const buffers: CallBuffer[] = nrOps > 1 ? [{ field: "ops", addr: OPS_ADDR, bytes }] : [];
  const ins = syncs(draw, 10, SYNCOBJ_RESET);
  const outs = syncs(draw, 20, 0);
  const outsAddr = SYNCS_ADDR + 0x1000;
  if (ins.length > 0) buffers.push({ field: "in_syncobjs", addr: SYNCS_ADDR, bytes: ins });
  if (outs.length > 0) buffers.push({ field: "out_syncobjs", addr: outsAddr, bytes: outs });
  const waitsFile = draw.chance(5) && file.syncFile(1) !== undefined;
  const flags = (waitsFile ? VM_BIND_FENCE_FD_IN : 0) | (draw.chance(3) ? VM_BIND_FENCE_FD_OUT : 0);
  const arg = VM_BIND.encode({
    flags,
    nrOps,
    fenceFd: waitsFile ? 1 : 0,
    queueId: draw.chance(10) ? 1 + draw.below(QUEUES_MAX) : BIND_QUEUE,
    inSyncobjs: ins.length > 0 ? SYNCS_ADDR : 0,
    outSyncobjs: outs.length > 0 ? outsAddr : 0,
    nrInSyncobjs: ins.length / SYNCOBJ.size,
    nrOutSyncobjs: outs.length / SYNCOBJ.size,
    syncobjStride: SYNCOBJ.size,
    opStride: VM_BIND_OP.size,
  });
  if (nrOps === 1) arg.set(bytes, INLINE);
  else VM_BIND_OPS_UNION.fields.ops.write(viewOf(arg), INLINE, OPS_ADDR);
  return call(IOCTL_VM_BIND, arg, buffers);
}

function syncs(draw: Draw, percent: number, flag: number): Uint8Array<ArrayBuffer> {
  const count = draw.chance(percent) ? 1 + draw.below(2) : 0;
  const bytes = new Uint8Array(count * SYNCOBJ.size);
  for (let i = 0; i < count; i++) {
    SYNCOBJ.write(viewOf(bytes), i * SYNCOBJ.size, {
      handle: 1 + draw.below(SYNCOBJS),
      flags: draw.chance(5) ? flag : 0,
      point: draw.chance(10) ? 1 + draw.below(9) : 0,
    });
  }
  return bytes;
}

function bindOp(draw: Draw, ids: Ids): Partial<VmBindOp> {
  const how = draw.below(10);
  const iova = near(draw, ANCHORS, PAGE_BYTES);
  const flags = draw.chance(20) ? OP_DUMP : 0;
  const range = draw.chance(2) ? 0 : PAGE_BYTES * draw.length(draw.chance(5) ? 14 : 9);
  if (how < 3) return { op: OP_UNMAP, iova, range };
  if (how < 6) return { op: OP_MAP_NULL, iova, range, flags };
  const handle = ids.handle();
  const { offset: objOffset, bytes } = pieceOf(draw, ids.sizeOf(handle), PAGE_BYTES);
  return { op: OP_MAP, handle, objOffset, iova, range: bytes, flags };
}

function boundOp(view: DataView, at: number): void {
  if (at + VM_BIND_OP.size <= view.byteLength) shorten(view, at + RANGE, RANGE_MAX, 2 ** 49);
}

function numberOf(request: number): number {
  return request & 0xff;
}

/** msm for the fuzzer. */
export const msm: FuzzDriver<MsmFile> = {
  name: "msm",
  devices: [
    { device: "one run", ...FACTS, bo_fragmentation: "contiguous" },
    { device: "scattered pages", ...FACTS, bo_fragmentation: "scattered" },
    { device: "36 bits of VA", ...FACTS, va_size: "0xf00000000", bo_fragmentation: "huge" },
    { device: "all quirks", ...FACTS, bo_fragmentation: "scattered", quirks: Object.keys(NO_QUIRKS) },
  ],
  specs: specsOf(IOCTLS.rows),
  valid,
  facts: {
    pageBytes: PAGE_BYTES,
    closeUnbinds: false,
    spaceFirst: true,
    idleJobsPass: false,
    remapsInPlace: true,
  },
  vaEnd: (file) => 2 ** file.device.options.vaBits,
  queues: true,
  meaning,
  bind: (draw, file, count) =>
    mustEnable(file) ? enableVmBind() : vmBind(draw, new Ids(draw, file), file, count),
  probe,
  bound(call) {
    boundObject(call, IOCTL_GEM_NEW, GEM_NEW.fields.size.offset);
    const { request, arg, buffers } = call;
    if (numberOf(request) !== numberOf(IOCTL_VM_BIND)) return;
    boundOp(viewOf(arg), INLINE);
    for (const { field, bytes } of buffers) {
      if (field !== "ops") continue;
      const view = viewOf(bytes);
      for (let at = 0; at < bytes.length; at += VM_BIND_OP.size) boundOp(view, at);
    }
  },
  prefix: () => null,
  // A refused call may have made the VM; a submit stops where an object cannot come back.
  mustRepeat: ({ request }, from, to) =>
    from.hasVm !== to.hasVm || numberOf(request) === numberOf(IOCTL_GEM_SUBMIT),
};
