/**
 * One VM_BIND on its way: its operations as the uAPI has them, then the page-table operations that they became, which run once
 * everything that the call waits for has happened (`msm_gem_vma.c`, Linux 7.3-rc7).
 *
 * Both lists are columns, not records: a call may have a hundred thousand operations. A job that has run is used again.
 *
 * @module
 */

import { Fence, type Resv } from "@vmbind/drm";
import type { MsmBo } from "./bo.ts";

const NO_FENCES: readonly Fence[] = [];
const NO_RESVS: ReadonlySet<Resv> = new Set();
/** More operations than this, and the columns are not kept. */
const KEPT_MAX = 65536;
const FIRST = 16;

/** Page-table operation that unmaps; those that map are their io-pgtable protection. */
export const STEP_UNMAP = 0;

/** A page-table operation that was carried out. */
export interface PageTableOp {
  /** What it did. */
  readonly kind: "map" | "unmap";
  /** First address in bytes. */
  readonly iova: number;
  /** Bytes. */
  readonly range: number;
  /** What a map shows; null for the page behind MAP_NULL, and for unmaps. */
  readonly bo: MsmBo | null;
  /** Byte offset into it. */
  readonly offset: number;
  /** io-pgtable protection of a map. */
  readonly prot: number;
  /** Whether everything was mapped, or everything that was to be unmapped was there. */
  readonly done: boolean;
}

/** A VM_BIND. */
export class BindJob {
  /** Operations. */
  count = 0;
  /** `OP_` of each. */
  kind: Uint8Array = new Uint8Array(FIRST);
  /** Handle of each. */
  handle: Uint32Array = new Uint32Array(FIRST);
  /** Object offset of each in bytes. */
  offset: Float64Array = new Float64Array(FIRST);
  /** Address of each in bytes. */
  iova: Float64Array = new Float64Array(FIRST);
  /** Bytes of each. */
  range: Float64Array = new Float64Array(FIRST);
  /** `OP_DUMP` or 0 of each. */
  flags: Uint8Array = new Uint8Array(FIRST);
  /** MAPs whose objects were looked up. */
  maps = 0;
  /** Objects of the MAPs in order: referenced from the look-up on, the first {@link BindJob.pinned} of them pinned. */
  readonly bos: (MsmBo | null)[] = [];
  /** How many of the objects are pinned. */
  pinned = 0;

  /** Page-table operations. */
  steps = 0;
  /** {@link STEP_UNMAP} or the protection of each. */
  stepKind: Uint8Array = new Uint8Array(FIRST);
  /** First address of each in bytes. */
  stepIova: Float64Array = new Float64Array(FIRST);
  /** Bytes of each. */
  stepRange: Float64Array = new Float64Array(FIRST);
  /** Object offset of each in bytes. */
  stepOffset: Float64Array = new Float64Array(FIRST);
  /** Object of each, referenced; null for MAP_NULL. */
  readonly stepBo: (MsmBo | null)[] = [];

  /** Table pages set aside. */
  reserved = 0;
  /** What must happen first. */
  waits: readonly Fence[] = NO_FENCES;
  /** Submit queue, by its id: jobs of one run in order. */
  queueId = 0;
  /** Reservations that have its fence: those of the MAPs' objects, while it waits. */
  resvs: ReadonlySet<Resv> = NO_RESVS;
  #done: Fence | null = null;
  #spans: Float64Array | null = null;

  /** Happens when the job has run, and never with an error. Made when somebody asks. */
  get done(): Fence {
    this.#done ??= new Fence();
    return this.#done;
  }

  /** The job is over: who waits for it goes on. */
  signal(): void {
    this.#done?.signal();
  }

  /** Make room for operations. */
  setCount(count: number): void {
    this.count = count;
    if (count <= this.kind.length) return;
    const room = Math.max(count, this.kind.length * 2);
    this.kind = new Uint8Array(room);
    this.handle = new Uint32Array(room);
    this.offset = new Float64Array(room);
    this.iova = new Float64Array(room);
    this.range = new Float64Array(room);
    this.flags = new Uint8Array(room);
  }

  /**
   * Queue a page-table operation. Takes a reference of its object.
   *
   * @param kind - {@link STEP_UNMAP} or the protection
   * @param iova - bytes
   * @param range - bytes
   * @param bo - object, or null
   * @param offset - byte offset into it
   */
  push(kind: number, iova: number, range: number, bo: MsmBo | null, offset: number): void {
    const i = this.steps;
    if (i === this.stepKind.length) this.#growSteps();
    this.stepKind[i] = kind;
    this.stepIova[i] = iova;
    this.stepRange[i] = range;
    this.stepOffset[i] = offset;
    this.stepBo[i] = bo;
    this.steps = i + 1;
    if (bo === null) return;
    bo.refs++;
    bo.queued++;
  }

  #growSteps(): void {
    const room = this.steps * 2;
    this.stepKind = grown(this.stepKind, new Uint8Array(room));
    this.stepIova = grown(this.stepIova, new Float64Array(room));
    this.stepRange = grown(this.stepRange, new Float64Array(room));
    this.stepOffset = grown(this.stepOffset, new Float64Array(room));
  }

  /** A page-table operation is over, done or not: it lets go of its object. */
  dropStep(index: number): void {
    const bo = this.stepBo[index] as MsmBo | null;
    if (bo === null) return;
    this.stepBo[index] = null;
    bo.queued--;
    bo.put();
  }

  /** All page-table operations are over. */
  dropSteps(): void {
    for (let i = 0; i < this.steps; i++) this.dropStep(i);
    this.steps = 0;
  }

  /** Objects of the MAPs in order. */
  objects(): MsmBo[] {
    return this.bos.slice(0, this.maps) as MsmBo[];
  }

  /** Let go of the objects of the MAPs. */
  dropObjects(): void {
    const { bos, maps, pinned } = this;
    // The arrays keep their length: to shorten one is a call out of the engine's code, longer than a short ioctl.
    for (let i = 0; i < maps; i++) {
      const bo = bos[i] as MsmBo;
      bos[i] = null;
      if (i < pinned) bo.pins--;
      bo.put();
    }
    this.maps = 0;
    this.pinned = 0;
  }

  /** Whether any byte of a range belongs to one of the operations, and the same of another job. */
  overlaps(other: BindJob): boolean {
    const a = this.#sorted();
    const b = other.#sorted();
    for (let i = 0, k = 0; i < a.length && k < b.length; ) {
      if ((a[i + 1] as number) <= (b[k] as number)) i += 2;
      else if ((b[k + 1] as number) <= (a[i] as number)) k += 2;
      else return true;
    }
    return false;
  }

  /** The ranges of the operations as starts and ends, ascending, joined where they touch. */
  #sorted(): Float64Array {
    if (this.#spans !== null) return this.#spans;
    const order = Array.from({ length: this.count }, (_, i) => i)
      .filter((i) => (this.range[i] as number) > 0)
      .sort((a, b) => (this.iova[a] as number) - (this.iova[b] as number));
    const spans: number[] = [];
    for (const i of order) {
      const start = this.iova[i] as number;
      const end = start + (this.range[i] as number);
      const last = spans.length - 1;
      if (last > 0 && start <= (spans[last] as number)) spans[last] = Math.max(spans[last] as number, end);
      else spans.push(start, end);
    }
    this.#spans = Float64Array.from(spans);
    return this.#spans;
  }

  /**
   * Forget everything but the columns. The objects were let go of before.
   *
   * @returns whether the job is worth keeping for another VM_BIND
   */
  clear(): boolean {
    this.count = 0;
    this.steps = 0;
    this.reserved = 0;
    this.waits = NO_FENCES;
    this.queueId = 0;
    this.resvs = NO_RESVS;
    this.#done = null;
    this.#spans = null;
    return this.kind.length <= KEPT_MAX && this.stepKind.length <= KEPT_MAX;
  }

  /** What messages call an operation. */
  nameOf(index: number): string {
    return this.count === 1 ? "op" : `ops[${index}]`;
  }
}

function grown<T extends Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
