/**
 * One GEM_VA: the checks in the order of the driver, the operation, and then the page tables (`amdgpu_gem_va_ioctl`,
 * `amdgpu_gem.c`, Linux 7.3-rc7).
 *
 * One operation per ioctl, no array, nothing to undo: mappings change only once every check has passed. Errors of the page-table
 * update that follows are not returned. The order of checks decides which errno a doubly wrong call gets.
 *
 * @module
 */

import { EINTR, EINVAL, ENOENT, fail, hex, type Syncobjs, signaledFence, type UserSpace } from "@vmbind/drm";
import type { AmdgpuBo } from "./bo.ts";
import type { BoVa } from "./bo-va.ts";
import {
  type GemVa,
  PAGE_BYTES,
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
  VM_MTYPE_MASK,
  VM_PAGE_EXECUTABLE,
  VM_PAGE_NOALLOC,
  VM_PAGE_PRT,
  VM_PAGE_READABLE,
  VM_PAGE_WRITEABLE,
} from "./uapi.ts";
import type { AmdgpuVm } from "./vm.ts";

const TWO_32 = 2 ** 32;
/** Flags of an operation on an object. */
const OBJECT_FLAGS =
  VM_DELAY_UPDATE |
  VM_PAGE_READABLE |
  VM_PAGE_WRITEABLE |
  VM_PAGE_EXECUTABLE |
  VM_MTYPE_MASK |
  VM_PAGE_NOALLOC;
/** Flags of an operation on a PRT range. */
const PRT_FLAGS = VM_DELAY_UPDATE | VM_PAGE_PRT;
/** This file's own constants: imported ones are slow in what runs for every ioctl. */
const START = VA_START;
const END = VA_END;
/** The hole in the middle, by the upper halves of its ends: a double does not hold the last address of it. */
const HOLE_START_HI = VA_HOLE_START / TWO_32;
const HOLE_END_HI = VA_HOLE_END / TWO_32;
const BYTES = VA_BYTES;
const PAGE = PAGE_BYTES;
const MAP = VA_OP_MAP;
const UNMAP = VA_OP_UNMAP;
const CLEAR = VA_OP_CLEAR;
const REPLACE = VA_OP_REPLACE;
const PRT = VM_PAGE_PRT;
const DELAY = VM_DELAY_UPDATE;

/** What GEM_VA needs of the open file; see `AmdgpuFile`. */
export interface VaFile {
  /** Its VM. */
  readonly space: AmdgpuVm;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** An object by its handle, or undefined. */
  bo(handle: number): AmdgpuBo | undefined;
}

/**
 * {@link GemVa} decoded without the detour over the table: this is the one struct of the fast path. Its three large numbers may
 * be inexact where no exact one is allowed; the low 12 bits of each, which decide about alignment, are kept.
 *
 * @param view - the argument
 * @param out - receives the members
 */
function readGemVa(view: DataView, out: GemVa): void {
  out.handle = view.getUint32(0, true);
  out.operation = view.getUint32(8, true);
  out.flags = view.getUint32(12, true);
  out.vaAddress = readBytes(view, 16);
  out.offsetInBo = readBytes(view, 24);
  out.mapSize = readBytes(view, 32);
  out.vmTimelineSyncobjOut = view.getUint32(48, true);
  out.numSyncobjHandles = view.getUint32(52, true);
}

/** A u64; one that a double cannot hold is rounded, and below the middle of the address space it need not be. */
function readBytes(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** An address of 48 bits from one that may be sign-extended: exact also where a double does not hold all 64 bits. */
function lowBits(view: DataView, at: number): number {
  return (view.getUint32(at + 4, true) & 0xffff) * TWO_32 + view.getUint32(at, true);
}

const ARGS: GemVa = {
  handle: 0,
  pad: 0,
  operation: 0,
  flags: 0,
  vaAddress: 0.5,
  offsetInBo: 0.5,
  mapSize: 0.5,
  vmTimelinePoint: 0.5,
  vmTimelineSyncobjOut: 0,
  numSyncobjHandles: 0,
  inputFenceSyncobjHandles: 0.5,
};

/**
 * Run a GEM_VA.
 *
 * @param file - the open file
 * @param arg - the argument struct
 * @param user - memory with the handles of input syncobjs
 * @throws DrmError
 */
export function gemVa(file: VaFile, arg: DataView, user: UserSpace): void {
  readGemVa(arg, ARGS);
  const { operation, flags, handle, mapSize, offsetInBo, vmTimelineSyncobjOut } = ARGS;
  const vm = file.space;
  const { counters } = vm.device;
  counters.bindIoctls++;
  const given = ARGS.vaAddress;
  if (given < START) fail(EINVAL, `gem_va.va_address: ${hex(given)} is below 0x10000, which is reserved`);
  const high = arg.getUint32(20, true);
  if (high >= HOLE_START_HI && high < HOLE_END_HI) {
    fail(EINVAL, `gem_va.va_address: ${hex(given)} is in the hole of the address space`);
  }
  const va = given < BYTES ? given : lowBits(arg, 16);
  if (va + mapSize > END) {
    fail(
      EINVAL,
      `gem_va.map_size: ${hex(va)} + ${hex(mapSize)} is behind ${hex(END)}, where the driver's own begin`,
    );
  }
  if ((flags & ~OBJECT_FLAGS) !== 0 && (flags & ~PRT_FLAGS) !== 0) {
    fail(EINVAL, `gem_va.flags: ${hex(flags)} is neither of an object nor PRT with at most DELAY_UPDATE`);
  }
  if (operation < MAP || operation > REPLACE) {
    fail(EINVAL, `gem_va.operation: ${operation} is none of MAP, UNMAP, CLEAR and REPLACE`);
  }
  if ((flags & DELAY) !== 0 && vmTimelineSyncobjOut !== 0) {
    fail(EINVAL, "gem_va.vm_timeline_syncobj_out: not 0 with DELAY_UPDATE");
  }
  counters.bindOps++;
  let boVa: BoVa = vm.space.prt;
  let bo: AmdgpuBo | undefined;
  if (operation !== CLEAR && (flags & PRT) === 0) {
    bo = file.bo(handle);
    if (bo === undefined) fail(ENOENT, `gem_va.handle: ${handle} is not a handle of this file`);
  }
  if (ARGS.numSyncobjHandles !== 0) waitForInputs(file, arg, user);
  if (bo !== undefined) {
    const found = vm.space.boVaOf(bo);
    if (found === undefined) fail(ENOENT, `gem_va.handle: object ${handle} is not known in this VM`);
    boVa = found;
  }
  const timeline = vmTimelineSyncobjOut === 0 ? undefined : file.syncobjs.get(vmTimelineSyncobjOut);
  if (vmTimelineSyncobjOut !== 0 && timeline === undefined) {
    fail(ENOENT, `gem_va.vm_timeline_syncobj_out: ${vmTimelineSyncobjOut} is not a syncobj of this file`);
  }
  switch (operation) {
    case MAP:
      vm.space.map(boVa, va, mapSize, offsetInBo, flags);
      break;
    case UNMAP:
      vm.space.unmap(boVa, va - (va % PAGE));
      break;
    case CLEAR:
      vm.space.clear(va, mapSize);
      break;
    default:
      vm.space.replace(boVa, va, mapSize, offsetInBo, flags);
  }
  if ((flags & DELAY) === 0) {
    vm.update(operation === MAP || operation === REPLACE ? boVa : null);
  }
  // The update has happened when the ioctl returns.
  timeline?.attach(readBytes(arg, 40), signaledFence());
}

/** The driver waits here and now, before it has taken a lock. A model cannot: what has not happened ends the wait as a signal does. */
function waitForInputs(file: VaFile, arg: DataView, user: UserSpace): void {
  const count = ARGS.numSyncobjHandles;
  file.space.device.counters.payloadBytes += count * 4;
  const handles = user.view(readBytes(arg, 56), count * 4);
  for (let i = 0; i < count; i++) {
    const handle = handles.getUint32(i * 4, true);
    const name = (): string => `gem_va.input_fence_syncobj_handles[${i}]`;
    if (handle === 0) fail(EINVAL, `${name()}: 0`);
    const syncobj = file.syncobjs.get(handle);
    if (syncobj === undefined) fail(ENOENT, `${name()}: ${handle} is not a syncobj of this file`);
    const fence = syncobj.find(0);
    if (fence === null) fail(EINVAL, `${name()}: syncobj ${handle} has no fence`);
    if (!fence.signaled)
      fail(EINTR, `${name()}: the fence of ${handle} has not been signalled, and nobody waits here`);
  }
}
