/**
 * The queue of an open file's VM_BINDs: one at a time, in the order in which they came, each once its fences have happened
 * (`nouveau_sched.c`, Linux 7.3-rc7).
 *
 * @module
 */

import type { BindJob } from "./bind-job.ts";

/** What runs and frees jobs; see `NouveauVm`. */
export interface JobRunner {
  /** Write the entries. */
  runJob(job: BindJob): void;
  /** Drop what is not needed any more. */
  freeJob(job: BindJob): void;
}

/** Jobs of one VM. */
export class BindQueue {
  readonly #runner: JobRunner;
  readonly #jobs: BindJob[] = [];
  #running = false;
  /**
   * Jobs stay where they are until somebody waits for them, or calls {@link BindQueue.run}: the scheduler's thread has other
   * things to do. For tests and conformance.
   */
  held = false;

  /** @param runner - runs and frees jobs */
  constructor(runner: JobRunner) {
    this.#runner = runner;
  }

  /** Jobs that have not run yet, in order. */
  get jobs(): readonly BindJob[] {
    return this.#jobs;
  }

  /** Append a job; it runs at once if it can. */
  push(job: BindJob): void {
    const { waits } = job;
    // Most jobs wait for nothing, and nothing is in front of them.
    if (waits.length === 0 && this.#jobs.length === 0 && !this.#running && !this.held) {
      this.#running = true;
      this.#complete(job);
      this.#running = false;
      if (this.#jobs.length > 0) this.#pump(Number.POSITIVE_INFINITY);
      return;
    }
    this.#jobs.push(job);
    for (const fence of waits) {
      if (!fence.signaled) {
        fence.onSignal(() => {
          if (!this.held) this.#pump(Number.POSITIVE_INFINITY);
        });
      }
    }
    if (!this.held) this.#pump(Number.POSITIVE_INFINITY);
  }

  /**
   * Run some of the jobs that can run, held or not.
   *
   * @param most - how many
   * @returns how many ran
   */
  run(most: number = Number.POSITIVE_INFINITY): number {
    return this.#pump(most);
  }

  /**
   * Wait for a job.
   *
   * @param job - one of the queue
   * @returns false where it waits for a fence that nobody has signalled: it is still queued then
   */
  waitFor(job: BindJob): boolean {
    while (!job.freed) if (this.#pump(1) === 0) return false;
    return true;
  }

  /** Run all, whatever they wait for: the file is being closed. */
  finish(): void {
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) this.#complete(job);
  }

  #pump(most: number): number {
    // A fence that a job signals may pump again.
    if (this.#running) return 0;
    this.#running = true;
    let ran = 0;
    for (let job = this.#jobs[0]; job !== undefined && ran < most; job = this.#jobs[0]) {
      if (!hasHappened(job)) break;
      this.#jobs.shift();
      this.#complete(job);
      ran++;
    }
    this.#running = false;
    return ran;
  }

  #complete(job: BindJob): void {
    this.#runner.runJob(job);
    job.signal();
    this.#runner.freeJob(job);
    job.freed = true;
  }
}

function hasHappened({ waits }: BindJob): boolean {
  for (const fence of waits) if (!fence.signaled) return false;
  return true;
}
