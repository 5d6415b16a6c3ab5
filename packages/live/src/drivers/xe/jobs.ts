/**
 * Exec queues and what runs on them. A queue works off its jobs in order; a job begins when what it waits for has happened, and
 * runs its batches in turns beside those of other queues. A job that faults, or that spins for too long, takes its queue off
 * the GPU: what is left on it is over, with an error.
 *
 * @module
 */

import { DrmError, ECANCELED, type Fence, signaledFence } from "@vmbind/drm";
import { DeadAddressSpace, GpuFault } from "@vmbind/mmu";
import type { XeVm } from "@vmbind/xe";
import type { Registers } from "./alu.ts";
import { Batch } from "./batch.ts";
import { GpuMemory } from "./gpu-memory.ts";

/** How long a job of a queue that is not long-running may take (`job_timeout_ms`, 5 s by default). */
const TIMEOUT_NS = 5_000_000_000n;

/** Work of a queue. */
export interface Job {
  /** What must have happened first. */
  readonly waits: readonly Fence[];
  /** Addresses of its batches. */
  readonly batches: readonly bigint[];
  /** Signals when it is over. */
  readonly fence: Fence;
}

interface Started {
  readonly batches: readonly Batch[];
  readonly at: bigint;
  /** The first batch that has not ended. */
  next: number;
}

/** A queue of engines. */
export class JobQueue {
  /** What its batches see. */
  readonly vm: XeVm;
  /** Batches of a job. */
  readonly width: number;
  /** It was thrown off the GPU. */
  banned = false;
  /** Signals when the last job is over. */
  last: Fence = signaledFence();
  /** Jobs that are not over, oldest first. @internal */
  readonly jobs: Job[] = [];
  /** How far the oldest is; null before it began. @internal */
  started: Started | null = null;
  /** They keep their values from one job to the next. @internal */
  readonly registers: Registers = new Map();

  /**
   * @param vm - its VM
   * @param width - batches of a job, 1 or more
   */
  constructor(vm: XeVm, width: number) {
    this.vm = vm;
    this.width = width;
  }
}

/** The engines of a device. */
export class Engines {
  readonly #busy = new Set<JobQueue>();
  readonly #unknown = new Set<string>();
  readonly #now: () => bigint;
  readonly #note: (text: string) => void;
  #over = 0;

  /**
   * @param now - nanoseconds of CLOCK_MONOTONIC
   * @param note - told of faults, hangs, and once of each command that is not known
   */
  constructor(now: () => bigint, note: (text: string) => void) {
    this.#now = now;
    this.#note = note;
  }

  /** Jobs that are over, one way or another: a number that grows. */
  get over(): number {
    return this.#over;
  }

  /** A job is on the GPU that comes to its end by itself, or is banned after a time. */
  get running(): boolean {
    for (const { vm, jobs } of this.#busy) {
      if (!vm.longRunning && jobs[0]?.waits.every(({ signaled }) => signaled)) return true;
    }
    return false;
  }

  /** Put a job on a queue that is not banned; it begins with the next {@link Engines.progress}. */
  submit(queue: JobQueue, job: Job): void {
    queue.jobs.push(job);
    queue.last = job.fence;
    this.#busy.add(queue);
  }

  /** Take a queue off: its jobs are over, with an error. */
  ban(queue: JobQueue): void {
    queue.banned = true;
    queue.started = null;
    this.#busy.delete(queue);
    for (const { fence } of queue.jobs.splice(0)) {
      this.#over++;
      fence.signal(-ECANCELED);
    }
  }

  /**
   * Let every queue go on as far as it can.
   *
   * @returns whether one has not come to its end
   */
  progress(): boolean {
    // The end of a job may be what another queue waits for.
    for (let ended = true; ended; ) {
      ended = false;
      for (const queue of [...this.#busy]) if (this.#turn(queue)) ended = true;
    }
    return this.#busy.size > 0;
  }

  /** One turn of a queue. @returns whether a job ended */
  #turn(queue: JobQueue): boolean {
    const [job] = queue.jobs;
    if (job === undefined) {
      this.#busy.delete(queue);
      return false;
    }
    if (job.waits.some(({ signaled }) => !signaled)) return false;
    try {
      queue.started ??= this.#start(queue, job);
      const { started } = queue;
      while (started.next < started.batches.length && started.batches[started.next]?.run()) started.next++;
      if (started.next < started.batches.length) {
        this.#checkTime(queue, started);
        return false;
      }
    } catch (error) {
      this.#note(reasonOf(error));
      this.ban(queue);
      return true;
    }
    queue.jobs.shift();
    queue.started = null;
    this.#over++;
    job.fence.signal();
    return true;
  }

  #start(queue: JobQueue, job: Job): Started {
    const context = {
      registers: queue.registers,
      now: this.#now,
      unknown: (command: string) => {
        if (this.#unknown.has(command)) return;
        this.#unknown.add(command);
        this.#note(`${command} is not known and does nothing`);
      },
    };
    const memory = new GpuMemory(queue.vm);
    const batches = job.batches.map((address) => new Batch(memory, address, context));
    return { batches, at: this.#now(), next: 0 };
  }

  #checkTime(queue: JobQueue, { at }: Started): void {
    if (queue.vm.longRunning || this.#now() - at < TIMEOUT_NS) return;
    this.#note(`a job runs for ${TIMEOUT_NS / 1_000_000_000n} s; its queue is banned`);
    this.ban(queue);
  }
}

/** What ended a job. */
function reasonOf(error: unknown): string {
  if (error instanceof GpuFault || error instanceof DrmError || error instanceof DeadAddressSpace) {
    return `${error.message}; the queue is banned`;
  }
  throw error;
}
