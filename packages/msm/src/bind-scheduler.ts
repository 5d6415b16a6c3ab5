/**
 * The scheduler of a VM: which of its jobs runs when (`msm_gem_vma.c`, Linux 7.3-rc7).
 *
 * One job at a time, each when what it waits for has happened. Jobs of one queue run in the order of their ioctls; so do jobs
 * whose ranges overlap, whatever their queues, since each was put together from the mappings that the earlier ones leave.
 *
 * @module
 */

import type { Fence } from "@vmbind/drm";
import { BindJob } from "./bind-job.ts";

/** What a scheduler needs of its VM; see `MsmVm`. */
export interface SchedulerVm {
  /** Whether jobs of different queues may pass one another where they overlap (quirk `queuesApart`). */
  readonly queuesApart: boolean;
  /** Carry out a job's page-table operations, and give back what it holds. @internal */
  execute(job: BindJob): void;
  /** Give back what a job holds without carrying it out. @internal */
  cancel(job: BindJob): void;
  /** A job begins to wait, or ends: its objects' reservations have its fence meanwhile. @internal */
  fenceObjects(job: BindJob, change: 1 | -1): void;
}

/** Spare jobs of a VM at most. */
const SPARES = 4;

/** Jobs of one VM. */
export class BindScheduler {
  readonly #vm: SchedulerVm;
  readonly #jobs: BindJob[] = [];
  readonly #spares: BindJob[] = [];
  #held = false;
  #running = false;

  /** @param vm - whose jobs these are */
  constructor(vm: SchedulerVm) {
    this.#vm = vm;
  }

  /** Jobs that have not run yet, in the order of their ioctls. */
  get jobs(): readonly BindJob[] {
    return this.#jobs;
  }

  /** @returns a job to be filled; to be given to {@link BindScheduler.push} or {@link BindScheduler.giveBack} */
  take(): BindJob {
    return this.#spares.pop() ?? new BindJob();
  }

  /** A job that is over, or never was, and holds nothing. */
  giveBack(job: BindJob): void {
    if (job.clear() && this.#spares.length < SPARES) this.#spares.push(job);
  }

  /** Queue a job. It runs now if it may. */
  push(job: BindJob): void {
    if (this.#jobs.length === 0 && !this.#held && !this.#running && hasHappened(job.waits)) {
      this.#running = true;
      this.#vm.execute(job);
      this.#running = false;
      this.#end(job);
      this.pump();
      return;
    }
    this.#jobs.push(job);
    this.#vm.fenceObjects(job, 1);
    for (const fence of job.waits) if (!fence.signaled) fence.onSignal(() => this.pump());
    this.pump();
  }

  #end(job: BindJob): void {
    job.signal();
    this.giveBack(job);
  }

  /** Run what may run. */
  pump(): void {
    // A fence that a job signals may pump again, and so may one that is only now seen to have happened.
    if (this.#running) return;
    this.#running = true;
    for (;;) {
      const i = this.#held ? -1 : this.#jobs.findIndex((job, at) => this.#mayRun(job, at));
      if (i < 0) break;
      const [job] = this.#jobs.splice(i, 1) as [BindJob];
      this.#vm.execute(job);
      this.#vm.fenceObjects(job, -1);
      this.#end(job);
    }
    this.#running = false;
  }

  #mayRun(job: BindJob, at: number): boolean {
    if (!hasHappened(job.waits)) return false;
    for (let i = 0; i < at; i++) {
      const earlier = this.#jobs[i] as BindJob;
      if (earlier.queueId === job.queueId) return false;
      if (!this.#vm.queuesApart && earlier.overlaps(job)) return false;
    }
    return true;
  }

  /** Let nothing run until {@link BindScheduler.resume}: a scheduler whose thread gets no time. */
  hold(): void {
    this.#held = true;
  }

  /** Let jobs run again. */
  resume(): void {
    this.#held = false;
    this.pump();
  }

  /** The VM goes: what has not run never will. Every fence signals all the same. */
  close(): void {
    for (const job of this.#jobs.splice(0)) {
      this.#vm.cancel(job);
      this.#vm.fenceObjects(job, -1);
      job.signal();
    }
  }
}

function hasHappened(fences: readonly Fence[]): boolean {
  for (const fence of fences) if (!fence.signaled) return false;
  return true;
}
