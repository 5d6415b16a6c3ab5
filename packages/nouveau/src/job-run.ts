/**
 * The second and third moment of a VM_BIND: run writes entries, operation by operation, step by step, each with its own TLB
 * invalidation; free drops references, takes regions away and gives back mappings and objects (`nouveau_uvmm.c`, Linux
 * 7.3-rc7). By then nothing can fail.
 *
 * @module
 */

import { GPUVA_INVALIDATED, type Gpuvm, type VmBo } from "@vmbind/gpuvm-core";
import { type BindJob, OP_MAP, OP_SPARSE, OP_UNSPARSE } from "./bind-job.ts";
import type { NouveauBo } from "./bo.ts";
import type { LeafAttributes } from "./leaf-runs.ts";
import { isInRegion, kindOf, shiftOf } from "./mapping.ts";
import type { NouveauPageTable } from "./page-table.ts";
import type { SparseRegion, SparseRegions } from "./regions.ts";

const MAP = OP_MAP;
const SPARSE = OP_SPARSE;
const UNSPARSE = OP_UNSPARSE;
const INVALIDATED: number = GPUVA_INVALIDATED;
/** Pages of this size are never written: quirk `unwritten512M`. */
const UNWRITTEN_SHIFT = 29;

/** What jobs work on; see `NouveauVm`. */
export interface JobVm {
  /** The mappings. */
  readonly gpuvm: Gpuvm;
  /** The tables. */
  readonly pageTable: NouveauPageTable;
  /** The sparse regions. */
  readonly regions: SparseRegions;
  /** Attributes of leaves of an object's kind; null where none are written for it. */
  leafOf(bo: NouveauBo, kind: number): LeafAttributes | null;
  /** A region went. */
  regionGone(region: SparseRegion): void;
}

/** Write the entries of a job. */
export function runJob(vm: JobVm, job: BindJob): void {
  if (job.tables > 0) vm.pageTable.tree.reserved.spend(job.tables);
  // What a job unmaps, it frees next; only whom its end is told can look in between.
  const going = !job.isAwaited;
  // A region that goes in between decides which tables go with it.
  const drops = going && !job.hasLate && !job.unmakes;
  job.dropped = drops;
  for (let op = 0; op < job.count; op++) {
    const isMap = job.kind(op) === MAP;
    if (drops && !isMap) {
      for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++)
        removeLeaves(vm, job, step);
      continue;
    }
    if (job.isLate(op)) {
      // The tables of what earlier operations unmapped must not stand where other pages come.
      for (let k = 0; k < op; k++) dropReferences(vm, job, k);
      runLate(vm, job, op);
      continue;
    }
    for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
      if (!job.keeps(step)) unmapLeaves(vm, job.old(step), job.from(step), job.to(step), going && !isMap);
    }
    if (job.va(op) > 0) mapLeaves(vm, job.va(op));
  }
  if (job.tables > 0) vm.pageTable.tree.reserved.spent();
}

/** Everything at once, where page sizes meet: what was there goes whole, what stays of it and what comes is made anew. */
function runLate(vm: JobVm, job: BindJob, op: number): void {
  const { gpuvm } = vm;
  for (let step = job.firstStep(op); step < job.endStep(op); step++) {
    const old = job.old(step);
    unmapLeaves(vm, old, gpuvm.addr(old), gpuvm.end(old), true);
    vm.pageTable.put(gpuvm.addr(old), gpuvm.rangeOf(old), shiftOf(gpuvm.flags(old)));
    if (job.prev(step) > 0) makeLeaves(vm, job.prev(step));
    if (job.next(step) > 0) makeLeaves(vm, job.next(step));
  }
  if (job.va(op) > 0) makeLeaves(vm, job.va(op));
}

function makeLeaves(vm: JobVm, va: number): void {
  const { gpuvm } = vm;
  vm.pageTable.get(gpuvm.addr(va), gpuvm.rangeOf(va), shiftOf(gpuvm.flags(va)));
  mapLeaves(vm, va);
}

/** Write the leaves of a mapping, unless its object is away. */
function mapLeaves(vm: JobVm, va: number): void {
  const { gpuvm } = vm;
  const flags = gpuvm.flags(va);
  const range = gpuvm.rangeOf(va);
  const shift = shiftOf(flags);
  if (range === 0 || (flags & INVALIDATED) !== 0 || shift === UNWRITTEN_SHIFT) return;
  const bo = gpuvm.gem(va) as NouveauBo;
  const leaf = vm.leafOf(bo, kindOf(flags));
  if (leaf === null) return;
  vm.pageTable.map(gpuvm.addr(va), range, shift, bo.pages, gpuvm.offset(va), leaf);
}

/**
 * Take the leaves of a part of a mapping out: sparse again in a region, nothing elsewhere.
 *
 * @param vm - the VM
 * @param va - the mapping
 * @param from - first VA of the part in bytes
 * @param to - first VA behind
 * @param going - see {@link NouveauPageTable.unmap}
 */
export function unmapLeaves(vm: JobVm, va: number, from: number, to: number, going: boolean): void {
  const flags = vm.gpuvm.flags(va);
  const shift = shiftOf(flags);
  if (from === to || (flags & INVALIDATED) !== 0 || shift === UNWRITTEN_SHIFT) return;
  vm.pageTable.unmap(from, to - from, shift, isInRegion(flags), going);
}

/** Take the leaves out that a step unmapped, and drop their references. */
function removeLeaves(vm: JobVm, job: BindJob, step: number): void {
  const { pageTable } = vm;
  const flags = vm.gpuvm.flags(job.old(step));
  const shift = shiftOf(flags);
  const from = job.from(step);
  const bytes = job.to(step) - from;
  if (bytes <= 0) return;
  if ((flags & INVALIDATED) !== 0 || shift === UNWRITTEN_SHIFT) pageTable.put(from, bytes, shift);
  else pageTable.remove(from, bytes, shift, isInRegion(flags));
}

/** Drop what a job that has run does not need any more. */
export function freeJob(vm: JobVm, job: BindJob): void {
  const { gpuvm } = vm;
  for (let op = 0; op < job.count; op++) {
    if (!job.dropped) dropReferences(vm, job, op);
    for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
      const old = job.old(step);
      const bo = gpuvm.gem(old) as NouveauBo;
      gpuvm.free(old);
      bo.put();
    }
    if (job.kind(op) === UNSPARSE) removeRegion(vm, job.region(op) as SparseRegion);
    releaseOp(job, op);
  }
}

/** Drop the references of what an operation unmapped. What a MAP replaced left it its references. */
function dropReferences(vm: JobVm, job: BindJob, op: number): void {
  if (job.kind(op) === MAP || job.isLate(op) || job.isDropped(op)) return;
  job.setDropped(op);
  for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
    const from = job.from(step);
    const to = job.to(step);
    if (to > from) vm.pageTable.put(from, to - from, shiftOf(vm.gpuvm.flags(job.old(step))));
  }
}

/** Take a region away, with every entry that it made. */
export function removeRegion(vm: JobVm, region: SparseRegion): void {
  vm.pageTable.unsparse(region.addr, region.range);
  vm.regions.remove(region);
  vm.regionGone(region);
}

/** Give back what an operation holds of its object. */
export function releaseOp(job: BindJob, op: number): void {
  const kind = job.kind(op);
  if (kind === SPARSE || kind === UNSPARSE) job.setRegion(op, null);
  if (kind !== MAP) return;
  job.vmBo(op)?.put();
  job.bo(op)?.put();
  job.setVmBo(op, null);
  job.setBo(op, null);
}

/** Write the mappings of a pair that were taken out for an eviction. */
export function restoreMappings(vm: JobVm, vmBo: VmBo): void {
  const { gpuvm } = vm;
  for (const va of vmBo.vas()) {
    const flags = gpuvm.flags(va);
    if ((flags & INVALIDATED) === 0) continue;
    gpuvm.setFlags(va, flags & ~INVALIDATED);
    mapLeaves(vm, va);
  }
}

/** Take the mappings of a pair out because their object moves away; their references stay. */
export function invalidateMappings(vm: JobVm, vmBo: VmBo): void {
  const { gpuvm } = vm;
  for (const va of vmBo.vas()) {
    const flags = gpuvm.flags(va);
    if ((flags & INVALIDATED) !== 0) continue;
    unmapLeaves(vm, va, gpuvm.addr(va), gpuvm.end(va), false);
    gpuvm.setFlags(va, flags | INVALIDATED);
  }
}
