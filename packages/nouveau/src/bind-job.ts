/**
 * The work of one VM_BIND between its three moments: submit changes the VA tree and takes references of tables, run writes
 * entries, free drops what is not needed any more (`nouveau_uvmm.c`, `nouveau_sched.c`, Linux 7.3-rc7).
 *
 * So an operation has to remember what it did to the tree: the mappings that it removed or cut, its *steps*, with the pieces that
 * stayed, and the ranges that it took references for. A VM_BIND may have thousands of operations, and each is looked at seven
 * times: so operations, steps and ranges are records in arrays, which the next VM_BIND uses again.
 *
 * ```text
 * operation  f64 0 addr  1 range  2 offset      i32 0 kind  1 number  2 PTE kind  3 page size  4 mapping  5 first step
 *                                                   6 steps  7 flags
 * step       f64 0 from  1 to                   i32 0 old  1 prev  2 next  3 keep
 * ```
 *
 * @module
 */

import { Fence } from "@vmbind/drm";
import type { VmBo } from "@vmbind/gpuvm-core";
import type { NouveauBo } from "./bo.ts";
import type { SparseRegion } from "./regions.ts";

/** Kind of an operation whose number means nothing. */
export const OP_UNKNOWN = 0;
/** Kind of an operation: map an object. */
export const OP_MAP = 1;
/** Kind of an operation: take mappings out. */
export const OP_UNMAP = 2;
/** Kind of an operation: make a sparse region. */
export const OP_SPARSE = 3;
/** Kind of an operation: take a sparse region away. */
export const OP_UNSPARSE = 4;

const MAP = OP_MAP;
const UNMAP = OP_UNMAP;
const SPARSE = OP_SPARSE;
const UNSPARSE = OP_UNSPARSE;
// Doubles and ints of a record; the ints' places.
const OP_F64 = 4;
const OP_I32 = 8;
const KIND = 0;
const NUMBER = 1;
const PTE_KIND = 2;
const SHIFT = 3;
const VA = 4;
const FIRST_STEP = 5;
const STEPS = 6;
const FLAGS = 7;
const STEP_I32 = 4;
const LATE = 1;
const DROPPED = 2;
/** Records that there is room for from the start. */
const FIRST_ROOM = 4;

const NO_FENCES: readonly Fence[] = [];

/** The operations of one VM_BIND, by their number in it, from 0. */
export class BindJob {
  /** How many operations there are. */
  count = 0;
  /** How many steps they took together. Those of one operation follow each other, and those of the next one follow them. */
  stepCount = 0;
  /** How many ranges references were taken for. */
  getCount = 0;
  /** Whether an operation makes a mapping or a region. */
  makes = false;
  /** Whether an operation takes a region away. */
  unmakes = false;
  /** How many steps leave a piece of a mapping. */
  cuts = 0;
  /** What must happen first. */
  waits: readonly Fence[] = NO_FENCES;
  /** Tables that were set aside for its late operations. */
  tables = 0;
  /** Whether an operation is late; see {@link BindJob.isLate}. */
  hasLate = false;
  /** What its operations unmapped gave its references back when it ran. */
  dropped = false;
  /** Whether it has run and been freed. */
  freed = false;
  #done: Fence | null = null;
  #ops: Float64Array = new Float64Array(FIRST_ROOM * OP_F64);
  #opWords: Int32Array = new Int32Array(FIRST_ROOM * OP_I32);
  readonly #bos: (NouveauBo | null)[] = [];
  readonly #vmBos: (VmBo | null)[] = [];
  readonly #regions: (SparseRegion | null)[] = [];
  #steps: Float64Array = new Float64Array(FIRST_ROOM * 2);
  #stepWords: Int32Array = new Int32Array(FIRST_ROOM * STEP_I32);
  /** By range: first VA, bytes, and the operation. */
  #gets: Float64Array = new Float64Array(FIRST_ROOM * 3);

  /** Signalled when it has run, before it is freed. */
  get done(): Fence {
    this.#done ??= new Fence();
    return this.#done;
  }

  /** Whether somebody will be told when it has run. */
  get isAwaited(): boolean {
    return this.#done !== null;
  }

  /** It has run. */
  signal(): void {
    this.#done?.signal();
  }

  /** Make it a job without operations. */
  reset(): void {
    this.count = 0;
    this.stepCount = 0;
    this.getCount = 0;
    this.makes = false;
    this.unmakes = false;
    this.cuts = 0;
    this.waits = NO_FENCES;
    this.tables = 0;
    this.hasLate = false;
    this.dropped = false;
    this.freed = false;
    this.#done = null;
  }

  // -- operations -----------------------------------------------------------------------------------------------------------

  /**
   * Append an operation that has done nothing.
   *
   * @param kind - what it does: `OP_MAP` and so on
   * @param number - its op number, as sent
   * @param addr - first VA in bytes
   * @param range - bytes
   * @param offset - byte of the object of a MAP
   * @param pteKind - of a MAP
   * @returns its number in the job
   */
  add(kind: number, number: number, addr: number, range: number, offset: number, pteKind: number): number {
    const op = this.count++;
    if ((op + 1) * OP_F64 > this.#ops.length) {
      this.#ops = grown(this.#ops, new Float64Array(this.#ops.length * 2));
      this.#opWords = grown(this.#opWords, new Int32Array(this.#opWords.length * 2));
    }
    const ops = this.#ops;
    const words = this.#opWords;
    const at = op * OP_F64;
    ops[at] = addr;
    ops[at + 1] = range;
    ops[at + 2] = offset;
    const word = op * OP_I32;
    words[word + KIND] = kind;
    words[word + NUMBER] = number;
    words[word + PTE_KIND] = pteKind;
    words[word + SHIFT] = 12;
    words[word + VA] = 0;
    words[word + FIRST_STEP] = 0;
    words[word + STEPS] = 0;
    words[word + FLAGS] = 0;
    if (kind === MAP || kind === SPARSE) this.makes = true;
    else if (kind === UNSPARSE) this.unmakes = true;
    // What a job held in an earlier use it has let go of.
    if (op === this.#bos.length) {
      this.#bos.push(null);
      this.#vmBos.push(null);
      this.#regions.push(null);
    }
    return op;
  }

  /** What an operation does: `OP_MAP` and so on. */
  kind(op: number): number {
    return this.#opWords[op * OP_I32 + KIND] as number;
  }

  /** Op number of an operation, as sent: an unsigned 32-bit number. */
  number(op: number): number {
    return (this.#opWords[op * OP_I32 + NUMBER] as number) >>> 0;
  }

  /** First VA of an operation, in bytes. */
  addr(op: number): number {
    return this.#ops[op * OP_F64] as number;
  }

  /** Bytes of an operation. */
  range(op: number): number {
    return this.#ops[op * OP_F64 + 1] as number;
  }

  /** Byte of the object that a MAP begins with. */
  offset(op: number): number {
    return this.#ops[op * OP_F64 + 2] as number;
  }

  /** PTE kind of a MAP. */
  pteKind(op: number): number {
    return this.#opWords[op * OP_I32 + PTE_KIND] as number;
  }

  /** log2 of the page size of a MAP. */
  shift(op: number): number {
    return this.#opWords[op * OP_I32 + SHIFT] as number;
  }

  /** See {@link BindJob.shift}. */
  setShift(op: number, shift: number): void {
    this.#opWords[op * OP_I32 + SHIFT] = shift;
  }

  /** The mapping that a MAP made, 0 before. */
  va(op: number): number {
    return this.#opWords[op * OP_I32 + VA] as number;
  }

  /** See {@link BindJob.va}. */
  setVa(op: number, va: number): void {
    this.#opWords[op * OP_I32 + VA] = va;
  }

  /** The object of a MAP, referenced. */
  bo(op: number): NouveauBo | null {
    return this.#bos[op] as NouveauBo | null;
  }

  /** See {@link BindJob.bo}. */
  setBo(op: number, bo: NouveauBo | null): void {
    this.#bos[op] = bo;
  }

  /** The object's pair with the VM, referenced. */
  vmBo(op: number): VmBo | null {
    return this.#vmBos[op] as VmBo | null;
  }

  /** See {@link BindJob.vmBo}. */
  setVmBo(op: number, vmBo: VmBo | null): void {
    this.#vmBos[op] = vmBo;
  }

  /** The region that is made, or goes. */
  region(op: number): SparseRegion | null {
    return this.#regions[op] as SparseRegion | null;
  }

  /** See {@link BindJob.region}. */
  setRegion(op: number, region: SparseRegion | null): void {
    this.#regions[op] = region;
  }

  /** Page sizes meet: everything but the tree is left to the run, with tables that were set aside. */
  isLate(op: number): boolean {
    return ((this.#opWords[op * OP_I32 + FLAGS] as number) & LATE) !== 0;
  }

  /** See {@link BindJob.isLate}. */
  setLate(op: number): void {
    this.#opWords[op * OP_I32 + FLAGS] = (this.#opWords[op * OP_I32 + FLAGS] as number) | LATE;
    this.hasLate = true;
  }

  /** What an operation unmapped has given its references back. */
  isDropped(op: number): boolean {
    return ((this.#opWords[op * OP_I32 + FLAGS] as number) & DROPPED) !== 0;
  }

  /** See {@link BindJob.isDropped}. */
  setDropped(op: number): void {
    this.#opWords[op * OP_I32 + FLAGS] = (this.#opWords[op * OP_I32 + FLAGS] as number) | DROPPED;
  }

  /** Whether a plain UNMAP among the operations meets a range. */
  unmaps(addr: number, range: number): boolean {
    for (let op = 0; op < this.count; op++) {
      if (this.kind(op) !== UNMAP) continue;
      const start = this.addr(op);
      if (start < addr + range && addr < start + this.range(op)) return true;
    }
    return false;
  }

  // -- steps ----------------------------------------------------------------------------------------------------------------

  /** The first step of an operation. */
  firstStep(op: number): number {
    return this.#opWords[op * OP_I32 + FIRST_STEP] as number;
  }

  /** The step behind the last one of an operation; {@link BindJob.firstStep} where it has none. */
  endStep(op: number): number {
    const at = op * OP_I32;
    return (this.#opWords[at + FIRST_STEP] as number) + (this.#opWords[at + STEPS] as number);
  }

  /**
   * Remember that an operation removed or cut a mapping, whose handle stays readable until the job has been freed. Operations take
   * their steps one after the other.
   *
   * @param op - the operation
   * @param old - the mapping
   * @param from - first VA that is not mapped by it any more
   * @param to - first VA behind
   * @param keep - the same bytes come back at the same addresses: nothing is written
   * @param prev - the piece that stays in front, 0 for none
   * @param next - the piece that stays behind, 0 for none
   */
  addStep(
    op: number,
    old: number,
    from: number,
    to: number,
    keep: boolean,
    prev: number,
    next: number,
  ): void {
    const step = this.stepCount++;
    if ((step + 1) * 2 > this.#steps.length) {
      this.#steps = grown(this.#steps, new Float64Array(this.#steps.length * 2));
      this.#stepWords = grown(this.#stepWords, new Int32Array(this.#stepWords.length * 2));
    }
    this.#steps[step * 2] = from;
    this.#steps[step * 2 + 1] = to;
    const words = this.#stepWords;
    const at = step * STEP_I32;
    words[at] = old;
    words[at + 1] = prev;
    words[at + 2] = next;
    words[at + 3] = keep ? 1 : 0;
    if ((prev | next) !== 0) this.cuts++;
    const word = op * OP_I32;
    const steps = this.#opWords[word + STEPS] as number;
    if (steps === 0) this.#opWords[word + FIRST_STEP] = step;
    this.#opWords[word + STEPS] = steps + 1;
  }

  /** First VA that a step's mapping does not map any more. */
  from(step: number): number {
    return this.#steps[step * 2] as number;
  }

  /** First VA behind what a step's mapping does not map any more. */
  to(step: number): number {
    return this.#steps[step * 2 + 1] as number;
  }

  /** The mapping that a step removed or cut. */
  old(step: number): number {
    return this.#stepWords[step * STEP_I32] as number;
  }

  /** The piece of it that stays in front, 0 for none. */
  prev(step: number): number {
    return this.#stepWords[step * STEP_I32 + 1] as number;
  }

  /** The piece of it that stays behind, 0 for none. */
  next(step: number): number {
    return this.#stepWords[step * STEP_I32 + 2] as number;
  }

  /** Whether the same bytes come back at the same addresses: nothing is written. */
  keeps(step: number): boolean {
    return this.#stepWords[step * STEP_I32 + 3] !== 0;
  }

  // -- references -----------------------------------------------------------------------------------------------------------

  /** Remember a range that an operation took references for. */
  addGet(op: number, addr: number, bytes: number): void {
    const get = this.getCount++;
    if ((get + 1) * 3 > this.#gets.length) {
      this.#gets = grown(this.#gets, new Float64Array(this.#gets.length * 2));
    }
    this.#gets[get * 3] = addr;
    this.#gets[get * 3 + 1] = bytes;
    this.#gets[get * 3 + 2] = op;
  }

  /**
   * Forget the ranges of the operation that took the last ones, latest first.
   *
   * @param op - the operation; nothing happens when it took none
   * @param put - is told first VA and bytes of each
   */
  undoGets(op: number, put: (addr: number, bytes: number) => void): void {
    const gets = this.#gets;
    while (this.getCount > 0 && gets[this.getCount * 3 - 1] === op) {
      this.getCount--;
      put(gets[this.getCount * 3] as number, gets[this.getCount * 3 + 1] as number);
    }
  }
}

function grown<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
