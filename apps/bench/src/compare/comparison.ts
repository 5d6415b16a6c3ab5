/**
 * Running a comparison: every cell of workload x strategy is a job of its own.
 *
 * @module
 */

import {
  type CostResult,
  findings,
  type LabResult,
  RefusedError,
  type SparseStrategy,
  type TraceRow,
  WorkloadError,
} from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import type { Bar } from "../jobs/bar.ts";
import type { JobPool } from "../jobs/pool.ts";
import type { ComparePlan, GeneratedWorkload } from "./plan.ts";

/** A generated workload that a strategy cannot run. */
interface LeftOutCell {
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
  /** The recorded workloads, workloads then strategies. */
  recorded: TraceRow[];
  /** The generated ones, and the details if they were asked for. */
  lab: LabResult;
  /** Cells of `lab.costs` that are not there. */
  leftOut: LeftOutCell[];
}

type Cell = { cost: CostResult } | { leftOut: LeftOutCell; error: Error };

/**
 * How many jobs a plan is.
 *
 * @param plan - what to run
 */
export function jobCount({ strategies, recorded, generated, details }: ComparePlan): number {
  return strategies.length * (recorded.length + generated.length + (details ? 2 : 0)) + (details ? 1 : 0);
}

/**
 * Run a comparison.
 *
 * @param plan - what to run
 * @param pool - where
 * @param bar - counts the jobs
 * @throws RefusedError when a driver model refuses an ioctl of the details
 * @throws InputError for a workload file that no strategy can run
 */
export async function runComparison(plan: ComparePlan, pool: JobPool, bar: Bar): Promise<Comparison> {
  const { strategies } = plan;
  // The first strategy has the most operations and the last recorded workload is the largest: begin with the longest.
  const recorded = grid(plan.recorded, strategies, (workload, { name }) =>
    bar.watch(pool.run("recorded", { workload, strategy: name }), `${workload} recorded, ${name}`),
  );
  const cells = grid(plan.generated, strategies, (workload, { name }) =>
    bar.watch(runCell(workload, name, plan.details, pool), `${workload.name} generated, ${name}`),
  );
  const details = plan.details ? runDetails(strategies, pool, bar) : NO_DETAILS;
  const [rows, generated, found] = await Promise.all([recorded, cells, details]);
  const leftOut = generated.filter((cell) => "leftOut" in cell);
  const costs = generated.flatMap((cell) => ("cost" in cell ? [cell.cost] : []));
  // A rule that stands in every strategy's way is the file's mistake.
  const useless = leftOut.find(({ error }) => error instanceof InputError && costs.length === 0);
  if (useless) throw useless.error;
  const data = { costs, ...found };
  return {
    recorded: rows.filter((row) => row !== null),
    lab: { ...data, findings: plan.details ? findings(data) : [] },
    leftOut: leftOut.map((cell) => cell.leftOut),
  };
}

/** Starts cells with the longest first, and gives them in the order of the table. */
function grid<W, T>(
  workloads: readonly W[],
  strategies: readonly SparseStrategy[],
  start: (workload: W, strategy: SparseStrategy) => Promise<T>,
): Promise<T[]> {
  const cells: Promise<T>[] = [];
  for (const [s, strategy] of strategies.entries()) {
    for (let w = workloads.length - 1; w >= 0; w--) {
      cells[w * strategies.length + s] = start(workloads[w] as W, strategy);
    }
  }
  return Promise.all(cells);
}

async function runCell(
  workload: GeneratedWorkload,
  strategy: string,
  views: boolean,
  pool: JobPool,
): Promise<Cell> {
  try {
    return { cost: await pool.run("cost", { workload: workload.ref, strategy, views }) };
  } catch (error) {
    const refused = error instanceof RefusedError;
    if (!refused && !(error instanceof InputError) && !(error instanceof WorkloadError)) throw error;
    return { leftOut: { workload: workload.name, strategy, why: error.message, refused }, error };
  }
}

const NO_DETAILS: Omit<LabResult, "costs" | "findings"> = {
  semantics: [],
  accounting: [],
  experiments: { dummies: [], arrays: [], postedRepeat: null },
};

async function runDetails(
  strategies: readonly SparseStrategy[],
  pool: JobPool,
  bar: Bar,
): Promise<Omit<LabResult, "costs" | "findings">> {
  const names = strategies.map(({ name }) => name);
  const experiments = bar.watch(pool.run("experiments", { strategies: names }), "experiments");
  const accounting = names.map((strategy) =>
    bar.watch(pool.run("accounting", { strategy }), `accounting, ${strategy}`),
  );
  const semantics = names.map((strategy) =>
    bar.watch(pool.run("semantics", { strategy }), `semantics, ${strategy}`),
  );
  // All at once: when one fails, none of the others may fail unseen.
  const found = await Promise.all([Promise.all(semantics), Promise.all(accounting), experiments]);
  return { semantics: found[0].flat(), accounting: found[1], experiments: found[2] };
}
