/**
 * The pieces that the laboratory's work is cut into. Each begins with a fresh device and shares nothing with another, so
 * that they can run in any order and on any thread. Tasks and results are plain objects: they travel between threads.
 *
 * @module
 */

import { STANDARD_BUDGETS } from "@vmbind/trace";
import { experiments } from "../experiments/experiments.ts";
import type { LabExperiments } from "../experiments/result.ts";
import { account } from "../measure/accounting.ts";
import { measureCell } from "../measure/generated.ts";
import type { TraceLibrary } from "../recorded/library.ts";
import { replayRecorded, type TraceRow } from "../recorded/recorded.ts";
import type { AccountingResult, CostResult, SemanticsAnswer } from "../result.ts";
import { askAll } from "../semantics/semantics.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { inTable, type StrategyFinder, type StrategyRef, withStrategy } from "../strategy/strategy-ref.ts";
import type { PointRow } from "../sweep/point.ts";
import { measurePoint } from "../sweep/point.ts";
import type { SweepPoint, SweptWorkload } from "../sweep/points.ts";
import { resolveWorkload, type WorkloadRef } from "../workload/workload-ref.ts";

/** What can be done, by kind. */
export interface Jobs {
  /** Replay a recorded or derived trace; null where the library has none. */
  recorded(task: { workload: string; strategy: StrategyRef }): Promise<TraceRow | null>;
  /** Run a workload of the Vulkan level; throws WorkloadError where it is more than the strategy is run with. */
  cost(task: { workload: WorkloadRef; strategy: StrategyRef; views: boolean }): Promise<CostResult>;
  /** Ask a strategy all questions. */
  semantics(task: { strategy: StrategyRef }): Promise<SemanticsAnswer[]>;
  /** Find out who holds what. */
  accounting(task: { strategy: StrategyRef }): Promise<AccountingResult>;
  /** Try what a single strategy's workloads do not show. */
  experiments(task: { strategies: StrategyRef[] }): Promise<LabExperiments>;
  /** Measure one point of a sweep. */
  point(
    task: Omit<SweepPoint, "strategy"> & { strategy: StrategyRef; workload?: SweptWorkload },
  ): Promise<PointRow>;
}

/** Name of a kind of job. */
export type JobKind = keyof Jobs;
/** What a job of this kind is told. */
export type JobTask<K extends JobKind> = Parameters<Jobs[K]>[0];
/** What comes of it. */
export type JobResult<K extends JobKind> = Awaited<ReturnType<Jobs[K]>>;

/**
 * The code behind the kinds.
 *
 * @param library - where recorded traces are
 * @param find - knows the strategies; those of the table unless told
 */
export function jobsOf(library: TraceLibrary, find: StrategyFinder = inTable): Jobs {
  const under = <T>(ref: StrategyRef, job: (strategy: SparseStrategy) => Promise<T>): Promise<T> =>
    withStrategy(ref, find, job);
  return {
    recorded: ({ workload, strategy }) =>
      under(strategy, (found) => replayRecorded(workload, found, library, strategy.kernel)),
    cost: ({ workload, strategy, views }) => {
      const budgets = "file" in workload ? (workload.budgets ?? STANDARD_BUDGETS) : undefined;
      return under(strategy, async (found) => measureCell(resolveWorkload(workload), found, views, budgets));
    },
    semantics: ({ strategy }) => under(strategy, askAll),
    accounting: ({ strategy }) => under(strategy, (found) => account(found)),
    experiments: async ({ strategies }) => {
      const parts: LabExperiments[] = [];
      for (const ref of strategies) parts.push(await under(ref, (found) => experiments([found])));
      return joined(parts);
    },
    point: ({ strategy, workload, ...point }) =>
      under(strategy, (found) => measurePoint(found, point, workload)),
  };
}

function joined(parts: readonly LabExperiments[]): LabExperiments {
  return {
    dummies: parts.flatMap(({ dummies }) => dummies),
    arrays: parts.flatMap(({ arrays }) => arrays),
    postedRepeat: parts.find(({ postedRepeat }) => postedRepeat !== null)?.postedRepeat ?? null,
  };
}
