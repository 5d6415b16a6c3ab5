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

import { DrmError } from "@vmbind/drm";
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
  /** It takes references now: a MAP that is not late. */
  #takes = false;
  /** First VA of the operation that references have yet to be taken for. */
  #next = 0.5;
  /** Reused by every MAP; the numbers are doubles from the start. */
  readonly #request: Required<Pick<MapRequest, "addr" | "range" | "gem" | "offset" | "flags">> = {
    addr: 0.5,
    range: 0.5,
    gem: null,
    offset: 0.5,
    flags: 0,
  };
  /** Page sizes that mappings of this VM have had, or pieces of them may have, as bits. */
  #sizes = 0;
  /** Why a handler refused. */
  refusal = "";

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
   * Apply a MAP.
   *
   * @param job - records what was done, also when it fails
   * @param op - of the job, with its object and page size
   * @param inRegion - whether it lies in a sparse region
   * @returns 0 or a negative errno
   */
  mapRange(job: BindJob, op: number, inRegion: boolean): number {
    const bo = job.bo(op) as NouveauBo;
    const shift = job.shift(op);
    this.#job = job;
    this.#op = op;
    this.#takes = !job.isLate(op);
    this.#next = job.addr(op);
    const request = this.#request;
    request.addr = job.addr(op);
    request.range = job.range(op);
    request.gem = bo;
    request.offset = job.offset(op);
    request.flags = mappingFlags(job.pteKind(op), shift, inRegion);
    const ret = this.#gpuvm.smMap(request, this);
    if (job.va(op) > 0) this.#sizes |= sizesOf(shift, bo);
    return ret;
  }

  /** Apply an UNMAP; see {@link VmSteps.mapRange}. */
  unmapRange(job: BindJob, op: number): number {
    this.#job = job;
    this.#op = op;
    this.#takes = false;
    return this.#gpuvm.smUnmap(job.addr(op), job.range(op), this);
  }

  /** See `StepHandlers`. */
  map(step: MapStep): number {
    const job = this.#job;
    const op = this.#op;
    const va = this.#gpuvm.map(step);
    if (va < 0) return va;
    job.setVa(op, va);
    (job.bo(op) as NouveauBo).get();
    return this.#get(job.addr(op) + job.range(op));
  }

  /** See `StepHandlers`. */
  remap(step: RemapStep): number {
    const gpuvm = this.#gpuvm;
    const old = step.unmap.va;
    const bo = gpuvm.gem(old) as NouveauBo;
    const { prev, next } = step;
    const from = step.hasPrev ? prev.addr + prev.range : gpuvm.addr(old);
    const to = step.hasNext ? next.addr : gpuvm.end(old);
    const ret = this.#get(from);
    if (ret !== 0) return ret;
    this.#next = to;
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
    const from = gpuvm.addr(va);
    const to = gpuvm.end(va);
    const ret = this.#get(from);
    if (ret !== 0) return ret;
    this.#next = to;
    gpuvm.unmap(step);
    this.#job.addStep(this.#op, va, from, to, keep, 0, 0);
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

  /** Take references up to an address, for a MAP that takes any now. */
  #get(end: number): number {
    const start = this.#next;
    if (!this.#takes || end <= start) return 0;
    const job = this.#job;
    const op = this.#op;
    try {
      this.#pageTable.get(start, end - start, job.shift(op));
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      this.refusal = error.reason;
      return -error.errno;
    }
    job.addGet(op, start, end - start);
    return 0;
  }

  // -- page sizes that meet -----------------------------------------------------------------------------------------------

  /**
   * Whether an operation has to be late, and how many tables it can need then at most.
   *
   * @param job - that it belongs to
   * @param op - a MAP with its page size, an UNMAP, or one that takes a region away; not applied yet
   * @param queued - jobs that have not been freed
   * @returns tables, -1 when it need not be late
   */
  lateTables(job: BindJob, op: number, queued: readonly BindJob[]): number {
    const isMap = job.kind(op) === MAP;
    const shift = job.shift(op);
    const sizes = isMap ? this.#sizes | sizesOf(shift, job.bo(op)) : this.#sizes;
    if (sizes === 1 << 12 || sizes === 0) return -1;
    const addr = job.addr(op);
    const range = job.range(op);
    const leftOver = isMap && this.#leftOver(job, op, queued);
    if (!leftOver && this.#fits(isMap ? shift : 0, addr, range)) return -1;
    const gpuvm = this.#gpuvm;
    let late = leftOver;
    let tables = isMap ? this.#tablesFor(addr, range, shift) : 0;
    for (const va of gpuvm.mappingsIn(addr, range)) {
      if (va === gpuvm.kernelNode) continue;
      const old = shiftOf(gpuvm.flags(va));
      if (isMap && old !== shift) late = true;
      const start = gpuvm.addr(va);
      const end = gpuvm.end(va);
      if (start < addr) {
        const piece = this.#pieceShift(va, start, addr - start);
        if (piece !== old) late = true;
        tables += this.#tablesFor(start, addr - start, piece);
      }
      if (end > addr + range) {
        const piece = this.#pieceShift(va, addr + range, end - addr - range);
        if (piece !== old) late = true;
        tables += this.#tablesFor(addr + range, end - addr - range, piece);
      }
    }
    return late ? tables : -1;
  }

  /**
   * Whether it is plain that no page sizes meet: nothing is in the range, or one mapping up to its end, of the size of the MAP.
   *
   * @param shift - of a MAP, 0 for others
   */
  #fits(shift: number, addr: number, range: number): boolean {
    const gpuvm = this.#gpuvm;
    const va = gpuvm.findFirst(addr, range);
    if (va === 0) return true;
    if (va === gpuvm.kernelNode) return false;
    if (gpuvm.addr(va) < addr || gpuvm.end(va) !== addr + range) return false;
    return shift === 0 || shiftOf(gpuvm.flags(va)) === shift;
  }

  #pieceShift(va: number, addr: number, range: number): number {
    const gpuvm = this.#gpuvm;
    const offset = gpuvm.offset(va) + (addr - gpuvm.addr(va));
    return chooseShift(this.#backend, gpuvm.gem(va) as NouveauBo, addr, range, offset);
  }

  /** Whether entries of another size are still there because the job that takes them out has not run. */
  #leftOver(job: BindJob, op: number, queued: readonly BindJob[]): boolean {
    const addr = job.addr(op);
    const end = addr + job.range(op);
    const shift = job.shift(op);
    for (const other of queued) if (this.#removes(other, addr, end, shift)) return true;
    return this.#removes(job, addr, end, shift);
  }

  /** Whether a job removes or cuts a mapping of another page size that meets `[addr, end)`. */
  #removes(job: BindJob, addr: number, end: number, shift: number): boolean {
    const gpuvm = this.#gpuvm;
    for (let step = 0; step < job.stepCount; step++) {
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

/** The page size of a mapping, and that of its object, which a piece may have that is aligned where the whole was not. */
function sizesOf(shift: number, bo: NouveauBo | null): number {
  return (1 << shift) | (1 << (bo?.pageShift ?? shift));
}

function touched(addr: number, range: number, bytes: number): number {
  return Math.floor((addr + range - 1) / bytes) - Math.floor(addr / bytes) + 1;
}
