/**
 * The operations of a VM_BIND: copied in one after the other, each checked before the next is read, then their objects looked
 * up (`msm_gem_vma.c`, Linux 7.3-rc7). Nothing has changed where one is refused.
 *
 * @module
 */

import { DrmError, EFAULT, EINVAL, fail, hex, hexU64, type UserSpace } from "@vmbind/drm";
import type { BindJob } from "./bind-job.ts";
import type { MsmBo } from "./bo.ts";
import type { MsmFile } from "./file.ts";
import { OP_DUMP, OP_MAP, OP_MAP_NULL, VA_START, VM_BIND_OP } from "./uapi.ts";

const OP = VM_BIND_OP.fields;
const OP_BYTES = VM_BIND_OP.size;
const AT_OP = OP.op.offset;
const AT_HANDLE = OP.handle.offset;
const AT_OBJ_OFFSET = OP.objOffset.offset;
const AT_IOVA = OP.iova.offset;
const AT_RANGE = OP.range.offset;
const AT_FLAGS = OP.flags.offset;
const PAGE_MASK = 0xfff;
// Constants of this module are folded into a loop, imported ones are loaded and checked in each turn.
const MAP = OP_MAP;
const MAP_NULL = OP_MAP_NULL;
const DUMP = OP_DUMP;
const FIRST_VA = VA_START;
const TWO_32 = 4294967296;

/**
 * The operation of a VM_BIND that has one, which lies in the argument.
 *
 * @param file - the open file
 * @param view - the argument
 * @param at - where the operation lies
 * @param job - receives it
 * @throws `DrmError` EINVAL
 */
export function readInlineOp(file: MsmFile, view: DataView, at: number, job: BindJob): void {
  readRun(file, view, at, job, 0, 1);
}

/**
 * The operations of a VM_BIND that has an array of them. The kernel goes on by 40 bytes, whatever `op_stride` says.
 *
 * @param file - the open file
 * @param pointer - user address of the array
 * @param user - the caller's memory
 * @param job - with their number; receives them
 * @throws `DrmError` EINVAL, EFAULT: what comes first
 */
export function readOps(file: MsmFile, pointer: number, user: UserSpace, job: BindJob): void {
  const { count } = job;
  if (count === 0) return;
  const { counters } = file.device;
  let whole: DataView | null = null;
  try {
    whole = user.view(pointer, count * OP_BYTES);
  } catch (error) {
    // Some of them may be there, and one of those may be wrong, which is then what is said.
    if (!(error instanceof DrmError && error.errno === EFAULT)) throw error;
  }
  if (whole !== null) {
    counters.payloadBytes += count * OP_BYTES;
    readRun(file, whole, 0, job, 0, count);
    return;
  }
  for (let i = 0; i < count; i++) {
    readRun(file, user.view(pointer + i * OP_BYTES, OP_BYTES), 0, job, i, 1);
    counters.payloadBytes += OP_BYTES;
  }
}

/** Operations that lie one behind the other, from `base` on: the `first`th of the job, and `count` in all. */
function readRun(
  file: MsmFile,
  view: DataView,
  base: number,
  job: BindJob,
  first: number,
  count: number,
): void {
  const { kind: kinds, handle: handles, offset, iova: iovas, range: ranges, flags: allFlags } = job;
  const { prr } = file.device.options;
  const { vaEnd } = file.device;
  let at = base;
  for (let i = first; i < first + count; i++, at += OP_BYTES) {
    const kind = view.getUint32(at + AT_OP, true);
    const handle = view.getUint32(at + AT_HANDLE, true);
    const flags = view.getUint32(at + AT_FLAGS, true);
    const offsetLow = view.getUint32(at + AT_OBJ_OFFSET, true);
    const iovaLow = view.getUint32(at + AT_IOVA, true);
    const rangeLow = view.getUint32(at + AT_RANGE, true);
    const iova = view.getUint32(at + AT_IOVA + 4, true) * TWO_32 + iovaLow;
    const range = view.getUint32(at + AT_RANGE + 4, true) * TWO_32 + rangeLow;
    if (
      (flags & ~DUMP) !== 0 ||
      ((offsetLow | iovaLow | rangeLow) & PAGE_MASK) !== 0 ||
      iova < FIRST_VA ||
      iova + range > vaEnd ||
      kind > MAP_NULL ||
      (kind === MAP) !== (handle !== 0) ||
      (kind === MAP_NULL && !prr)
    ) {
      refuse(file, view, at, job.nameOf(i));
    }
    kinds[i] = kind;
    handles[i] = handle;
    offset[i] = view.getUint32(at + AT_OBJ_OFFSET + 4, true) * TWO_32 + offsetLow;
    iovas[i] = iova;
    ranges[i] = range;
    allFlags[i] = flags;
  }
}

/** Say what is wrong with an operation. The driver looks at everything and says nothing. */
function refuse(file: MsmFile, view: DataView, at: number, name: string): never {
  const op = view.getUint32(at + AT_OP, true);
  const handle = view.getUint32(at + AT_HANDLE, true);
  const flags = view.getUint32(at + AT_FLAGS, true);
  if (op > OP_MAP_NULL) fail(EINVAL, `${name}.op: ${op} is unknown`);
  if ((flags & ~OP_DUMP) !== 0) fail(EINVAL, `${name}.flags: ${hex((flags & ~OP_DUMP) >>> 0)} is unknown`);
  for (const [field, offset] of [
    ["iova", AT_IOVA],
    ["range", AT_RANGE],
    ["obj_offset", AT_OBJ_OFFSET],
  ] as const) {
    if ((view.getUint32(at + offset, true) & PAGE_MASK) !== 0)
      fail(EINVAL, `${name}.${field}: ${hexU64(view, at + offset)} is not a multiple of 4096`);
  }
  if (op === OP_MAP && handle === 0) fail(EINVAL, `${name}.handle: 0 with MAP`);
  if (op !== OP_MAP && handle !== 0)
    fail(EINVAL, `${name}.handle: ${handle} with ${op === OP_MAP_NULL ? "MAP_NULL" : "UNMAP"}`);
  if (op === OP_MAP_NULL && !file.device.options.prr)
    fail(EINVAL, `${name}.op: MAP_NULL, and the SMMU has no partially resident region`);
  const [iova, range] = [hexU64(view, at + AT_IOVA), hexU64(view, at + AT_RANGE)];
  return fail(
    EINVAL,
    `${name}.iova: [${iova}, +${range}) is not inside [${hex(VA_START)}, ${hex(2 ** file.device.options.vaBits)})`,
  );
}

/**
 * Look up the objects of the MAPs, each of which gets a reference.
 *
 * @param file - the open file
 * @param job - with operations; receives the objects
 * @throws `DrmError` EINVAL
 */
export function lookUpObjects(file: MsmFile, job: BindJob): void {
  const { count, kind, handle, offset, range, bos } = job;
  // One object is mapped by many operations in a row.
  let known = 0;
  let bo: MsmBo | undefined;
  for (let i = 0; i < count; i++) {
    if (kind[i] !== MAP) continue;
    const wanted = handle[i] as number;
    if (wanted !== known) {
      bo = file.bo(wanted);
      known = wanted;
    }
    if (bo === undefined) unknownHandle(job, i);
    if ((offset[i] as number) + (range[i] as number) > bo.size) beyond(job, i, bo);
    bo.refs++;
    bos[job.maps++] = bo;
  }
}

// Reasons are made in functions of their own: the path that every operation takes stays short.

function unknownHandle(job: BindJob, i: number): never {
  return fail(EINVAL, `${job.nameOf(i)}.handle: ${job.handle[i]} is not a handle of this file`);
}

function beyond(job: BindJob, i: number, bo: MsmBo): never {
  const range = `obj_offset ${hex(job.offset[i] as number)} + ${hex(job.range[i] as number)}`;
  return fail(EINVAL, `${job.nameOf(i)}.range: ${range} exceeds the object's ${hex(bo.size)}`);
}
