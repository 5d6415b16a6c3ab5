/**
 * The in-order queue of a VM's asynchronous operations: a job runs when it is the first one and its waits are met
 * (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { Fence } from "@vmbind/drm";
import { type BindOpVm, cleanUp, PanthorBindOp } from "./bind-op.ts";

const NO_FENCES: readonly Fence[] = [];

/** One operation on its way through the queue. */
export class BindJob {
  /** Prepared; what it holds is given back after it has run. */
  readonly op: PanthorBindOp;
  /** What must happen first. */
  waits: readonly Fence[] = NO_FENCES;
  /** Made when it is asked for, which it is of few jobs of an array. */
  #done: Fence | null = null;
  #hasRun = false;
  #ret = 0;

  /** @param op - prepared */
  constructor(op: PanthorBindOp) {
    this.op = op;
  }

  /** Signalled when the job has run, with its error. */
  get done(): Fence {
    if (this.#done !== null) return this.#done;
    const done = new Fence();
    this.#done = done;
    if (this.#hasRun) done.signal(this.#ret);
    return done;
  }

  /**
   * It has run.
   *
   * @param ret - 0 or a negative errno
   */
  end(ret: number): void {
    this.#hasRun = true;
    this.#ret = ret;
    if (this.#done !== null) this.#done.signal(ret);
  }
}

/** What the queue needs of its VM; see `PanthorVm`. */
export interface QueueVm extends BindOpVm {
  /** Execute a prepared operation: 0 or a negative errno. @internal */
  execute(op: PanthorBindOp): number;
  /** A job failed: nothing more will be mapped. @internal */
  declareUnusable(): void;
}

/** Jobs of one VM. */
export class BindQueue {
  readonly #vm: QueueVm;
  /** In order; those before `#next` have run. An array of a hundred thousand operations is as many jobs. */
  #jobs: BindJob[] = [];
  #next = 0;
  /** Records of operations that have run. */
  readonly #spareOps: PanthorBindOp[] = [];
  #running = false;
  #last: BindJob | null = null;

  /** @param vm - whose jobs these are */
  constructor(vm: QueueVm) {
    this.#vm = vm;
  }

  /** Fence of the job that was queued last, null before the first. */
  get last(): Fence | null {
    return this.#last === null ? null : this.#last.done;
  }

  /** Jobs that have not run yet. */
  get length(): number {
    return this.#jobs.length - this.#next;
  }

  /** Jobs that have not run yet, in order. */
  get jobs(): readonly BindJob[] {
    return this.#jobs.slice(this.#next);
  }

  /** @returns a record for an operation that is to be queued; the queue takes it back when the job has run */
  takeOp(): PanthorBindOp {
    return this.#spareOps.pop() ?? new PanthorBindOp();
  }

  /** Append a job. It runs at the next {@link BindQueue.pump} that finds it ready. */
  push(job: BindJob): void {
    this.#vm.gpuvm.get();
    this.#jobs.push(job);
    this.#last = job;
    for (const fence of job.waits) if (!fence.signaled) fence.onSignal(() => this.pump());
  }

  /** Run what can run. */
  pump(): void {
    // A fence that a job signals may pump again.
    if (this.#running) return;
    this.#running = true;
    for (;;) {
      const job = this.#jobs[this.#next];
      if (job === undefined || !hasHappened(job.waits)) break;
      this.#next++;
      this.#run(job);
    }
    // Not one by one: the engine moves all that are left of a large array each time.
    if (this.#next > 0 && this.#next * 2 >= this.#jobs.length) {
      this.#jobs = this.#jobs.slice(this.#next);
      this.#next = 0;
    }
    this.#running = false;
  }

  #run(job: BindJob): void {
    const vm = this.#vm;
    const ret = vm.execute(job.op);
    if (ret !== 0) vm.declareUnusable();
    cleanUp(vm, job.op);
    this.#spareOps.push(job.op);
    job.end(ret);
    vm.gpuvm.put();
  }
}

function hasHappened(fences: readonly Fence[]): boolean {
  for (const fence of fences) if (!fence.signaled) return false;
  return true;
}
