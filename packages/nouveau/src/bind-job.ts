/**
 * The work of one VM_BIND between its three moments: submit changes the VA tree and takes references of tables, run writes
 * entries, free drops what is not needed any more (`nouveau_uvmm.c`, `nouveau_sched.c`, Linux 7.3-rc7).
 *
 * So an operation has to remember what it did to the tree: the mappings that it removed or cut, with the pieces that stayed,
 * and the ranges that it took references for.
 *
 * @module
 */

import { Fence } from "@vmbind/drm";
import type { VmBo } from "@vmbind/gpuvm-core";
import type { NouveauBo } from "./bo.ts";
import type { SparseRegion } from "./regions.ts";

/** What an operation does. */
export type OpKind = "map" | "unmap" | "sparse" | "unsparse";

/** A mapping that an operation removed or cut. Its handle stays readable until the job has been freed. */
export interface OpStep {
  /** The mapping. */
  old: number;
  /** The piece that stays in front, 0 for none. */
  prev: number;
  /** The piece that stays behind, 0 for none. */
  next: number;
  /** The same bytes come back at the same addresses: nothing is written. */
  keep: boolean;
  /** First VA that is not mapped by it any more. */
  from: number;
  /** First VA behind. */
  to: number;
}

/** One operation. */
export class BindOp {
  /** What it does; null for a number that means nothing. */
  kind: OpKind | null = null;
  /** Its number in the ioctl. */
  index = 0;
  /** First VA in bytes. */
  addr = 0.5;
  /** Bytes. */
  range = 0.5;
  /** Byte of the object. */
  offset = 0.5;
  /** PTE kind. */
  pteKind = 0;
  /** Its op number, as sent. */
  op = 0;
  /** The object of a MAP, referenced. */
  bo: NouveauBo | null = null;
  /** Its pair with the VM, referenced. */
  vmBo: VmBo | null = null;
  /** The region that is made, or goes. */
  region: SparseRegion | null = null;
  /** log2 of the page size of a MAP. */
  shift = 12;
  /** The mapping that a MAP made, 0 before. */
  va = 0;
  /** What became of other mappings; {@link BindOp.stepCount} of them count. */
  readonly steps: OpStep[] = [];
  /** How many steps there are. */
  stepCount = 0;
  /** Ranges that references were taken for: first VA and bytes, in turn. */
  readonly gets: number[] = [];
  /** Page sizes meet: everything but the tree is left to the run, with tables that were set aside. */
  late = false;
  /** What it unmapped has given its references back. */
  dropped = false;

  /** Make it an operation that has done nothing. */
  reset(): void {
    this.kind = null;
    this.bo = null;
    this.vmBo = null;
    this.region = null;
    this.va = 0;
    this.stepCount = 0;
    this.gets.length = 0;
    this.late = false;
    this.dropped = false;
  }

  /** Remember one more step. */
  addStep(old: number, from: number, to: number): OpStep {
    let step = this.steps[this.stepCount];
    if (step === undefined) {
      step = { old: 0, prev: 0, next: 0, keep: false, from: 0.5, to: 0.5 };
      this.steps.push(step);
    }
    this.stepCount++;
    step.old = old;
    step.prev = 0;
    step.next = 0;
    step.keep = false;
    step.from = from;
    step.to = to;
    return step;
  }

  /** Whether it covers any byte of a range. */
  meets(addr: number, range: number): boolean {
    return this.addr < addr + range && addr < this.addr + this.range;
  }
}

const NO_FENCES: readonly Fence[] = [];

/** The operations of one VM_BIND. */
export class BindJob {
  readonly #ops: BindOp[] = [];
  /** How many operations there are. */
  count = 0;
  /** Numbers of the operations that removed or cut mappings. */
  readonly removing: number[] = [];
  /** What must happen first. */
  waits: readonly Fence[] = NO_FENCES;
  /** Tables that were set aside for its late operations. */
  tables = 0;
  /** Whether it has run and been freed. */
  freed = false;
  #done: Fence | null = null;

  /** Signalled when it has run, before it is freed. */
  get done(): Fence {
    this.#done ??= new Fence();
    return this.#done;
  }

  /** It has run. */
  signal(): void {
    this.#done?.signal();
  }

  /** Make it a job without operations. */
  reset(): void {
    this.count = 0;
    this.removing.length = 0;
    this.waits = NO_FENCES;
    this.tables = 0;
    this.freed = false;
    this.#done = null;
  }

  /** @returns a fresh operation, the last one */
  add(): BindOp {
    let op = this.#ops[this.count];
    if (op === undefined) {
      op = new BindOp();
      this.#ops.push(op);
    }
    op.reset();
    op.index = this.count++;
    return op;
  }

  /** @returns the operation of a number */
  at(index: number): BindOp {
    return this.#ops[index] as BindOp;
  }

  /** Whether a plain UNMAP among its operations meets a range. */
  unmaps(addr: number, range: number): boolean {
    for (let i = 0; i < this.count; i++) {
      const op = this.at(i);
      if (op.kind === "unmap" && op.meets(addr, range)) return true;
    }
    return false;
  }
}
