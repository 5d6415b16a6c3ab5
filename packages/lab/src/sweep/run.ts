/**
 * Running a sweep or a part of it on an engine.
 *
 * @module
 */

import type { OnDone } from "../compare/comparison.ts";
import type { Engine } from "../engine/engine.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { SPARSE_STRATEGIES, sparseStrategy } from "../strategy/table.ts";
import { growthOf } from "./growth.ts";
import type { PointRow } from "./point.ts";
import {
  FRACTION_BYTES,
  FULL_GRID,
  OFFSET_BYTES,
  planSweep,
  type SweepGrid,
  type SweepPlan,
  type SweepPoint,
  TILE_BYTES,
  WORK_MAX,
} from "./points.ts";
import type { Shard, Sweep, SweepKnobs } from "./result.ts";

/** What somebody wants swept; everything unless told. */
export interface SweepRequest {
  /** Which strategies. */
  strategies?: readonly SparseStrategy[];
  /** Values by axis. */
  grid?: SweepGrid;
  /** Most operations or leaf entries of a point. */
  workMax?: number;
}

/**
 * Measure how costs grow.
 *
 * @param engine - does the work
 * @param request - what is wanted
 * @param onDone - told of each point that has been measured
 * @throws RefusedError when a driver model refuses an ioctl
 */
export async function sweep(
  engine: Engine,
  { strategies = SPARSE_STRATEGIES, grid = FULL_GRID, workMax = WORK_MAX }: SweepRequest = {},
  onDone?: OnDone,
): Promise<Sweep> {
  const knobs = knobsOf(strategies, workMax);
  const plan = planOf(knobs, grid);
  return sweepResult(knobs, plan, null, await measurePoints(plan.points, engine, onDone));
}

/**
 * What a sweep was asked for, as data.
 *
 * @param strategies - in the order of the table
 * @param workMax - most operations or leaf entries of a point
 */
export function knobsOf(strategies: readonly SparseStrategy[], workMax: number): SweepKnobs {
  return {
    strategies: strategies.map(({ name }) => name),
    workMax,
    boundFraction: 0,
    sizeBytes: FRACTION_BYTES,
    offsetBytes: OFFSET_BYTES,
    tileBytes: TILE_BYTES,
  };
}

/**
 * Lay out a sweep.
 *
 * @param knobs - what was asked for
 * @param grid - values by axis
 */
export function planOf({ strategies, workMax }: SweepKnobs, grid: SweepGrid): SweepPlan {
  return planSweep(strategies.map(sparseStrategy), grid, workMax);
}

/**
 * @param points - of a whole sweep
 * @param shard - which part; null for all
 * @returns every n-th point: neighbours take about the same time, so shards do too
 */
export function pointsOfShard(points: readonly SweepPoint[], shard: Shard | null): SweepPoint[] {
  return points.filter((_, i) => shard === null || i % shard.of === shard.index - 1);
}

/**
 * @param points - what will be measured
 * @returns how many there are of each strategy, by the group that {@link measurePoints} tells of
 */
export function pointGroups(points: readonly SweepPoint[]): Map<string, number> {
  const groups = new Map<string, number>();
  for (const point of points) groups.set(groupOf(point), (groups.get(groupOf(point)) ?? 0) + 1);
  return groups;
}

function groupOf({ strategy }: SweepPoint): string {
  return `sweep of ${strategy}`;
}

/**
 * Measure points, the longest first.
 *
 * @param points - what to measure
 * @param engine - does the work
 * @param onDone - told of each point that has been measured
 * @returns rows in the order of the points
 */
export function measurePoints(
  points: readonly SweepPoint[],
  engine: Engine,
  onDone: OnDone = () => {},
): Promise<PointRow[]> {
  const measured = async (point: SweepPoint): Promise<PointRow> => {
    const row = await engine.run("point", point);
    onDone(`sweep of ${point.strategy}, ${point.axis}`, groupOf(point));
    return row;
  };
  const rows: Promise<PointRow>[] = [];
  const work = points.map(({ strategy, axis, x }, i) => {
    const { operations, leafEntries } = sparseStrategy(strategy).workOf(axis === "size" ? x : FRACTION_BYTES);
    return { i, work: 16 * operations + leafEntries };
  });
  for (const { i } of work.sort((a, b) => b.work - a.work || a.i - b.i)) {
    rows[i] = measured(points[i] as SweepPoint);
  }
  return Promise.all(rows);
}

/**
 * The result of a sweep.
 *
 * @param knobs - what was asked for
 * @param plan - its points
 * @param shard - which part; null for the whole
 * @param rows - the measured points of that part
 */
export function sweepResult(
  knobs: SweepKnobs,
  plan: SweepPlan,
  shard: Shard | null,
  rows: PointRow[],
): Sweep {
  const growth = shard === null ? growthOf(rows) : [];
  return { format: "vmbind-sweep", version: 1, knobs, shard, rows, leftOut: plan.leftOut, growth };
}
