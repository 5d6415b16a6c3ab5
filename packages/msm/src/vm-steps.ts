/**
 * What the driver does with each step of the VA manager (`msm_gem_vma.c`, Linux 7.3-rc7): the tree at once, the page table
 * later. Each step queues one page-table operation at most, so that the job's list says in order what is to happen.
 *
 * ```text
 * before   [==============] VMA of an object or of nothing
 * request      [====]
 * tree     [==]      [====] two VMAs, whose entries nobody touches
 * queued       unmap        and then what the request itself maps
 * ```
 *
 * @module
 */

import { type AllocFault, ENOMEM } from "@vmbind/drm";
import {
  GPUVA_USERBITS_SHIFT,
  type Gpuvm,
  type MapStep,
  type RemapStep,
  type StepHandlers,
  type UnmapStep,
  type VmBo,
} from "@vmbind/gpuvm-core";
import { type BindJob, STEP_UNMAP } from "./bind-job.ts";
import { type MsmBo, NULL_PROT } from "./bo.ts";
import { OP_MAP } from "./uapi-values.ts";

/** Bit of a gpuva's flags: worth having in a crash dump (`MSM_VMA_DUMP`). */
export const VMA_DUMP: number = 1 << GPUVA_USERBITS_SHIFT;
/** Bit of a gpuva's flags: its entries are in the page table, or a queued operation puts them there. */
export const VMA_MAPPED: number = 1 << (GPUVA_USERBITS_SHIFT + 1);

/** The step handlers of one VM. */
export class VmSteps implements StepHandlers {
  readonly #gpuvm: Gpuvm;
  readonly #allocFault: AllocFault | undefined;
  readonly #undo: UndoLog | null;
  /** The job whose operations are being carried into the tree. */
  job: BindJob | null = null;
  /** `OP_` of the operation. */
  kind = 0;
  /** The operation's object. */
  bo: MsmBo | null = null;
  /** The operation's address in bytes. */
  iova = 0.5;
  /** The operation's bytes. */
  range = 0.5;
  /** The operation's object offset in bytes. */
  offset = 0.5;
  /** {@link VMA_DUMP} or 0 of the operation. */
  dump = 0;
  /** The operation found just what it asks for, which stays. */
  kept = false;
  /** Mappings that an UNMAP took out, reused. */
  readonly #vas: number[] = [];

  /**
   * @param gpuvm - the VM's mappings
   * @param allocFault - makes allocations fail
   */
  constructor(gpuvm: Gpuvm, allocFault: AllocFault | undefined) {
    this.#gpuvm = gpuvm;
    this.#allocFault = allocFault;
    // Nothing else can fail here, so there is nothing to undo where allocations do not fail on purpose.
    this.#undo = allocFault === undefined ? null : new UndoLog(gpuvm);
  }

  /** A job's operations begin. */
  begin(job: BindJob): void {
    this.job = job;
    this.#undo?.clear();
  }

  /** They are all in the tree. */
  end(): void {
    this.job = null;
    this.bo = null;
    this.#undo?.clear();
  }

  /** One of them failed: the tree becomes what it was. */
  rollBack(): void {
    this.#undo?.undo();
    this.end();
  }

  /** See `StepHandlers`. */
  map(step: MapStep): number {
    if (this.kept) return 0;
    if (this.#allocFault?.("gpuva")) return -ENOMEM;
    const bo = this.bo;
    const { addr, range, offset } = step;
    step.flags = this.dump | VMA_MAPPED;
    const va = this.#gpuvm.map(step);
    if (va < 0) return va;
    if (bo !== null) this.#link(va, bo);
    (this.job as BindJob).push(bo === null ? NULL_PROT : bo.prot, addr, range, bo, offset);
    this.#undo?.made(va);
    return 0;
  }

  #link(va: number, bo: MsmBo): void {
    const gpuvm = this.#gpuvm;
    const vmBo = gpuvm.vmBoObtain(bo);
    // One with mappings is on the list already, which would be searched.
    if (vmBo.vaCount === 0) gpuvm.extobjAdd(vmBo);
    gpuvm.link(va, vmBo);
    vmBo.put();
  }

  /**
   * Apply an UNMAP.
   *
   * @param iova - bytes
   * @param range - bytes
   * @returns 0 or a negative errno
   */
  unmapRange(iova: number, range: number): number {
    const gpuvm = this.#gpuvm;
    // What may fail in between is taken step by step, and so are mappings that are cut.
    if (this.#undo !== null) return gpuvm.smUnmap(iova, range, this);
    const whole = gpuvm.unmapWhole(iova, range);
    if (whole !== 0) {
      this.#gone(whole);
      return 0;
    }
    const vas = this.#vas;
    const count = gpuvm.unmapInside(iova, range, vas);
    if (count < 0) return gpuvm.smUnmap(iova, range, this);
    for (let i = 0; i < count; i++) this.#gone(vas[i] as number);
    return 0;
  }

  /** A mapping was taken out of the tree. */
  #gone(va: number): void {
    const gpuvm = this.#gpuvm;
    if ((gpuvm.flags(va) & VMA_MAPPED) !== 0) this.#queueUnmap(va);
    gpuvm.unlink(va);
    gpuvm.free(va);
  }

  /** The entries of a mapping that goes are to go. */
  #queueUnmap(va: number): void {
    const gpuvm = this.#gpuvm;
    const start = gpuvm.addr(va);
    (this.job as BindJob).push(STEP_UNMAP, start, gpuvm.end(va) - start, this.#objectOf(va), 0);
  }

  /** See `StepHandlers`. */
  unmap(step: UnmapStep): number {
    const gpuvm = this.#gpuvm;
    const { va } = step;
    if (step.keep && this.#isTheSame(va)) {
      this.#undo?.keeping(va);
      gpuvm.setFlags(va, (gpuvm.flags(va) & ~VMA_DUMP) | this.dump);
      this.kept = true;
      return 0;
    }
    if ((gpuvm.flags(va) & VMA_MAPPED) !== 0) {
      if (this.#allocFault?.("gpuva")) return -ENOMEM;
      this.#queueUnmap(va);
    }
    this.#undo?.closing(va);
    gpuvm.unmap(step);
    gpuvm.unlink(va);
    gpuvm.free(va);
    return 0;
  }

  /** Whether the operation asks for exactly what is there. */
  #isTheSame(va: number): boolean {
    const gpuvm = this.#gpuvm;
    return (
      this.kind === OP_MAP &&
      gpuvm.addr(va) === this.iova &&
      gpuvm.end(va) - this.iova === this.range &&
      gpuvm.offset(va) === this.offset &&
      gpuvm.gem(va) === this.bo
    );
  }

  #objectOf(va: number): MsmBo | null {
    // Only objects of this driver come into its VMs.
    return this.#gpuvm.gem(va) as MsmBo | null;
  }

  /** See `StepHandlers`. */
  remap(step: RemapStep): number {
    const gpuvm = this.#gpuvm;
    const { va } = step.unmap;
    const vmBo = gpuvm.vmBo(va);
    const mapped = (gpuvm.flags(va) & VMA_MAPPED) !== 0;
    if (mapped) {
      if (this.#allocFault?.("gpuva")) return -ENOMEM;
      const start = step.hasPrev ? step.prev.addr + step.prev.range : gpuvm.addr(va);
      const end = step.hasNext ? step.next.addr : gpuvm.end(va);
      (this.job as BindJob).push(STEP_UNMAP, start, end - start, this.#objectOf(va), 0);
    }
    this.#undo?.closing(va);
    gpuvm.remap(step);
    if (vmBo !== null) this.#linkPieces(step, vmBo);
    gpuvm.unlink(va);
    gpuvm.free(va);
    if (step.prevVa !== 0) this.#undo?.made(step.prevVa);
    if (step.nextVa !== 0) this.#undo?.made(step.nextVa);
    if (!mapped && vmBo !== null) gpuvm.evict(vmBo, true);
    return 0;
  }

  #linkPieces(step: RemapStep, vmBo: VmBo): void {
    if (step.prevVa !== 0) this.#gpuvm.link(step.prevVa, vmBo);
    if (step.nextVa !== 0) this.#gpuvm.link(step.nextVa, vmBo);
  }
}

interface Closed {
  readonly va: number;
  readonly addr: number;
  readonly range: number;
  readonly bo: MsmBo | null;
  readonly offset: number;
  readonly flags: number;
  readonly evicted: boolean;
}

/**
 * What a job did to the tree, to be taken back in reverse. A VMA that comes back has another handle than it had, so handles
 * of what happened before are looked up.
 */
class UndoLog {
  readonly #gpuvm: Gpuvm;
  readonly #entries: (
    | Closed
    | { readonly made: number }
    | { readonly kept: number; readonly flags: number }
  )[] = [];

  constructor(gpuvm: Gpuvm) {
    this.#gpuvm = gpuvm;
  }

  /** It stays as it is: objects that were held in case they come back may go. */
  clear(): void {
    for (const entry of this.#entries.splice(0)) if ("bo" in entry) entry.bo?.put();
  }

  made(va: number): void {
    this.#entries.push({ made: va });
  }

  keeping(va: number): void {
    this.#entries.push({ kept: va, flags: this.#gpuvm.flags(va) });
  }

  closing(va: number): void {
    const gpuvm = this.#gpuvm;
    const bo = gpuvm.gem(va) as MsmBo | null;
    // The mapping may be the last that holds it: no job does where nothing is in the page table.
    bo?.get();
    this.#entries.push({
      va,
      addr: gpuvm.addr(va),
      range: gpuvm.rangeOf(va),
      bo,
      offset: gpuvm.offset(va),
      flags: gpuvm.flags(va),
      evicted: gpuvm.vmBo(va)?.evicted ?? false,
    });
  }

  undo(): void {
    const gpuvm = this.#gpuvm;
    const now = new Map<number, number>();
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      if ("made" in entry) {
        const va = now.get(entry.made) ?? entry.made;
        now.delete(entry.made);
        gpuvm.remove(va);
        gpuvm.unlink(va);
        gpuvm.free(va);
      } else if ("kept" in entry) {
        gpuvm.setFlags(now.get(entry.kept) ?? entry.kept, entry.flags);
      } else {
        now.set(entry.va, this.#reopen(entry));
      }
    }
  }

  #reopen({ addr, range, bo, offset, flags, evicted }: Closed): number {
    const gpuvm = this.#gpuvm;
    const va = gpuvm.insert(addr, range, bo, offset, flags);
    if (bo === null) return va;
    const vmBo = gpuvm.vmBoObtain(bo);
    gpuvm.extobjAdd(vmBo);
    gpuvm.link(va, vmBo);
    vmBo.put();
    bo.put();
    if (evicted) gpuvm.evict(vmBo, true);
    return va;
  }
}
