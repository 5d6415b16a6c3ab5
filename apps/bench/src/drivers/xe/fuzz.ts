/**
 * Xe for the fuzzer.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call, CallBuffer } from "@vmbind/trace";
import {
  DEVICE_QUERY,
  ENGINE_CLASS_INSTANCE,
  ENGINE_CLASS_VM_BIND,
  EXEC_QUEUE_CREATE,
  EXEC_QUEUE_DESTROY,
  GEM_CLOSE,
  GEM_CREATE,
  GEM_MMAP_OFFSET,
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
  IOCTLS,
  MADVISE,
  MADVISE_LOCATION,
  MEM_RANGE_ATTR,
  MEM_RANGE_ATTR_ATOMIC,
  MEM_RANGE_ATTR_PAT,
  MEM_RANGE_ATTR_PREFERRED_LOC,
  SYNC,
  SYNC_TYPE_USER_FENCE,
  VM_BIND,
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_DUMPABLE,
  VM_BIND_FLAG_IMMEDIATE,
  VM_BIND_FLAG_MADVISE_AUTORESET,
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
  VM_DESTROY,
  VM_GET_PROPERTY,
  VM_QUERY_MEM_RANGE_ATTR,
  VMA_ATTR_PURGEABLE_STATE,
  VMA_PTE_FLAGS,
  type VmBindOp,
  type XeFile,
  type XeVm,
} from "@vmbind/xe";
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
import { DEVICES } from "./fuzz-devices.ts";
import { meaning } from "./meaning.ts";
import { probe } from "./probe.ts";

const PAGE = 4096;
const BLOCK_64K = 0x1_0000;
const MIB2 = 0x20_0000;
const GIB = 0x4000_0000;
const GIB512 = 2 ** 39;
/** Borders of every level, the end of 48 bits, and anv's heap. */
const ANCHORS = [0, MIB2, GIB, 8 * GIB, GIB512, 2 ** 40, 2 ** 47, 2 ** 48 - 4 * MIB2];
/** The same where addresses have 57 bits. */
const ANCHORS_57 = [...ANCHORS, 2 ** 48, 2 ** 56, 2 ** 57 - 4 * MIB2];
/** Longest range of one operation that is let through: four entries of the root, 2048 tables full of null leaves. */
const RANGE_MAX = 2 ** 50;
/** Longest range of process memory: each page is a record. */
const USER_RANGE_MAX = 2 ** 22;
const QUERY_ADDR = 0x6000_0000;
const INSTANCES_ADDR = 0x7200_0000_0000;
const QUEUES_MAX = 3;

const INLINE = VM_BIND.fields.bind.offset;

function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

function valid(draw: Draw, file: XeFile): Call {
  const ids = new Ids(draw, file);
  const how = draw.below(100);
  if (ids.vms.length === 0 || (how < 2 && ids.vms.length < VMS_MAX)) {
    return call(IOCTL_VM_CREATE, VM_CREATE.encode({ flags: draw.pick([0, 0, 1, 1, 2, 3, 6, 7]) }));
  }
  if (ids.handles.length < 3 || (how < 10 && ids.handles.length < OBJECTS_MAX))
    return gemCreate(draw, ids, file);
  if (how < 11) return call(IOCTL_VM_DESTROY, VM_DESTROY.encode({ vmId: ids.vm() }));
  if (how < 15 || ids.handles.length >= OBJECTS_MAX) {
    return call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: ids.handle() }));
  }
  if (how < 16) return call(IOCTL_GEM_MMAP_OFFSET, GEM_MMAP_OFFSET.encode({ handle: ids.handle() }));
  if (how < 17) return deviceQuery(draw);
  if (how >= 90) return how < 96 ? madvise(draw, ids, file) : vmQuery(draw, ids, file);
  if (how < 19 && file.execQueue(QUEUES_MAX) === undefined) return queueCreate(draw, ids);
  if (how < 20)
    return call(IOCTL_EXEC_QUEUE_DESTROY, EXEC_QUEUE_DESTROY.encode({ execQueueId: 1 + draw.below(3) }));
  const count = draw.chance(50) ? 1 : draw.chance(5) ? draw.below(40) : draw.below(6);
  return vmBind(draw, ids, file, count);
}

function gemCreate(draw: Draw, ids: Ids, file: XeFile): Call {
  const placement = file.device.platform.vramBytes === 0 ? 1 : draw.pick([1, 1, 2, 3]);
  const unit = placement === 1 ? PAGE : BLOCK_64K;
  const size = draw.chance(50)
    ? unit * draw.length(8)
    : MIB2 * draw.length(1) + unit * draw.pick([0, 0, 1, 3]);
  return call(
    IOCTL_GEM_CREATE,
    GEM_CREATE.encode({
      size,
      placement,
      flags: draw.pick([0, 0, 1]),
      vmId: draw.chance(50) ? ids.vm() : 0,
      cpuCaching: placement === 1 ? draw.pick([1, 2]) : 2,
    }),
  );
}

function deviceQuery(draw: Draw): Call {
  const size = draw.pick([0, 0, 48, 96, 184]);
  const arg = { query: draw.pick([1, 2, draw.below(11)]), size, data: QUERY_ADDR };
  return call(IOCTL_DEVICE_QUERY, DEVICE_QUERY.encode(arg), [
    { field: "data", addr: QUERY_ADDR, bytes: new Uint8Array(size) },
  ]);
}

/** Where a mapping is, or where one could be. */
function rangeOf(
  draw: Draw,
  vm: XeVm | undefined,
  anchors: readonly number[],
): { start: number; range: number } {
  const found = vm?.gpuvm.mappings() ?? [];
  if (found.length === 0 || draw.chance(20)) {
    return { start: near(draw, anchors, PAGE), range: draw.pick([PAGE, MIB2, GIB]) * draw.length(6) };
  }
  const va = draw.pick(found);
  const pages = (vm as XeVm).gpuvm.rangeOf(va) / PAGE;
  const start = (vm as XeVm).gpuvm.addr(va);
  if (draw.chance(50)) return { start, range: pages * PAGE };
  const first = draw.below(pages);
  return {
    start: start + first * PAGE,
    range: PAGE * (1 + draw.below(draw.chance(50) ? pages - first : pages)),
  };
}

/** A VM, and a range of it. */
function place(draw: Draw, ids: Ids, file: XeFile): { vmId: number; start: number; range: number } {
  const vmId = ids.vm();
  return { vmId, ...rangeOf(draw, file.vm(vmId), anchorsOf(file)) };
}

function madvise(draw: Draw, ids: Ids, file: XeFile): Call {
  const type = draw.pick([
    MEM_RANGE_ATTR_PREFERRED_LOC,
    MEM_RANGE_ATTR_ATOMIC,
    MEM_RANGE_ATTR_PAT,
    VMA_ATTR_PURGEABLE_STATE,
    VMA_ATTR_PURGEABLE_STATE,
  ]);
  const asks = type === VMA_ATTR_PURGEABLE_STATE && draw.chance(70);
  const val =
    type === MEM_RANGE_ATTR_PAT
      ? draw.below(file.device.platform.pat.length)
      : draw.below(type === MEM_RANGE_ATTR_ATOMIC ? 4 : 2);
  const arg = MADVISE.encode({ ...place(draw, ids, file), type, val, retainedPtr: asks ? QUERY_ADDR : 0 });
  if (type === MEM_RANGE_ATTR_PREFERRED_LOC) {
    const where = {
      devmemFd: draw.pick([0, -1, -1 >>> 0, 3]) >>> 0,
      migrationPolicy: draw.below(2),
      regionInstance: 0,
    };
    MADVISE_LOCATION.write(viewOf(arg), MADVISE.fields.val.offset, where);
  }
  const retained = { field: "retained_ptr", addr: QUERY_ADDR, bytes: new Uint8Array(4) };
  return call(IOCTL_MADVISE, arg, asks ? [retained] : []);
}

/** What a VM tells of itself. */
function vmQuery(draw: Draw, ids: Ids, file: XeFile): Call {
  if (draw.chance(30)) {
    const size = draw.pick([0, 48, 96]);
    return call(
      IOCTL_VM_GET_PROPERTY,
      VM_GET_PROPERTY.encode({ vmId: ids.vm(), size, data: size > 0 ? QUERY_ADDR : 0 }),
      [{ field: "data", addr: QUERY_ADDR, bytes: new Uint8Array(size) }],
    );
  }
  const numMemRanges = draw.chance(40) ? 0 : draw.length(5);
  const { size } = MEM_RANGE_ATTR;
  const wanted = numMemRanges > 0 && { numMemRanges, sizeofMemRangeAttr: size, vectorOfMemAttr: QUERY_ADDR };
  return call(
    IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
    VM_QUERY_MEM_RANGE_ATTR.encode({ ...place(draw, ids, file), ...wanted }),
    [{ field: "vector_of_mem_attr", addr: QUERY_ADDR, bytes: new Uint8Array(numMemRanges * size) }],
  );
}

function queueCreate(draw: Draw, ids: Ids): Call {
  const engineClass = draw.chance(80) ? ENGINE_CLASS_VM_BIND : 0;
  const arg = { width: 1, numPlacements: 1, vmId: ids.vm(), instances: INSTANCES_ADDR };
  return call(IOCTL_EXEC_QUEUE_CREATE, EXEC_QUEUE_CREATE.encode(arg), [
    { field: "instances", addr: INSTANCES_ADDR, bytes: ENGINE_CLASS_INSTANCE.encode({ engineClass }) },
  ]);
}

function vmBind(draw: Draw, ids: Ids, file: XeFile, numBinds: number): Call {
  const numSyncs = draw.chance(20) ? 1 + draw.below(3) : 0;
  const arg = VM_BIND.encode({
    vmId: ids.vm(),
    execQueueId: draw.chance(8) ? 1 + draw.below(3) : 0,
    numBinds,
    numSyncs,
    syncs: numSyncs > 0 ? SYNCS_ADDR : 0,
  });
  const buffers: CallBuffer[] = [];
  if (numBinds === 1) VM_BIND_OP.write(viewOf(arg), INLINE, bindOp(draw, ids, file));
  else if (numBinds > 1) {
    const bytes = new Uint8Array(numBinds * VM_BIND_OP.size);
    const view = viewOf(bytes);
    for (let i = 0; i < numBinds; i++) {
      VM_BIND_OP.write(view, i * VM_BIND_OP.size, bindOp(draw, ids, file));
    }
    buffers.push({ field: "vector_of_binds", addr: OPS_ADDR, bytes });
    VM_BIND_VECTOR.write(viewOf(arg), INLINE, { vectorOfBinds: OPS_ADDR });
  }
  if (numSyncs > 0) {
    const bytes = new Uint8Array(numSyncs * SYNC.size);
    for (let i = 0; i < numSyncs; i++) {
      const type = draw.chance(20) ? SYNC_TYPE_USER_FENCE : draw.below(2);
      const addr = type === SYNC_TYPE_USER_FENCE ? SYNCS_ADDR : 1 + draw.below(4);
      const flags = type === SYNC_TYPE_USER_FENCE || draw.chance(60) ? 1 : 0;
      SYNC.write(viewOf(bytes), i * SYNC.size, { type, flags, addr, timelineValue: 1 + draw.below(9) });
    }
    buffers.push({ field: "syncs", addr: SYNCS_ADDR, bytes });
  }
  return call(IOCTL_VM_BIND, arg, buffers);
}

function anchorsOf({ device }: XeFile): readonly number[] {
  return device.platform.vaBits > 48 ? ANCHORS_57 : ANCHORS;
}

/** An operation. Those of all kinds have the same members: V8 compiles what writes them for one shape. */
function bindOp(draw: Draw, ids: Ids, file: XeFile): Partial<VmBindOp> {
  const how = draw.below(20);
  const { platform } = file.device;
  const unit = platform.vram64kOnly && draw.chance(80) ? BLOCK_64K : PAGE;
  const addr = near(draw, anchorsOf(file), unit);
  const range = draw.chance(30)
    ? MIB2 * draw.length(draw.chance(5) ? 12 : 4)
    : draw.chance(5)
      ? draw.pick([GIB, GIB, GIB, GIB512]) * draw.length(8)
      : unit * draw.length(9);
  const coherent = platform.pat.findIndex(
    ({ coherency }) => coherency === "one-way" || coherency === "two-way",
  );
  const patIndex = draw.chance(70) ? coherent : draw.below(platform.pat.length);
  const immediate = draw.chance(30) ? VM_BIND_FLAG_IMMEDIATE : 0;
  const flags =
    immediate | (draw.chance(20) ? VM_BIND_FLAG_READONLY : 0) | (draw.chance(10) ? VM_BIND_FLAG_DUMPABLE : 0);
  const bind = {
    op: VM_BIND_OP_MAP,
    flags,
    addr,
    range,
    obj: 0,
    objOffset: 0,
    patIndex,
    prefetchMemRegionInstance: 0,
  };
  if (how < 5) {
    bind.flags = 0;
    bind.patIndex = 0;
    bind.op = how < 4 ? VM_BIND_OP_UNMAP : VM_BIND_OP_PREFETCH;
    if (how === 4) bind.prefetchMemRegionInstance = draw.pick([0, 0, 1]);
    return bind;
  }
  const obj = ids.handle();
  if (how < 6) {
    bind.op = VM_BIND_OP_UNMAP_ALL;
    bind.flags = 0;
    bind.addr = 0;
    bind.range = 0;
    bind.obj = obj;
  } else if (how < 12) bind.flags |= VM_BIND_FLAG_NULL;
  else if (how < 13 && draw.chance(30)) {
    bind.flags |= VM_BIND_FLAG_CPU_ADDR_MIRROR | (draw.chance(30) ? VM_BIND_FLAG_MADVISE_AUTORESET : 0);
  } else if (how < 13) {
    bind.op = VM_BIND_OP_MAP_USERPTR;
    bind.objOffset = QUERY_ADDR + PAGE * draw.below(64);
    bind.range = PAGE * draw.length(6);
  } else {
    const { offset, bytes } = pieceOf(draw, ids.sizeOf(obj), unit);
    bind.obj = obj;
    bind.objOffset = offset;
    bind.range = bytes;
  }
  return bind;
}

const RANGE = VM_BIND_OP.fields.range.offset;
const OP = VM_BIND_OP.fields.op.offset;
const VM_ID = VM_BIND.fields.vmId.offset;

function boundOp(view: DataView, at: number): void {
  if (at + VM_BIND_OP.size > view.byteLength) return;
  const user = view.getUint32(at + OP, true) === VM_BIND_OP_MAP_USERPTR;
  shorten(view, at + RANGE, user ? USER_RANGE_MAX : RANGE_MAX, 2 ** 58);
}

/** Xe for the fuzzer. */
export const xe: FuzzDriver<XeFile> = {
  name: "xe",
  devices: DEVICES,
  specs: specsOf(IOCTLS.rows),
  valid,
  facts: { pageBytes: PAGE, closeUnbinds: false, spaceFirst: true, idleJobsPass: true, remapsInPlace: false },
  vaEnd: (file) => 2 ** file.device.platform.vaBits,
  queues: true,
  meaning,
  bind: (draw, file, count) => vmBind(draw, new Ids(draw, file), file, count),
  probe,
  bound(call) {
    boundObject(call, IOCTL_GEM_CREATE, GEM_CREATE.fields.size.offset);
    const { request, arg, buffers } = call;
    if ((request & 0xff) !== (IOCTL_VM_BIND & 0xff)) return;
    boundOp(viewOf(arg), INLINE);
    for (const { field, bytes } of buffers) {
      if (field === "syncs") continue;
      const view = viewOf(bytes);
      for (let at = 0; at < bytes.length; at += VM_BIND_OP.size) boundOp(view, at);
    }
  },
  prefix: () => null,
  // MADVISE cuts first and asks then, and writes what it tells at the very end.
  mustRepeat: ({ request }) => (request & 0xff) === (IOCTL_MADVISE & 0xff),
  // Leaf sizes are noted while staging, and an ioctl that is undone then does not take the notes back. They decide which
  // pieces of a later cut are bound again.
  carryOver({ request, arg }, from, to) {
    if ((request & 0xff) !== (IOCTL_VM_BIND & 0xff) || arg.length < VM_ID + 4) return;
    const id = viewOf(arg).getUint32(VM_ID, true);
    const [refusing, vm] = [from.vm(id), to.vm(id)];
    if (refusing === undefined || vm === undefined) return;
    const { gpuvm, vmas } = vm;
    for (const va of gpuvm.mappings()) {
      const source = refusing.gpuvm.findFirst(gpuvm.addr(va), PAGE);
      const noted = source === 0 ? 0 : (refusing.vmas.flags[source] as number) & VMA_PTE_FLAGS;
      vmas.flags[va] = (vmas.flags[va] as number) | noted;
    }
  },
};
