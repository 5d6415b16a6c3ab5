/**
 * Steps as lists, for drivers that compute first and apply later, and the lists that only exist in this form
 * (`drivers/gpu/drm/drm_gpuvm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { repeatProblem } from "./repeat.ts";
import { type SplitVm, smMadvise, smMap, smUnmap } from "./split-merge.ts";
import type { GpuvmOp, MapRequest, StepHandlers } from "./steps.ts";
import type { VmBo } from "./vm-bo.ts";

/** See `Gpuvm.smMapOps`. */
export function smMapOps(vm: SplitVm, request: MapRequest): GpuvmOp[] {
  checkRequest(vm, request);
  const ops: GpuvmOp[] = [];
  smMap(vm, request, collectInto(ops));
  return ops;
}

/** See `Gpuvm.smUnmapOps`. */
export function smUnmapOps(vm: SplitVm, addr: number, range: number): GpuvmOp[] {
  checkRange(vm, addr, range);
  const ops: GpuvmOp[] = [];
  smUnmap(vm, addr, range, collectInto(ops));
  return ops;
}

/** See `Gpuvm.madviseOps`. */
export function madviseOps(vm: SplitVm, request: MapRequest): GpuvmOp[] {
  checkRequest(vm, request);
  const ops: GpuvmOp[] = [];
  smMadvise(vm, request, collectInto(ops));
  return ops;
}

/** See `Gpuvm.prefetchOps`. */
export function prefetchOps(vm: SplitVm, addr: number, range: number): GpuvmOp[] {
  return vm.mappingsIn(addr, range).map((va) => ({ kind: "prefetch", va }));
}

/** See `Gpuvm.boUnmapOps`. */
export function boUnmapOps(vmBo: VmBo): GpuvmOp[] {
  return Array.from(vmBo.vas(), (va) => ({ kind: "unmap", va, keep: false }));
}

function checkRange(vm: SplitVm, addr: number, range: number): void {
  const problem = vm.rangeProblem(addr, range);
  if (problem !== null) fail(EINVAL, problem);
}

function checkRequest(vm: SplitVm, request: MapRequest): void {
  checkRange(vm, request.addr, request.range);
  const problem = repeatProblem(request, vm.repeat);
  if (problem !== null) fail(EINVAL, problem);
}

function collectInto(ops: GpuvmOp[]): StepHandlers {
  const collect = (op: GpuvmOp): number => {
    ops.push(op);
    return 0;
  };
  return {
    map: (op) => collect({ ...op }),
    remap: (op) => collect({ ...op, unmap: { ...op.unmap }, prev: { ...op.prev }, next: { ...op.next } }),
    unmap: (op) => collect({ ...op }),
  };
}
