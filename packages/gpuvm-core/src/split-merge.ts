/**
 * Split and merge: which mappings a request removes, which it cuts, and what is left of those.
 *
 * Walk the existing mappings `[a, e)` that meet the request `[s, t)` upwards; for each, exactly one row:
 *
 * ```text
 *  row   old        request     step
 *  M1  a======e     s======t    unmap, stop          a == s, e == t
 *  M2  a====e       s======t    unmap                a == s, e <  t
 *  M3  a======e     s====t      remap(next), stop    a == s, e >  t
 *  M4  a======e       s====t    remap(prev), stop    a <  s, e == t
 *  M5  a====e         s====t    remap(prev)          a <  s, e <  t
 *  M6  a======e       s==t      remap(both), stop    a <  s, e >  t
 *  M7    a====e     s======t    unmap, stop          a >  s, e == t
 *  M8    a==e       s======t    unmap                a >  s, e <  t
 *  M9    a====e     s====t      remap(next), stop    a >  s, e >  t
 * ```
 *
 * so: cut in front when a < s, cut behind when e > t, removed when neither, and stop at the first e >= t. Then one map
 * step for the request itself, always. `merge` is only the `keep` hint: two mappings are never joined. smUnmap is the
 * same walk (rows U1..U4) without keep, without the map step and without the stop.
 *
 * The madvise variant makes edges for attributes where there are none: only mappings without an object count, and only
 * those that stick out of the request are cut; what was cut out comes back as a map step of its own right away. So rows
 * M1, M2, M7 and M8 give nothing, the others a remap step, then a map step for the part inside, and there is no last map
 * step. A mapping of an object can show its attributes by other means, and is never cut.
 *
 * Rows and order of the steps: `drivers/gpu/drm/drm_gpuvm.c`, Linux 7.3-rc7.
 *
 * @module
 */

import { EINVAL, remainder } from "@vmbind/drm";
import { type RepeatMode, repeatProblem } from "./repeat.ts";
import {
  GPUVA_REPEAT,
  type GpuvmOp,
  type MapRequest,
  type MapStep,
  type RemapStep,
  type StepHandlers,
  type UnmapStep,
} from "./steps.ts";
import { needExactEnd } from "./u64-sum.ts";
import type { VmObjects } from "./vm-objects.ts";

const U64 = 2 ** 64;

/** What split and merge works on: a VM with its step objects, which every request uses again. */
export interface SplitVm extends VmObjects {
  /** Rule set for REPEAT. */
  readonly repeat: RepeatMode;
  /** The map step. */
  readonly mapOp: MapStep;
  /** The unmap step. */
  readonly unmapOp: UnmapStep;
  /** The remap step. */
  readonly remapOp: RemapStep;
  /** Why the last request was refused. */
  refusal: string;
  /** Whether anybody looks on. */
  readonly observed: boolean;
  /** Show a step to those who look on. */
  show(step: GpuvmOp): void;
}

/** See `Gpuvm.smMap`. */
export function smMap(vm: SplitVm, request: MapRequest, handlers: StepHandlers): number {
  if (!handlers.map || !handlers.remap || !handlers.unmap)
    return refuse(vm, missing(handlers, "sm_map", ["map", "remap", "unmap"]));
  const { addr, range } = request;
  if (!vm.rangeValid(addr, range)) return refuse(vm, vm.rangeProblem(addr, range));
  const problem = repeatProblem(request, vm.repeat);
  if (problem !== null) return refuse(vm, problem);
  needExactEnd("sm_map", addr, range);

  const ret = walkRange(vm, addr, addr + range, request, handlers);
  if (ret !== 0) return ret;

  const op = vm.mapOp;
  fillFromRequest(op, request);
  vm.counters.mapSteps++;
  if (vm.observed) vm.show(op);
  return handlers.map(op);
}

/** See `Gpuvm.smUnmap`. */
export function smUnmap(vm: SplitVm, addr: number, range: number, handlers: StepHandlers): number {
  if (!handlers.remap || !handlers.unmap)
    return refuse(vm, missing(handlers, "sm_unmap", ["remap", "unmap"]));
  if (!vm.rangeValid(addr, range)) return refuse(vm, vm.rangeProblem(addr, range));
  needExactEnd("sm_unmap", addr, range);
  return walkRange(vm, addr, addr + range, null, handlers);
}

/** Which handlers a request needs and does not have: the kernel looks before it knows whether any step takes them. */
function missing(handlers: StepHandlers, request: string, needed: readonly (keyof StepHandlers)[]): string {
  const without = needed.filter((name) => !handlers[name]);
  return `handlers: no ${without.join(", ")}; ${request} needs ${needed.join(", ")}, whatever the steps are`;
}

function refuse(vm: SplitVm, problem: string | null): number {
  vm.refusal = problem ?? "";
  return -EINVAL;
}

/** See `Gpuvm.smMadvise`. */
export function smMadvise(vm: SplitVm, request: MapRequest, handlers: StepHandlers): number {
  if (!handlers.map || !handlers.remap) return refuse(vm, missing(handlers, "madvise", ["map", "remap"]));
  const { addr: s, range } = request;
  if (!vm.rangeValid(s, range)) return refuse(vm, vm.rangeProblem(s, range));
  const problem = repeatProblem(request, vm.repeat);
  if (problem !== null) return refuse(vm, problem);
  needExactEnd("madvise", s, range);
  const t = s + range;
  if (!vm.startWalk(s, t)) return 0;
  const { pool, tree } = vm;
  for (let va = tree.walk(t); va !== 0; va = tree.walk(t)) {
    const a = pool.addr(va);
    const e = pool.end(va);
    // As in walkRange: a zero-length mapping may begin below the range and not reach it.
    if (vm.gemId(va) !== 0 || (a < s && e <= s)) continue;
    if (a < s || e > t) {
      const ret = cutOut(vm, va, request, t, handlers);
      if (ret !== 0) return ret;
    }
    if (e >= t) return 0;
  }
  return 0;
}

/** Cut a mapping without an object at the edges of `[s, t)`, and map the part inside by itself. */
function cutOut(vm: SplitVm, va: number, request: MapRequest, t: number, handlers: StepHandlers): number {
  const s = request.addr;
  const a = vm.pool.addr(va);
  const e = vm.pool.end(va);
  const remap = vm.remapOp;
  fillRemap(vm, remap, va, s, t, false);
  vm.counters.remapSteps++;
  if (vm.observed) vm.show(remap);
  const ret = handlers.remap?.(remap);
  if (ret) return ret;

  const hole = vm.mapOp;
  fillFromRequest(hole, request);
  // Cut on one side only, and the other side lies inside: less than the request, which is then no answer.
  if (a > s || e < t) {
    fillFromRequest(hole, {
      addr: Math.max(a, s),
      range: Math.min(e, t) - Math.max(a, s),
      gem: null,
      offset: 0,
    });
  }
  vm.counters.mapSteps++;
  if (vm.observed) vm.show(hole);
  return handlers.map?.(hole) ?? 0;
}

/** Copy a request into its map step. */
function fillFromRequest(op: MapStep, request: MapRequest): void {
  op.addr = request.addr;
  op.range = request.range;
  op.gem = request.gem;
  op.offset = request.offset;
  op.flags = request.flags ?? 0;
  op.gemRange = request.gemRange ?? 0;
  op.phase = 0;
}

function walkRange(
  vm: SplitVm,
  s: number,
  t: number,
  request: MapRequest | null,
  handlers: StepHandlers,
): number {
  if (!vm.startWalk(s, t)) return 0;
  const { pool, tree, counters } = vm;
  let ended = false;
  for (;;) {
    // The one place where the walk goes on, since V8 copies it into each.
    const va = tree.walk(t);
    if (va === 0) return 0;
    const a = pool.addr(va);
    const e = pool.end(va);
    // A zero-length mapping, or a piece put behind one, may begin below the range and not reach it.
    if (a < s && e <= s) continue;
    // The kernel leaves one that follows the last mapping, and then cannot insert what was asked for.
    if (ended && !(a === e && a > s)) continue;
    const keep = request !== null && showsTheSame(vm, va, request);
    let ret: number | undefined;
    if (a < s || e > t) {
      const op = vm.remapOp;
      fillRemap(vm, op, va, s, t, keep);
      counters.remapSteps++;
      if (vm.observed) vm.show(op);
      ret = handlers.remap?.(op);
    } else {
      const op = vm.unmapOp;
      op.va = va;
      op.keep = keep;
      counters.unmapSteps++;
      if (vm.observed) vm.show(op);
      ret = handlers.unmap?.(op);
    }
    if (ret) return ret;
    // Only sm_map stops here. sm_unmap goes on: a zero-length mapping may share its start with the one that was cut.
    if (request !== null && e >= t) {
      if (!vm.hasEmptyMappings) return 0;
      ended = true;
    }
  }
}

/** Fill a remap step: what of mapping `va` sticks out of `[s, t)`. */
function fillRemap(vm: SplitVm, op: RemapStep, va: number, s: number, t: number, keep: boolean): void {
  const { pool } = vm;
  const a = pool.addr(va);
  const e = pool.end(va);
  const offset = pool.offset(va);
  const flags = pool.flags(va);
  const gem = vm.gem(va);
  const gemRange = pool.window(va);
  op.unmap.va = va;
  op.unmap.keep = keep;
  op.prevVa = 0;
  op.nextVa = 0;
  op.hasPrev = a < s;
  if (op.hasPrev) {
    const { prev } = op;
    prev.addr = a;
    prev.range = s - a;
    prev.gem = gem;
    prev.offset = offset;
    prev.flags = flags;
    prev.gemRange = gemRange;
    prev.phase = pool.phase(va);
  }
  op.hasNext = e > t;
  if (op.hasNext) {
    const { next } = op;
    const repeats = (flags & GPUVA_REPEAT) !== 0;
    next.addr = t;
    next.range = e - t;
    next.gem = gem;
    next.offset = repeats ? offset : wrap(offset + (t - a));
    next.flags = flags;
    next.gemRange = gemRange;
    next.phase = repeats && vm.repeat === "phase" ? remainder(pool.phase(va) + (t - a), gemRange) : 0;
  }
}

/** A sum of two u64 as u64. `%` would do, but it takes the time of a look-up. */
function wrap(sum: number): number {
  return sum < U64 ? sum : sum - U64;
}

/** The keep hint: mapping and request show the same bytes of the same object where they overlap. */
function showsTheSame(vm: SplitVm, va: number, request: MapRequest): boolean {
  const { gem } = request;
  if (gem === null || vm.gemId(va) !== gem.id) return false;
  const { pool } = vm;
  const flags = pool.flags(va);
  if (vm.repeat !== "upstream" && flags !== (request.flags ?? 0)) return false;
  const distance = request.addr - pool.addr(va);
  const offset = pool.offset(va);
  if ((flags & GPUVA_REPEAT) !== 0) {
    const window = pool.window(va);
    const shift = distance + pool.phase(va);
    return window === request.gemRange && offset === request.offset && (shift === 0 || shift % window === 0);
  }
  // Offsets wrap at 2^64.
  const apart = request.offset - offset - distance;
  return apart === 0 || apart === U64 || apart === -U64;
}
