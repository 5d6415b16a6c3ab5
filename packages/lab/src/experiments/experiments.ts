/**
 * Comparisons beside the workloads: what the dummy's memory, the length of an ioctl's array, and the REPEAT patch as
 * posted make of the same request.
 *
 * @module
 */

import { PanthorDevice } from "@vmbind/panthor";
import { measure } from "../measure/cost.ts";
import { sweepSequential } from "../measure/tlb-sweep.ts";
import type { ArrayExperiment, DummyExperiment, LabExperiments } from "../result.ts";
import { panvk } from "../semantics/neighbour.ts";
import { THREAD_BYTES } from "../semantics/probe.ts";
import { mustIssue } from "../strategy/calls.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { parametric } from "../workload/parametric.ts";
import type { Workload } from "../workload/workload.ts";
import { cutAsPosted } from "./posted-repeat.ts";

const TILE_BYTES = 65536;
const ARRAY_STRATEGIES: readonly string[] = ["panthor-sparse", "asahi-single-page", "xe-null"];

/**
 * Run those that are about one of the strategies.
 *
 * @param strategies - the strategies of interest
 */
export async function experiments(strategies: readonly SparseStrategy[]): Promise<LabExperiments> {
  const names = strategies.map(({ name }) => name);
  const tiles = Math.ceil(THREAD_BYTES / TILE_BYTES);
  const arrays: ArrayExperiment[] = [];
  for (const strategy of strategies.filter(({ name }) => ARRAY_STRATEGIES.includes(name))) {
    for (const bindsPerCall of [tiles, 1]) arrays.push(await bindTiles(strategy, bindsPerCall));
  }
  return {
    dummies: names.includes("panthor-sparse") ? [mapSparse("huge"), mapSparse("scattered")] : [],
    arrays,
    postedRepeat: names.includes("panthor-repeat") ? cutAsPosted() : null,
  };
}

function mapSparse(dummy: DummyExperiment["dummy"]): DummyExperiment {
  const device = new PanthorDevice({ dummyFragmentation: dummy });
  const file = device.open();
  const [vm, umd] = panvk(file, "panthor-sparse");
  const va = 2 ** 30;
  const before = { ...device.counters };
  for (const call of umd.create(va, THREAD_BYTES)) mustIssue(file, call);
  const { pteWrites, tablesAllocated, ioMapCalls } = device.counters;
  return {
    dummy,
    pteWrites: pteWrites - before.pteWrites,
    tablesAllocated: tablesAllocated - before.tablesAllocated,
    ioMapCalls: ioMapCalls - before.ioMapCalls,
    sequential: sweepSequential(vm.addressSpace, va, THREAD_BYTES),
  };
}

async function bindTiles(strategy: SparseStrategy, bindsPerCall: number): Promise<ArrayExperiment> {
  const { phases } = await measure(tilesAtRandom(bindsPerCall), strategy);
  const { bindIoctls, bindOps, pteWrites, pteClears, tlbInvalidations } = phases.bind ?? NOTHING;
  return {
    strategy: strategy.name,
    bindsPerCall,
    bindIoctls,
    bindOps,
    pteWrites,
    pteClears,
    tlbInvalidations,
  };
}

const NOTHING = { bindIoctls: 0, bindOps: 0, pteWrites: 0, pteClears: 0, tlbInvalidations: 0 };

/** Every tile once; no two that follow each other touch, but by chance. */
function tilesAtRandom(bindsPerCall: number): Workload {
  const knobs = { size: THREAD_BYTES, bound: 1, tile: TILE_BYTES, order: "random", bindsPerCall } as const;
  return parametric("tiles", 1, knobs);
}
