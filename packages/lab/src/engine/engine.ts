/**
 * Who does the laboratory's jobs: this thread, or another one behind messages. A comparison or a sweep sees only
 * {@link Engine}.
 *
 * @module
 */

import type { TraceLibrary } from "../recorded/library.ts";
import type { StrategyFinder } from "../strategy/strategy-ref.ts";
import { type JobKind, type JobResult, type Jobs, type JobTask, jobsOf } from "./jobs.ts";
import { type JobOutcome, outcomeOf, unwrap } from "./outcome.ts";

/** Does jobs. */
export interface Engine {
  /**
   * Do a job when its turn comes.
   *
   * @param kind - which job
   * @param task - what it is told
   * @throws what the job throws
   */
  run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>>;
}

/** A job as it is sent. */
export interface JobMessage<K extends JobKind = JobKind> {
  /** Which job. */
  kind: K;
  /** What it is told. */
  task: JobTask<K>;
}

/** Does jobs in this thread, one at a time in the order given, also behind one that fails. */
export class LocalEngine implements Engine {
  readonly #jobs: Jobs;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param library - where recorded traces are
   * @param find - knows the strategies; those of the table unless told
   */
  constructor(library: TraceLibrary, find?: StrategyFinder) {
    this.#jobs = jobsOf(library, find);
  }

  async run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    const turn = this.#last.then(() => perform(this.#jobs, { kind, task }));
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/** One end of a line on which structured clones travel: a worker, its inside, a MessagePort. */
export interface Port {
  /** Send a value. */
  postMessage(value: unknown): void;
  /** Hear values; `data` is what the other end sent. */
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}

interface Request {
  id: number;
  message: JobMessage;
}

interface Answer {
  id: number;
  outcome: JobOutcome<unknown>;
}

/** Lets the other end of a line do the jobs, see {@link serveEngine}. */
export class PortEngine implements Engine {
  readonly #port: Port;
  readonly #waiting = new Map<number, (outcome: JobOutcome<unknown>) => void>();
  #sent = 0;

  /** @param port - the line; somebody serves at its other end */
  constructor(port: Port) {
    this.#port = port;
    port.addEventListener("message", ({ data }) => {
      const { id, outcome } = data as Answer;
      this.#waiting.get(id)?.(outcome);
      this.#waiting.delete(id);
    });
  }

  async run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    const id = this.#sent++;
    const answer = new Promise<JobOutcome<unknown>>((resolve) => this.#waiting.set(id, resolve));
    this.#port.postMessage({ id, message: { kind, task } } satisfies Request);
    return unwrap((await answer) as JobOutcome<JobResult<K>>);
  }
}

/**
 * Do the jobs that come in on a line: the inside of a worker.
 *
 * @param port - the line
 * @param library - where recorded traces are
 * @param find - knows the strategies; those of the table unless told
 */
export function serveEngine(port: Port, library: TraceLibrary, find?: StrategyFinder): void {
  port.addEventListener("message", ({ data }) => {
    const { id, message } = data as Request;
    void doJob(message, library, find).then((outcome) =>
      port.postMessage({ id, outcome: outcome } satisfies Answer),
    );
  });
}

/**
 * Do one job.
 *
 * @param message - which, and on what
 * @param library - where recorded traces are
 * @param find - knows the strategies; those of the table unless told
 * @returns its result, or the error that it ended with, as data
 */
export function doJob<K extends JobKind>(
  message: JobMessage<K>,
  library: TraceLibrary,
  find?: StrategyFinder,
): Promise<JobOutcome<JobResult<K>>> {
  return outcomeOf(() => perform(jobsOf(library, find), message));
}

function perform<K extends JobKind>(jobs: Jobs, { kind, task }: JobMessage<K>): Promise<JobResult<K>> {
  const job = jobs[kind] as (task: JobTask<K>) => Promise<JobResult<K>>;
  return job(task);
}
