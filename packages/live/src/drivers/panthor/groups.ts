/**
 * Groups of queues, and what runs on them. A queue works off its jobs in order; a job runs its command stream at once when what it
 * waits for has happened. A fault is the end of the whole group: its jobs are over, with an error.
 *
 * @module
 */

import { DrmError, ECANCELED, type Fence } from "@vmbind/drm";
import { DeadAddressSpace, GpuFault } from "@vmbind/mmu";
import type { PanthorVm } from "@vmbind/panthor";
import { runStream, StreamHang, type StreamRegisters, streamRegisters } from "./command-stream.ts";

/** Work of a queue. */
export interface StreamJob {
  /** What must have happened first. */
  readonly waits: readonly Fence[];
  /** VA of the stream. */
  readonly start: number;
  /** Bytes of it, 0 for none. */
  readonly bytes: number;
  /** Signals when it is over. */
  readonly fence: Fence;
}

interface Queue {
  readonly jobs: StreamJob[];
  readonly registers: StreamRegisters;
}

/** A group. */
export class Group {
  /** What its streams see. */
  readonly vm: PanthorVm;
  /** Queues that have faulted, a bit each; nothing runs any more when it is not 0. */
  fatalQueues = 0;
  /** Its queues. @internal */
  readonly queues: readonly Queue[];

  /**
   * @param vm - its VM
   * @param queues - how many queues it has
   */
  constructor(vm: PanthorVm, queues: number) {
    this.vm = vm;
    this.queues = Array.from({ length: queues }, () => ({ jobs: [], registers: streamRegisters() }));
  }
}

/** What runs the groups of a device. */
export class GroupScheduler {
  readonly #busy = new Set<Group>();
  readonly #unknown = new Set<string>();
  readonly #note: (text: string) => void;

  /** @param note - told of faults, and once of each instruction that is not known */
  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  /** Put a job on a queue of a group that has not faulted; it runs with the next {@link GroupScheduler.progress}. */
  submit(group: Group, queue: number, job: StreamJob): void {
    group.queues[queue]?.jobs.push(job);
    this.#busy.add(group);
  }

  /** A group goes: what is left on it is over, with an error. */
  drop(group: Group): void {
    this.#busy.delete(group);
    for (const { jobs } of group.queues) for (const { fence } of jobs.splice(0)) fence.signal(-ECANCELED);
  }

  /** Run what can run. Whatever is left waits for a fence, so nothing goes on by itself. */
  progress(): void {
    for (let ended = true; ended; ) {
      ended = false;
      for (const group of [...this.#busy]) {
        group.queues.forEach((_, index) => {
          if (this.#next(group, index)) ended = true;
        });
        if (group.queues.every(({ jobs }) => jobs.length === 0)) this.#busy.delete(group);
      }
    }
  }

  /** @returns whether a job of a queue has ended */
  #next(group: Group, index: number): boolean {
    const queue = group.queues[index] as Queue;
    const [job] = queue.jobs;
    if (job === undefined || job.waits.some(({ signaled }) => !signaled)) return false;
    queue.jobs.shift();
    try {
      const unknown = (instruction: string) => this.#tellOnce(instruction);
      if (job.bytes > 0) runStream(group.vm.addressSpace, queue.registers, job.start, job.bytes, unknown);
    } catch (error) {
      group.fatalQueues |= 1 << index;
      this.#note(`${reasonOf(error)}; its group is over`);
      job.fence.signal(-ECANCELED);
      this.drop(group);
      return true;
    }
    job.fence.signal();
    return true;
  }

  #tellOnce(instruction: string): void {
    if (this.#unknown.has(instruction)) return;
    this.#unknown.add(instruction);
    this.#note(`${instruction} is not known and does nothing`);
  }
}

/** What ended a job. */
function reasonOf(error: unknown): string {
  const known = [GpuFault, StreamHang, DrmError, DeadAddressSpace].some((kind) => error instanceof kind);
  if (known && error instanceof Error) return error.message;
  throw error;
}
