/**
 * Running a sweep or a part of it on an engine.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import type { OnDone } from "../compare/comparison.ts";
import type { Engine } from "../engine/engine.ts";
import { DEFAULT_KERNEL } from "../strategy/kernel.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { refOf } from "../strategy/strategy-ref.ts";
import { SPARSE_STRATEGIES } from "../strategy/table.ts";
import { USUAL_KNOBS } from "../workload/parametric.ts";
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
  type SweptWorkload,
  TILE_BYTES,
  WORK_MAX,
} from "./points.ts";
import type { Sweep, SweepKnobs } from "./result.ts";

/** What somebody wants swept; everything unless told. */
export interface SweepRequest {
  /** Which strategies. */
  strategies?: readonly SparseStrategy[];
  /** Values by axis. */
  grid?: SweepGrid;
  /** Most operations or leaf entries of a point. */
  workMax?: number;
  /** The kernel that they are run on. */
  kernel?: QuirkProfile;
  /** A workload with knobs in place of the usual one. */
  workload?: SweptWorkload;
}

/**
 * Measure how costs grow.
 *
 * @param engine - does the work
 * @param request - what is wanted
 * @param onDone - told of each point that has been measured
 * @throws RefusedError when a driver model refuses an ioctl
 */
export async function sweep(engine: Engine, request: SweepRequest = {}, onDone?: OnDone): Promise<Sweep> {
  const { strategies = SPARSE_STRATEGIES, grid = FULL_GRID } = request;
  const { workMax = WORK_MAX, kernel = DEFAULT_KERNEL, workload } = request;
  const plan = planSweep(strategies, grid, workMax, workload);
  const rows = await measurePoints(plan.points, { strategies, kernel, workload }, engine, onDone);
  return sweepResult(knobsOf(strategies, workMax, kernel, workload), plan, rows);
}

/**
 * What a sweep was asked for, as data.
 *
 * @param strategies - in the order of the table
 * @param workMax - most operations or leaf entries of a point
 * @param kernel - that they are run on
 * @param workload - the user's; the usual one unless told
 */
export function knobsOf(
  strategies: readonly SparseStrategy[],
  workMax: number,
  kernel: QuirkProfile,
  workload?: SweptWorkload,
): SweepKnobs {
  return {
    strategies: strategies.map(({ name }) => name),
    kernel,
    workMax,
    boundFraction: workload ? (workload.knobs.bound ?? USUAL_KNOBS.bound) : 0,
    sizeBytes: workload?.knobs.size ?? FRACTION_BYTES,
    offsetBytes: OFFSET_BYTES,
    tileBytes: workload?.knobs.tile ?? TILE_BYTES,
    ...(workload && { workload }),
  };
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

/** What points are run under. */
export interface SweptUnder {
  /** Their strategies. */
  strategies: readonly SparseStrategy[];
  /** The kernel. */
  kernel: QuirkProfile;
  /** The user's workload; the usual one where there is none. */
  workload?: SweptWorkload | undefined;
}

/**
 * Measure points, the longest first.
 *
 * @param points - what to measure
 * @param what - what the points are run under
 * @param engine - does the work
 * @param onDone - told of each point that has been measured
 * @returns rows in the order of the points
 */
export function measurePoints(
  points: readonly SweepPoint[],
  what: SweptUnder,
  engine: Engine,
  onDone: OnDone = () => {},
): Promise<PointRow[]> {
  const byName = new Map(what.strategies.map((strategy) => [strategy.name, strategy]));
  const strategyOf = ({ strategy: name }: SweepPoint): SparseStrategy => {
    const found = byName.get(name);
    if (found) return found;
    throw new RangeError(`a point of ${name}, which is not among the strategies`);
  };
  const measured = async (point: SweepPoint): Promise<PointRow> => {
    const { kernel, workload } = what;
    const strategy = refOf(strategyOf(point), kernel);
    const row = await engine.run("point", { ...point, strategy, ...(workload && { workload }) });
    onDone(`sweep of ${point.strategy}, ${point.axis}`, groupOf(point));
    return row;
  };
  const rows: Promise<PointRow>[] = [];
  const work = points.map((point, i) => {
    const bytes = point.axis === "size" ? point.x : FRACTION_BYTES;
    const { operations, leafEntries } = strategyOf(point).workOf(bytes);
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
 * @param rows - the measured points
 */
export function sweepResult(knobs: SweepKnobs, { leftOut }: SweepPlan, rows: PointRow[]): Sweep {
  return { format: "vmbind-sweep", version: 1, knobs, shard: null, rows, leftOut, growth: growthOf(rows) };
}
