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
  EEXIST,
  EINTR,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  errorOf,
  type Fence,
  fail,
  hex,
  span,
  type UserSpace,
} from "@vmbind/drm";
import { type VmBo, vmBosOf } from "@vmbind/gpuvm-core";
import { type BindJob, OP_MAP, OP_SPARSE, OP_UNKNOWN, OP_UNMAP, OP_UNSPARSE } from "./bind-job.ts";
import { VmBindOpRecord } from "./bind-records.ts";
import { copySyncs, resolveSyncs, type SyncFile } from "./bind-syncs.ts";
import type { NouveauBo } from "./bo.ts";
import { releaseOp, restoreMappings } from "./job-run.ts";
import { chooseShift } from "./mapping.ts";
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
  if (opCount > 0 && options.allocFault?.("op-array")) {
    fail(ENOMEM, "op_ptr: no memory for the op array (injected)");
  }
  const ops = opCount > 0 ? user.view(args.opPtr, opCount * OP_BYTES) : null;
  const isAsync = (args.flags & VM_BIND_RUN_ASYNC) !== 0;
  // Most calls have no syncs at all.
  const plain = (waitCount | sigCount) === 0;
  const syncs = plain ? null : copySyncs(args, user);
  counters.payloadBytes += opCount * OP_BYTES + (waitCount + sigCount) * 16;
  counters.bindOps += opCount;
  if (!isAsync && waitCount !== 0) fail(EINVAL, `wait_count: ${waitCount} without RUN_ASYNC`);
  if (!isAsync && sigCount !== 0) fail(EINVAL, `sig_count: ${sigCount} without RUN_ASYNC`);
  const waits: Fence[] = plain ? NO_FENCES : [];
  const attach = syncs === null ? null : resolveSyncs(file, syncs, waits);
  const job = vm.takeJob();
  if (!plain) job.waits = waits;
  try {
    for (let i = 0; i < opCount; i++) {
      readBindOp(ops as DataView, i * OP_BYTES, RECORD);
      checkOp(file, vm, job, RECORD);
    }
    for (let i = 0; i < opCount; i++) checkRegions(vm, job, i);
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

function checkOp(file: BindFile, vm: NouveauVm, job: BindJob, record: VmBindOpRecord): void {
  const { addr, range, boOffset, flags } = record;
  const { quirks } = file.device.options;
  const kind = kindOf(record.op, (flags & SPARSE_FLAG) !== 0, quirks.internalOps);
  const pteKind = flags & VM_BIND_KIND_MASK;
  const op = job.add(kind, record.op, addr, range, boOffset, pteKind);
  if (kind === MAP) {
    const bo =
      file.bo(record.handle) ??
      fail(ENOENT, `ops[${op}].handle: ${record.handle} is not a handle of this file`);
    job.setBo(op, bo.get());
    if (!isPaged(boOffset))
      fail(EINVAL, `ops[${op}].bo_offset: ${hex(boOffset)} is not a multiple of 0x1000`);
    if (bo.size <= boOffset || range > bo.size - boOffset) {
      fail(
        EINVAL,
        `ops[${op}].bo_offset: ${hex(boOffset)} + ${hex(range)} is behind the end of an object of ${hex(bo.size)} bytes`,
      );
    }
    if (!quirks.unreportedKinds && (file.device.backend.kinds[pteKind] as number) < 0) {
      fail(EINVAL, `ops[${op}].flags: the GPU has no PTE kind ${hex(pteKind)}`);
    }
  }
  if (!isPaged(addr)) fail(EINVAL, `ops[${op}].addr: ${hex(addr)} is not a multiple of 0x1000`);
  if (!isPaged(range)) fail(EINVAL, `ops[${op}].range: ${hex(range)} is not a multiple of 0x1000`);
  if (vm.gpuvm.rangeValid(addr, range)) return;
  fail(EINVAL, `ops[${op}].addr: ${(vm.gpuvm.rangeProblem(addr, range) ?? "").replace(/^va: /, "")}`);
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
    if (region === null) return;
    const range = span(job.addr(op), job.range(op));
    fail(ENOSPC, `ops[${op}].addr: ${range} meets the sparse region ${place(region)}`);
  } else if (kind === MAP) holdsWhole(firstSettled(vm, job, op), job, op);
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

function holdsWhole(region: SparseRegion | null, job: BindJob, op: number): void {
  if (region === null) return;
  const addr = job.addr(op);
  const range = job.range(op);
  if (addr >= region.addr && addr + range <= region.addr + region.range) return;
  fail(
    ENOSPC,
    `ops[${op}].addr: ${span(addr, range)} is not wholly inside the sparse region ${place(region)}`,
  );
}

function waitFor(vm: NouveauVm, op: number, job: BindJob): void {
  vm.device.counters.bindWaits++;
  if (vm.queue.waitFor(job)) return;
  fail(
    EINTR,
    `ops[${op}].addr: an earlier VM_BIND of this range waits for a fence that nobody has signalled`,
  );
}

function place({ addr, range }: SparseRegion): string {
  return span(addr, range);
}

// -- submit -----------------------------------------------------------------------------------------------------------------

/** Apply every operation to the tree, and bring the objects in; all is undone where one fails. */
function submit(vm: NouveauVm, job: BindJob): void {
  let op = 0;
  try {
    for (; op < job.count; op++) {
      vm.gpuvm.op = op;
      prepare(vm, job, op);
    }
    for (let k = 0; k < job.count; k++) validate(vm, job, k);
  } catch (error) {
    undo(vm, job, Math.min(op, job.count - 1));
    throw errorOf(`ops[${Math.min(op, job.count - 1)}]`, error);
  }
}

function prepare(vm: NouveauVm, job: BindJob, op: number): void {
  switch (job.kind(op)) {
    case MAP:
      prepareMap(vm, job, op);
      return;
    case UNMAP:
      apply(vm, op, vm.steps.unmapRange(job, op));
      reserve(vm, job, op);
      return;
    case SPARSE:
      prepareSparse(vm, job, op);
      return;
    case UNSPARSE:
      markGoing(vm, job, op);
      apply(vm, op, vm.steps.unmapRange(job, op));
      reserve(vm, job, op);
      return;
    default:
      fail(EINVAL, `ops[${op}].op: ${job.number(op)} is neither MAP nor UNMAP`);
  }
}

/** A region that goes is dirty until that is done. */
function markGoing(vm: NouveauVm, job: BindJob, op: number): void {
  const addr = job.addr(op);
  const range = job.range(op);
  const region = vm.regions.first(addr, range);
  if (region === null || region.dirty !== null || region.addr !== addr || region.range !== range) {
    fail(ENOENT, `ops[${op}].addr: ${span(addr, range)} is not a sparse region, or one that is going`);
  } else {
    region.dirty = job;
    job.setRegion(op, region);
  }
}

function prepareMap(vm: NouveauVm, job: BindJob, op: number): void {
  const { options, backend } = vm.device;
  const bo = job.bo(op) as NouveauBo;
  const addr = job.addr(op);
  const range = job.range(op);
  const region = vm.regions.first(addr, range);
  if (region !== null) {
    if (region.dirty !== null) fail(EINVAL, `ops[${op}].addr: the sparse region ${place(region)} is going`);
    holdsWhole(region, job, op);
  }
  if (options.allocFault?.("gpuva")) fail(ENOMEM, `ops[${op}]: no memory for the mapping (injected)`);
  if (options.allocFault?.("vm_bo")) fail(ENOMEM, `ops[${op}]: no memory for the vm_bo (injected)`);
  const vmBo = vm.gpuvm.vmBoObtain(bo);
  // A pair that others refer to is on the list.
  if (vmBo.refs === 1) vm.gpuvm.extobjAdd(vmBo);
  job.setVmBo(op, vmBo);
  job.setShift(op, chooseShift(backend, bo, addr, range, job.offset(op)));
  apply(vm, op, vm.steps.mapRange(job, op, region !== null));
  if (!reserve(vm, job, op)) vm.steps.takeReferences(job, op);
}

/** Where page sizes meet, set tables aside. @returns whether they do */
function reserve(vm: NouveauVm, job: BindJob, op: number): boolean {
  const tables = vm.steps.lateTables(job, op, vm.queue.jobs);
  if (tables < 0) return false;
  vm.pageTable.tree.reserve(tables);
  job.tables += tables;
  job.setLate(op);
  return true;
}

function apply(vm: NouveauVm, op: number, ret: number): void {
  if (ret !== 0) fail(-ret, `ops[${op}]: ${vm.gpuvm.refusal}`);
}

function prepareSparse(vm: NouveauVm, job: BindJob, op: number): void {
  const addr = job.addr(op);
  const range = job.range(op);
  if (range === 0) fail(EINVAL, `ops[${op}].range: 0 with SPARSE`);
  if (!vm.gpuvm.intervalEmpty(addr, range) || wasMapped(vm, job, addr, range)) {
    fail(ENOSPC, `ops[${op}].addr: a mapping is in ${span(addr, range)}, or was when the call began`);
  }
  const met = vm.regions.first(addr, range);
  if (met !== null) {
    fail(EEXIST, `ops[${op}].addr: ${span(addr, range)} meets the sparse region ${place(met)} of this call`);
  }
  vm.pageTable.sparse(addr, range);
  const region = { addr, range, dirty: null };
  job.setRegion(op, region);
  vm.addRegion(region);
}

/** Whether an earlier operation of the call removed a mapping in the range. */
function wasMapped(vm: NouveauVm, job: BindJob, addr: number, range: number): boolean {
  for (let step = 0; step < job.stepCount; step++) {
    const old = job.old(step);
    if (vm.gpuvm.addr(old) < addr + range && addr < vm.gpuvm.end(old)) return true;
  }
  return false;
}

/** Bring in the objects that the operation maps, and those of mappings that it cuts. */
function validate(vm: NouveauVm, job: BindJob, op: number): void {
  const bo = job.bo(op);
  if (bo !== null) validateBo(vm, op, bo);
  for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
    if ((job.prev(step) | job.next(step)) === 0) continue;
    validateBo(vm, op, vm.gpuvm.gem(job.old(step)) as NouveauBo);
  }
}

function validateBo(vm: NouveauVm, op: number, bo: NouveauBo): void {
  if (!bo.mappable) fail(EINVAL, `ops[${op}].handle: the object may be neither in VRAM nor in GART`);
  if (!bo.evicted) return;
  bo.restore();
  for (const vmBo of vmBosOf(bo)) {
    const other = vm.device.vms.get(vmBo.vm);
    if (other !== undefined) restoreMappings(other, vmBo);
  }
}

function undo(vm: NouveauVm, job: BindJob, last: number): void {
  for (let op = last; op >= 0; op--) {
    const region = job.region(op);
    if (job.kind(op) === SPARSE && region !== null) {
      vm.pageTable.unsparse(region.addr, region.range);
      vm.regions.remove(region);
      vm.regionGone(region);
    }
    if (job.kind(op) === UNSPARSE && region !== null) region.dirty = null;
    vm.steps.undo(job, op);
  }
  vm.pageTable.tree.reserved.release(job.tables);
}

/** From here on nothing fails: mappings join the lists of their objects, those that went leave them. */
function link(vm: NouveauVm, job: BindJob): void {
  const { gpuvm } = vm;
  for (let op = 0; op < job.count; op++) {
    for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
      const old = job.old(step);
      const prev = job.prev(step);
      const next = job.next(step);
      if ((prev | next) !== 0) {
        const vmBo = gpuvm.vmBo(old) as VmBo;
        if (prev !== 0) gpuvm.link(prev, vmBo);
        if (next !== 0) gpuvm.link(next, vmBo);
      }
      gpuvm.unlink(old);
    }
    const va = job.va(op);
    if (va > 0) gpuvm.link(va, job.vmBo(op) as VmBo);
  }
}
