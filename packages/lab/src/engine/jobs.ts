/**
 * The pieces that the laboratory's work is cut into. Each begins with a fresh device and shares nothing with another, so
 * that they can run in any order and on any thread. Tasks and results are plain objects: they travel between threads.
 *
 * @module
 */

import { STANDARD_BUDGETS } from "@vmbind/trace";
import { experiments } from "../experiments/experiments.ts";
import { account } from "../measure/accounting.ts";
import { measureCell } from "../measure/generated.ts";
import type { TraceLibrary } from "../recorded/library.ts";
import { replayRecorded, type TraceRow } from "../recorded/recorded.ts";
import type { AccountingResult, CostResult, LabExperiments, SemanticsAnswer } from "../result.ts";
import { askAll } from "../semantics/semantics.ts";
import { sparseStrategy } from "../strategy/table.ts";
import type { PointRow } from "../sweep/point.ts";
import { measurePoint } from "../sweep/point.ts";
import type { SweepPoint } from "../sweep/points.ts";
import { resolveWorkload, type WorkloadRef } from "../workload/workload-ref.ts";

/** What can be done, by kind; strategies go by name. */
export interface Jobs {
  /** Replay a recorded or derived trace; null where the library has none. */
  recorded(task: { workload: string; strategy: string }): Promise<TraceRow | null>;
  /** Run a workload of the Vulkan level; throws WorkloadError where it is more than the strategy is run with. */
  cost(task: { workload: WorkloadRef; strategy: string; views: boolean }): Promise<CostResult>;
  /** Ask a strategy all questions. */
  semantics(task: { strategy: string }): Promise<SemanticsAnswer[]>;
  /** Find out who holds what. */
  accounting(task: { strategy: string }): Promise<AccountingResult>;
  /** Try what a single strategy's workloads do not show. */
  experiments(task: { strategies: string[] }): Promise<LabExperiments>;
  /** Measure one point of a sweep. */
  point(task: SweepPoint): Promise<PointRow>;
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
 */
export function jobsOf(library: TraceLibrary): Jobs {
  return {
    recorded: ({ workload, strategy }) => replayRecorded(workload, sparseStrategy(strategy), library),
    cost: async ({ workload, strategy, views }) => {
      const budgets = "file" in workload ? (workload.budgets ?? STANDARD_BUDGETS) : undefined;
      return measureCell(resolveWorkload(workload), strategy, views, budgets);
    },
    semantics: async ({ strategy }) => askAll(sparseStrategy(strategy)),
    accounting: async ({ strategy }) => account(sparseStrategy(strategy)),
    experiments: async ({ strategies }) => experiments(strategies.map(sparseStrategy)),
    point: measurePoint,
  };
}
