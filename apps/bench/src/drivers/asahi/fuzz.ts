/**
 * Asahi for the fuzzer.
 *
 * @module
 */

import {
  type AsahiFile,
  type AsahiQuirks,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OBJECT,
  GEM_BIND_OP,
  GEM_CREATE,
  GEM_MMAP_OFFSET,
  GET_PARAMS,
  type GemBindOp,
  IOCTL_GEM_BIND_OBJECT,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP_OFFSET,
  IOCTL_GET_PARAMS,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  IOCTLS,
  NO_QUIRKS,
  PAGE_BYTES,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
  VM_END,
  VM_START,
} from "@vmbind/asahi";
import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call } from "@vmbind/trace";
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
  shorten,
  VMS_MAX,
} from "../../fuzz/fuzz-driver.ts";
import { specsOf } from "../../fuzz/spec.ts";
import { meaning } from "./meaning.ts";
import { probe } from "./probe.ts";

/** Kernel ranges of VM_CREATE: hk's, and one in the middle with edges that are shrunk. */
const KERNEL_RANGES = [
  [0x77_ffff_8000, VM_END],
  [0x30_0000_4000, 0x30_2001_4000],
] as const;
/** Borders of 32 MiB and 64 GiB tables, of the window and of the kernel ranges; hk's heap and its mirror. */
const ANCHORS = [
  VM_START,
  0x200_0000,
  0x10_0000_0000,
  0x20_0000_0000,
  0x30_0000_0000,
  0x30_2001_4000,
  0x77_ffff_8000,
  VM_END - 0x10_0000,
];
/** Longest range that is let through: 32 leaf tables. */
const RANGE_MAX = 2 ** 29;
const ACCESS = [BIND_READ, BIND_WRITE, BIND_READ | BIND_WRITE];
const USERPTR = 0x6000_0000;
/** So many more operations of 32 bytes are 2^32 bytes more. */
const COUNT_WRAPS = 2 ** 27;

function call(request: number, arg: Uint8Array, buffers: Call["buffers"] = []): Call {
  return { file: 0, request, arg, buffers };
}

function valid(draw: Draw, file: AsahiFile): Call {
  const ids = new Ids(draw, file);
  const how = draw.below(100);
  if (ids.vms.length === 0 || (how < 2 && ids.vms.length < VMS_MAX)) {
    const [kernelStart, kernelEnd] = draw.pick(KERNEL_RANGES);
    return call(IOCTL_VM_CREATE, VM_CREATE.encode({ kernelStart, kernelEnd }));
  }
  if (ids.handles.length < 3 || (how < 10 && ids.handles.length < OBJECTS_MAX)) return gemCreate(draw, ids);
  if (how < 11) return call(IOCTL_VM_DESTROY, VM_DESTROY.encode({ vmId: ids.vm() }));
  if (how < 15 || ids.handles.length >= OBJECTS_MAX) {
    return call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: ids.handle() }));
  }
  if (how < 17) return call(IOCTL_GEM_MMAP_OFFSET, GEM_MMAP_OFFSET.encode({ handle: ids.handle() }));
  if (how < 18) {
    const size = draw.below(700);
    const bytes = new Uint8Array(size);
    return call(IOCTL_GET_PARAMS, GET_PARAMS.encode({ pointer: USERPTR, size }), [
      { field: "pointer", addr: USERPTR, bytes },
    ]);
  }
  if (how < 22) return bindObject(draw, ids);
  const count = draw.chance(5) ? draw.below(40) : 1 + draw.below(4);
  return vmBind(draw, ids, file.device.options.quirks, count);
}

function gemCreate(draw: Draw, ids: Ids): Call {
  const isPrivate = draw.chance(60);
  const size = PAGE_BYTES * draw.length(9) - (draw.chance(10) ? draw.below(PAGE_BYTES) : 0);
  const flags = (isPrivate ? 2 : 0) | (draw.chance(20) ? 1 : 0);
  return call(IOCTL_GEM_CREATE, GEM_CREATE.encode({ size, flags, vmId: isPrivate ? ids.vm() : 0 }));
}

function bindObject(draw: Draw, ids: Ids): Call {
  if (draw.chance(50)) {
    const op = { op: 1, objectHandle: 1 + draw.below(4) };
    return call(IOCTL_GEM_BIND_OBJECT, GEM_BIND_OBJECT.encode(op));
  }
  const handle = ids.handle();
  const { offset, bytes: range } = pieceOf(draw, ids.sizeOf(handle), PAGE_BYTES);
  return call(IOCTL_GEM_BIND_OBJECT, GEM_BIND_OBJECT.encode({ flags: 1, handle, offset, range }));
}

function vmBind(draw: Draw, ids: Ids, quirks: AsahiQuirks, numBinds: number): Call {
  const bytes = new Uint8Array(numBinds * GEM_BIND_OP.size);
  const view = viewOf(bytes);
  for (let i = 0; i < numBinds; i++) GEM_BIND_OP.write(view, i * GEM_BIND_OP.size, bindOp(draw, ids, quirks));
  const wraps = quirks.packedOps && draw.chance(1);
  const arg = {
    vmId: ids.vm(),
    numBinds: wraps ? numBinds + COUNT_WRAPS : numBinds,
    stride: GEM_BIND_OP.size,
    userptr: OPS_ADDR,
  };
  return call(IOCTL_VM_BIND, VM_BIND.encode(arg), [{ field: "userptr", addr: OPS_ADDR, bytes }]);
}

function bindOp(draw: Draw, ids: Ids, quirks: AsahiQuirks): GemBindOp {
  const op = wholeOp(draw, ids);
  if (quirks.emptyRanges && draw.chance(5)) op.range = 0;
  return op;
}

function wholeOp(draw: Draw, ids: Ids): GemBindOp {
  const addr = near(draw, ANCHORS, PAGE_BYTES);
  const how = draw.below(10);
  if (how < 3) {
    const range = PAGE_BYTES * (draw.chance(2) ? 32768 : draw.length(9));
    return { flags: BIND_UNBIND, handle: 0, offset: 0, range, addr };
  }
  const handle = ids.handle();
  const { offset, bytes } = pieceOf(draw, ids.sizeOf(handle), PAGE_BYTES);
  const access = draw.pick(ACCESS);
  if (how < 6) {
    const range = PAGE_BYTES * draw.length(draw.chance(2) ? 14 : 9);
    return { flags: access | BIND_SINGLE_PAGE, handle, offset, range, addr };
  }
  return { flags: access, handle, offset, range: bytes, addr };
}

const RANGE = GEM_BIND_OP.fields.range.offset;

const M1 = {
  device: "Apple M1 (G13G B1)",
  chip_id: "0x8103",
  page_size: PAGE_BYTES,
  vm_start: "0x4000",
  vm_end: "0x7fffff8000",
  vm_kernel_min_size: "0x20000000",
  soft_faults: false,
  quirks: [],
};

/** Bytes of VM_BIND up to the stride: an argument may be shorter than the struct. */
const USED_BYTES = VM_BIND.fields.stride.offset + 4;

/** Asahi for the fuzzer. */
export const asahi: FuzzDriver<AsahiFile> = {
  name: "asahi",
  devices: [
    { ...M1, bo_fragmentation: "contiguous" },
    { ...M1, bo_fragmentation: "scattered" },
    { ...M1, bo_fragmentation: "contiguous", quirks: Object.keys(NO_QUIRKS) },
  ],
  specs: specsOf(IOCTLS.rows),
  valid,
  facts: {
    pageBytes: PAGE_BYTES,
    closeUnbinds: true,
    spaceFirst: false,
    idleJobsPass: false,
    remapsInPlace: false,
  },
  vaEnd: () => VM_END,
  queues: false,
  meaning,
  bind: (draw, file, count) => vmBind(draw, new Ids(draw, file), file.device.options.quirks, count),
  probe,
  bound(call) {
    boundObject(call, IOCTL_GEM_CREATE, GEM_CREATE.fields.size.offset);
    const { request, arg, buffers } = call;
    if ((request & 0xff) !== (IOCTL_VM_BIND & 0xff) || arg.length < USED_BYTES) return;
    const stride = viewOf(arg).getUint32(VM_BIND.fields.stride.offset, true);
    if (stride < RANGE + 8) return;
    for (const { bytes } of buffers) {
      const view = viewOf(bytes);
      for (let at = RANGE; at + 8 <= bytes.length; at += stride) shorten(view, at, RANGE_MAX, 2 ** 40);
    }
  },
  prefix(failed, _argOut, started) {
    if (started < 2) return null;
    const done = copyOf(failed);
    viewOf(done.arg).setUint32(VM_BIND.fields.numBinds.offset, started - 1, true);
    return done;
  },
  // Where the count of bytes wrapped, an array of fewer operations would have more bytes.
  mustRepeat({ request, arg }, from) {
    if (!from.device.options.quirks.packedOps) return false;
    if ((request & 0xff) !== (IOCTL_VM_BIND & 0xff) || arg.length < USED_BYTES) return false;
    const numBinds = VM_BIND.fields.numBinds.read(viewOf(arg), 0);
    const stride = VM_BIND.fields.stride.read(viewOf(arg), 0);
    return stride * numBinds >= 2 ** 32;
  },
};
