/**
 * Putting the parts of a sweep together: what each measured becomes the sweep as one machine would have made it.
 *
 * @module
 */

import { QUIRK_PROFILES } from "@vmbind/drm";
import { InputError } from "@vmbind/trace";
import * as v from "valibot";
import type { CostFigures } from "../result.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { SPARSE_STRATEGIES } from "../strategy/table.ts";
import { parametricSchema } from "../workload/schema.ts";
import type { PointRow } from "./point.ts";
import { FULL_GRID, planSweep, type SweepPlan } from "./points.ts";
import type { Shard, Sweep, SweepKnobs } from "./result.ts";
import { knobsOf, pointsOfShard, sweepResult } from "./run.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const shardSchema = v.object({
  format: v.literal("vmbind-sweep", 'expected "vmbind-sweep"'),
  version: v.literal(1, "expected 1"),
  knobs: v.object({
    strategies: v.pipe(v.array(v.string()), v.minLength(1)),
    kernel: v.picklist(QUIRK_PROFILES),
    workMax: count,
    workload: v.exactOptional(v.strictObject({ name: v.string(), knobs: parametricSchema })),
  }),
  shard: v.object({ index: count, of: count }),
  rows: v.array(
    v.object({
      strategy: v.string(),
      axis: v.string(),
      x: v.number(),
      figures: v.record(v.string(), v.pipe(v.number(), v.finite())),
    }),
  ),
});

interface ShardFile {
  path: string;
  knobs: Pick<SweepKnobs, "strategies" | "kernel" | "workMax" | "workload">;
  shard: Shard;
  rows: { strategy: string; axis: string; x: number; figures: Record<string, number> }[];
}

/** Part of a sweep, as JSON has it. */
export interface ShardSource {
  /** Where it is from, for errors. */
  path: string;
  /** What JSON.parse gave. */
  value: unknown;
}

/**
 * Put shards together.
 *
 * @param sources - a {@link Sweep} each, of one shard, in any order; at least one
 * @param known - strategies that the shards may be of
 * @returns what the whole sweep would have been
 * @throws {@link InputError} for a value that is no shard, or does not belong to the others
 */
export function mergeShards(
  sources: readonly ShardSource[],
  known: readonly SparseStrategy[] = SPARSE_STRATEGIES,
): Sweep {
  const files = sources.map(readShard);
  const first = files[0] as ShardFile;
  const unknown = first.knobs.strategies.find((name) => !known.some((strategy) => strategy.name === name));
  if (unknown !== undefined) {
    const name = JSON.stringify(unknown);
    const names = known.map((strategy) => strategy.name).join(", ");
    throw new InputError(first.path, 0, `knobs.strategies: no strategy ${name}; there are ${names}`);
  }
  const strategies = known.filter(({ name }) => first.knobs.strategies.includes(name));
  const { workMax, kernel, workload } = first.knobs;
  const knobs = knobsOf(strategies, workMax, kernel, workload);
  const plan = planSweep(strategies, FULL_GRID, workMax, workload);
  const byIndex = new Map<number, ShardFile>();
  for (const file of files) {
    checkBelongs(file, first, plan);
    const twice = byIndex.get(file.shard.index);
    if (twice)
      throw new InputError(file.path, 0, `shard.index: ${twice.path} is shard ${file.shard.index}, too`);
    byIndex.set(file.shard.index, file);
  }
  const rows = plan.points.map((_, i): PointRow => {
    const index = (i % first.shard.of) + 1;
    const file = byIndex.get(index);
    if (!file) throw new InputError(first.path, 0, `shard ${index} of ${first.shard.of} is missing`);
    return file.rows[Math.floor(i / first.shard.of)] as unknown as PointRow;
  });
  return sweepResult(knobs, plan, null, rows);
}

function readShard({ path, value }: ShardSource): ShardFile {
  const parsed = v.safeParse(shardSchema, value);
  if (parsed.success) return { path, ...parsed.output };
  const issue = parsed.issues[0];
  const place = v.getDotPath(issue) ?? "the file";
  throw new InputError(path, 0, `${place}: ${issue.message}`);
}

/** Same question as the first file, and just the points that its share of the plan has. */
function checkBelongs(file: ShardFile, first: ShardFile, plan: SweepPlan): void {
  const refuse = (rule: string): never => {
    throw new InputError(file.path, 0, rule);
  };
  if (JSON.stringify(file.knobs) !== JSON.stringify(first.knobs)) {
    refuse(`knobs: not those of ${first.path}`);
  }
  if (file.shard.of !== first.shard.of) {
    refuse(`shard.of: ${file.shard.of}, but ${first.path} is one of ${first.shard.of}`);
  }
  if (file.shard.index > file.shard.of) refuse(`shard.index: ${file.shard.index} of ${file.shard.of}`);
  const points = pointsOfShard(plan.points, file.shard);
  if (file.rows.length !== points.length) {
    refuse(`rows: expected ${points.length}, got ${file.rows.length}`);
  }
  const names = Object.keys(first.rows[0]?.figures ?? {}) as (keyof CostFigures)[];
  for (const [i, { strategy, axis, x }] of points.entries()) {
    const row = file.rows[i] as ShardFile["rows"][number];
    if (row.strategy !== strategy || row.axis !== axis || row.x !== x) {
      refuse(`rows[${i}]: expected ${strategy} ${axis} ${x}, got ${row.strategy} ${row.axis} ${row.x}`);
    }
    const wrong = names.find((name) => row.figures[name] === undefined);
    if (wrong !== undefined) refuse(`rows[${i}].figures.${wrong}: is missing`);
  }
}
