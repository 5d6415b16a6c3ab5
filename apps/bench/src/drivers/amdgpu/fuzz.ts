/**
 * amdgpu for the fuzzer.
 *
 * @module
 */

import {
  type AmdgpuFile,
  BO_LIST,
  BO_LIST_ENTRY,
  CHUNK_ID_IB,
  CREATE_COHERENT,
  CREATE_CPU_GTT_USWC,
  CREATE_EXPLICIT_SYNC,
  CREATE_NO_CPU_ACCESS,
  CREATE_UNCACHED,
  CREATE_VM_ALWAYS_VALID,
  CS,
  CS_CHUNK,
  CS_CHUNK_ADDRESS,
  CTX,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  GEM_CREATE,
  GEM_MMAP,
  GEM_OP,
  GEM_VA,
  INFO,
  IOCTL_BO_LIST,
  IOCTL_CS,
  IOCTL_CTX,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP,
  IOCTL_GEM_OP,
  IOCTL_GEM_VA,
  IOCTL_INFO,
  IOCTLS,
  NO_QUIRKS,
  PAGE_BYTES,
  SYNCOBJ_HANDLE,
  VA_BYTES,
  VA_END,
  VA_HOLE_END,
  VA_HOLE_START,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VA_OP_UNMAP,
  VA_START,
  VM_DELAY_UPDATE,
  VM_MTYPE_UC,
  VM_PAGE_EXECUTABLE,
  VM_PAGE_NOALLOC,
  VM_PAGE_PRT,
  VM_PAGE_READABLE,
  VM_PAGE_WRITEABLE,
} from "@vmbind/amdgpu";
import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call } from "@vmbind/trace";
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
import { call, gemVa, probe } from "./probe.ts";

const MIB2 = 0x20_0000;
/** Borders of every level, the ends of the VA space, both sides of the hole, and radv's heap with its second view. */
const ANCHORS = [
  VA_START,
  0x4000_0000,
  2 ** 39,
  VA_HOLE_START - 4 * MIB2,
  VA_HOLE_END,
  VA_HOLE_END + 2 ** 32,
  VA_HOLE_END + 2 ** 46 + 2 ** 32,
  VA_HOLE_END + VA_END - 2 ** 47 - 4 * MIB2,
];
/** Longest range that is let through: 64 tables of the last level. */
const RANGE_MAX = 64 * MIB2;
const SIZE_AT = GEM_VA.fields.mapSize.offset;
const RWX = VM_PAGE_READABLE | VM_PAGE_WRITEABLE | VM_PAGE_EXECUTABLE;
const FLAGS = [RWX, RWX, VM_PAGE_READABLE, RWX | VM_MTYPE_UC, RWX | VM_PAGE_NOALLOC];
const KINDS = [
  0,
  CREATE_VM_ALWAYS_VALID | CREATE_NO_CPU_ACCESS | CREATE_EXPLICIT_SYNC,
  CREATE_VM_ALWAYS_VALID,
  CREATE_CPU_GTT_USWC,
  CREATE_COHERENT,
  CREATE_UNCACHED | CREATE_VM_ALWAYS_VALID,
];
const QUERIES = [0x14, 0x16, 0x19, 0x15];
/** Where a chunk of a submission and its words lie. */
const CHUNK_ADDR = SYNCS_ADDR + 0x2000;
const IB_ADDR = SYNCS_ADDR + 0x3000;

const FACTS = { va_bits: 48, va_alignment: PAGE_BYTES };

function valid(draw: Draw, file: AmdgpuFile): Call {
  const ids = new Ids(draw, file);
  const how = draw.below(100);
  if (ids.handles.length < 3 || (how < 10 && ids.handles.length < OBJECTS_MAX)) return gemCreate(draw);
  if (how < 14 || ids.handles.length >= OBJECTS_MAX) {
    return call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: ids.handle() }));
  }
  if (how < 15) return call(IOCTL_GEM_MMAP, GEM_MMAP.encode({ handle: ids.handle() }));
  if (how < 16) return call(IOCTL_CTX, CTX.encode({ op: 1 + draw.below(3), ctxId: 1 + draw.below(3) }));
  if (how < 17) {
    const query = draw.pick(QUERIES);
    const arg = INFO.encode({ returnPointer: OPS_ADDR, returnSize: 448, query });
    return call(IOCTL_INFO, arg, [{ field: "return_pointer", addr: OPS_ADDR, bytes: new Uint8Array(448) }]);
  }
  if (how < 19) return boList(draw, ids);
  if (how < 23) return submission(draw);
  if (how < 24) {
    const value = draw.pick([DOMAIN_GTT, DOMAIN_VRAM]);
    return call(IOCTL_GEM_OP, GEM_OP.encode({ handle: ids.handle(), op: 1, value }));
  }
  return bindOf(draw, ids);
}

function gemCreate(draw: Draw): Call {
  const boSize = PAGE_BYTES * draw.length(9) - (draw.chance(10) ? draw.below(PAGE_BYTES) : 0);
  const domains = draw.pick([DOMAIN_GTT, DOMAIN_VRAM, DOMAIN_GTT | DOMAIN_VRAM]);
  return call(IOCTL_GEM_CREATE, GEM_CREATE.encode({ boSize, domains, domainFlags: draw.pick(KINDS) }));
}

function boList(draw: Draw, ids: Ids): Call {
  const boNumber = draw.below(4);
  const bytes = new Uint8Array(boNumber * BO_LIST_ENTRY.size);
  for (let i = 0; i < boNumber; i++) {
    BO_LIST_ENTRY.write(viewOf(bytes), i * BO_LIST_ENTRY.size, { boHandle: ids.handle() });
  }
  const arg = BO_LIST.encode({
    operation: draw.below(3),
    listHandle: 1 + draw.below(3),
    boNumber,
    boInfoSize: BO_LIST_ENTRY.size,
    boInfoPtr: OPS_ADDR,
  });
  return call(IOCTL_BO_LIST, arg, [{ field: "bo_info_ptr", addr: OPS_ADDR, bytes }]);
}

/** One chunk of commands, which nobody runs. */
function submission(draw: Draw): Call {
  const boListHandle = draw.chance(50) ? 1 + draw.below(3) : 0;
  const arg = CS.encode({ ctxId: 1 + draw.below(3), boListHandle, numChunks: 1, chunks: OPS_ADDR });
  const chunk = CS_CHUNK.encode({ chunkId: CHUNK_ID_IB, lengthDw: 8, chunkData: IB_ADDR });
  return call(IOCTL_CS, arg, [
    { field: "chunks", addr: OPS_ADDR, bytes: own(CS_CHUNK_ADDRESS.encode({ address: CHUNK_ADDR })) },
    { field: "chunks[0].chunk", addr: CHUNK_ADDR, bytes: own(chunk) },
    { field: "chunks[0].chunk.chunk_data", addr: IB_ADDR, bytes: new Uint8Array(32) },
  ]);
}

function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function bindOf(draw: Draw, ids: Ids): Call {
  const how = draw.below(20);
  const vaAddress = near(draw, ANCHORS, PAGE_BYTES);
  const delay = draw.chance(15) ? VM_DELAY_UPDATE : 0;
  const mapSize = draw.chance(2) ? 0 : PAGE_BYTES * draw.length(draw.chance(5) ? 14 : 9);
  if (how < 3) return gemVa({ operation: VA_OP_CLEAR, flags: delay, vaAddress, mapSize });
  const operation = how < 5 ? VA_OP_UNMAP : how < 9 ? VA_OP_MAP : VA_OP_REPLACE;
  if (draw.chance(30)) return gemVa({ operation, flags: VM_PAGE_PRT | delay, vaAddress, mapSize });
  const handle = ids.handle();
  const { offset: offsetInBo, bytes } = pieceOf(draw, ids.sizeOf(handle), PAGE_BYTES);
  const args = {
    operation,
    handle,
    flags: draw.pick(FLAGS) | delay,
    vaAddress,
    offsetInBo,
    mapSize: bytes,
  };
  if (delay !== 0 || !draw.chance(5)) return gemVa(args);
  const bytesOfHandle = own(SYNCOBJ_HANDLE.encode({ handle: 1 + draw.below(4) }));
  return gemVa(
    {
      ...args,
      vmTimelineSyncobjOut: draw.below(4),
      vmTimelinePoint: draw.below(3),
      numSyncobjHandles: 1,
      inputFenceSyncobjHandles: SYNCS_ADDR,
    },
    [{ field: "input_fence_syncobj_handles", addr: SYNCS_ADDR, bytes: bytesOfHandle }],
  );
}

/** amdgpu for the fuzzer. */
export const amdgpu: FuzzDriver<AmdgpuFile> = {
  name: "amdgpu",
  devices: [
    { device: "gfx10, one run", gfx: "10.3.0", ...FACTS, bo_fragmentation: "contiguous" },
    { device: "gfx9, scattered pages", gfx: "9.0.1", ...FACTS, bo_fragmentation: "scattered" },
    { device: "gfx12, huge pages", gfx: "12.0.1", ...FACTS, bo_fragmentation: "huge" },
    {
      device: "gfx10, all quirks",
      gfx: "10.3.0",
      ...FACTS,
      bo_fragmentation: "contiguous",
      quirks: Object.keys(NO_QUIRKS),
    },
  ],
  specs: specsOf(IOCTLS.rows),
  valid,
  facts: {
    pageBytes: PAGE_BYTES,
    closeUnbinds: true,
    idleJobsPass: false,
    spaceFirst: false,
    remapsInPlace: false,
  },
  vaEnd: () => VA_BYTES,
  queues: false,
  meaning,
  bind: (draw, file) => bindOf(draw, new Ids(draw, file)),
  probe,
  bound(one) {
    boundObject(one, IOCTL_GEM_CREATE, GEM_CREATE.fields.boSize.offset);
    const { request, arg } = one;
    if ((request & 0xff) !== (IOCTL_GEM_VA & 0xff) || arg.length < SIZE_AT + 8) return;
    shorten(viewOf(arg), SIZE_AT, RANGE_MAX, 2 ** 49);
  },
  prefix: () => null,
};
