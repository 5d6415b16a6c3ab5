/**
 * Panthor for the fuzzer.
 *
 * @module
 */

import { DIR_READ, DRM_IOCTL_GEM_CLOSE, decodeIoctl, EIO, viewOf } from "@vmbind/drm";
import {
  BO_CREATE,
  BO_MMAP_OFFSET,
  BO_NO_MMAP,
  BO_QUERY_INFO,
  BO_SET_LABEL,
  BO_SYNC,
  BO_SYNC_OP,
  BO_WB_MMAP,
  DEV_QUERY_ARG,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_BO_MMAP_OFFSET,
  IOCTL_BO_QUERY_INFO,
  IOCTL_BO_SET_LABEL,
  IOCTL_BO_SYNC,
  IOCTL_DEV_QUERY,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  IOCTL_VM_GET_STATE,
  IOCTLS,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  MAP_UNCACHED,
  NO_QUIRKS,
  OP_SYNC_ONLY,
  OP_UNMAP,
  type PanthorFile,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  TIMESTAMP_INFO,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  VM_DESTROY,
  VM_GET_STATE,
  type VmBindOpRepeat,
} from "@vmbind/panthor";
import type { Call, CallBuffer } from "@vmbind/trace";
import { copyOf } from "../../fuzz/call.ts";
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
  VMS_MAX,
} from "../../fuzz/fuzz-driver.ts";
import { specsOf } from "../../fuzz/spec.ts";
import { meaning } from "./meaning.ts";
import { probe } from "./probe.ts";

const PAGE = 4096;
const BLOCK_2M = 0x20_0000;
/** Borders of 2 MiB, 1 GiB and 512 GiB tables, the ends of user VA, and panvk's heap. */
const ANCHORS = [0, BLOCK_2M, 0x4000_0000, 2 ** 39, 2 ** 40, 2 ** 46, 2 ** 47 - 8 * BLOCK_2M, 0xffe0_0000];
/** Longest range of one operation that is let through: 16 blocks. */
const RANGE_MAX = 2 ** 25;
const QUERY_ADDR = 0x6000_0000;
/** Windows that must be refused, unless the device has the quirks of the posted patch. */
const ODD_WINDOWS = [0, 0x800, 0x1800];

const ARRAY_AT = VM_BIND.fields.ops.offset;

function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

function valid(draw: Draw, file: PanthorFile): Call {
  const ids = new Ids(draw, file);
  const how = draw.below(100);
  if (ids.vms.length === 0 || (how < 2 && ids.vms.length < VMS_MAX)) {
    return call(
      IOCTL_VM_CREATE,
      VM_CREATE.encode({ userVaRange: draw.pick([0, 0, 2 ** 47, 2 ** 40, 2 ** 30]) }),
    );
  }
  if (ids.handles.length < 3 || (how < 9 && ids.handles.length < OBJECTS_MAX)) return boCreate(draw, ids);
  if (how < 10) return call(IOCTL_VM_DESTROY, VM_DESTROY.encode({ id: ids.vm() }));
  if (how < 14 || ids.handles.length >= OBJECTS_MAX) {
    return call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: ids.handle() }));
  }
  if (how < 15) return call(IOCTL_BO_MMAP_OFFSET, BO_MMAP_OFFSET.encode({ handle: ids.handle() }));
  if (how < 16) return call(IOCTL_VM_GET_STATE, VM_GET_STATE.encode({ vmId: ids.vm() }));
  if (how < 19) return devQuery(draw);
  if (how < 23) return boCare(draw, ids);
  const isAsync = draw.chance(40);
  const count = draw.chance(5) ? draw.below(40) : 1 + draw.below(4);
  return vmBind(draw, ids, file.device.repeats, count, isAsync);
}

function devQuery(draw: Draw): Call {
  const size = draw.chance(30) ? draw.pick([4, 8, 24, 32, 56, 96, 112]) : draw.below(160);
  const bytes = new Uint8Array(size);
  const flagsAt = TIMESTAMP_INFO.fields.flags.offset;
  if (size > flagsAt && draw.chance(50)) bytes[flagsAt] = draw.below(256);
  const arg = { type: draw.below(6), size, pointer: draw.chance(70) ? QUERY_ADDR : 0 };
  return call(IOCTL_DEV_QUERY, DEV_QUERY_ARG.encode(arg), [{ field: "pointer", addr: QUERY_ADDR, bytes }]);
}

/** What looks after objects. */
function boCare(draw: Draw, ids: Ids): Call {
  const handle = ids.handle();
  const how = draw.below(4);
  if (how === 0) return call(IOCTL_BO_QUERY_INFO, BO_QUERY_INFO.encode({ handle }));
  if (how === 1) {
    const bytes = new Uint8Array(draw.pick([1, 8, 64, 100, 4096, 4097])).fill(0x61);
    if (draw.chance(70)) bytes[draw.below(bytes.length)] = 0;
    const label = draw.chance(90) ? OPS_ADDR : 0;
    return call(IOCTL_BO_SET_LABEL, BO_SET_LABEL.encode({ handle, label }), [
      { field: "label", addr: OPS_ADDR, bytes },
    ]);
  }
  const { size: stride } = BO_SYNC_OP;
  const count = draw.below(5);
  const bytes = new Uint8Array(count * stride);
  for (let i = 0; i < count; i++) {
    const object = ids.handle();
    const { offset, bytes: size } = pieceOf(draw, ids.sizeOf(object), draw.pick([1, 64, PAGE]));
    BO_SYNC_OP.write(viewOf(bytes), i * stride, { handle: object, type: draw.below(2), offset, size });
  }
  return call(IOCTL_BO_SYNC, BO_SYNC.encode({ ops: { stride, count, array: OPS_ADDR } }), [
    { field: "ops", addr: OPS_ADDR, bytes },
  ]);
}

function boCreate(draw: Draw, ids: Ids): Call {
  const size = draw.chance(50)
    ? PAGE * draw.length(8)
    : BLOCK_2M * draw.length(1) + PAGE * draw.pick([0, 0, 1, 5]);
  const exclusiveVmId = draw.chance(50) ? ids.vm() : 0;
  return call(
    IOCTL_BO_CREATE,
    BO_CREATE.encode({ size, flags: draw.pick([0, BO_NO_MMAP, BO_WB_MMAP]), exclusiveVmId }),
  );
}

function vmBind(draw: Draw, ids: Ids, repeats: boolean, count: number, isAsync: boolean): Call {
  const layout = repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
  const bytes = new Uint8Array(count * layout.size);
  const view = viewOf(bytes);
  const buffers: CallBuffer[] = [{ field: "ops", addr: OPS_ADDR, bytes }];
  for (let i = 0; i < count; i++) {
    const op = bindOp(draw, ids, repeats);
    const syncs = isAsync && (op.flags === OP_SYNC_ONLY || draw.chance(20)) ? 1 + draw.below(3) : 0;
    if (syncs > 0) {
      const addr = SYNCS_ADDR + i * 0x1000;
      op.syncs = { stride: SYNC_OP.size, count: syncs, array: addr };
      buffers.push({ field: `ops[${i}].syncs`, addr, bytes: syncOps(draw, syncs) });
    }
    layout.write(view, i * layout.size, op as VmBindOpRepeat);
  }
  const ops = { stride: layout.size, count, array: OPS_ADDR };
  return call(
    IOCTL_VM_BIND,
    VM_BIND.encode({ vmId: ids.vm(), flags: isAsync ? VM_BIND_ASYNC : 0, ops }),
    buffers,
  );
}

function syncOps(draw: Draw, count: number): Uint8Array {
  const bytes = new Uint8Array(count * SYNC_OP.size);
  for (let i = 0; i < count; i++) {
    const timeline = draw.chance(40);
    SYNC_OP.write(viewOf(bytes), i * SYNC_OP.size, {
      flags: (timeline ? SYNC_OP_TIMELINE : 0) + (draw.chance(70) ? SYNC_OP_SIGNAL : 0),
      handle: 1 + draw.below(4),
      timelineValue: timeline ? draw.below(8) : 0,
    });
  }
  return bytes;
}

function bindOp(draw: Draw, ids: Ids, repeats: boolean): Partial<VmBindOpRepeat> {
  const how = draw.below(20);
  if (how === 0) return { flags: OP_SYNC_ONLY };
  const va = near(draw, ANCHORS, PAGE);
  const size = draw.chance(30) ? BLOCK_2M * draw.length(2) : PAGE * draw.length(9);
  if (how < 7) return { flags: OP_UNMAP, va, size };
  const flags = MAP_NOEXEC | (draw.chance(20) ? MAP_READONLY : 0) | (draw.chance(20) ? MAP_UNCACHED : 0);
  if (how < 12 && !repeats) return { flags: flags | MAP_SPARSE, va, size };
  const boHandle = ids.handle();
  const { offset: boOffset, bytes } = pieceOf(draw, ids.sizeOf(boHandle), PAGE);
  if (how < 12) {
    const times = draw.length(3);
    // The window is 32 bits.
    if (bytes >= 2 ** 32) return { flags: OP_UNMAP, va, size };
    if (draw.chance(1)) {
      const odd = { size: 0x3000, boRepeatRange: draw.pick(ODD_WINDOWS) };
      return { flags: flags | MAP_SPARSE, boHandle, boOffset, va, ...odd };
    }
    return { flags: flags | MAP_SPARSE, boHandle, boOffset, va, size: bytes * times, boRepeatRange: bytes };
  }
  return { flags: draw.chance(20) ? flags & ~MAP_NOEXEC : flags, boHandle, boOffset, va, size: bytes };
}

const SIZE = VM_BIND_OP.fields.size.offset;

const MALI = {
  device: "Mali-G610 MC4",
  gpu_id: "0xa8670005",
  va_bits: 48,
  pa_bits: 40,
  page_size_bitmap: "0x201000",
  quirks: [],
};

/** Quirks with which no VM becomes unusable. */
const HARMLESS = [
  "deviceWideDummy",
  "recoveryScanFromStart",
  "mapsAfterDestroy",
  "repeatRollback",
  "repeatZero",
  "repeatIgnoredFields",
  "repeatPhaseShift",
];

/** Panthor for the fuzzer. */
export const panthor: FuzzDriver<PanthorFile> = {
  name: "panthor",
  devices: [
    { ...MALI, driver_version: "1.9" },
    // One slot for all VMs, and one for two.
    { ...MALI, driver_version: "1.9", as_present: "0x3" },
    { ...MALI, driver_version: "1.8", as_present: "0x7", bo_fragmentation: "contiguous" },
    { ...MALI, driver_version: "1.9", bo_fragmentation: "scattered", dummy_fragmentation: "scattered" },
    { ...MALI, driver_version: "1.9", bo_fragmentation: "contiguous", va_bits: 40 },
    { ...MALI, driver_version: "1.6", repeat_proposal: true },
    { ...MALI, driver_version: "1.6", repeat_proposal: true, bo_fragmentation: "scattered" },
    // Physical addresses, which a refused call may change, decide where a VM breaks: with quirks only where all are alike.
    { ...MALI, driver_version: "1.9", quirks: Object.keys(NO_QUIRKS), dummy_fragmentation: "scattered" },
    { ...MALI, driver_version: "1.6", repeat_proposal: true, quirks: Object.keys(NO_QUIRKS) },
    { ...MALI, driver_version: "1.6", repeat_proposal: true, quirks: HARMLESS },
    {
      ...MALI,
      driver_version: "1.6",
      repeat_proposal: true,
      quirks: HARMLESS,
      bo_fragmentation: "scattered",
    },
  ],
  specs: specsOf(IOCTLS.rows),
  valid,
  facts: {
    pageBytes: PAGE,
    closeUnbinds: false,
    spaceFirst: false,
    idleJobsPass: false,
    remapsInPlace: false,
  },
  vaEnd: (file) => 2 ** file.device.options.vaBits,
  queues: true,
  meaning,
  bind: (draw, file, count) => vmBind(draw, new Ids(draw, file), file.device.repeats, count, false),
  probe,
  bound(call) {
    boundObject(call, IOCTL_BO_CREATE, BO_CREATE.fields.size.offset);
    const { request, arg, buffers } = call;
    if ((request & 0xff) !== (IOCTL_VM_BIND & 0xff) || arg.length < ARRAY_AT + 4) return;
    const stride = viewOf(arg).getUint32(ARRAY_AT, true);
    if (stride < VM_BIND_OP.size) return;
    for (const { field, bytes } of buffers) {
      if (field !== "ops") continue;
      const view = viewOf(bytes);
      for (let at = SIZE; at + 8 <= bytes.length; at += stride) shorten(view, at, RANGE_MAX, 2 ** 49);
    }
  },
  prefix(failed, argOut, started) {
    if (started < 2 || (viewOf(failed.arg).getUint32(4, true) & VM_BIND_ASYNC) !== 0) return null;
    const count = viewOf(argOut).getUint32(ARRAY_AT + 4, true);
    if (count === 0) return null;
    const done = copyOf(failed);
    viewOf(done.arg).setUint32(ARRAY_AT + 4, count, true);
    return done;
  },
  defectErrnos(file) {
    const { options, repeats } = file.device;
    return repeats && options.quirks.repeatZero ? [EIO] : [];
  },
  mustRepeat({ request }, from, to) {
    const { nr, dir } = decodeIoctl(request);
    // The count of operations done is not copied out.
    if (nr === decodeIoctl(IOCTL_VM_BIND).nr && (dir & DIR_READ) === 0) return true;
    // A page-table call failed, so that a MAP stopped between its steps. Without quirks that is found as a warning.
    for (const [id, { unusable }] of from.vms()) {
      if (unusable && to.vm(id)?.unusable === false) return true;
    }
    return false;
  },
};
