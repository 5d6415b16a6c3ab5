/**
 * Nouveau for the fuzzer.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE, viewOf } from "@vmbind/drm";
import {
  CHANNEL_ALLOC,
  CHANNEL_ENGINE,
  GEM_DOMAIN_GART,
  GEM_DOMAIN_NO_SHARE,
  GEM_DOMAIN_VRAM,
  GEM_INFO,
  GEM_NEW,
  GETPARAM,
  IOCTL_CHANNEL_ALLOC,
  IOCTL_GEM_INFO,
  IOCTL_GEM_NEW,
  IOCTL_GETPARAM,
  IOCTL_VM_BIND,
  IOCTLS,
  NO_QUIRKS,
  type NouveauFile,
  PAGE_BYTES,
  SYNC,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  VM_END,
  type VmBindOp,
} from "@vmbind/nouveau";
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
import { call, channelFree, gemNew, probe, vmInit } from "./probe.ts";

const KIB64 = 0x1_0000;
const MIB2 = 0x20_0000;
/** Borders of every level, of the kernel's range and of nvk's heap. */
const ANCHORS = [
  MIB2,
  2 ** 29,
  2 ** 38 - 2 * MIB2,
  2 ** 38,
  2 ** 39 - MIB2,
  2 ** 40,
  2 ** 46,
  VM_END - 4 * MIB2,
];
/** Longest range that is let through: 64 tables of 4 KiB pages. */
const RANGE_MAX = 64 * MIB2;
const CHANNELS_MAX = 3;
const SYNCOBJS = 4;
const RANGE = VM_BIND_OP.fields.range.offset;
/** All three page sizes, and both places. */
const DOMAINS = [
  GEM_DOMAIN_VRAM,
  GEM_DOMAIN_VRAM,
  GEM_DOMAIN_GART,
  GEM_DOMAIN_VRAM | GEM_DOMAIN_GART,
  GEM_DOMAIN_VRAM | GEM_DOMAIN_NO_SHARE,
  GEM_DOMAIN_VRAM | GEM_DOMAIN_GART | GEM_DOMAIN_NO_SHARE,
];

const FACTS = { page_size: PAGE_BYTES, va_bits: 47, vram_size: "0x280000000", quirks: [] };

function valid(draw: Draw, file: NouveauFile): Call {
  // The rest is of little use in a VM that the kernel manages.
  if (file.ownVm === null) return vmInit();
  const ids = new Ids(draw, file);
  const how = draw.below(100);
  if (ids.handles.length < 3 || (how < 10 && ids.handles.length < OBJECTS_MAX)) return newObject(draw);
  if (how < 15 || ids.handles.length >= OBJECTS_MAX) {
    return call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: ids.handle() }));
  }
  if (how < 17) return call(IOCTL_GEM_INFO, GEM_INFO.encode({ handle: ids.handle() }));
  if (how < 18) return call(IOCTL_GETPARAM, GETPARAM.encode({ param: 3 + draw.below(18) }));
  if (how < 19 && file.channels.size < CHANNELS_MAX) {
    const arg = { fbCtxdmaHandle: CHANNEL_ENGINE, ttCtxdmaHandle: draw.pick([1, 0x30]) };
    return call(IOCTL_CHANNEL_ALLOC, CHANNEL_ALLOC.encode(arg));
  }
  if (how < 20) return channelFree(draw.below(CHANNELS_MAX));
  const count = draw.chance(5) ? draw.below(40) : 1 + draw.below(4);
  return vmBind(draw, file, ids, count);
}

function newObject(draw: Draw): Call {
  const unit = draw.pick([PAGE_BYTES, PAGE_BYTES, KIB64, MIB2]);
  const size = unit === MIB2 ? MIB2 : unit * draw.length(unit === PAGE_BYTES ? 9 : 4);
  return gemNew(
    size - (draw.chance(10) ? draw.below(PAGE_BYTES) : 0),
    draw.pick(DOMAINS),
    draw.chance(10) ? 6 << 8 : 0,
  );
}

function vmBind(draw: Draw, file: NouveauFile, ids: Ids, opCount: number): Call {
  const bytes = new Uint8Array(opCount * VM_BIND_OP.size);
  const view = viewOf(bytes);
  for (let i = 0; i < opCount; i++) VM_BIND_OP.write(view, i * VM_BIND_OP.size, bindOp(draw, file, ids));
  const buffers: CallBuffer[] = opCount > 0 ? [{ field: "op_ptr", addr: OPS_ADDR, bytes }] : [];
  const isAsync = draw.chance(40);
  const waits = syncs(draw, isAsync ? 20 : 1);
  if (waits.length > 0) buffers.push({ field: "wait_ptr", addr: SYNCS_ADDR, bytes: waits });
  const signals = syncs(draw, isAsync ? 30 : 1);
  const sigPtr = SYNCS_ADDR + 0x1000;
  if (signals.length > 0) buffers.push({ field: "sig_ptr", addr: sigPtr, bytes: signals });
  const arg = VM_BIND.encode({
    opCount,
    flags: isAsync ? VM_BIND_RUN_ASYNC : 0,
    waitCount: waits.length / SYNC.size,
    sigCount: signals.length / SYNC.size,
    waitPtr: SYNCS_ADDR,
    sigPtr,
    opPtr: OPS_ADDR,
  });
  return call(IOCTL_VM_BIND, arg, buffers);
}

function syncs(draw: Draw, percent: number): Uint8Array<ArrayBuffer> {
  const count = draw.chance(percent) ? 1 + draw.below(2) : 0;
  const bytes = new Uint8Array(count * SYNC.size);
  for (let i = 0; i < count; i++) {
    SYNC.write(viewOf(bytes), i * SYNC.size, {
      flags: draw.chance(10) ? 1 : 0,
      handle: 1 + draw.below(SYNCOBJS),
      timelineValue: draw.below(9),
    });
  }
  return bytes;
}

function bindOp(draw: Draw, file: NouveauFile, ids: Ids): Partial<VmBindOp> {
  const how = draw.below(12);
  const unit = draw.pick([PAGE_BYTES, PAGE_BYTES, KIB64, MIB2]);
  const at = near(draw, ANCHORS, PAGE_BYTES);
  const addr = at - (at % unit);
  const regions = [...(file.ownVm?.regions ?? [])];
  if (how < 3) return { op: VM_BIND_OP_UNMAP, addr, range: unit * draw.length(unit === PAGE_BYTES ? 9 : 2) };
  if (how < 5 && regions.length < 12) {
    return {
      op: VM_BIND_OP_MAP,
      flags: VM_BIND_SPARSE,
      addr,
      range: unit * draw.length(unit === PAGE_BYTES ? 11 : 3),
    };
  }
  const region = regions.length > 0 ? draw.pick(regions) : null;
  if (how < 6 && region !== null) {
    return { op: VM_BIND_OP_UNMAP, flags: VM_BIND_SPARSE, addr: region.addr, range: region.range };
  }
  const handle = ids.handle();
  const { offset, bytes } = pieceOf(draw, ids.sizeOf(handle), PAGE_BYTES);
  const boOffset = offset - (offset % Math.min(unit, KIB64));
  // Inside a region more often than chance has it.
  const inside = region !== null && draw.chance(60) && region.range >= bytes;
  const place = inside
    ? region.addr + PAGE_BYTES * draw.below((region.range - bytes) / PAGE_BYTES + 1)
    : addr;
  return { op: VM_BIND_OP_MAP, flags: draw.chance(20) ? 6 : 0, handle, boOffset, addr: place, range: bytes };
}

function numberOf(request: number): number {
  return request & 0xff;
}

/** Nouveau for the fuzzer. */
export const nouveau: FuzzDriver<NouveauFile> = {
  name: "nouveau",
  devices: [
    { device: "Ampere", pci_id: "0x2206", chipset: "0x172", ...FACTS, bo_fragmentation: "contiguous" },
    { device: "Hopper", pci_id: "0x2330", chipset: "0x180", ...FACTS, bo_fragmentation: "contiguous" },
    {
      device: "Pascal, scattered pages",
      pci_id: "0x1b80",
      chipset: "0x134",
      ...FACTS,
      bo_fragmentation: "scattered",
    },
    {
      device: "Ampere, all quirks",
      pci_id: "0x2206",
      chipset: "0x172",
      ...FACTS,
      bo_fragmentation: "contiguous",
      quirks: Object.keys(NO_QUIRKS),
    },
  ],
  specs: specsOf(IOCTLS.rows),
  valid,
  facts: {
    pageBytes: PAGE_BYTES,
    closeUnbinds: false,
    spaceFirst: true,
    idleJobsPass: false,
    remapsInPlace: false,
    bindsRestore: true,
  },
  vaEnd: () => VM_END,
  queues: true,
  meaning,
  bind: (draw, file, count) => vmBind(draw, file, new Ids(draw, file), count),
  probe,
  bound(call) {
    boundObject(call, IOCTL_GEM_NEW, GEM_NEW.fields.info.offset + GEM_INFO.fields.size.offset);
    const { request, buffers } = call;
    if (numberOf(request) !== numberOf(IOCTL_VM_BIND)) return;
    for (const { field, bytes } of buffers) {
      if (field !== "op_ptr") continue;
      const view = viewOf(bytes);
      for (let at = 0; at + VM_BIND_OP.size <= bytes.length; at += VM_BIND_OP.size) {
        shorten(view, at + RANGE, RANGE_MAX, 2 ** 49);
      }
    }
  },
  prefix: () => null,
  // A file that has made an object or a channel cannot have a VM any more.
  mustRepeat: (_call, from, to) => (from.ownVm === null) !== (to.ownVm === null),
};
