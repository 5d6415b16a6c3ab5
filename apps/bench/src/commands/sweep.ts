/**
 * `vmbind sweep`: how the cost of a sparse resource grows with its size, with the part of it that is bound, and with where
 * it lies.
 *
 * @module
 */

import {
  FULL_GRID,
  knobsOf,
  measurePoints,
  planSweep,
  pointGroups,
  pointsOfShard,
  RefusedError,
  SPARSE_STRATEGIES,
  type SparseStrategy,
  type Sweep,
  type SweptWorkload,
  sweepResult,
  WORK_MAX,
} from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { chosenKernel, chosenStrategies, outputFormat, wholeNumber } from "../compare/options.ts";
import { EXIT, UsageError } from "../errors.ts";
import { isModule } from "../files/user-module.ts";
import { readWorkload } from "../files/workload-file.ts";
import { columnsIn, complain, heading, type Io } from "../io.ts";
import { withEngine } from "../jobs/with-engine.ts";
import { renderSweep, sweepCsv } from "../sweep/render.ts";
import { mergeFiles, parseShard } from "../sweep/shard.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const format = outputFormat(options, ["json", "csv", "markdown"]);
  let sweep: Sweep;
  let strategies: readonly SparseStrategy[];
  try {
    strategies = await (options["merge"] ? mergeable(options) : chosenStrategies(options));
    sweep = await (options["merge"]
      ? merge(options, operands, strategies)
      : measureSweep(options, operands, strategies, format, io));
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    complain(io, "sweep", error.message);
    return EXIT.difference;
  }
  if (format === "json") io.out(`${JSON.stringify(sweep)}\n`);
  else if (format === "csv") io.out(sweepCsv(sweep));
  else if (format === "markdown") io.out(markdown(sweep, strategies));
  else {
    const title = (text: string): string => heading(io, text);
    const details = options["details"] === true;
    io.out(renderSweep(sweep, { format, title, columns: columnsIn(io), details, strategies }));
  }
  return EXIT.ok;
}

/** Shards may be of any strategy of the table, and of those whose modules are given again. */
async function mergeable(options: CommandInput["options"]): Promise<readonly SparseStrategy[]> {
  const given = (options["strategy"] ?? []) as string[];
  const name = given.find((word) => !isModule(word));
  if (name !== undefined) throw new UsageError("--strategy has no meaning with --merge but for modules");
  return given.length === 0
    ? SPARSE_STRATEGIES
    : [...SPARSE_STRATEGIES, ...(await chosenStrategies(options))];
}

async function merge(
  options: CommandInput["options"],
  operands: readonly string[],
  strategies: readonly SparseStrategy[],
): Promise<Sweep> {
  const senseless = ["shard", "work-max", "jobs", "kernel", "workload"].find(
    (name) => options[name] !== undefined,
  );
  if (senseless) throw new UsageError(`--${senseless} has no meaning with --merge`);
  if (operands.length === 0) throw new UsageError("--merge: FILE... is missing");
  return mergeFiles(operands, strategies);
}

async function measureSweep(
  options: CommandInput["options"],
  operands: readonly string[],
  strategies: readonly SparseStrategy[],
  format: string,
  io: Io,
): Promise<Sweep> {
  if (operands.length > 0) throw new UsageError(`unexpected operand ${JSON.stringify(operands[0])}`);
  const shardOption = options["shard"] as string | undefined;
  const shard = shardOption === undefined ? null : parseShard(shardOption);
  if (shard && format !== "json" && format !== "csv") {
    throw new UsageError("--shard needs --json, to be merged, or --csv: laws are of whole sweeps");
  }
  const workMax = wholeNumber(options, "work-max", 1, 2 ** 30) ?? WORK_MAX;
  const kernel = chosenKernel(options);
  const workload = await ownWorkload(options);
  const knobs = knobsOf(strategies, workMax, kernel, workload);
  const plan = planSweep(strategies, FULL_GRID, workMax, workload);
  const points = pointsOfShard(plan.points, shard);
  return withEngine(io, options, pointGroups(points), async (engine, onDone) =>
    sweepResult(
      knobs,
      plan,
      shard,
      await measurePoints(points, { strategies, kernel, workload }, engine, onDone),
    ),
  );
}

/** A workload of the user's, whose knobs are the axes. */
async function ownWorkload(options: CommandInput["options"]): Promise<SweptWorkload | undefined> {
  const path = options["workload"] as string | undefined;
  if (path === undefined) return undefined;
  const { name, parametric: knobs } = await readWorkload(path);
  if (knobs === undefined) {
    throw new InputError(
      path,
      0,
      "its steps are fixed: expected parametric, whose size and bound part are swept",
    );
  }
  return { name, knobs };
}

function markdown(sweep: Sweep, strategies: readonly SparseStrategy[]): string {
  const intro =
    "# Counted work\n\nWhat it takes to create a sparse resource and to destroy it again, counted in the driver models. Made by " +
    "`vmbind sweep --markdown`; a number changes only when a model does.\n\n";
  return (
    intro +
    renderSweep(sweep, {
      format: "markdown",
      title: (title) => `## ${title}`,
      columns: Number.POSITIVE_INFINITY,
      details: true,
      strategies,
    })
  );
}
