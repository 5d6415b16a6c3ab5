/**
 * The laboratory's jobs on all cores.
 *
 * @module
 */

import {
  type Engine,
  type JobKind,
  type JobOutcome,
  type JobResult,
  type JobTask,
  LocalEngine,
  unwrap,
} from "@vmbind/lab";
import { bundledTrace } from "../files/trace-files.ts";
import { findStrategy } from "../strategies/user-strategies.ts";
import { ThreadPool } from "./thread-pool.ts";
import { HAS_THREADS } from "./worker-count.ts";

/** Runs jobs; {@link JobPool.close} it. */
export class JobPool implements Engine {
  readonly #workers: number;
  readonly #file: URL;
  #threads: Promise<ThreadPool> | null = null;
  readonly #here = new LocalEngine(bundledTrace, findStrategy);

  /**
   * Threads start with the first job.
   *
   * @param workers - how many jobs run at a time; with 1 they run in this thread
   * @param file - what a thread runs: in the bundle, and as it is compiled, it is beside this module; other programs in tests
   */
  constructor(workers: number, file: URL = new URL("./worker.js", import.meta.url)) {
    this.#file = file;
    this.#workers = HAS_THREADS ? workers : 1;
  }

  /**
   * Run a job when its turn comes.
   *
   * @param kind - which job
   * @param task - what it is told
   * @throws what the job throws; {@link OutOfMemory} when the thread has no memory left; Error when it died
   */
  async run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    if (this.#workers === 1) return this.#here.run(kind, task);
    this.#threads ??= ThreadPool.start(this.#workers, this.#file);
    const threads = await this.#threads;
    return unwrap((await threads.send({ kind, task })) as JobOutcome<JobResult<K>>);
  }

  /** Stop the threads, whatever they are doing. */
  async close(): Promise<void> {
    await (await this.#threads)?.close();
  }
}
