/**
 * A sparse resource as the GPU sees it: which leaves lie under it, and what reading through it takes.
 *
 * The leaves are read from the real tables; which of them are unbound is asked of the mappings.
 *
 * @module
 */

import { type AddressSpace, eachLeaf } from "@vmbind/mmu";
import type { GpuView, LeafCount, LeafRun } from "../result.ts";
import type { StrategyRun } from "../strategy/run.ts";
import type { SparseResource } from "../strategy/run-data.ts";
import type { SparseSession } from "../strategy/strategy.ts";
import { sweepRandom, sweepSequential } from "./tlb-sweep.ts";

/**
 * Look at a resource, at each of its addresses.
 *
 * @param run - the run that it lives in
 * @param resource - a living resource
 * @param moment - what to call this moment
 * @returns one view, or two where it has one address to write and another to read
 */
export function gpuViews(run: StrategyRun, resource: SparseResource, moment: GpuView["moment"]): GpuView[] {
  const session = run.sessionOf(resource.vm);
  const { mirrorOffset } = session;
  const { va } = resource;
  session.beforeAccess?.();
  if (mirrorOffset === 0) return [gpuView(run, resource, moment, "read-write", va)];
  return [
    gpuView(run, resource, moment, "write", va),
    gpuView(run, resource, moment, "read", va + mirrorOffset),
  ];
}

function gpuView(
  run: StrategyRun,
  { name, bytes, vm: number }: SparseResource,
  moment: GpuView["moment"],
  access: GpuView["access"],
  va: number,
): GpuView {
  const session = run.sessionOf(number);
  const space = session.vm.addressSpace;
  const bound = boundRanges(session, va, va + bytes);
  const runs = leafRuns(space, va, bytes, bound);
  return {
    moment,
    access,
    resource: name,
    va,
    bytes,
    unboundBytes: bytes - bound.reduce((sum, { start, end }) => sum + end - start, 0),
    runs,
    unboundLeaves: countLeaves(runs.filter((r) => !r.bound)),
    sequential: sweepSequential(space, va, bytes),
    random: sweepRandom(space, va, bytes),
  };
}

interface Span {
  start: number;
  end: number;
}

/** Where memory of the application is bound, ascending. */
function boundRanges({ vm, roles }: SparseSession, start: number, end: number): Span[] {
  const bound: Span[] = [];
  for (const { addr, range, kind, bo } of vm.mappings()) {
    const meets = addr < end && start < addr + range;
    // The strategies' own objects stand for "nothing is bound", as all mappings of other kinds do.
    if (!meets || kind !== "bo" || roles.has(bo)) continue;
    bound.push({ start: Math.max(addr, start), end: Math.min(addr + range, end) });
  }
  return bound;
}

/** Leaves of [va, va + bytes), cut at the borders of bound ranges; a leaf never lies on both sides of one. */
function leafRuns(space: AddressSpace, va: number, bytes: number, bound: readonly Span[]): LeafRun[] {
  const end = va + bytes;
  const runs: LeafRun[] = [];
  let at = va;
  let next = 0;
  const add = (to: number, leafBytes: number, kind: LeafRun["kind"]): void => {
    while (next < bound.length && (bound[next] as Span).end <= at) next++;
    const isBound = next < bound.length && (bound[next] as Span).start <= at;
    const last = runs.at(-1);
    const leaf = kind === "fault" ? 0 : 1;
    if (last && last.kind === kind && last.leafBytes === leafBytes && last.bound === isBound) {
      last.bytes += to - at;
      last.leaves += leaf;
    } else {
      runs.push({ offset: at - va, bytes: to - at, leafBytes, leaves: leaf, kind, bound: isBound });
    }
    at = to;
  };
  eachLeaf(space.memory, space.format, space.root, { start: va, end }, (start, leafBytes, kind) => {
    if (start > at) add(start, 0, "fault");
    add(Math.min(start + leafBytes, end), leafBytes, kind);
  });
  if (at < end) add(end, 0, "fault");
  return runs;
}

function countLeaves(runs: readonly LeafRun[]): LeafCount[] {
  const counts = new Map<string, LeafCount>();
  for (const { leafBytes, leaves: count, kind, bytes } of runs) {
    if (kind === "fault") continue;
    const key = `${leafBytes} ${kind}`;
    const sum = counts.get(key) ?? { leafBytes, kind, leaves: 0, bytes: 0 };
    counts.set(key, { ...sum, leaves: sum.leaves + count, bytes: sum.bytes + bytes });
  }
  return [...counts.values()].sort((a, b) => b.leafBytes - a.leafBytes || a.kind.localeCompare(b.kind));
}
