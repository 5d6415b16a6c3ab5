/**
 * Facts of `nouveau_drm.h` (Linux 7.3-rc7): request numbers and struct layouts; the values of flags and ops are in
 * `uapi-values.ts`.
 *
 * Nothing here behaves. There are no VM ids: VM_INIT gives the open file its one VM, and VM_BIND is about that.
 *
 * @module
 */

import { array, drmIow, drmIowr, nested, readU64, type StructLayout, struct, u32, u64 } from "@vmbind/drm";
import {
  EXEC_PUSH_NAMES,
  GEM_DOMAIN_NAMES,
  GEM_TILE_NAMES,
  GETPARAM_NAMES,
  SYNC_NAMES,
  VM_BIND_NAMES,
  VM_BIND_OP_FLAG_NAMES,
  VM_BIND_OP_NAMES,
} from "./uapi-values.ts";

export * from "./uapi-values.ts";

/** Bytes of the smallest GPU page, and the unit of all addresses of VM_BIND. */
export const PAGE_BYTES = 0x1000;
/** First VA behind every VM: 2^47, whatever the hardware can do (`nouveau_uvmm.c`, Linux 7.3-rc7). */
export const VM_END: number = 2 ** 47;

/** `DRM_IOCTL_NOUVEAU_GETPARAM`. */
export const IOCTL_GETPARAM: number = drmIowr(0x40, 16);
/** `DRM_IOCTL_NOUVEAU_CHANNEL_ALLOC`. */
export const IOCTL_CHANNEL_ALLOC: number = drmIowr(0x42, 88);
/** `DRM_IOCTL_NOUVEAU_CHANNEL_FREE`. */
export const IOCTL_CHANNEL_FREE: number = drmIow(0x43, 4);
/** `DRM_IOCTL_NOUVEAU_NVIF`; its struct has any length, and so has the request. */
export const IOCTL_NVIF: number = drmIowr(0x47, 0);
/** `DRM_IOCTL_NOUVEAU_VM_INIT`; nvk sends it write-only. */
export const IOCTL_VM_INIT: number = drmIowr(0x50, 16);
/** `DRM_IOCTL_NOUVEAU_VM_BIND`. */
export const IOCTL_VM_BIND: number = drmIowr(0x51, 40);
/** `DRM_IOCTL_NOUVEAU_EXEC`. */
export const IOCTL_EXEC: number = drmIowr(0x52, 40);
/** `DRM_IOCTL_NOUVEAU_GET_ZCULL_INFO`. */
export const IOCTL_GET_ZCULL_INFO = 0x80306453;
/** `DRM_IOCTL_NOUVEAU_GEM_NEW`. */
export const IOCTL_GEM_NEW: number = drmIowr(0x80, 48);
/** `DRM_IOCTL_NOUVEAU_GEM_PUSHBUF`. */
export const IOCTL_GEM_PUSHBUF: number = drmIowr(0x81, 64);
/** `DRM_IOCTL_NOUVEAU_GEM_CPU_PREP`. */
export const IOCTL_GEM_CPU_PREP: number = drmIow(0x82, 8);
/** `DRM_IOCTL_NOUVEAU_GEM_CPU_FINI`. */
export const IOCTL_GEM_CPU_FINI: number = drmIow(0x83, 4);
/** `DRM_IOCTL_NOUVEAU_GEM_INFO`. */
export const IOCTL_GEM_INFO: number = drmIowr(0x84, 40);

/** `drm_nouveau_getparam`. */
export interface GetParam {
  /** Which parameter. */
  param: number;
  /** Its value (out). */
  value: number;
}

/** Layout of {@link GetParam}. */
export const GETPARAM: StructLayout<GetParam> = struct("drm_nouveau_getparam", 16, {
  param: { ...u64(0), shape: { kind: "number", names: GETPARAM_NAMES } },
  value: u64(8),
});

/** `drm_nouveau_channel_alloc`. */
export interface ChannelAlloc {
  /** 0xffffffff selects an engine by the next member. */
  fbCtxdmaHandle: number;
  /** The engine: 1 graphics, 0x30 copy, ... */
  ttCtxdmaHandle: number;
  /** Channel number (out), 0 and up. */
  channel: number;
  /** Domains that pushes may be in (out). */
  pushbufDomains: number;
  /** GEM handle of the notifier page (out). */
  notifierHandle: number;
  /** Software methods (out), unused here. */
  subchan: SubChannel[];
  /** Used elements of {@link ChannelAlloc.subchan} (out). */
  nrSubchan: number;
}

/** Element of {@link ChannelAlloc.subchan}. */
export interface SubChannel {
  /** Handle of an object. */
  handle: number;
  /** Its class. */
  grclass: number;
}

const SUBCHAN: StructLayout<SubChannel> = struct("drm_nouveau_channel_alloc_subchan", 8, {
  handle: u32(0),
  grclass: u32(4),
});

/** Layout of {@link ChannelAlloc}. */
export const CHANNEL_ALLOC: StructLayout<ChannelAlloc> = struct("drm_nouveau_channel_alloc", 88, {
  fbCtxdmaHandle: u32(0),
  ttCtxdmaHandle: u32(4),
  channel: u32(8),
  pushbufDomains: u32(12),
  notifierHandle: u32(16),
  subchan: array(20, 8, (offset) => nested(offset, SUBCHAN)),
  nrSubchan: u32(84),
});

/** `drm_nouveau_channel_free`. */
export interface ChannelFree {
  /** Channel number. */
  channel: number;
}

/** Layout of {@link ChannelFree}. */
export const CHANNEL_FREE: StructLayout<ChannelFree> = struct("drm_nouveau_channel_free", 4, {
  channel: u32(0),
});

/** `drm_nouveau_vm_init`. */
export interface VmInit {
  /** First VA of the range that the kernel keeps for itself. */
  kernelManagedAddr: number;
  /** Bytes of it, 0 for none. */
  kernelManagedSize: number;
}

/** Layout of {@link VmInit}. */
export const VM_INIT: StructLayout<VmInit> = struct("drm_nouveau_vm_init", 16, {
  kernelManagedAddr: u64(0),
  kernelManagedSize: u64(8),
});

/** `drm_nouveau_vm_bind`. */
export interface VmBind {
  /** Elements at `opPtr`; 0 is fine. */
  opCount: number;
  /** {@link VM_BIND_RUN_ASYNC}; other bits are not looked at. */
  flags: number;
  /** Elements at `waitPtr`. */
  waitCount: number;
  /** Elements at `sigPtr`. */
  sigCount: number;
  /** User address of what to wait for. */
  waitPtr: number;
  /** User address of what to signal. */
  sigPtr: number;
  /** User address of the operations. */
  opPtr: number;
}

/** Layout of {@link VmBind}. */
export const VM_BIND: StructLayout<VmBind> = struct("drm_nouveau_vm_bind", 40, {
  opCount: u32(0),
  flags: u32(4, VM_BIND_NAMES),
  waitCount: u32(8),
  sigCount: u32(12),
  waitPtr: u64(16),
  sigPtr: u64(24),
  opPtr: u64(32),
});

/** `drm_nouveau_vm_bind_op`. */
export interface VmBindOp {
  /** {@link VM_BIND_OP_MAP} or {@link VM_BIND_OP_UNMAP}. */
  op: number;
  /** {@link VM_BIND_SPARSE}, and in the low byte the PTE kind of a MAP. */
  flags: number;
  /** GEM handle of a MAP; not looked at otherwise. */
  handle: number;
  /** Not looked at. */
  pad: number;
  /** First VA, a multiple of 4 KiB. */
  addr: number;
  /** Byte offset into the object of a MAP, a multiple of 4 KiB; not looked at otherwise. */
  boOffset: number;
  /** Bytes, a multiple of 4 KiB. */
  range: number;
}

/** Layout of {@link VmBindOp}. */
export const VM_BIND_OP: StructLayout<VmBindOp> = struct("drm_nouveau_vm_bind_op", 40, {
  op: u32(0, VM_BIND_OP_NAMES),
  flags: u32(4, VM_BIND_OP_FLAG_NAMES),
  handle: u32(8),
  pad: u32(12),
  addr: u64(16),
  boOffset: u64(24),
  range: u64(32),
});

/** `drm_nouveau_sync`. */
export interface Sync {
  /** The type, in the low four bits; others are not looked at. */
  flags: number;
  /** Syncobj handle. */
  handle: number;
  /** Point of a timeline. */
  timelineValue: number;
}

/** Layout of {@link Sync}. */
export const SYNC: StructLayout<Sync> = struct("drm_nouveau_sync", 16, {
  flags: u32(0, SYNC_NAMES),
  handle: u32(4),
  timelineValue: u64(8),
});

/** `drm_nouveau_exec`. */
export interface Exec {
  /** Channel number. */
  channel: number;
  /** Elements at `pushPtr`. */
  pushCount: number;
  /** Elements at `waitPtr`. */
  waitCount: number;
  /** Elements at `sigPtr`. */
  sigCount: number;
  /** User address of what to wait for. */
  waitPtr: number;
  /** User address of what to signal. */
  sigPtr: number;
  /** User address of the pushes. */
  pushPtr: number;
}

/** Layout of {@link Exec}. */
export const EXEC: StructLayout<Exec> = struct("drm_nouveau_exec", 40, {
  channel: u32(0),
  pushCount: u32(4),
  waitCount: u32(8),
  sigCount: u32(12),
  waitPtr: u64(16),
  sigPtr: u64(24),
  pushPtr: u64(32),
});

/** `drm_nouveau_exec_push`. */
export interface ExecPush {
  /** GPU address of the commands. */
  va: number;
  /** Bytes of them, at most 0x7fffff. */
  vaLen: number;
  /** {@link EXEC_PUSH_NO_PREFETCH}. */
  flags: number;
}

/** Layout of {@link ExecPush}. */
export const EXEC_PUSH: StructLayout<ExecPush> = struct("drm_nouveau_exec_push", 16, {
  va: u64(0),
  vaLen: u32(8),
  flags: u32(12, EXEC_PUSH_NAMES),
});

/** `drm_nouveau_gem_info`. */
export interface GemInfo {
  /** GEM handle (out of GEM_NEW, in of GEM_INFO). */
  handle: number;
  /** `GEM_DOMAIN_` flags: where it may be; out, where it is. */
  domain: number;
  /** Bytes; out, rounded up to the object's page size. */
  size: number;
  /** VA in the kernel-managed VM (out), 0 in a file with a VM of its own. */
  offset: number;
  /** Offset for mmap (out). */
  mapHandle: number;
  /** Given back as it was. */
  tileMode: number;
  /** {@link GEM_TILE_NONCONTIG}, and the PTE kind in bits 15:8. */
  tileFlags: number;
}

/** Layout of {@link GemInfo}. */
export const GEM_INFO: StructLayout<GemInfo> = struct("drm_nouveau_gem_info", 40, {
  handle: u32(0),
  domain: u32(4, GEM_DOMAIN_NAMES),
  size: u64(8),
  offset: u64(16),
  mapHandle: u64(24),
  tileMode: u32(32),
  tileFlags: u32(36, GEM_TILE_NAMES),
});

/** `drm_nouveau_gem_new`. */
export interface GemNew {
  /** What is asked for, and what came of it. */
  info: GemInfo;
  /** Not looked at. */
  channelHint: number;
  /** Alignment of the memory in bytes; raised to the page size. */
  align: number;
}

/** Layout of {@link GemNew}. */
export const GEM_NEW: StructLayout<GemNew> = struct("drm_nouveau_gem_new", 48, {
  info: nested(0, GEM_INFO),
  channelHint: u32(40),
  align: u32(44),
});

/**
 * {@link VM_BIND} decoded without the detour over the table, into an object that exists already: this is the one struct of the
 * fast path.
 *
 * @param view - the argument
 * @param args - receives the fields
 * @returns the same object
 */
export function readVmBind(view: DataView, args: VmBind): VmBind {
  args.opCount = view.getUint32(0, true);
  args.flags = view.getUint32(4, true);
  args.waitCount = view.getUint32(8, true);
  args.sigCount = view.getUint32(12, true);
  args.waitPtr = readAddress(view, 16);
  args.sigPtr = readAddress(view, 24);
  args.opPtr = readAddress(view, 32);
  return args;
}

/**
 * Decode one operation into an object that exists already: a VM_BIND may have thousands.
 *
 * @param view - memory
 * @param base - byte where the operation begins
 * @param op - receives the fields
 */
export function readBindOp(view: DataView, base: number, op: VmBindOp): void {
  op.op = view.getUint32(base, true);
  op.flags = view.getUint32(base + 4, true);
  op.handle = view.getUint32(base + 8, true);
  op.pad = view.getUint32(base + 12, true);
  op.addr = readAddress(view, base + 16);
  op.boOffset = readAddress(view, base + 24);
  op.range = readAddress(view, base + 32);
}

/** `readU64` with a short way for values below 2^53, which need no check. */
function readAddress(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high < 0x20_0000 ? high * 2 ** 32 + view.getUint32(at, true) : readU64(view, at);
}
