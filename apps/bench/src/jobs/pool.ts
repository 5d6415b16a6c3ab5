/**
 * Jobs on all cores: worker threads that live as long as a command, each with one job at a time, in the order given.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { Tinypool } from "tinypool";
import { UsageError } from "../errors.ts";
import type { JobKind, JobResult, JobTask } from "./jobs.ts";
import { type Outcome, unwrap } from "./outcome.ts";
import runJob from "./worker.ts";

/** Most threads: beyond this the machine is no laboratory any more. */
const WORKERS_MAX = 256;

/** Runs jobs; {@link JobPool.close} it. */
export class JobPool {
  readonly #threads: Tinypool | null;
  #last: Promise<unknown> = Promise.resolve();

  /** @param workers - how many jobs run at a time; with 1 they run in this thread */
  constructor(workers: number) {
    // Node 20 cannot run the TypeScript sources that tests are run from: no threads there.
    const file = new URL("./worker.js", import.meta.url);
    const threads = import.meta.url.endsWith(".js") && workers > 1;
    this.#threads = threads
      ? new Tinypool({ filename: file.href, minThreads: workers, maxThreads: workers, isolateWorkers: false })
      : null;
  }

  /**
   * Run a job when its turn comes.
   *
   * @param kind - which job
   * @param task - what it is told
   * @throws what the job throws
   */
  async run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    const message = { kind, task };
    if (this.#threads) return unwrap((await this.#threads.run(message)) as Outcome<JobResult<K>>);
    const turn = this.#last.then(() => runJob(message));
    this.#last = turn.catch(() => undefined);
    return unwrap(await turn);
  }

  /** Stop the threads, whatever they are doing. */
  async close(): Promise<void> {
    await this.#threads?.destroy();
  }
}

/**
 * How many jobs to run at a time.
 *
 * @param option - value of `--jobs`
 * @param jobs - how many there are to do
 * @throws {@link UsageError} for anything but a whole number from 1 to 256
 */
export function workerCount(option: string | undefined, jobs: number): number {
  const wanted = option === undefined ? Math.min(availableParallelism(), WORKERS_MAX) : Number(option);
  if (!/^[0-9]+$/.test(option ?? "1") || wanted < 1 || wanted > WORKERS_MAX) {
    throw new UsageError(`--jobs: expected a number from 1 to ${WORKERS_MAX}, got ${JSON.stringify(option)}`);
  }
  return Math.max(1, Math.min(wanted, jobs));
}
