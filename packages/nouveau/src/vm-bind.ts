/**
 * One VM_BIND: decode, check in the kernel's order, submit, and undo all of it where that fails (`nouveau_uvmm.c`, Linux
 * 7.3-rc7).
 *
 * ```text
 *   arrays -> syncs -> each op by itself -> each op against the regions as they are -> each op against what the ops before
 *   it left -> objects brought in        (up to here everything can fail, and nothing is left of it then)
 *   -> mappings linked -> queued -> run -> freed
 * ```
 *
 * A synchronous call returns when its work has run. An asynchronous one returns when it is queued, and its signals come with
 * the end of the run.
 *
 * @module
 */

import {
  type AllocFault,
  EINTR,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  type Fence,
  fail,
  hex,
  span,
  type UserSpace,
} from "@vmbind/drm";
import { type BindJob, OP_MAP, OP_SPARSE, OP_UNKNOWN, OP_UNMAP, OP_UNSPARSE } from "./bind-job.ts";
import { VmBindOpRecord } from "./bind-records.ts";
import { copySyncs, resolveSyncs, type SyncFile } from "./bind-syncs.ts";
import type { NouveauBo } from "./bo.ts";
import { releaseOp } from "./job-run.ts";
import { holdsWhole, link, place, submit } from "./job-submit.ts";
import type { SparseRegion } from "./regions.ts";
import {
  readBindOp,
  VM_BIND_KIND_MASK,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  type VmBind,
} from "./uapi.ts";
import type { NouveauVm, NouveauVmDevice } from "./vm.ts";

/** Op numbers that the driver has inside, see quirk `internalOps`. */
const INTERNAL_MAP_SPARSE = 2;
const INTERNAL_UNMAP_SPARSE = 3;

/** What VM_BIND needs of the open file; see `NouveauFile`. */
export interface BindFile extends SyncFile {
  /** The device. */
  readonly device: NouveauVmDevice;
  /** An object by its handle, or undefined. */
  bo(handle: number): NouveauBo | undefined;
}

// Constants of this module are found faster than imported ones.
const UNKNOWN = OP_UNKNOWN;
const MAP = OP_MAP;
const UNMAP = OP_UNMAP;
const SPARSE = OP_SPARSE;
const UNSPARSE = OP_UNSPARSE;
const SPARSE_FLAG = VM_BIND_SPARSE;
const OP_BYTES: number = VM_BIND_OP.size;
const PAGE_BYTES = 4096;

const NO_FENCES: Fence[] = [];
/** Decoded into. */
const RECORD = new VmBindOpRecord();

/**
 * VM_BIND.
 *
 * @param file - the open file
 * @param vm - its VM
 * @param args - the argument struct
 * @param user - the caller's memory
 * @throws DrmError EFAULT, EINVAL, ENOENT, EOPNOTSUPP, ENOSPC, EEXIST, ENOMEM; nothing has changed then. EINTR where the call
 * would have to wait for a fence that nobody has signalled
 */
export function vmBind(file: BindFile, vm: NouveauVm, args: VmBind, user: UserSpace): void {
  const { counters, options } = file.device;
  const { opCount, waitCount, sigCount } = args;
  counters.bindIoctls++;
  if (options.allocFault !== undefined && opCount > 0) allocateOps(options.allocFault);
  const ops = opCount > 0 ? user.view(args.opPtr, opCount * OP_BYTES) : null;
  const isAsync = (args.flags & VM_BIND_RUN_ASYNC) !== 0;
  // Most calls have no syncs at all.
  const plain = (waitCount | sigCount) === 0;
  const syncs = plain ? null : copySyncs(args, user);
  counters.payloadBytes += opCount * OP_BYTES + (waitCount + sigCount) * 16;
  counters.bindOps += opCount;
  if (!isAsync && !plain) needsAsync(args);
  const waits: Fence[] = plain ? NO_FENCES : [];
  const attach = syncs === null ? null : resolveSyncs(file, syncs, waits);
  const job = vm.takeJob();
  if (!plain) job.waits = waits;
  try {
    if (ops !== null) checkOps(file, vm, job, ops, opCount);
    if (job.makes) for (let i = 0; i < opCount; i++) checkRegions(vm, job, i);
    submit(vm, job);
  } catch (error) {
    for (let i = 0; i < job.count; i++) releaseOp(job, i);
    vm.giveJob(job);
    throw error;
  }
  link(vm, job);
  if (sigCount !== 0) attach?.(job.done);
  vm.queue.push(job);
  // A signal ends the wait of a synchronous call, and the call still succeeds: so where its work cannot run it returns.
  if (!isAsync && !job.freed) vm.queue.waitFor(job);
  if (job.freed && sigCount === 0) vm.giveJob(job);
}

// -- each operation by itself ---------------------------------------------------------------------------------------------

function checkOps(file: BindFile, vm: NouveauVm, job: BindJob, ops: DataView, count: number): void {
  // One object is mapped by many operations in a row.
  let handle = 0;
  let bo: NouveauBo | undefined;
  for (let i = 0; i < count; i++) {
    readBindOp(ops, i * OP_BYTES, RECORD);
    if (RECORD.handle !== handle) {
      handle = RECORD.handle;
      bo = file.bo(handle);
    }
    checkOp(file, vm, job, RECORD, bo);
  }
}

function checkOp(
  file: BindFile,
  vm: NouveauVm,
  job: BindJob,
  record: VmBindOpRecord,
  bo: NouveauBo | undefined,
): void {
  const { addr, range, boOffset, flags } = record;
  const { quirks } = file.device.options;
  const kind = kindOf(record.op, (flags & SPARSE_FLAG) !== 0, quirks.internalOps);
  const pteKind = flags & VM_BIND_KIND_MASK;
  const op = job.add(kind, record.op, addr, range, boOffset, pteKind);
  if (kind === MAP) {
    const found = bo ?? unknownHandle(op, record);
    job.setBo(op, found.get());
    if (!isPaged(boOffset)) unaligned(op, "bo_offset", boOffset);
    if (found.size <= boOffset || range > found.size - boOffset) behindTheEnd(op, record, found);
    if (!quirks.unreportedKinds && (file.device.backend.kinds[pteKind] as number) < 0)
      unknownKind(op, pteKind);
  }
  if (!isPaged(addr)) unaligned(op, "addr", addr);
  if (!isPaged(range)) unaligned(op, "range", range);
  if (!vm.gpuvm.rangeValid(addr, range)) outside(vm, op, record);
}

// Reasons are made in functions of their own: the path that every operation takes stays short enough to be inlined.

function allocateOps(allocFault: AllocFault): void {
  if (allocFault("op-array")) fail(ENOMEM, "op_ptr: no memory for the op array (injected)");
}

function needsAsync({ waitCount, sigCount }: VmBind): never {
  const field = waitCount !== 0 ? `wait_count: ${waitCount}` : `sig_count: ${sigCount}`;
  return fail(EINVAL, `${field} without RUN_ASYNC`);
}

function unknownHandle(op: number, { handle }: VmBindOpRecord): never {
  return fail(ENOENT, `ops[${op}].handle: ${handle} is not a handle of this file`);
}

function unaligned(op: number, field: string, value: number): never {
  return fail(EINVAL, `ops[${op}].${field}: ${hex(value)} is not a multiple of 0x1000`);
}

function behindTheEnd(op: number, { boOffset, range }: VmBindOpRecord, { size }: NouveauBo): never {
  const behind = `is behind the end of an object of ${hex(size)} bytes`;
  return fail(EINVAL, `ops[${op}].bo_offset: ${hex(boOffset)} + ${hex(range)} ${behind}`);
}

function unknownKind(op: number, pteKind: number): never {
  return fail(EINVAL, `ops[${op}].flags: the GPU has no PTE kind ${hex(pteKind)}`);
}

function outside({ gpuvm }: NouveauVm, op: number, { addr, range }: VmBindOpRecord): never {
  return fail(EINVAL, `ops[${op}].addr: ${(gpuvm.rangeProblem(addr, range) ?? "").replace(/^va: /, "")}`);
}

/** What an op number means with its flags. */
function kindOf(number: number, sparse: boolean, internalOps: boolean): number {
  if (number === VM_BIND_OP_MAP) return sparse ? SPARSE : MAP;
  if (number === VM_BIND_OP_UNMAP) return sparse ? UNSPARSE : UNMAP;
  if (internalOps && number === INTERNAL_MAP_SPARSE) return SPARSE;
  if (internalOps && number === INTERNAL_UNMAP_SPARSE) return UNSPARSE;
  return UNKNOWN;
}

/** Whether a u64 is a multiple of 4096; one that a double cannot hold is none. `%` would take the time of ten divisions. */
function isPaged(value: number): boolean {
  const pages = value / PAGE_BYTES;
  return Math.floor(pages) === pages;
}

// -- each operation against the regions before the call ---------------------------------------------------------------------

function checkRegions(vm: NouveauVm, job: BindJob, op: number): void {
  const kind = job.kind(op);
  if (kind === SPARSE) {
    if (vm.queue.jobs.length > 0) waitForUnmaps(vm, job, op);
    const region = firstSettled(vm, job, op);
    if (region !== null) meetsRegion(job, op, region);
  } else if (kind === MAP) holdsWhole(firstSettled(vm, job, op), job, op);
}

function meetsRegion(job: BindJob, op: number, region: SparseRegion): never {
  const range = span(job.addr(op), job.range(op));
  return fail(ENOSPC, `ops[${op}].addr: ${range} meets the sparse region ${place(region)}`);
}

/** What plain UNMAPs of earlier calls take out of a new region must be gone first. */
function waitForUnmaps(vm: NouveauVm, job: BindJob, op: number): void {
  for (const other of [...vm.queue.jobs]) {
    if (!other.freed && other.unmaps(job.addr(op), job.range(op))) waitFor(vm, op, other);
  }
}

/** The lowest region that an operation meets, once none is going any more. */
function firstSettled(vm: NouveauVm, job: BindJob, op: number): SparseRegion | null {
  for (;;) {
    const region = vm.regions.first(job.addr(op), job.range(op));
    if (region === null || region.dirty === null) return region;
    waitFor(vm, op, region.dirty as BindJob);
  }
}

function waitFor(vm: NouveauVm, op: number, job: BindJob): void {
  vm.device.counters.bindWaits++;
  if (vm.queue.waitFor(job)) return;
  fail(
    EINTR,
    `ops[${op}].addr: an earlier VM_BIND of this range waits for a fence that nobody has signalled`,
  );
}
