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
  planOf,
  pointGroups,
  pointsOfShard,
  RefusedError,
  type Sweep,
  sweepResult,
  WORK_MAX,
} from "@vmbind/lab";
import type { CommandInput } from "../command.ts";
import { chosenStrategies, outputFormat, wholeNumber } from "../compare/options.ts";
import { EXIT, UsageError } from "../errors.ts";
import { columnsIn, complain, heading, type Io } from "../io.ts";
import { withEngine } from "../jobs/with-engine.ts";
import { renderSweep, sweepCsv } from "../sweep/render.ts";
import { mergeFiles, parseShard } from "../sweep/shard.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const format = outputFormat(options, ["json", "csv", "markdown"]);
  let sweep: Sweep;
  try {
    sweep = await (options["merge"] ? merge(options, operands) : measureSweep(options, operands, format, io));
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    complain(io, "sweep", error.message);
    return EXIT.difference;
  }
  if (format === "json") io.out(`${JSON.stringify(sweep)}\n`);
  else if (format === "csv") io.out(sweepCsv(sweep));
  else if (format === "markdown") io.out(markdown(sweep));
  else {
    const title = (text: string): string => heading(io, text);
    io.out(
      renderSweep(sweep, { format, title, columns: columnsIn(io), details: options["details"] === true }),
    );
  }
  return EXIT.ok;
}

function merge(options: CommandInput["options"], operands: readonly string[]): Promise<Sweep> {
  const senseless = ["shard", "strategy", "work-max", "jobs"].find((name) => options[name] !== undefined);
  if (senseless) throw new UsageError(`--${senseless} has no meaning with --merge`);
  if (operands.length === 0) throw new UsageError("--merge: FILE... is missing");
  return mergeFiles(operands);
}

async function measureSweep(
  options: CommandInput["options"],
  operands: readonly string[],
  format: string,
  io: Io,
): Promise<Sweep> {
  if (operands.length > 0) throw new UsageError(`unexpected operand ${JSON.stringify(operands[0])}`);
  const shardOption = options["shard"] as string | undefined;
  const shard = shardOption === undefined ? null : parseShard(shardOption);
  if (shard && format !== "json" && format !== "csv") {
    throw new UsageError("--shard needs --json, to be merged, or --csv: laws are of whole sweeps");
  }
  const knobs = knobsOf(chosenStrategies(options), wholeNumber(options, "work-max", 1, 2 ** 30) ?? WORK_MAX);
  const plan = planOf(knobs, FULL_GRID);
  const points = pointsOfShard(plan.points, shard);
  return withEngine(io, options, pointGroups(points), async (engine, onDone) =>
    sweepResult(knobs, plan, shard, await measurePoints(points, engine, onDone)),
  );
}

function markdown(sweep: Sweep): string {
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
    })
  );
}
