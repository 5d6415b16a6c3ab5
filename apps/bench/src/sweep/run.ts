/**
 * Running a sweep or a shard of it on a pool, and putting shards together.
 *
 * @module
 */

import {
  FRACTION_BYTES,
  growthOf,
  OFFSET_BYTES,
  type PointRow,
  planSweep,
  type Shard,
  type SparseStrategy,
  type Sweep,
  type SweepGrid,
  type SweepKnobs,
  type SweepPlan,
  type SweepPoint,
  sparseStrategy,
  TILE_BYTES,
} from "@vmbind/lab";
import type { Bar } from "../jobs/bar.ts";
import type { JobPool } from "../jobs/pool.ts";
import type { SweepResult } from "../report/input.ts";

/**
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
 * Measure points on a pool, the longest first.
 *
 * @param points - what to measure
 * @param pool - where
 * @param bar - counts them
 * @returns rows in the order of the points
 */
export function measurePoints(points: readonly SweepPoint[], pool: JobPool, bar: Bar): Promise<PointRow[]> {
  const rows: Promise<PointRow>[] = [];
  const work = points.map(({ strategy, axis, x }, i) => {
    const { operations, leafEntries } = sparseStrategy(strategy).workOf(axis === "size" ? x : FRACTION_BYTES);
    return { i, work: 16 * operations + leafEntries };
  });
  for (const { i } of work.sort((a, b) => b.work - a.work || a.i - b.i)) {
    const point = points[i] as SweepPoint;
    rows[i] = bar.watch(pool.run("point", point), `${point.strategy} ${point.axis}`);
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

/**
 * @param knobs - what was asked for
 * @param rows - a whole sweep
 * @returns the curves of a report
 */
export function forReport(knobs: SweepKnobs, rows: readonly PointRow[]): SweepResult {
  const { boundFraction, sizeBytes, tileBytes } = knobs;
  const curves = rows.flatMap(({ axis, ...row }) => (axis === "offset" ? [] : [{ ...row, axis }]));
  return { boundFraction, sizeBytes, tileBytes, rows: curves };
}
