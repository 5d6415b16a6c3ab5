/**
 * The second step of a bind (`xe_vm.c`, `xe_pt.c`, `xe_range_fence.c`, Linux 7.3-rc7). The ioctl changes the VA space, makes the
 * tables and the fence; the *job* writes the entries that the GPU can reach, behind all that it has to wait for:
 *
 * - the syncs of its ioctl, and the job before it in its bind queue;
 * - jobs of other queues whose *range fence* it meets: the range of a job goes out to the size of the largest entry that it
 *   writes, so two jobs that write to one entry, or one of them below an entry of the other, come in the order of their ioctls;
 * - everything that is booked in the VM, jobs and batches, when it binds pieces of a cut mapping again, for the GPU must not look
 *   while those are gone; and so every later job that maps waits for such a one.
 *
 * ```text
 * queue 1   MAP [0, 2M) behind a closed gate      waits for the gate
 * queue 2   MAP [2M, 4M)                          no entry in common: runs at once
 * queue 2   UNMAP [0, 4K)                         meets the first one's range: waits for it
 * ```
 *
 * Where nothing is to be waited for there is no job: entries are written before the ioctl returns.
 *
 * @module
 */

import { afterAll, Fence } from "@vmbind/drm";
import type { XeBo } from "./bo.ts";
import type { ForcedStep } from "./forced-errors.ts";

const NO_FENCES: readonly Fence[] = [];
const NO_BATCHES: ReadonlySet<Fence> = new Set();

/** What a job does once it may. */
export interface JobWork {
  /** Tables that go when it is done: out of the driver's reach already, not out of the GPU's. */
  readonly detached: readonly number[];
  /** Write the entries. */
  apply(): void;
  /** The VM is gone: give the tables back without writing. */
  drop(): void;
  /** Write the entries for a look at the tables; what it returns takes them back. */
  preview(): () => void;
}

/** Where a job stands. */
export interface JobOrder {
  /** The bind queue; the VM itself for its default one. */
  readonly queue: object;
  /** What its ioctl waits for: nothing that has happened. */
  readonly waits: readonly Fence[];
  /** It binds pieces of a cut mapping again. */
  readonly rebuilds: boolean;
  /** It maps something. */
  readonly maps: boolean;
  /**
   * A VM_BIND asks for it: the batch that writes its entries has to fit into the pool for those (`xe_sa.c`), and what the VM has to
   * keep in its memory comes back before.
   */
  readonly byIoctl: boolean;
  /** Objects of the VM may be evicted to make room for those that it binds, see `eviction.ts`. */
  readonly evictsOwn: boolean;
  /** Where it has to fail, null for nowhere. */
  readonly fails: ForcedStep | null;
}

/** Page-table work that waits. */
export class BindJob {
  /** Happens when the entries are written. */
  readonly done: Fence = new Fence();
  /** What must happen first. */
  readonly waits: readonly Fence[];
  /** First byte of its range. */
  readonly start: number;
  /** First byte behind it. */
  readonly end: number;
  /** See {@link JobOrder.rebuilds}. */
  readonly rebuilds: boolean;
  /** Objects of mappings that it takes away, each a reference; null for a reference of the VM. */
  readonly held: (XeBo | null)[] = [];
  /** What there is to do, null once the VM is gone. */
  work: JobWork | null;
  /** Called when it is done, or when the VM goes. */
  readonly atEnd: (() => void)[] = [];

  constructor(waits: readonly Fence[], start: number, end: number, rebuilds: boolean, work: JobWork) {
    this.waits = waits;
    this.start = start;
    this.end = end;
    this.rebuilds = rebuilds;
    this.work = work;
  }
}

/** The jobs of one VM. */
export class BindJobs {
  readonly #release: (held: XeBo | null) => void;
  readonly #fenced: boolean;
  /** In the order of their ioctls. */
  readonly #pending: Set<BindJob> = new Set();
  /** The same by queue. */
  readonly #queues: Map<object, BindJob[]> = new Map();
  /** Batches that the GPU works on. */
  readonly #batches: Set<Fence> = new Set();
  #running = false;
  #idle = true;
  #quiet = true;

  /**
   * @param release - drops a reference that a job held
   * @param fenced - binds wait for batches; those of a long-running VM are stopped instead
   */
  constructor(release: (held: XeBo | null) => void, fenced: boolean) {
    this.#release = release;
    this.#fenced = fenced;
  }

  /** No job waits. */
  get idle(): boolean {
    return this.#idle;
  }

  /** Neither jobs nor batches: nobody reads or writes the VM's tables and objects. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /** Something came or went. What every bind asks a few times is found out here, and not by looking at two sets each time. */
  #changed(): void {
    this.#idle = this.#pending.size === 0;
    this.#quiet = this.#idle && this.#batches.size === 0;
  }

  /**
   * @param bo - an object
   * @returns whether a job that waits takes a mapping of it away, which the GPU sees until then
   */
  holds(bo: XeBo): boolean {
    for (const { held } of this.#pending) if (held.includes(bo)) return true;
    return false;
  }

  /** Jobs that wait, in the order of their ioctls. */
  get pending(): Iterable<BindJob> {
    return this.#pending;
  }

  /** The ends of jobs that a batch has to wait for: those that bind pieces again. */
  beforeBatch(): Fence[] {
    return [...this.#pending].filter((job) => job.rebuilds).map((job) => job.done);
  }

  /** A batch of the VM was submitted. */
  addBatch(done: Fence): void {
    if (done.signaled) return;
    this.#batches.add(done);
    this.#changed();
    done.onSignal(() => {
      this.#batches.delete(done);
      this.#changed();
    });
  }

  /**
   * What a job has to wait for.
   *
   * @param order - where it stands
   * @param start - first byte of its range
   * @param end - first byte behind it
   * @returns nothing that has happened; empty when it may run at once
   */
  waitsOf({ queue, waits, rebuilds, maps }: JobOrder, start: number, end: number): readonly Fence[] {
    const batches = rebuilds && this.#fenced ? this.#batches : NO_BATCHES;
    if (waits.length === 0 && this.#pending.size === 0 && batches.size === 0) return NO_FENCES;
    const all = [...waits];
    const own = this.#queues.get(queue);
    const last = own?.[own.length - 1];
    if (last !== undefined) all.push(last.done);
    for (const job of this.#pending) {
      const meets = job.start < end && start < job.end;
      if (job !== last && (meets || rebuilds || (maps && job.rebuilds))) all.push(job.done);
    }
    all.push(...batches);
    return all;
  }

  /** What happens when an ioctl without page-table work is done: all that it waits for, and the last job of its queue. */
  following({ queue, waits }: JobOrder): Fence | null {
    const own = this.#queues.get(queue);
    const last = own?.[own.length - 1];
    if (waits.length === 0 && last === undefined) return null;
    const done = new Fence();
    afterAll(last === undefined ? waits : [...waits, last.done], () => done.signal());
    return done;
  }

  /** Append a job that has to wait. */
  park(queue: object, job: BindJob): void {
    this.#pending.add(job);
    this.#changed();
    const own = this.#queues.get(queue);
    if (own === undefined) this.#queues.set(queue, [job]);
    else own.push(job);
    for (const fence of job.waits) fence.onSignal(() => this.#pump());
  }

  /** Call back when all jobs that wait now are done, or the VM is gone; at once where there are none. */
  whenIdle(then: () => void): void {
    let left = this.#pending.size;
    if (left === 0) then();
    for (const job of this.#pending) {
      job.atEnd.push(() => {
        if (--left === 0) then();
      });
    }
  }

  /** Look at the tables as they will be when every job has run. */
  asIfDone(look: () => void): void {
    const undo = [...this.#pending].map((job) => job.work?.preview());
    try {
      look();
    } finally {
      for (const back of undo.reverse()) back?.();
    }
  }

  /** The VM goes: nothing is written any more. Fences still happen when they are due. */
  drop(): void {
    for (const job of this.#pending) {
      job.work?.drop();
      this.#finish(job);
    }
  }

  #finish(job: BindJob): void {
    job.work = null;
    for (const held of job.held.splice(0)) this.#release(held);
    for (const then of job.atEnd.splice(0)) then();
  }

  /** Run what can run. Fences that jobs signal come back here. */
  #pump(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      this.#runReady();
    } finally {
      this.#running = false;
    }
  }

  #runReady(): void {
    for (let again = true; again; ) {
      again = false;
      for (const [queue, jobs] of this.#queues) {
        for (let job = jobs[0]; job?.waits.every((fence) => fence.signaled); job = jobs[0]) {
          jobs.shift();
          this.#pending.delete(job);
          this.#changed();
          if (jobs.length === 0) this.#queues.delete(queue);
          job.work?.apply();
          this.#finish(job);
          job.done.signal();
          again = true;
        }
      }
    }
  }
}
