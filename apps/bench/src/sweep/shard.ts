/**
 * Splitting a sweep over machines: each measures its share of the points, and the files that they leave merge into the
 * sweep as one machine would have made it.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import {
  type CostFigures,
  FULL_GRID,
  type PointRow,
  type Shard,
  SPARSE_STRATEGIES,
  type Sweep,
  type SweepKnobs,
  type SweepPlan,
} from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import * as v from "valibot";
import { UsageError } from "../errors.ts";
import { knobsOf, planOf, pointsOfShard, sweepResult } from "./run.ts";

/** Most shards of a sweep. */
const SHARDS_MAX = 1000;

/**
 * @param option - value of `--shard`
 * @throws {@link UsageError} for anything but `I/N` with I from 1 to N
 */
export function parseShard(option: string): Shard {
  const found = /^([0-9]{1,4})\/([0-9]{1,4})$/.exec(option);
  const shard = { index: Number(found?.[1]), of: Number(found?.[2]) };
  if (found && shard.index >= 1 && shard.index <= shard.of && shard.of <= SHARDS_MAX) return shard;
  throw new UsageError(
    `--shard: expected I/N with I from 1 to N and N at most ${SHARDS_MAX}, got ${JSON.stringify(option)}`,
  );
}

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const shardSchema = v.object({
  format: v.literal("vmbind-sweep", 'expected "vmbind-sweep"'),
  version: v.literal(1, "expected 1"),
  knobs: v.object({
    strategies: v.pipe(v.array(v.picklist(SPARSE_STRATEGIES.map(({ name }) => name))), v.minLength(1)),
    workMax: count,
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
  knobs: Pick<SweepKnobs, "strategies" | "workMax">;
  shard: Shard;
  rows: { strategy: string; axis: string; x: number; figures: Record<string, number> }[];
}

/**
 * Put shards together.
 *
 * @param paths - what `vmbind sweep --shard` printed, one file a shard, in any order
 * @returns what the whole sweep would have printed
 * @throws {@link InputError} for a file that cannot be read, is no shard, or does not belong to the others
 */
export async function mergeShards(paths: readonly string[]): Promise<Sweep> {
  const files = await Promise.all(paths.map(readShard));
  const first = files[0] as ShardFile;
  const strategies = SPARSE_STRATEGIES.filter(({ name }) => first.knobs.strategies.includes(name));
  const knobs = knobsOf(strategies, first.knobs.workMax);
  const plan = planOf(knobs, FULL_GRID);
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

async function readShard(path: string): Promise<ShardFile> {
  const parsed = v.safeParse(shardSchema, await readJson(path));
  if (parsed.success) return { path, ...parsed.output };
  const issue = parsed.issues[0];
  const place = v.getDotPath(issue) ?? "the file";
  throw new InputError(path, 0, `${place}: ${issue.message}`);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(path, 0, `not JSON: ${error.message}`);
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError(path, 0, code === "ENOENT" ? "no such file" : message);
  }
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
