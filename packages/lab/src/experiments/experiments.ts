/**
 * Comparisons beside the workloads: what the length of an ioctl's array makes of the same request, and what a strategy
 * offers to be tried with it alone.
 *
 * @module
 */

import { measure } from "../measure/cost.ts";
import { THREAD_BYTES } from "../semantics/probe.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { parametric } from "../workload/parametric.ts";
import type { Workload } from "../workload/workload.ts";
import type { ArrayExperiment, LabExperiments } from "./result.ts";

const TILE_BYTES = 65536;

/**
 * Run those that are about one of the strategies.
 *
 * @param strategies - the strategies of interest
 */
export async function experiments(strategies: readonly SparseStrategy[]): Promise<LabExperiments> {
  const tiles = Math.ceil(THREAD_BYTES / TILE_BYTES);
  const found: LabExperiments = { dummies: [], arrays: [], postedRepeat: null };
  for (const strategy of strategies) {
    found.dummies.push(...((await strategy.experiments?.dummies?.()) ?? []));
    found.postedRepeat ??= (await strategy.experiments?.postedRepeat?.()) ?? null;
    if (!strategy.bindsArrays) continue;
    for (const bindsPerCall of [tiles, 1]) found.arrays.push(await bindTiles(strategy, bindsPerCall));
  }
  return found;
}

async function bindTiles(strategy: SparseStrategy, bindsPerCall: number): Promise<ArrayExperiment> {
  const { phases } = await measure(tilesAtRandom(bindsPerCall), strategy, { views: false });
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
