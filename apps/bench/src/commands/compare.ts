/**
 * `vmbind compare`: the same workloads under every strategy, cost sheets side by side.
 *
 * @module
 */

import { open, writeFile } from "node:fs/promises";
import {
  type ComparePlan,
  type Comparison,
  jobCount,
  knobsOf,
  measurePoints,
  type PointRow,
  planOf,
  RefusedError,
  runComparison,
  SMALL_GRID,
  type SweepKnobs,
} from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { comparisonCsv } from "../compare/csv.ts";
import { renderDetails } from "../compare/details.ts";
import { commands, versions } from "../compare/facts.ts";
import { outputFormat } from "../compare/options.ts";
import { planComparison } from "../compare/plan.ts";
import { QUESTION, renderComparison, type Style } from "../compare/text.ts";
import { EXIT } from "../errors.ts";
import { heading, type Io } from "../io.ts";
import { Bar } from "../jobs/bar.ts";
import { JobPool, workerCount } from "../jobs/pool.ts";
import type { ReportInput, SweepResult } from "../report/input.ts";

/** Most operations or leaf entries of a point of the report's curves: they are to take a second. */
const REPORT_WORK_MAX = 2 ** 16;

/** Everything that is printed as JSON; the report is made of the same. */
interface Output extends Comparison {
  question: string;
  sweeps?: SweepResult;
  versions: ReportInput["versions"];
  commands: ReportInput["commands"];
}

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options }: CommandInput, io: Io): Promise<number> {
  const format = outputFormat(options);
  const report = options["report"] as string | undefined;
  const plan = await planComparison(options);
  if (report !== undefined) await checkWritable(report);
  let found: Pick<Output, keyof Comparison | "sweeps">;
  try {
    found = await measureAll(plan, report !== undefined, options["jobs"] as string | undefined, io);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    io.err(`vmbind compare: ${error.message}\n`);
    return EXIT.difference;
  }
  const output: Output = {
    question: QUESTION,
    ...found,
    versions: await versions(),
    commands: commands(repeatable(options)),
  };
  if (report !== undefined) await writeReport(report, output);
  if (format === "json") io.out(`${JSON.stringify(output, null, 2)}\n`);
  else if (format === "csv") io.out(comparisonCsv(output));
  else {
    const style = format === "markdown" ? MARKDOWN : textStyle(io);
    io.out(renderComparison(output, plan.strategies, plan.generated, style));
    if (options["details"]) io.out(`\n${renderDetails(output.lab, style)}`);
    if (report !== undefined) io.out(`\nThe report is in ${report}.\n`);
  }
  const wrong = output.recorded.some(({ differences }) => differences > 0);
  return wrong || output.leftOut.some(({ refused }) => refused) ? EXIT.difference : EXIT.ok;
}

async function measureAll(
  plan: ComparePlan,
  withSweep: boolean,
  jobs: string | undefined,
  io: Io,
): Promise<Pick<Output, keyof Comparison | "sweeps">> {
  const knobs = knobsOf(plan.strategies, REPORT_WORK_MAX);
  const points = withSweep ? planOf(knobs, SMALL_GRID).points : [];
  const total = jobCount(plan) + points.length;
  const pool = new JobPool(workerCount(jobs, total));
  const bar = new Bar(io, total);
  try {
    const comparison = runComparison(plan, pool, (name) => bar.step(name));
    const rows = measurePoints(points, pool, (name) => bar.step(name));
    const [found, swept] = await Promise.all([comparison, rows]);
    return withSweep ? { ...found, sweeps: forReport(knobs, swept) } : found;
  } finally {
    bar.close();
    await pool.close();
  }
}

/** The curves of a report. */
function forReport(knobs: SweepKnobs, rows: readonly PointRow[]): SweepResult {
  const { boundFraction, sizeBytes, tileBytes } = knobs;
  const curves = rows.flatMap(({ axis, ...row }) => (axis === "offset" ? [] : [{ ...row, axis }]));
  return { boundFraction, sizeBytes, tileBytes, rows: curves };
}

async function writeReport(path: string, { lab, sweeps, recorded, ...facts }: Output): Promise<void> {
  const { renderReport } = await import("../report/report.ts");
  const html = await renderReport({
    lab,
    sweeps: sweeps as SweepResult,
    versions: facts.versions,
    commands: facts.commands,
    recorded,
  });
  await writeFile(path, html);
}

/** Better now than after the measurements. */
async function checkWritable(path: string): Promise<void> {
  try {
    const file = await open(path, "a");
    await file.close();
  } catch (error) {
    throw new InputError(path, 0, `--report: cannot be written, ${(error as NodeJS.ErrnoException).code}`);
  }
}

const MARKDOWN: Style = {
  format: "markdown",
  title: (title, level) => `${"#".repeat(level + 1)} ${title}\n${level === 3 ? "\n" : ""}`,
};

function textStyle(io: Io): Style {
  return { format: "text", title: (title) => `${heading(io, title)}\n` };
}

/** The options that decide what is compared, as they would be typed. */
function repeatable(options: CommandInput["options"]): string[] {
  return ["workload", "strategy", "size"].flatMap((name) => {
    const values = options[name] === undefined ? [] : [options[name]].flat();
    return values.flatMap((value) => [`--${name}`, String(value)]);
  });
}
