/**
 * One VM_BIND call: decode, validate in the kernel's order, run (`panthor_drv.c` and `panthor_mmu.c`, Linux 7.3-rc7).
 *
 * A synchronous call prepares and executes operation by operation and stops at the first error; what was done stays, and
 * `ops.count` tells how much that is. An asynchronous call makes all jobs first and copies in all that they wait for and
 * signal, before it looks at any of it (`bind-syncs.ts`): an error there queues nothing, an error of a job later makes the
 * VM unusable.
 *
 * @module
 */

import { EINVAL, errorOf, fail, hexU64, readU64, type UserSpace, viewOf } from "@vmbind/drm";
import { GPUVA_REPEAT, GPUVA_SPARSE } from "@vmbind/gpuvm-core";
import { cleanUp, type PanthorBindOp } from "./bind-op.ts";
import { BindJob } from "./bind-queue.ts";
import { copySyncs, resolveSyncs } from "./bind-syncs.ts";
import type { PanthorFile } from "./file.ts";
import { mapRun } from "./map-runs.ts";
import { type CopiedArray, copyArray } from "./obj-array.ts";
import { PAGE_BYTES } from "./page-sizes.ts";
import { prepare } from "./prepare.ts";
import {
  MAP_SPARSE,
  OBJ_ARRAY,
  OP_MAP,
  OP_TYPE_MASK,
  type SyncOp,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
} from "./uapi.ts";
import type { PanthorVm } from "./vm.ts";

const OP = VM_BIND_OP.fields;
const AT_FLAGS = OP.flags.offset;
const AT_BO_HANDLE = OP.boHandle.offset;
const AT_BO_OFFSET = OP.boOffset.offset;
const AT_VA = OP.va.offset;
const AT_SIZE = OP.size.offset;
const AT_SYNCS_STRIDE = OP.syncs.offset + OBJ_ARRAY.fields.stride.offset;
const AT_SYNCS_COUNT = OP.syncs.offset + OBJ_ARRAY.fields.count.offset;
const AT_SYNCS_ARRAY = OP.syncs.offset + OBJ_ARRAY.fields.array.offset;
const AT_REPEAT_RANGE = VM_BIND_OP_REPEAT.fields.boRepeatRange.offset;
const AT_PAD = VM_BIND_OP_REPEAT.fields.pad.offset;
const AT_VM_ID = VM_BIND.fields.vmId.offset;
const AT_BIND_FLAGS = VM_BIND.fields.flags.offset;
const AT_OPS = VM_BIND.fields.ops.offset;
const AT_OPS_STRIDE = AT_OPS + OBJ_ARRAY.fields.stride.offset;
const AT_OPS_COUNT = AT_OPS + OBJ_ARRAY.fields.count.offset;

/**
 * VM_BIND.
 *
 * @param file - the open file
 * @param view - the argument struct; `ops.count` may be written
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, E2BIG, EFAULT, ENOENT, ENOMEM, and what {@link runOp} throws
 */
export function vmBind(file: PanthorFile, view: DataView, user: UserSpace): void {
  const vmId = view.getUint32(AT_VM_ID, true);
  const vm = file.vm(vmId) ?? fail(EINVAL, `vm_id: ${vmId} is not a VM of this file`);
  const { counters } = file.device;
  counters.bindIoctls++;
  const count = view.getUint32(AT_OPS_COUNT, true);
  if (count === 0) return;
  const array = {
    stride: view.getUint32(AT_OPS_STRIDE, true),
    count,
    array: readU64(view, AT_OPS + OBJ_ARRAY.fields.array.offset),
  };
  const layout = file.device.repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
  const ops = copyArray(file, "ops", array, VM_BIND_OP.size, layout.size, user);
  counters.bindOps += count;
  const flags = view.getUint32(AT_BIND_FLAGS, true);
  if ((flags & VM_BIND_ASYNC) !== 0) bindAsync(file, vm, ops, count, user);
  else bindSync(file, vm, ops, count, view);
}

/**
 * VM_BINDs that follow one another, alike but for what their array holds: as many of the first as are one run of equal MAPs are carried
 * out at once (`map-runs.ts`).
 *
 * @param file - the open file
 * @param arg - the argument struct of each
 * @param bytes - the arrays of all of them, one behind the other
 * @param calls - how many they are
 * @returns how many are done, each as an ioctl that succeeds; 0 where the first one has to be issued
 */
export function vmBindRun(file: PanthorFile, arg: Uint8Array, bytes: Uint8Array, calls: number): number {
  const view = viewOf(arg);
  const { device } = file;
  const stride = (device.repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP).size;
  if (file.closed || arg.length !== VM_BIND.size || view.getUint32(AT_OPS_STRIDE, true) !== stride) return 0;
  const count = view.getUint32(AT_OPS_COUNT, true);
  const vm = file.vm(view.getUint32(AT_VM_ID, true));
  if (vm === undefined || count === 0 || bytes.length !== calls * count * stride) return 0;
  if ((view.getUint32(AT_BIND_FLAGS, true) & VM_BIND_ASYNC) !== 0) return 0;
  const ops = { view: viewOf(bytes), stride };
  const op = vm.syncOp;
  decode(file, ops, 0, op);
  if (op.syncsCount !== 0 || op.size === 0) return 0;
  const mapped = mapRun(file, vm, ops, op, calls * count, count);
  const done = mapped / count;
  const { counters } = device;
  counters.ioctls += done;
  counters.bindIoctls += done;
  counters.bindOps += mapped;
  counters.payloadBytes += done * VM_BIND.size + mapped * stride;
  if (done > 0) file.lastError = null;
  return done;
}

function bindSync(file: PanthorFile, vm: PanthorVm, ops: CopiedArray, count: number, arg: DataView): void {
  const op = vm.syncOp;
  let i = 0;
  try {
    for (; i < count; i++) {
      decode(file, ops, i, op);
      if (op.syncsCount !== 0) fail(EINVAL, `${op.name}.syncs.count: ${op.syncsCount} in a synchronous call`);
      // The kernel leaves before it looks at anything else.
      if (op.size === 0) continue;
      const done = i + 1 < count ? mapRun(file, vm, ops, op, count) : 0;
      if (done > 0) i += done - 1;
      else runOp(file, vm, op);
    }
  } catch (error) {
    arg.setUint32(AT_OPS_COUNT, i, true);
    throw errorOf(`ops[${i}]`, error);
  }
}

/**
 * Prepare, execute and clean up one operation.
 *
 * @param file - the open file
 * @param vm - its VM
 * @param op - decoded
 * @throws `DrmError` for what `prepare` refuses, and for what executing fails with
 */
export function runOp(file: PanthorFile, vm: PanthorVm, op: PanthorBindOp): void {
  prepare(file, vm, op);
  const ret = vm.execute(op);
  cleanUp(vm, op);
  if (ret !== 0) fail(-ret, `${op.name}: ${vm.refusal}`);
}

/** A u64 that is exact when it is a multiple of 4096; otherwise it may be rounded, which nothing but a message sees. */
function exactIfAligned(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true);
}

/** The first member that is not a multiple of 4096. */
function crookedOf(view: DataView, at: number): string {
  for (const [name, offset] of [
    ["va", AT_VA],
    ["size", AT_SIZE],
    ["bo_offset", AT_BO_OFFSET],
  ] as const) {
    if ((view.getUint32(at + offset, true) & (PAGE_BYTES - 1)) !== 0)
      return `${name}: ${hexU64(view, at + offset)}`;
  }
  throw new Error("crookedOf: every member is a multiple of 4096");
}

function decode(file: PanthorFile, ops: CopiedArray, index: number, op: PanthorBindOp): void {
  const { view } = ops;
  const at = index * ops.stride;
  const flags = view.getUint32(at + AT_FLAGS, true);
  op.index = index;
  op.flags = flags;
  op.type = (flags & OP_TYPE_MASK) >>> 0;
  op.boHandle = view.getUint32(at + AT_BO_HANDLE, true);
  op.boOffset = exactIfAligned(view, at + AT_BO_OFFSET);
  op.va = exactIfAligned(view, at + AT_VA);
  op.size = exactIfAligned(view, at + AT_SIZE);
  op.unaligned =
    ((view.getUint32(at + AT_BO_OFFSET, true) |
      view.getUint32(at + AT_VA, true) |
      view.getUint32(at + AT_SIZE, true)) &
      (PAGE_BYTES - 1)) !==
    0;
  if (op.unaligned) op.crooked = crookedOf(view, at);
  op.syncsCount = view.getUint32(at + AT_SYNCS_COUNT, true);
  if (op.syncsCount !== 0) {
    op.syncsStride = view.getUint32(at + AT_SYNCS_STRIDE, true);
    op.syncsArray = readU64(view, at + AT_SYNCS_ARRAY);
  }
  const { device } = file;
  const bit = op.type === OP_MAP && (flags & MAP_SPARSE) !== 0;
  op.kind = !bit ? 0 : device.repeats ? GPUVA_REPEAT : device.sparse ? GPUVA_SPARSE : 0;
  const end = device.repeats ? at + ops.stride : 0;
  op.repeatRange = at + AT_PAD <= end ? view.getUint32(at + AT_REPEAT_RANGE, true) : 0;
  op.pad = at + AT_PAD + 4 <= end ? view.getUint32(at + AT_PAD, true) : 0;
  op.bo = null;
  op.vmBo = null;
  op.tables = 0;
}

// -- asynchronous calls -----------------------------------------------------------------------------------------------

function bindAsync(file: PanthorFile, vm: PanthorVm, ops: CopiedArray, count: number, user: UserSpace): void {
  const { queue } = vm;
  const jobs: BindJob[] = [];
  const syncs: (readonly SyncOp[])[] = [];
  let publish: () => void;
  let made = 0;
  try {
    for (; made < count; made++) {
      if (vm.destroyed || vm.unusable)
        fail(EINVAL, `ops[${made}]: the VM is ${vm.destroyed ? "destroyed" : "unusable"}`);
      const op = queue.takeOp();
      decode(file, ops, made, op);
      prepare(file, vm, op);
      jobs.push(new BindJob(op));
      syncs.push(copySyncs(file, op, user));
    }
    publish = resolveSyncs(file, jobs, syncs);
  } catch (error) {
    for (const { op } of jobs) cleanUp(vm, op);
    throw made < count ? errorOf(`ops[${made}]`, error) : error;
  }
  file.device.counters.bindJobs += count;
  publish();
  for (const job of jobs) queue.push(job);
  queue.pump();
}
