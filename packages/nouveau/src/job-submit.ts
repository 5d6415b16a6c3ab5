/**
 * The first moment of a VM_BIND: every operation changes the VA tree and takes references of tables, objects are brought in, and
 * only then mappings join and leave the lists of their objects (`nouveau_uvmm.c`, Linux 7.3-rc7). Where one fails, all is undone.
 *
 * @module
 */

import { type AllocFault, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, errorOf, fail, span } from "@vmbind/drm";
import { type VmBo, vmBosOf } from "@vmbind/gpuvm-core";
import { type BindJob, OP_MAP, OP_SPARSE, OP_UNMAP, OP_UNSPARSE } from "./bind-job.ts";
import type { NouveauBo } from "./bo.ts";
import { restoreMappings } from "./job-run.ts";
import { chooseShift } from "./mapping.ts";
import type { SparseRegion } from "./regions.ts";
import type { NouveauVm } from "./vm.ts";

// Constants of this module are found faster than imported ones.
const MAP = OP_MAP;
const UNMAP = OP_UNMAP;
const SPARSE = OP_SPARSE;
const UNSPARSE = OP_UNSPARSE;

/** Apply every operation to the tree, and bring the objects in; all is undone where one fails. */
export function submit(vm: NouveauVm, job: BindJob): void {
  let op = 0;
  try {
    for (; op < job.count; op++) {
      vm.gpuvm.op = op;
      prepare(vm, job, op);
    }
    if (job.makes || job.cuts > 0) validate(vm, job);
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
      unmap(vm, job, op);
      return;
    case SPARSE:
      prepareSparse(vm, job, op);
      return;
    case UNSPARSE:
      markGoing(vm, job, op);
      unmap(vm, job, op);
      return;
    default:
      fail(EINVAL, `ops[${op}].op: ${job.number(op)} is neither MAP nor UNMAP`);
  }
}

function unmap(vm: NouveauVm, job: BindJob, op: number): void {
  apply(vm, op, vm.steps.unmapRange(job, op));
  // Page sizes can only meet in the pieces that stay of a mapping.
  if (job.cuts > 0) reserve(vm, job, op);
}

/** A region that goes is dirty until that is done. */
function markGoing(vm: NouveauVm, job: BindJob, op: number): void {
  const addr = job.addr(op);
  const range = job.range(op);
  const region = vm.regions.first(addr, range);
  if (region === null || region.dirty !== null || region.addr !== addr || region.range !== range) {
    noRegion(op, addr, range);
  } else {
    region.dirty = job;
    job.setRegion(op, region);
  }
}

function noRegion(op: number, addr: number, range: number): never {
  return fail(ENOENT, `ops[${op}].addr: ${span(addr, range)} is not a sparse region, or one that is going`);
}

function prepareMap(vm: NouveauVm, job: BindJob, op: number): void {
  const { allocFault } = vm.device.options;
  const bo = job.bo(op) as NouveauBo;
  const addr = job.addr(op);
  const range = job.range(op);
  const region = vm.regions.first(addr, range);
  if (region !== null) {
    if (region.dirty !== null) isGoing(op, region);
    holdsWhole(region, job, op);
  }
  if (allocFault !== undefined) allocateMapping(allocFault, op);
  job.setVmBo(op, pairOf(vm, job, op, bo));
  job.setShift(op, chooseShift(vm.device.backend, bo, addr, range, job.offset(op)));
  apply(vm, op, vm.steps.mapRange(job, op, region !== null));
  if (!reserve(vm, job, op)) vm.steps.takeReferences(job, op);
}

function isGoing(op: number, region: SparseRegion): never {
  return fail(EINVAL, `ops[${op}].addr: the sparse region ${place(region)} is going`);
}

function allocateMapping(allocFault: AllocFault, op: number): void {
  if (allocFault("gpuva")) fail(ENOMEM, `ops[${op}]: no memory for the mapping (injected)`);
  if (allocFault("vm_bo")) fail(ENOMEM, `ops[${op}]: no memory for the vm_bo (injected)`);
}

/** The object's pair with the VM, with a reference for an operation. */
function pairOf(vm: NouveauVm, job: BindJob, op: number, bo: NouveauBo): VmBo {
  // Most arrays map one object.
  if (op > 0 && job.bo(op - 1) === bo) return (job.vmBo(op - 1) as VmBo).get();
  const vmBo = vm.gpuvm.vmBoObtain(bo);
  // A pair that others refer to is on the list.
  if (vmBo.refs === 1) vm.gpuvm.extobjAdd(vmBo);
  return vmBo;
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
  if (!vm.gpuvm.intervalEmpty(addr, range) || wasMapped(vm, job, addr, range)) holdsMapping(op, addr, range);
  const met = vm.regions.first(addr, range);
  if (met !== null) meetsNew(op, addr, range, met);
  vm.pageTable.sparse(addr, range);
  const region = { addr, range, dirty: null };
  job.setRegion(op, region);
  vm.addRegion(region);
}

function holdsMapping(op: number, addr: number, range: number): never {
  return fail(ENOSPC, `ops[${op}].addr: a mapping is in ${span(addr, range)}, or was when the call began`);
}

function meetsNew(op: number, addr: number, range: number, met: SparseRegion): never {
  const where = `the sparse region ${place(met)} of this call`;
  return fail(EEXIST, `ops[${op}].addr: ${span(addr, range)} meets ${where}`);
}

/** Whether an earlier operation of the call removed a mapping in the range. */
function wasMapped(vm: NouveauVm, job: BindJob, addr: number, range: number): boolean {
  for (let step = 0; step < job.stepCount; step++) {
    const old = job.old(step);
    if (vm.gpuvm.addr(old) < addr + range && addr < vm.gpuvm.end(old)) return true;
  }
  return false;
}

/** Bring in the objects that operations map, and those of mappings that they cut. */
function validate(vm: NouveauVm, job: BindJob): void {
  let last: NouveauBo | null = null;
  for (let op = 0; op < job.count; op++) {
    const bo = job.bo(op);
    if (bo !== null && bo !== last) {
      validateBo(vm, op, bo);
      last = bo;
    }
    if (job.cuts === 0) continue;
    for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
      if ((job.prev(step) | job.next(step)) === 0) continue;
      validateBo(vm, op, vm.gpuvm.gem(job.old(step)) as NouveauBo);
    }
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

/** Refuse an operation that a region holds only a part of. */
export function holdsWhole(region: SparseRegion | null, job: BindJob, op: number): void {
  if (region === null) return;
  const addr = job.addr(op);
  const range = job.range(op);
  if (addr < region.addr || addr + range > region.addr + region.range) sticksOut(op, addr, range, region);
}

function sticksOut(op: number, addr: number, range: number, region: SparseRegion): never {
  const where = `wholly inside the sparse region ${place(region)}`;
  return fail(ENOSPC, `ops[${op}].addr: ${span(addr, range)} is not ${where}`);
}

/** A region as messages name it. */
export function place({ addr, range }: SparseRegion): string {
  return span(addr, range);
}

/** From here on nothing fails: mappings join the lists of their objects, those that went leave them. */
export function link(vm: NouveauVm, job: BindJob): void {
  const { gpuvm } = vm;
  const { cuts } = job;
  for (let op = 0; op < job.count; op++) {
    for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
      const old = job.old(step);
      if (cuts === 0) {
        gpuvm.unlink(old);
        continue;
      }
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
