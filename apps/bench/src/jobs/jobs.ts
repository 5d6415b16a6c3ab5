/**
 * The pieces that the laboratory's work is cut into. Each begins with a fresh device and shares nothing with another, so
 * that they can run in any order and on any thread.
 *
 * @module
 */

import type {
  AccountingResult,
  CostResult,
  LabResult,
  PointRow,
  SemanticsAnswer,
  SweepPoint,
  TraceRow,
} from "@vmbind/lab";
import type { WorkloadRef } from "../compare/workload-ref.ts";

/** What can be done, by kind. Tasks and results are plain objects: they travel between threads. */
export interface Jobs {
  /** Replay a recorded or derived trace; null where none is bundled. */
  recorded(task: { workload: string; strategy: string }): Promise<TraceRow | null>;
  /** Run a workload of the Vulkan level; throws WorkloadError where it is more than the strategy is run with. */
  cost(task: { workload: WorkloadRef; strategy: string; views: boolean }): Promise<CostResult>;
  /** Ask a strategy all questions. */
  semantics(task: { strategy: string }): Promise<SemanticsAnswer[]>;
  /** Find out who holds what. */
  accounting(task: { strategy: string }): Promise<AccountingResult>;
  /** Try what a single strategy's workloads do not show. */
  experiments(task: { strategies: string[] }): Promise<LabResult["experiments"]>;
  /** Measure one point of a sweep. */
  point(task: SweepPoint): Promise<PointRow>;
}

/** Name of a kind of job. */
export type JobKind = keyof Jobs;
/** What a job of this kind is told. */
export type JobTask<K extends JobKind> = Parameters<Jobs[K]>[0];
/** What comes of it. */
export type JobResult<K extends JobKind> = Awaited<ReturnType<Jobs[K]>>;

/** The code behind the kinds, imported when the first job of a kind runs. */
export const JOBS: Jobs = {
  async recorded({ workload, strategy }) {
    const { replayRecorded, sparseStrategy } = await import("@vmbind/lab");
    const { bundledTrace } = await import("../files/trace-files.ts");
    return replayRecorded(workload, sparseStrategy(strategy), bundledTrace);
  },
  async cost({ workload, strategy, views }) {
    const { measureCell } = await import("@vmbind/lab");
    const { resolveWorkload } = await import("../compare/workload-ref.ts");
    return measureCell(await resolveWorkload(workload), strategy, views);
  },
  async semantics({ strategy }) {
    const { askAll } = await import("@vmbind/lab");
    const { sparseStrategy } = await import("@vmbind/lab");
    return askAll(sparseStrategy(strategy));
  },
  async accounting({ strategy }) {
    const { account } = await import("@vmbind/lab");
    const { sparseStrategy } = await import("@vmbind/lab");
    return account(sparseStrategy(strategy));
  },
  async experiments({ strategies }) {
    const { experiments } = await import("@vmbind/lab");
    const { sparseStrategy } = await import("@vmbind/lab");
    return experiments(strategies.map(sparseStrategy));
  },
  async point(task) {
    const { measurePoint } = await import("@vmbind/lab");
    return measurePoint(task);
  },
};
