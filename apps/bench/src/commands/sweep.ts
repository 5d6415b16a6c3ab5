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
  RefusedError,
  type SparseStrategy,
  type Sweep,
  type SweptWorkload,
  sweepResult,
  WORK_MAX,
} from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { chosenKernel, chosenStrategies, outputFormat, ownFiles, wholeNumber } from "../compare/options.ts";
import { EXIT, UsageError } from "../errors.ts";
import { readWorkload } from "../files/workload-file.ts";
import { columnsIn, complain, heading, type Io } from "../io.ts";
import { withEngine } from "../jobs/with-engine.ts";
import { renderSweep, sweepCsv } from "../sweep/render.ts";
import { run as mergeRun } from "./merge.ts";

/** Options that shards were made with, and say. */
const MEASURING = ["shard", "strategy", "workload", "kernel", "work-max", "jobs", "no-cache"];

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run(input: CommandInput, io: Io): Promise<number> {
  const { options, operands } = input;
  if (options["merge"]) {
    const senseless = MEASURING.find((name) => options[name] !== undefined);
    if (senseless !== undefined) throw new UsageError(`--${senseless} has no meaning with --merge`);
    return mergeRun(input, io);
  }
  if (operands.length > 0) throw new UsageError(`unexpected operand ${JSON.stringify(operands[0])}`);
  const format = outputFormat(options, ["json", "csv", "markdown"]);
  const strategies = await chosenStrategies(options);
  const sweep = await refusable(io, () => measureSweep(input, strategies, io));
  if (typeof sweep === "number") return sweep;
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

/** @returns the exit status where there is nothing to show: a driver has refused something, or this is a shard */
async function refusable(io: Io, measure: () => Promise<Sweep | null>): Promise<Sweep | number> {
  try {
    return (await measure()) ?? EXIT.ok;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    complain(io, "sweep", error.message);
    return EXIT.difference;
  }
}

async function measureSweep(
  input: CommandInput,
  strategies: readonly SparseStrategy[],
  io: Io,
): Promise<Sweep | null> {
  const { options } = input;
  const workMax = wholeNumber(options, "work-max", 1, 2 ** 30) ?? WORK_MAX;
  const kernel = chosenKernel(options);
  const workload = await ownWorkload(options);
  const knobs = knobsOf(strategies, workMax, kernel, workload);
  const plan = planSweep(strategies, FULL_GRID, workMax, workload);
  return withEngine(io, input, {
    groups: pointGroups(plan.points),
    inputs: ownFiles(options),
    ask: async (engine, onDone) =>
      sweepResult(
        knobs,
        plan,
        await measurePoints(plan.points, { strategies, kernel, workload }, engine, onDone),
      ),
  });
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
