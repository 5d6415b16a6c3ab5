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
import { vmBosOf } from "@vmbind/gpuvm-core";
import type { BindJob, BindOp, OpStep } from "./bind-job.ts";
import { copySyncs, resolveSyncs, type SyncFile } from "./bind-syncs.ts";
import type { NouveauBo } from "./bo.ts";
import { releaseOp, restoreMappings } from "./job-run.ts";
import { chooseShift } from "./mapping.ts";
import type { SparseRegion } from "./regions.ts";
import {
  PAGE_BYTES,
  readBindOp,
  VM_BIND_KIND_MASK,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  type VmBind,
  type VmBindOp,
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

const NO_FENCES: Fence[] = [];
/** Decoded into; the numbers are doubles from the start. */
const RECORD: VmBindOp = { op: 0, flags: 0, handle: 0, pad: 0, addr: 0.5, boOffset: 0.5, range: 0.5 };

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
  const { opCount } = args;
  counters.bindIoctls++;
  if (opCount > 0 && options.allocFault?.("op-array")) {
    fail(ENOMEM, "op_ptr: no memory for the op array (injected)");
  }
  const ops = opCount > 0 ? user.view(args.opPtr, opCount * VM_BIND_OP.size) : null;
  const syncs = copySyncs(args, user);
  counters.payloadBytes += opCount * VM_BIND_OP.size + (args.waitCount + args.sigCount) * 16;
  counters.bindOps += opCount;
  const isAsync = (args.flags & VM_BIND_RUN_ASYNC) !== 0;
  if (!isAsync && args.waitCount !== 0) fail(EINVAL, `wait_count: ${args.waitCount} without RUN_ASYNC`);
  if (!isAsync && args.sigCount !== 0) fail(EINVAL, `sig_count: ${args.sigCount} without RUN_ASYNC`);
  // Most calls have no syncs at all.
  const plain = (args.waitCount | args.sigCount) === 0;
  const waits: Fence[] = plain ? NO_FENCES : [];
  const attach = plain ? null : resolveSyncs(file, syncs, waits);
  const job = vm.takeJob();
  if (waits !== NO_FENCES) job.waits = waits;
  try {
    for (let i = 0; i < opCount; i++) {
      readBindOp(ops as DataView, i * VM_BIND_OP.size, RECORD);
      checkOp(file, vm, job, RECORD);
    }
    for (let i = 0; i < opCount; i++) checkRegions(vm, job.at(i));
    submit(vm, job);
  } catch (error) {
    for (let i = 0; i < job.count; i++) releaseOp(job.at(i));
    vm.giveJob(job);
    throw error;
  }
  link(vm, job);
  if (args.sigCount !== 0) attach?.(job.done);
  vm.queue.push(job);
  // A signal ends the wait of a synchronous call, and the call still succeeds: so where its work cannot run it returns.
  if (!isAsync && !job.freed) vm.queue.waitFor(job);
  if (job.freed && args.sigCount === 0) vm.giveJob(job);
}

// -- each operation by itself ---------------------------------------------------------------------------------------------

function checkOp(file: BindFile, vm: NouveauVm, job: BindJob, record: VmBindOp): void {
  const op = job.add();
  const { addr, range, boOffset, flags } = record;
  const { quirks } = file.device.options;
  const name = (field: string): string => `ops[${op.index}].${field}`;
  op.op = record.op;
  op.addr = addr;
  op.range = range;
  const sparse = (flags & VM_BIND_SPARSE) !== 0;
  if (record.op === VM_BIND_OP_MAP) op.kind = sparse ? "sparse" : "map";
  else if (record.op === VM_BIND_OP_UNMAP) op.kind = sparse ? "unsparse" : "unmap";
  else if (quirks.internalOps && record.op === INTERNAL_MAP_SPARSE) op.kind = "sparse";
  else if (quirks.internalOps && record.op === INTERNAL_UNMAP_SPARSE) op.kind = "unsparse";
  if (op.kind === "map") {
    op.offset = boOffset;
    op.pteKind = flags & VM_BIND_KIND_MASK;
    const bo =
      file.bo(record.handle) ??
      fail(ENOENT, `${name("handle")}: ${record.handle} is not a handle of this file`);
    op.bo = bo.get();
    if (!isPaged(boOffset))
      fail(EINVAL, `${name("bo_offset")}: ${hex(boOffset)} is not a multiple of 0x1000`);
    if (bo.size <= boOffset || range > bo.size - boOffset) {
      fail(
        EINVAL,
        `${name("bo_offset")}: ${hex(boOffset)} + ${hex(range)} is behind the end of an object of ${hex(bo.size)} bytes`,
      );
    }
    if (!quirks.unreportedKinds && (file.device.backend.kinds[op.pteKind] as number) < 0) {
      fail(EINVAL, `${name("flags")}: the GPU has no PTE kind ${hex(op.pteKind)}`);
    }
  }
  if (!isPaged(addr)) fail(EINVAL, `${name("addr")}: ${hex(addr)} is not a multiple of 0x1000`);
  if (!isPaged(range)) fail(EINVAL, `${name("range")}: ${hex(range)} is not a multiple of 0x1000`);
  const problem = vm.gpuvm.rangeProblem(addr, range);
  if (problem !== null) fail(EINVAL, `${name("addr")}: ${problem.replace(/^va: /, "")}`);
}

/** Whether a u64 is a multiple of 4096; one that a double cannot hold is none. */
function isPaged(value: number): boolean {
  return value % PAGE_BYTES === 0;
}

// -- each operation against the regions before the call ---------------------------------------------------------------------

function checkRegions(vm: NouveauVm, op: BindOp): void {
  const { addr, range } = op;
  if (op.kind === "sparse") {
    for (const job of [...vm.queue.jobs]) if (!job.freed && job.unmaps(addr, range)) waitFor(vm, op, job);
    const region = firstSettled(vm, op);
    if (region !== null) {
      fail(ENOSPC, `ops[${op.index}].addr: ${span(addr, range)} meets the sparse region ${place(region)}`);
    }
  } else if (op.kind === "map") {
    holdsWhole(firstSettled(vm, op), op);
  }
}

/** The lowest region that an operation meets, once none is going any more. */
function firstSettled(vm: NouveauVm, op: BindOp): SparseRegion | null {
  for (;;) {
    const region = vm.regions.first(op.addr, op.range);
    if (region === null || region.dirty === null) return region;
    waitFor(vm, op, region.dirty as BindJob);
  }
}

function holdsWhole(region: SparseRegion | null, { addr, range, index }: BindOp): void {
  if (region === null || (addr >= region.addr && addr + range <= region.addr + region.range)) return;
  fail(
    ENOSPC,
    `ops[${index}].addr: ${span(addr, range)} is not wholly inside the sparse region ${place(region)}`,
  );
}

function waitFor(vm: NouveauVm, op: BindOp, job: BindJob): void {
  vm.device.counters.bindWaits++;
  if (vm.queue.waitFor(job)) return;
  fail(
    EINTR,
    `ops[${op.index}].addr: an earlier VM_BIND of this range waits for a fence that nobody has signalled`,
  );
}

function place({ addr, range }: SparseRegion): string {
  return span(addr, range);
}

// -- submit -----------------------------------------------------------------------------------------------------------------

/** Apply every operation to the tree, and bring the objects in; all is undone where one fails. */
function submit(vm: NouveauVm, job: BindJob): void {
  let i = 0;
  try {
    for (; i < job.count; i++) {
      vm.gpuvm.op = i;
      prepare(vm, job, job.at(i));
      if (job.at(i).stepCount > 0) job.removing.push(i);
    }
    for (let k = 0; k < job.count; k++) validate(vm, job.at(k));
  } catch (error) {
    undo(vm, job, Math.min(i, job.count - 1));
    throw errorOf(`ops[${Math.min(i, job.count - 1)}]`, error);
  }
}

function prepare(vm: NouveauVm, job: BindJob, op: BindOp): void {
  const { addr, range, index } = op;
  switch (op.kind) {
    case "map":
      prepareMap(vm, job, op);
      return;
    case "unmap":
      reserve(vm, job, op);
      apply(vm, op, vm.steps.unmapRange(op));
      return;
    case "sparse":
      prepareSparse(vm, job, op);
      return;
    case "unsparse": {
      const region = vm.regions.first(addr, range);
      if (region === null || region.dirty !== null || region.addr !== addr || region.range !== range) {
        fail(ENOENT, `ops[${index}].addr: ${span(addr, range)} is not a sparse region, or one that is going`);
      }
      region.dirty = job;
      op.region = region;
      reserve(vm, job, op);
      apply(vm, op, vm.steps.unmapRange(op));
      return;
    }
    case null:
      fail(EINVAL, `ops[${index}].op: ${op.op} is neither MAP nor UNMAP`);
  }
}

function prepareMap(vm: NouveauVm, job: BindJob, op: BindOp): void {
  const { addr, range, offset, index } = op;
  const { options, backend } = vm.device;
  const bo = op.bo as NouveauBo;
  const region = vm.regions.first(addr, range);
  if (region !== null && region.dirty !== null) {
    fail(EINVAL, `ops[${index}].addr: the sparse region ${place(region)} is going`);
  }
  holdsWhole(region, op);
  if (options.allocFault?.("gpuva")) fail(ENOMEM, `ops[${index}]: no memory for the mapping (injected)`);
  if (options.allocFault?.("vm_bo")) fail(ENOMEM, `ops[${index}]: no memory for the vm_bo (injected)`);
  const vmBo = vm.gpuvm.vmBoObtain(bo);
  vm.gpuvm.extobjAdd(vmBo);
  op.vmBo = vmBo;
  op.shift = chooseShift(backend, bo, addr, range, offset);
  reserve(vm, job, op);
  apply(vm, op, vm.steps.mapRange(op, region !== null));
}

/** Where page sizes meet, set tables aside. */
function reserve(vm: NouveauVm, job: BindJob, op: BindOp): void {
  const tables = vm.steps.lateTables(op, job, vm.queue.jobs);
  if (tables < 0) return;
  vm.pageTable.tree.reserve(tables);
  job.tables += tables;
  op.late = true;
}

function apply(vm: NouveauVm, op: BindOp, ret: number): void {
  if (ret !== 0) fail(-ret, `ops[${op.index}]: ${vm.steps.refusal || vm.gpuvm.refusal}`);
}

function prepareSparse(vm: NouveauVm, job: BindJob, op: BindOp): void {
  const { addr, range, index } = op;
  if (range === 0) fail(EINVAL, `ops[${index}].range: 0 with SPARSE`);
  if (!vm.gpuvm.intervalEmpty(addr, range) || wasMapped(vm, job, op)) {
    fail(ENOSPC, `ops[${index}].addr: a mapping is in ${span(addr, range)}, or was when the call began`);
  }
  const region = vm.regions.first(addr, range);
  if (region !== null) {
    fail(
      EEXIST,
      `ops[${index}].addr: ${span(addr, range)} meets the sparse region ${place(region)} of this call`,
    );
  }
  vm.pageTable.sparse(addr, range);
  op.region = { addr, range, dirty: null };
  vm.addRegion(op.region);
}

/** Whether an earlier operation of the call removed a mapping in the range. */
function wasMapped(vm: NouveauVm, job: BindJob, { addr, range, index }: BindOp): boolean {
  for (const i of job.removing) {
    if (i >= index) break;
    const { steps, stepCount } = job.at(i);
    for (let k = 0; k < stepCount; k++) {
      const { old } = steps[k] as OpStep;
      if (vm.gpuvm.addr(old) < addr + range && addr < vm.gpuvm.end(old)) return true;
    }
  }
  return false;
}

/** Bring in the objects that the operation maps, and those of mappings that it cuts. */
function validate(vm: NouveauVm, op: BindOp): void {
  if (op.bo !== null) validateBo(vm, op, op.bo);
  for (let k = 0; k < op.stepCount; k++) {
    const { old, prev, next } = op.steps[k] as OpStep;
    if (prev !== 0 || next !== 0) validateBo(vm, op, vm.gpuvm.gem(old) as NouveauBo);
  }
}

function validateBo(vm: NouveauVm, op: BindOp, bo: NouveauBo): void {
  if (!bo.mappable) fail(EINVAL, `ops[${op.index}].handle: the object may be neither in VRAM nor in GART`);
  if (!bo.evicted) return;
  bo.restore();
  for (const vmBo of vmBosOf(bo)) {
    const other = vm.device.vms.get(vmBo.vm);
    if (other !== undefined) restoreMappings(other, vmBo);
  }
}

function undo(vm: NouveauVm, job: BindJob, last: number): void {
  for (let i = last; i >= 0; i--) {
    const op = job.at(i);
    const { region } = op;
    if (op.kind === "sparse" && region !== null) {
      vm.pageTable.unsparse(region.addr, region.range);
      vm.regions.remove(region);
      vm.regionGone(region);
    }
    if (op.kind === "unsparse" && region !== null) region.dirty = null;
    vm.steps.undo(op);
  }
  vm.pageTable.tree.release(job.tables);
}

/** From here on nothing fails: mappings join the lists of their objects, those that went leave them. */
function link(vm: NouveauVm, job: BindJob): void {
  const { gpuvm } = vm;
  for (let i = 0; i < job.count; i++) {
    const op = job.at(i);
    for (let k = 0; k < op.stepCount; k++) {
      const { old, prev, next } = op.steps[k] as OpStep;
      const vmBo = gpuvm.vmBo(old);
      if (vmBo === null) throw new Error("vm: a mapping that goes was never linked");
      if (prev !== 0) gpuvm.link(prev, vmBo);
      if (next !== 0) gpuvm.link(next, vmBo);
      gpuvm.unlink(old);
    }
    if (op.va > 0 && op.vmBo !== null) gpuvm.link(op.va, op.vmBo);
  }
}
