/**
 * Running a comparison: every cell of workload x strategy is a job of its own.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import { InputError } from "@vmbind/trace";
import { answerOf } from "../answer.ts";
import type { Answer } from "../conclusions.ts";
import type { Engine } from "../engine/engine.ts";
import { type FindingsData, findings } from "../findings.ts";
import { imageFindings } from "../recorded/image-findings.ts";
import type { TraceRow } from "../recorded/recorded.ts";
import type { CostResult, LabResult } from "../result.ts";
import { RefusedError } from "../strategy/refused.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { refOf, type StrategyRef } from "../strategy/strategy-ref.ts";
import { accountingAnswer, verdicts } from "../verdicts.ts";
import { WorkloadError } from "../workload/workload.ts";
import { type ComparePlan, type CompareRequest, type GeneratedWorkload, planComparison } from "./plan.ts";

/** A generated workload that a strategy cannot run. */
export interface LeftOutCell {
  /** Name of the workload. */
  workload: string;
  /** Name of the strategy. */
  strategy: string;
  /** The rule that stands in the way. */
  why: string;
  /** Whether a driver model refused an ioctl; else the workload does not fit the strategy. */
  refused: boolean;
}

/** What a comparison finds. */
export interface Comparison {
  /** The kernel that everything was run on. */
  kernel: QuirkProfile;
  /** The recorded workloads, workloads then strategies. */
  recorded: TraceRow[];
  /** The generated ones, and the details if they were asked for. */
  lab: LabResult;
  /** What it comes down to. */
  answer: Answer;
  /** Cells of `lab.costs` that are not there. */
  leftOut: LeftOutCell[];
}

type Cell = { cost: CostResult } | { leftOut: LeftOutCell; error: Error };

/**
 * How many jobs a plan is.
 *
 * @param plan - what to run
 * @returns jobs by group: a workload under all strategies, or a part of the details
 */
export function jobGroups({ strategies, recorded, generated, details }: ComparePlan): Map<string, number> {
  const groups = [
    ...recorded.map(recordedGroup),
    ...generated.map(({ name }) => generatedGroup(name)),
    ...(details ? [ACCOUNTING, SEMANTICS] : []),
  ].map((group) => [group, strategies.length] as const);
  return new Map([...groups, ...(details ? [[EXPERIMENTS, 1] as const] : [])]);
}

/** Told of each job that has ended: what it was, and its group. */
export type OnDone = (name: string, group: string) => void;

const ACCOUNTING = "accounting";
const SEMANTICS = "semantics";
const EXPERIMENTS = "experiments";

function recordedGroup(workload: string): string {
  return `${workload} recorded`;
}

function generatedGroup(workload: string): string {
  return `${workload} generated`;
}

/**
 * Compare strategies: recorded workloads, generated ones, semantics, accounting, experiments, and what they come to.
 *
 * @param engine - does the work
 * @param request - what is wanted; everything unless told
 * @param onDone - told of each job that has ended
 * @throws RangeError for a workload that there is not
 * @throws RefusedError when a driver model refuses an ioctl of the details
 */
export function compare(engine: Engine, request: CompareRequest = {}, onDone?: OnDone): Promise<Comparison> {
  return runComparison(planComparison(request), engine, onDone);
}

/**
 * Run a comparison.
 *
 * @param plan - what to run
 * @param engine - does the work
 * @param onDone - told of each job that has ended
 * @throws RefusedError when a driver model refuses an ioctl of the details
 * @throws InputError for a workload file that no strategy can run
 */
export async function runComparison(
  plan: ComparePlan,
  engine: Engine,
  onDone: OnDone = () => {},
): Promise<Comparison> {
  const { strategies, kernel } = plan;
  const watch: Watch = async (job, group, name) => {
    const value = await job;
    onDone(name === undefined ? group : `${group}, ${name}`, group);
    return value;
  };
  // The last recorded workload is the largest and the first strategy has the most operations: begin with the longest.
  const recorded = grid(plan.recorded, strategies, (workload, strategy) =>
    watch(
      engine.run("recorded", { workload, strategy: refOf(strategy, kernel) }),
      recordedGroup(workload),
      strategy.name,
    ),
  );
  const cells = grid(plan.generated, strategies, (workload, strategy) =>
    watch(
      runCell(workload, refOf(strategy, kernel), plan.details, engine),
      generatedGroup(workload.name),
      strategy.name,
    ),
  );
  const details = plan.details ? runDetails(plan, engine, watch) : NO_DETAILS;
  const [rows, generated, found] = await Promise.all([recorded, cells, details]);
  const leftOut = generated.filter((cell) => "leftOut" in cell);
  const costs = generated.flatMap((cell) => ("cost" in cell ? [cell.cost] : []));
  // A rule that stands in every strategy's way is the file's mistake.
  const useless = leftOut.find(({ error }) => error instanceof InputError && costs.length === 0);
  if (useless) throw useless.error;
  const data = { costs, ...found };
  const shown = rows.filter((row) => row !== null);
  return {
    kernel,
    recorded: shown,
    lab: {
      ...data,
      ...(plan.details ? conclusions(data, shown, strategies) : { findings: [], verdicts: [] }),
    },
    answer: answerOf(shown, costs),
    leftOut: leftOut.map((cell) => cell.leftOut),
  };
}

/** What the results come down to. */
function conclusions(
  data: FindingsData,
  recorded: readonly TraceRow[],
  strategies: readonly SparseStrategy[],
): Pick<LabResult, "findings" | "verdicts"> {
  const all = verdicts(data);
  const found = [
    ...findings(data, strategies),
    ...imageFindings(recorded),
    ...accountingAnswer(all, data.accounting),
  ];
  return { findings: found, verdicts: all };
}

/** Says that a job has ended. */
type Watch = <T>(job: Promise<T>, group: string, name?: string) => Promise<T>;

/** Starts workload after workload, the longest first, and gives the cells in the order of the table. */
function grid<W, T>(
  workloads: readonly W[],
  strategies: readonly SparseStrategy[],
  start: (workload: W, strategy: SparseStrategy) => Promise<T>,
): Promise<T[]> {
  const cells: Promise<T>[] = [];
  for (let w = workloads.length - 1; w >= 0; w--) {
    for (const [s, strategy] of strategies.entries()) {
      cells[w * strategies.length + s] = start(workloads[w] as W, strategy);
    }
  }
  return Promise.all(cells);
}

async function runCell(
  workload: GeneratedWorkload,
  strategy: StrategyRef,
  views: boolean,
  engine: Engine,
): Promise<Cell> {
  try {
    return { cost: await engine.run("cost", { workload: workload.ref, strategy, views }) };
  } catch (error) {
    // A module that is broken is no cell that cannot be run.
    if (error instanceof InputError && error.file === strategy.module?.path) throw error;
    const refused = error instanceof RefusedError;
    if (!refused && !(error instanceof InputError) && !(error instanceof WorkloadError)) throw error;
    return {
      leftOut: { workload: workload.name, strategy: strategy.name, why: error.message, refused },
      error,
    };
  }
}

const NO_DETAILS: Omit<FindingsData, "costs"> = {
  semantics: [],
  accounting: [],
  experiments: { dummies: [], arrays: [], postedRepeat: null },
};

async function runDetails(
  plan: ComparePlan,
  engine: Engine,
  watch: Watch,
): Promise<Omit<FindingsData, "costs">> {
  const strategies = plan.strategies.map((strategy) => refOf(strategy, plan.kernel));
  const experiments = watch(engine.run("experiments", { strategies }), EXPERIMENTS);
  const accounting = strategies.map((strategy) =>
    watch(engine.run("accounting", { strategy }), ACCOUNTING, strategy.name),
  );
  const semantics = strategies.map((strategy) =>
    watch(engine.run("semantics", { strategy }), SEMANTICS, strategy.name),
  );
  // All at once: when one fails, none of the others may fail unseen.
  const found = await Promise.all([Promise.all(semantics), Promise.all(accounting), experiments]);
  return { semantics: found[0].flat(), accounting: found[1], experiments: found[2] };
}
