/**
 * What a worker thread runs: jobs of the laboratory, with the traces that come with the program.
 *
 * @module
 */

import { doJob, type JobKind, type JobMessage, type JobOutcome, type JobResult } from "@vmbind/lab";
import { bundledTrace } from "../files/trace-files.ts";
import { findStrategy } from "../strategies/user-strategies.ts";

/**
 * Run one job.
 *
 * @param message - which, and on what
 */
export default function runJob<K extends JobKind>(message: JobMessage<K>): Promise<JobOutcome<JobResult<K>>> {
  return doJob(message, bundledTrace, findStrategy);
}
