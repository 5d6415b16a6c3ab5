/**
 * What a worker thread runs.
 *
 * @module
 */

import { JOBS, type JobKind, type JobResult, type JobTask } from "./jobs.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** A job with its kind. */
export interface JobMessage<K extends JobKind = JobKind> {
  /** Which job. */
  kind: K;
  /** What it is told. */
  task: JobTask<K>;
}

/**
 * Run one job.
 *
 * @param message - which, and on what
 */
export default function runJob<K extends JobKind>({
  kind,
  task,
}: JobMessage<K>): Promise<Outcome<JobResult<K>>> {
  const job = JOBS[kind] as (task: JobTask<K>) => Promise<JobResult<K>>;
  return outcomeOf(() => job(task));
}
