/**
 * Jobs on all cores: worker threads that live as long as a command, each with one job at a time, in the order given.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import {
  type Engine,
  type JobKind,
  type JobOutcome,
  type JobResult,
  type JobTask,
  LocalEngine,
  unwrap,
} from "@vmbind/lab";
import type { Tinypool } from "tinypool";
import { codeOf, OutOfMemory, UsageError } from "../errors.ts";
import { bundledTrace } from "../files/trace-files.ts";
import { findStrategy } from "../strategies/user-strategies.ts";

/** Most threads: beyond this the machine is no laboratory any more. */
const WORKERS_MAX = 256;

/** Runs jobs; {@link JobPool.close} it. */
export class JobPool implements Engine {
  readonly #workers: number;
  readonly #file: URL;
  #threads: Promise<Threads> | null = null;
  readonly #here = new LocalEngine(bundledTrace, findStrategy);

  /**
   * Threads start with the first job.
   *
   * @param workers - how many jobs run at a time; with 1 they run in this thread
   * @param file - what a thread runs, as it is compiled, also from the bundle; other programs in tests
   */
  constructor(workers: number, file: URL = new URL("../jobs/worker.js", import.meta.url)) {
    this.#file = file;
    // Node 20 cannot run the TypeScript sources that tests are run from: no threads there.
    this.#workers = import.meta.url.endsWith(".ts") ? 1 : workers;
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
    this.#threads ??= startThreads(this.#workers, this.#file);
    return unwrap((await this.#send(await this.#threads, { kind, task })) as JobOutcome<JobResult<K>>);
  }

  async #send({ pool, died }: Threads, message: object): Promise<unknown> {
    // A thread that has ended keeps nobody awake to hear of it.
    const awake = setInterval(() => {}, 2 ** 30);
    try {
      return await Promise.race([pool.run(message), died]);
    } catch (error) {
      if (codeOf(error) !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
      throw new OutOfMemory(
        "out of memory in a worker thread; --jobs 1 needs the least, NODE_OPTIONS=--max-old-space-size=MIB gives each more",
      );
    } finally {
      clearInterval(awake);
    }
  }

  /** Stop the threads, whatever they are doing. */
  async close(): Promise<void> {
    if (!this.#threads) return;
    const { pool, died } = await this.#threads;
    // It would wait for ever for the end of a thread that has ended.
    await Promise.race([pool.destroy(), died.catch(() => {})]);
  }
}

interface Threads {
  readonly pool: Tinypool;
  /** Rejected when a thread ends before the pool does. */
  readonly died: Promise<never>;
}

async function startThreads(workers: number, file: URL): Promise<Threads> {
  // Not at the top: it is a module that a script of the bundle cannot require everywhere.
  const { Tinypool } = await import("tinypool");
  const pool = new Tinypool({
    filename: file.href,
    minThreads: workers,
    maxThreads: workers,
    isolateWorkers: false,
  });
  // The pool hears of a thread's errors, but waits for one that has ended without any.
  const died = new Promise<never>((_, reject) => {
    for (const thread of pool.threads) {
      thread.on("exit", (code) =>
        reject(new Error(`a worker thread ended with ${code}; --jobs 1 runs without any`)),
      );
    }
  });
  died.catch(() => {});
  return { pool, died };
}

/**
 * How many jobs to run at a time; by default one per CPU but one, since the engine compiles and collects beside them: on two CPUs two
 * threads compile everything twice, take a third more CPU time and a tenth less of waiting.
 *
 * @param option - value of `--jobs`
 * @param jobs - how many there are to do
 * @throws {@link UsageError} for anything but a whole number from 1 to 256
 */
export function workerCount(option: string | undefined, jobs: number): number {
  const wanted = option === undefined ? Math.min(availableParallelism() - 1, WORKERS_MAX) : Number(option);
  if (option !== undefined && (!/^[0-9]+$/.test(option) || wanted < 1 || wanted > WORKERS_MAX)) {
    throw new UsageError(`--jobs: expected a number from 1 to ${WORKERS_MAX}, got ${JSON.stringify(option)}`);
  }
  return Math.max(1, Math.min(wanted, jobs));
}
