/**
 * One GEM_VA: the checks in the order of the driver, the operation, and then the page tables (`amdgpu_gem_va_ioctl`,
 * `amdgpu_gem.c`, Linux 7.3-rc7).
 *
 * One operation per ioctl, no array, nothing to undo: mappings change only once every check has passed. Errors of the page-table
 * update that follows are not returned. The order of checks decides which errno a doubly wrong call gets.
 *
 * @module
 */

import {
  EINTR,
  EINVAL,
  ENOENT,
  fail,
  hex,
  hexU64,
  type Syncobjs,
  signaledFence,
  type UserSpace,
} from "@vmbind/drm";
import type { AmdgpuBo } from "./bo.ts";
import type { BoVa } from "./bo-va.ts";
import {
  GEM_VA,
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
const TWO_64 = 2 ** 64;
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
const IN_PAGE = PAGE_BYTES - 1;
/** Where the members are. */
const HANDLE = GEM_VA.fields.handle.offset;
const OPERATION = GEM_VA.fields.operation.offset;
const FLAGS = GEM_VA.fields.flags.offset;
const VA = GEM_VA.fields.vaAddress.offset;
const OFFSET = GEM_VA.fields.offsetInBo.offset;
const SIZE = GEM_VA.fields.mapSize.offset;
const TIMELINE_POINT = GEM_VA.fields.vmTimelinePoint.offset;
const TIMELINE_OUT = GEM_VA.fields.vmTimelineSyncobjOut.offset;
const NUM_SYNCOBJ_HANDLES = GEM_VA.fields.numSyncobjHandles.offset;
const SYNCOBJ_HANDLES = GEM_VA.fields.inputFenceSyncobjHandles.offset;
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
 * A u64 without the detour over the struct's table: this is the one struct of the fast path. One that a double cannot hold is rounded;
 * it is refused in any case, by a check of which the value is far on the wrong side.
 */
function readBytes(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** An address of 48 bits from one that may be sign-extended: exact also where a double does not hold all 64 bits. */
function lowBits(view: DataView, at: number): number {
  return (view.getUint32(at + 4, true) & 0xffff) * TWO_32 + view.getUint32(at, true);
}

/**
 * Run a GEM_VA.
 *
 * @param file - the open file
 * @param arg - the argument struct
 * @param user - memory with the handles of input syncobjs
 * @throws DrmError
 */
export function gemVa(file: VaFile, arg: DataView, user: UserSpace): void {
  const operation = arg.getUint32(OPERATION, true);
  const flags = arg.getUint32(FLAGS, true);
  const given = readBytes(arg, VA);
  const mapSize = readBytes(arg, SIZE);
  const vmTimelineSyncobjOut = arg.getUint32(TIMELINE_OUT, true);
  const vm = file.space;
  const { counters } = vm.device;
  counters.bindIoctls++;
  if (given < START)
    fail(EINVAL, `gem_va.va_address: ${hexU64(arg, VA)} is below 0x10000, which is reserved`);
  const high = arg.getUint32(VA + 4, true);
  if (high >= HOLE_START_HI && high < HOLE_END_HI) {
    fail(EINVAL, `gem_va.va_address: ${hexU64(arg, VA)} is in the hole of the address space`);
  }
  const va = given < BYTES ? given : lowBits(arg, VA);
  if (va + mapSize > END) {
    fail(
      EINVAL,
      `gem_va.map_size: ${hex(va)} + ${hexU64(arg, SIZE)} is behind ${hex(END)}, where the driver's own begin`,
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
  const handle = arg.getUint32(HANDLE, true);
  if (operation !== CLEAR && (flags & PRT) === 0) {
    bo = file.bo(handle);
    if (bo === undefined) fail(ENOENT, `gem_va.handle: ${handle} is not a handle of this file`);
  }
  if (arg.getInt32(NUM_SYNCOBJ_HANDLES, true) !== 0) waitForInputs(file, arg, user);
  if (bo !== undefined) {
    const found = vm.space.boVaOf(bo);
    if (found === undefined) fail(ENOENT, `gem_va.handle: object ${handle} is not known in this VM`);
    boVa = found;
  }
  const timeline = vmTimelineSyncobjOut === 0 ? undefined : file.syncobjs.get(vmTimelineSyncobjOut);
  if (vmTimelineSyncobjOut !== 0 && timeline === undefined) {
    fail(ENOENT, `gem_va.vm_timeline_syncobj_out: ${vmTimelineSyncobjOut} is not a syncobj of this file`);
  }
  const { space } = vm;
  if (operation === UNMAP) {
    space.unmap(boVa, va);
  } else if (operation === CLEAR) {
    checkRange(arg, va, mapSize, 0);
    space.clear(va, mapSize);
  } else {
    const offset = readBytes(arg, OFFSET);
    checkRange(arg, va, mapSize, offset);
    checkMemory(bo, mapSize, offset);
    if (operation === MAP) space.map(boVa, va, mapSize, offset, flags);
    else space.replace(boVa, va, mapSize, offset, flags);
  }
  if ((flags & DELAY) === 0) {
    vm.update(operation === MAP || operation === REPLACE ? boVa : null);
  }
  // The update has happened when the ioctl returns.
  timeline?.attach(readBytes(arg, TIMELINE_POINT), signaledFence());
}

/** The checks of a range of VA, in the driver's order; alignment by the members' low halves, which are exact. */
function checkRange(arg: DataView, va: number, size: number, offset: number): void {
  if ((arg.getInt32(VA, true) & IN_PAGE) !== 0)
    fail(EINVAL, `gem_va.va_address: ${hex(va)} is not a multiple of 0x1000`);
  if (offset !== 0 && (arg.getInt32(OFFSET, true) & IN_PAGE) !== 0)
    fail(EINVAL, `gem_va.offset_in_bo: ${hexU64(arg, OFFSET)} is not a multiple of 0x1000`);
  if ((arg.getInt32(SIZE, true) & IN_PAGE) !== 0)
    fail(EINVAL, `gem_va.map_size: ${hex(size)} is not a multiple of 0x1000`);
  if (offset + size >= TWO_64) fail(EINVAL, "gem_va.offset_in_bo: offset + size exceeds 64 bits");
  if (size === 0) fail(EINVAL, "gem_va.map_size: 0");
}

/** Whether an object, and an entry, can hold the range: an entry has room for 48 bits, and the address of a PRT entry counts up, too. */
function checkMemory(bo: AmdgpuBo | undefined, size: number, offset: number): void {
  if (bo !== undefined && offset + size > bo.size) {
    const range = `${hex(offset)} + ${hex(size)}`;
    fail(EINVAL, `gem_va.offset_in_bo: ${range} is behind the end of an object of ${hex(bo.size)} bytes`);
  }
  if (offset + size > BYTES)
    fail(EINVAL, `gem_va.offset_in_bo: ${hex(offset)} + ${hex(size)} does not fit into an entry's address`);
}

/** The driver waits here and now, before it has taken a lock. A model cannot: what has not happened ends the wait as a signal does. */
function waitForInputs(file: VaFile, arg: DataView, user: UserSpace): void {
  const count = arg.getUint32(NUM_SYNCOBJ_HANDLES, true);
  file.space.device.counters.payloadBytes += count * 4;
  const handles = user.view(readBytes(arg, SYNCOBJ_HANDLES), count * 4);
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
