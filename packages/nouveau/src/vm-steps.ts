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
import type { Gpuvm, MapStep, RemapStep, StepHandlers, UnmapStep } from "@vmbind/gpuvm-core";
import type { Backend } from "./backends.ts";
import type { BindJob, BindOp, OpStep } from "./bind-job.ts";
import type { NouveauBo } from "./bo.ts";
import { chooseShift, mappingFlags, pieceFlags, shiftOf } from "./mapping.ts";
import type { NouveauPageTable } from "./page-table.ts";
import { BLOCK_LG2 } from "./table-nodes.ts";

/** Bytes below one entry of each directory, up to the one that has no second table under 2^47. */
const COVERS: readonly number[] = [2 ** 29, 2 ** 38, 2 ** 47, 2 ** 56];

/** The step handlers of one VM. */
export class VmSteps implements StepHandlers {
  readonly #gpuvm: Gpuvm;
  readonly #pageTable: NouveauPageTable;
  readonly #backend: Backend;
  #op!: BindOp;
  /** First VA of the operation that references have yet to be taken for. */
  #next = 0;
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
   * @param op - with its object and page size; records what was done, also when it fails
   * @param inRegion - whether it lies in a sparse region
   * @returns 0 or a negative errno
   */
  mapRange(op: BindOp, inRegion: boolean): number {
    this.#op = op;
    this.#next = op.addr;
    const { addr, range, bo: gem, offset } = op;
    const flags = mappingFlags(op.pteKind, op.shift, inRegion);
    const ret = this.#gpuvm.smMap({ addr, range, gem, offset, flags }, this);
    if (op.va > 0) this.#sizes |= sizesOf(op);
    return ret;
  }

  /** Apply an UNMAP; see {@link VmSteps.mapRange}. */
  unmapRange(op: BindOp): number {
    this.#op = op;
    return this.#gpuvm.smUnmap(op.addr, op.range, this);
  }

  /** See `StepHandlers`. */
  map(step: MapStep): number {
    const op = this.#op;
    const va = this.#gpuvm.map(step);
    if (va < 0) return va;
    op.va = va;
    (op.bo as NouveauBo).get();
    return this.#get(op.addr + op.range);
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
    const done = this.#op.addStep(old, from, to);
    done.prev = this.#piece(step.prevVa, bo);
    done.next = this.#piece(step.nextVa, bo);
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
    this.#op.addStep(va, from, to).keep = keep;
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
    const op = this.#op;
    const start = this.#next;
    if (op.kind !== "map" || op.late || end <= start) return 0;
    try {
      this.#pageTable.get(start, end - start, op.shift);
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      this.refusal = error.reason;
      return -error.errno;
    }
    op.gets.push(start, end - start);
    return 0;
  }

  // -- page sizes that meet -----------------------------------------------------------------------------------------------

  /**
   * Whether an operation has to be late, and how many tables it can need then at most.
   *
   * @param op - a MAP with its page size, an UNMAP, or one that takes a region away; not applied yet
   * @param job - that it belongs to
   * @param queued - jobs that have not been freed
   * @returns tables, -1 when it need not be late
   */
  lateTables(op: BindOp, job: BindJob, queued: readonly BindJob[]): number {
    const gpuvm = this.#gpuvm;
    const { addr, range } = op;
    const isMap = op.kind === "map";
    const sizes = isMap ? this.#sizes | sizesOf(op) : this.#sizes;
    if (sizes === 1 << 12 || sizes === 0) return -1;
    let late = isMap && this.#leftOver(op, job, queued);
    let tables = isMap ? this.#tablesFor(addr, range, op.shift) : 0;
    for (const va of gpuvm.mappingsIn(addr, range)) {
      if (va === gpuvm.kernelNode) continue;
      const shift = shiftOf(gpuvm.flags(va));
      if (isMap && shift !== op.shift) late = true;
      const start = gpuvm.addr(va);
      const end = gpuvm.end(va);
      if (start < addr) {
        const piece = this.#pieceShift(va, start, addr - start);
        if (piece !== shift) late = true;
        tables += this.#tablesFor(start, addr - start, piece);
      }
      if (end > addr + range) {
        const piece = this.#pieceShift(va, addr + range, end - addr - range);
        if (piece !== shift) late = true;
        tables += this.#tablesFor(addr + range, end - addr - range, piece);
      }
    }
    return late ? tables : -1;
  }

  #pieceShift(va: number, addr: number, range: number): number {
    const gpuvm = this.#gpuvm;
    const offset = gpuvm.offset(va) + (addr - gpuvm.addr(va));
    return chooseShift(this.#backend, gpuvm.gem(va) as NouveauBo, addr, range, offset);
  }

  /** Whether entries of another size are still there because the job that takes them out has not run. */
  #leftOver(op: BindOp, job: BindJob, queued: readonly BindJob[]): boolean {
    const { addr, range, shift } = op;
    for (const other of [...queued, job]) {
      for (const i of other.removing) {
        const { steps, stepCount } = other.at(i);
        for (let k = 0; k < stepCount; k++) {
          const { old } = steps[k] as OpStep;
          const meets = this.#gpuvm.addr(old) < addr + range && addr < this.#gpuvm.end(old);
          if (meets && shiftOf(this.#gpuvm.flags(old)) !== shift) return true;
        }
      }
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

  /** Undo what {@link VmSteps.mapRange} or {@link VmSteps.unmapRange} did. */
  undo(op: BindOp): void {
    const gpuvm = this.#gpuvm;
    if (op.va > 0) this.#drop(op.va);
    for (let i = op.stepCount - 1; i >= 0; i--) {
      const { old, prev, next } = op.steps[i] as OpStep;
      for (const piece of [next, prev]) {
        if (piece !== 0) this.#drop(piece);
      }
      gpuvm.putBack(old);
    }
    for (let i = op.gets.length - 2; i >= 0; i -= 2) {
      this.#pageTable.put(op.gets[i] as number, op.gets[i + 1] as number, op.shift);
    }
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
function sizesOf({ shift, bo }: BindOp): number {
  return (1 << shift) | (1 << (bo?.pageShift ?? shift));
}

function touched(addr: number, range: number, bytes: number): number {
  return Math.floor((addr + range - 1) / bytes) - Math.floor(addr / bytes) + 1;
}
