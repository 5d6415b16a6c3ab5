/**
 * `vmbind compare`: the same workloads under every strategy, cost sheets side by side.
 *
 * @module
 */

import {
  type ComparePlan,
  type Comparison,
  jobGroups,
  knobsOf,
  measurePoints,
  type PointRow,
  planSweep,
  pointGroups,
  RefusedError,
  runComparison,
  SMALL_GRID,
  type SparseStrategy,
  type SweepKnobs,
  type TimeEstimate,
  timeEstimates,
} from "@vmbind/lab";
import type { CommandInput } from "../command.ts";
import { comparisonCsv } from "../compare/csv.ts";
import { renderDetails } from "../compare/details.ts";
import { commands, versions } from "../compare/facts.ts";
import { renderMail } from "../compare/mail.ts";
import { outputFormat, ownFiles } from "../compare/options.ts";
import { planComparison } from "../compare/plan.ts";
import { HINT, QUESTION, renderAnswer, renderComparison, type Style } from "../compare/text.ts";
import { renderTime } from "../compare/time.ts";
import { EXIT, ReaderGone, UsageError } from "../errors.ts";
import { bundledMeasurements, readMeasured } from "../files/measured-file.ts";
import { isWorkloadFile } from "../files/workload-file.ts";
import { columnsIn, complain, heading, type Io } from "../io.ts";
import { type JobsOfCommand, withEngine } from "../jobs/with-engine.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";
import { type MeasuredDevice, type ReportInput, type SweepResult, shownStrategy } from "../report/input.ts";
import { markdownText } from "../text/table.ts";

/** Most operations or leaf entries of a point of the report's curves: they are to take a second. */
const REPORT_WORK_MAX = 2 ** 16;

/** Everything that is printed as JSON; the report is made of the same. */
interface Output extends Comparison {
  question: string;
  sweeps?: SweepResult;
  time?: TimeEstimate[];
  versions: ReportInput["versions"];
  commands: ReportInput["commands"];
}

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run(input: CommandInput, io: Io): Promise<number> {
  const { options, budgets } = input;
  const format = outputFormat(options, ["json", "csv", "markdown", "mail"]);
  const report = reportOf(options);
  if (report === null && measuredFiles(options).length > 0)
    throw new UsageError("--measured: has no meaning without --report");
  // A shard writes no report: whoever merges does.
  if (report !== null && input.division.kind !== "shard")
    await checkOutput(report, [...workloadFiles(options), ...measuredFiles(options)]);
  const measured = report === null ? [] : await measurements(options);
  const plan = await planComparison(options, budgets, io);
  let found: Pick<Output, keyof Comparison | "sweeps"> | null;
  try {
    found = await measureAll(plan, report !== null, input, io);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    complain(io, "compare", error.message);
    return EXIT.difference;
  }
  if (found === null) return EXIT.ok;
  const output: Output = {
    question: QUESTION,
    ...found,
    ...(options["time"] === true ? { time: timeEstimates(found.lab.costs) } : {}),
    versions: await versions(plan.strategies),
    commands: commands(repeatable(options)),
  };
  const print = (): void => {
    if (format === "json") io.out(`${JSON.stringify(output, null, 2)}\n`);
    else if (format === "csv") io.out(comparisonCsv(output));
    else if (format === "mail")
      io.out(
        renderMail(output, plan.strategies, plan.generated, {
          versions: output.versions,
          command: ["vmbind compare", ...repeatable(options), "--mail"].join(" "),
        }),
      );
    else {
      const style = format === "markdown" ? MARKDOWN : textStyle(io, options["details"] === true);
      io.out(renderComparison(output, plan.strategies, plan.generated, style));
      if (options["details"]) io.out(`\n${renderDetails(output.lab, style)}`);
      else io.out(HINT);
      if (output.time) io.out(`\n${renderTime(output.time, style)}`);
      if (format === "text") io.out(`\n${renderAnswer(output, style)}`);
    }
  };
  const gone = reader(() => {
    print();
    io.flush();
  });
  // What was measured is printed before anything can go wrong with the file; nor does a reader who leaves take it away.
  if (report !== null) await makeFile(io, report, await renderOutput(output, plan.strategies, measured));
  if (gone) throw gone;
  if (report !== null && (format === "text" || format === "markdown")) {
    io.out(`${format === "text" ? "" : "\n"}The report is in ${report.path}.\n`);
  }
  const wrong = output.recorded.some(({ differences }) => differences > 0);
  return wrong || output.leftOut.some(({ refused }) => refused) ? EXIT.difference : EXIT.ok;
}

async function measureAll(
  plan: ComparePlan,
  withSweep: boolean,
  input: CommandInput,
  io: Io,
): Promise<Pick<Output, keyof Comparison | "sweeps"> | null> {
  const { strategies, kernel } = plan;
  const knobs = knobsOf(strategies, REPORT_WORK_MAX, kernel);
  const points = withSweep ? planSweep(strategies, SMALL_GRID, REPORT_WORK_MAX).points : [];
  const groups = new Map([...jobGroups(plan), ...pointGroups(points)]);
  const ask: JobsOfCommand<Pick<Output, keyof Comparison | "sweeps">>["ask"] = async (engine, onDone) => {
    const comparison = runComparison(plan, engine, onDone);
    const rows = measurePoints(points, plan, engine, onDone);
    const [found, swept] = await Promise.all([comparison, rows]);
    return withSweep ? { ...found, sweeps: forReport(knobs, swept) } : found;
  };
  return withEngine(io, input, { groups, inputs: ownFiles(input.options), ask });
}

/** The curves of a report. */
function forReport(knobs: SweepKnobs, rows: readonly PointRow[]): SweepResult {
  const { boundFraction, sizeBytes, tileBytes } = knobs;
  const curves = rows.flatMap(({ axis, ...row }) => (axis === "offset" ? [] : [{ ...row, axis }]));
  return { boundFraction, sizeBytes, tileBytes, rows: curves };
}

/** Prints; gives the error back when nobody reads any more. */
function reader(print: () => void): ReaderGone | null {
  try {
    print();
    return null;
  } catch (error) {
    if (error instanceof ReaderGone) return error;
    throw error;
  }
}

function reportOf(options: CommandInput["options"]): { option: string; path: string } | null {
  const path = options["report"] as string | undefined;
  return path === undefined ? null : { option: "--report", path };
}

/** The devices that ship, and those of the user. */
async function measurements(options: CommandInput["options"]): Promise<MeasuredDevice[]> {
  const given = measuredFiles(options);
  return [...(await bundledMeasurements()), ...(await Promise.all(given.map(readMeasured)))];
}

function measuredFiles(options: CommandInput["options"]): string[] {
  return (options["measured"] ?? []) as string[];
}

function workloadFiles(options: CommandInput["options"]): string[] {
  return ((options["workload"] ?? []) as string[]).filter(isWorkloadFile);
}

async function renderOutput(
  { kernel, answer, lab, sweeps, recorded, ...facts }: Output,
  strategies: readonly SparseStrategy[],
  measured: MeasuredDevice[],
): Promise<string> {
  const { renderReport } = await import("../report/report.ts");
  return renderReport({
    kernel,
    strategies: strategies.map(shownStrategy),
    answer,
    lab,
    sweeps: sweeps as SweepResult,
    versions: facts.versions,
    commands: facts.commands,
    recorded,
    measured,
    ...(facts.time ? { time: facts.time } : {}),
  });
}

const MARKDOWN: Style = {
  format: "markdown",
  columns: Number.POSITIVE_INFINITY,
  details: true,
  title: (title, level) => `${"#".repeat(level + 1)} ${markdownText(title)}\n${level === 3 ? "\n" : ""}`,
};

function textStyle(io: Io, details: boolean): Style {
  return {
    format: "text",
    title: (title) => `${heading(io, title)}\n`,
    columns: columnsIn(io),
    details,
  };
}

/** The options that decide what is compared, as they would be typed. */
function repeatable(options: CommandInput["options"]): string[] {
  return ["workload", "strategy", "device", "kernel", "seed", "size"].flatMap((name) => {
    const values = options[name] === undefined ? [] : [options[name]].flat();
    return values.flatMap((value) => [`--${name}`, String(value)]);
  });
}
