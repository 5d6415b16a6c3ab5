/**
 * What an operation does to the VA tree and the references of page tables when it is submitted, and how that is undone
 * (`nouveau_uvmm.c`, Linux 7.3-rc7). No entry is written here.
 *
 * A MAP takes references only for what was not mapped: where mappings of the same page size were, it inherits theirs. What a
 * mapping leaves behind when it is cut keeps the references that it has.
 *
 * Where page sizes meet that does not do: entries of two sizes would overlap, or a piece would have to be rewritten in a
 * smaller size. Then the operation is *late*: its tables are set aside now, so that nothing can fail later, and references
 * and entries change together when it runs (`job-run.ts`).
 *
 * @module
 */

import type { Gpuvm, MapRequest, MapStep, RemapStep, StepHandlers, UnmapStep } from "@vmbind/gpuvm-core";
import type { Backend } from "./backends.ts";
import { type BindJob, OP_MAP } from "./bind-job.ts";
import type { NouveauBo } from "./bo.ts";
import { chooseShift, mappingFlags, pieceFlags, shiftOf } from "./mapping.ts";
import type { NouveauPageTable } from "./page-table.ts";
import { BLOCK_LG2 } from "./table-nodes.ts";

const MAP = OP_MAP;

/** Bytes below one entry of each directory, up to the one that has no second table under 2^47. */
const COVERS: readonly number[] = [2 ** 29, 2 ** 38, 2 ** 47, 2 ** 56];

/** The step handlers of one VM. */
export class VmSteps implements StepHandlers {
  readonly #gpuvm: Gpuvm;
  readonly #pageTable: NouveauPageTable;
  readonly #backend: Backend;
  /** What runs: an operation of a job. */
  #job!: BindJob;
  #op = 0;
  /** Reused by every MAP; the numbers are doubles from the start. */
  readonly #request: Required<Pick<MapRequest, "addr" | "range" | "gem" | "offset" | "flags">> = {
    addr: 0.5,
    range: 0.5,
    gem: null,
    offset: 0.5,
    flags: 0,
  };
  /** Page sizes that mappings of this VM have had, as bits. */
  #sizes = 0;

  /**
   * @param gpuvm - the mappings
   * @param pageTable - the tables
   * @param backend - which GPU
   */
  constructor(gpuvm: Gpuvm, pageTable: NouveauPageTable, backend: Backend) {
    this.#gpuvm = gpuvm;
    this.#pageTable = pageTable;
    this.#backend = backend;
  }

  /**
   * Apply a MAP to the tree. References are taken by {@link VmSteps.takeReferences}.
   *
   * @param job - records what was done, also when it fails
   * @param op - of the job, with its object and page size
   * @param inRegion - whether it lies in a sparse region
   * @returns 0 or a negative errno
   */
  mapRange(job: BindJob, op: number, inRegion: boolean): number {
    const shift = job.shift(op);
    this.#job = job;
    this.#op = op;
    const request = this.#request;
    request.addr = job.addr(op);
    request.range = job.range(op);
    request.gem = job.bo(op);
    request.offset = job.offset(op);
    request.flags = mappingFlags(job.pteKind(op), shift, inRegion);
    this.#sizes |= 1 << shift;
    const va = this.#gpuvm.mapFree(request);
    return va === 0 ? this.#gpuvm.smMap(request, this) : this.#mapped(va);
  }

  /** Apply an UNMAP; see {@link VmSteps.mapRange}. */
  unmapRange(job: BindJob, op: number): number {
    this.#job = job;
    this.#op = op;
    const gpuvm = this.#gpuvm;
    const addr = job.addr(op);
    const range = job.range(op);
    const va = gpuvm.unmapWhole(addr, range);
    if (va === 0) return gpuvm.smUnmap(addr, range, this);
    job.addStep(op, va, addr, addr + range, false, 0, 0);
    return 0;
  }

  /** See `StepHandlers`. */
  map(step: MapStep): number {
    const va = this.#gpuvm.map(step);
    return va < 0 ? va : this.#mapped(va);
  }

  #mapped(va: number): number {
    const job = this.#job;
    job.setVa(this.#op, va);
    (job.bo(this.#op) as NouveauBo).get();
    return 0;
  }

  /** See `StepHandlers`. */
  remap(step: RemapStep): number {
    const gpuvm = this.#gpuvm;
    const old = step.unmap.va;
    const bo = gpuvm.gem(old) as NouveauBo;
    const { prev, next } = step;
    const from = step.hasPrev ? prev.addr + prev.range : gpuvm.addr(old);
    const to = step.hasNext ? next.addr : gpuvm.end(old);
    const flags = gpuvm.flags(old);
    if (step.hasPrev) prev.flags = pieceFlags(flags, this.#shiftOf(bo, prev));
    if (step.hasNext) next.flags = pieceFlags(flags, this.#shiftOf(bo, next));
    gpuvm.remap(step);
    const front = this.#piece(step.prevVa, bo);
    const behind = this.#piece(step.nextVa, bo);
    this.#job.addStep(this.#op, old, from, to, false, front, behind);
    return 0;
  }

  /** See `StepHandlers`. */
  unmap(step: UnmapStep): number {
    const gpuvm = this.#gpuvm;
    const { va, keep } = step;
    gpuvm.unmap(step);
    this.#job.addStep(this.#op, va, gpuvm.addr(va), gpuvm.end(va), keep, 0, 0);
    return 0;
  }

  #piece(va: number, bo: NouveauBo): number {
    if (va === 0) return 0;
    bo.get();
    this.#sizes |= 1 << shiftOf(this.#gpuvm.flags(va));
    return va;
  }

  #shiftOf(bo: NouveauBo, { addr, range, offset }: MapStep): number {
    return chooseShift(this.#backend, bo, addr, range, offset);
  }

  /**
   * Take the references of a MAP that is not late: for what lies between the mappings that it replaced.
   *
   * @param job - records what was taken, also when it fails
   * @param op - a MAP that was applied
   * @throws DrmError ENOMEM
   */
  takeReferences(job: BindJob, op: number): void {
    let next = job.addr(op);
    const end = next + job.range(op);
    for (let step = job.firstStep(op), behind = job.endStep(op); step < behind; step++) {
      this.#get(job, op, next, job.from(step));
      next = job.to(step);
    }
    this.#get(job, op, next, end);
  }

  #get(job: BindJob, op: number, from: number, to: number): void {
    if (to <= from) return;
    this.#pageTable.get(from, to - from, job.shift(op));
    job.addGet(op, from, to - from);
  }

  // -- page sizes that meet -----------------------------------------------------------------------------------------------

  /**
   * Whether an operation has to be late, and how many tables it can need then at most.
   *
   * @param job - that it belongs to
   * @param op - an operation that was applied
   * @param queued - jobs that have not been freed
   * @returns tables, -1 when it need not be late
   */
  lateTables(job: BindJob, op: number, queued: readonly BindJob[]): number {
    const isMap = job.kind(op) === MAP;
    let late = isMap && this.#leftOver(job, op, queued);
    for (let step = job.firstStep(op), end = job.endStep(op); step < end; step++) {
      if (this.#meets(job, step, isMap ? job.shift(op) : 0)) late = true;
    }
    return late ? this.#tablesOf(job, op, isMap) : -1;
  }

  /** Whether page sizes meet in a step: that of a MAP (0 for others), of the mapping that went, of its pieces. */
  #meets(job: BindJob, step: number, shift: number): boolean {
    const gpuvm = this.#gpuvm;
    const old = shiftOf(gpuvm.flags(job.old(step)));
    if (shift !== 0 && old !== shift) return true;
    const prev = job.prev(step);
    const next = job.next(step);
    return (
      (prev !== 0 && shiftOf(gpuvm.flags(prev)) !== old) || (next !== 0 && shiftOf(gpuvm.flags(next)) !== old)
    );
  }

  /** Tables for a mapping that comes, and for each piece that is made anew. */
  #tablesOf(job: BindJob, op: number, isMap: boolean): number {
    const gpuvm = this.#gpuvm;
    let tables = isMap ? this.#tablesFor(job.addr(op), job.range(op), job.shift(op)) : 0;
    for (let step = job.firstStep(op); step < job.endStep(op); step++) {
      for (const va of [job.prev(step), job.next(step)]) {
        if (va === 0) continue;
        tables += this.#tablesFor(gpuvm.addr(va), gpuvm.rangeOf(va), shiftOf(gpuvm.flags(va)));
      }
    }
    return tables;
  }

  /** Whether entries of another size are still there because the job that takes them out has not run. */
  #leftOver(job: BindJob, op: number, queued: readonly BindJob[]): boolean {
    const shift = job.shift(op);
    // Most VMs have pages of one size.
    if ((this.#sizes & ~(1 << shift)) === 0) return false;
    const addr = job.addr(op);
    const end = addr + job.range(op);
    for (const other of queued) if (this.#removes(other, other.stepCount, addr, end, shift)) return true;
    // What it removes itself goes when it runs.
    const own = job.firstStep(op) < job.endStep(op) ? job.firstStep(op) : job.stepCount;
    return this.#removes(job, own, addr, end, shift);
  }

  /** Whether a job removes or cuts, in its first steps, a mapping of another page size that meets `[addr, end)`. */
  #removes(job: BindJob, steps: number, addr: number, end: number, shift: number): boolean {
    const gpuvm = this.#gpuvm;
    for (let step = 0; step < steps; step++) {
      const old = job.old(step);
      const meets = gpuvm.addr(old) < end && addr < gpuvm.end(old);
      if (meets && shiftOf(gpuvm.flags(old)) !== shift) return true;
    }
    return false;
  }

  #tablesFor(addr: number, range: number, shift: number): number {
    if (range === 0) return 0;
    let tables = shift < BLOCK_LG2 ? touched(addr, range, 2 ** BLOCK_LG2) : 0;
    for (const bytes of COVERS) tables += touched(addr, range, bytes);
    return tables;
  }

  // -- undo ---------------------------------------------------------------------------------------------------------------

  /** Undo what {@link VmSteps.mapRange} or {@link VmSteps.unmapRange} did for the last operation that is not undone. */
  undo(job: BindJob, op: number): void {
    if (job.va(op) > 0) this.#drop(job.va(op));
    for (let step = job.endStep(op) - 1; step >= job.firstStep(op); step--) {
      if (job.next(step) !== 0) this.#drop(job.next(step));
      if (job.prev(step) !== 0) this.#drop(job.prev(step));
      this.#gpuvm.putBack(job.old(step));
    }
    const shift = job.shift(op);
    job.undoGets(op, (addr, bytes) => this.#pageTable.put(addr, bytes, shift));
  }

  /** A mapping that was never linked goes. */
  #drop(va: number): void {
    const gpuvm = this.#gpuvm;
    const bo = gpuvm.gem(va) as NouveauBo;
    gpuvm.remove(va);
    gpuvm.free(va);
    bo.put();
  }
}

function touched(addr: number, range: number, bytes: number): number {
  return Math.floor((addr + range - 1) / bytes) - Math.floor(addr / bytes) + 1;
}
