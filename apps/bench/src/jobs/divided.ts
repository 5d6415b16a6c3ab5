/**
 * Engines of a command whose jobs are divided among machines: one that finds out which jobs there are, and one that has them from shards.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Engine, JobKind, JobMessage, JobResult, JobTask } from "@vmbind/lab";
import { type Merged, mergedPart } from "../shard/division.ts";

/** Is asked for jobs and does none: whoever asks waits for ever. */
export class AskedEngine implements Engine {
  /** What it was asked for, in that order, by {@link jobId}. */
  readonly jobs: Map<string, JobMessage> = new Map();

  run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    this.jobs.set(jobId(kind, task), { kind, task });
    return new Promise(() => {});
  }
}

/** Has all jobs done already, on other machines. */
export class MergedEngine implements Engine {
  readonly #merged: Merged;

  /** @param merged - what shards have done */
  constructor(merged: Merged) {
    this.#merged = merged;
  }

  async run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    return mergedPart(this.#merged, jobId(kind, task)) as JobResult<K>;
  }
}

/** Everything that decides the result but the program: kind and task. */
function jobId(kind: string, task: unknown): string {
  const text = JSON.stringify(task, (_, value) => (value instanceof Map ? [...value] : value));
  return `${kind} ${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;
}
