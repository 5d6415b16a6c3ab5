/**
 * GPUVM: the DRM core's manager of one GPU address space (`drivers/gpu/drm/drm_gpuvm.c`, Linux 7.3-rc7).
 *
 * It knows which range of addresses shows which bytes of which object, computes the steps that a request takes
 * (split and merge), and counts references. It knows nothing of page tables, page sizes or alignment: those are the
 * driver's.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { EEXIST, EINVAL, ExecLock, type ExecLockOptions, needOneOf, span } from "@vmbind/drm";
import { DirectBinds } from "./direct-binds.ts";
import { boUnmapOps, madviseOps, prefetchOps, smMapOps, smUnmapOps } from "./op-lists.ts";
import { REPEAT_MODES, type RepeatMode } from "./repeat.ts";
import { smMadvise, smMap, smUnmap } from "./split-merge.ts";
import {
  type GpuvmOp,
  type MapRequest,
  type MapStep,
  mapStep,
  type RemapStep,
  remapStep,
  type StepHandlers,
  type StepObserver,
  type UnmapStep,
  unmapStep,
} from "./steps.ts";
import { needExactEnd } from "./u64-sum.ts";
import type { VmBo } from "./vm-bo.ts";
import type { VmObjectsOptions } from "./vm-objects.ts";

/** What a VM is made of. */
export interface GpuvmOptions extends VmObjectsOptions {
  /** Rule set for REPEAT, `phase` unless given. */
  repeat?: RepeatMode;
}

/** One address space. */
export class Gpuvm extends DirectBinds {
  /** Rule set for REPEAT. */
  readonly repeat: RepeatMode;
  /**
   * Index of the operation that runs, in its VM_BIND: the driver says it, those who look on are told. 0 where a driver runs
   * one operation only.
   */
  op = 0;
  /**
   * Why the core refused a request with -EINVAL or -EEXIST, field and rule: of the last one that it refused. What a step
   * handler returned is the driver's to explain.
   */
  refusal = "";
  readonly #observers: StepObserver[] = [];
  /** Reused by every request. @internal */
  readonly mapOp: MapStep = mapStep();
  /** Reused by every request. @internal */
  readonly unmapOp: UnmapStep = unmapStep();
  /** Reused by every request. @internal */
  readonly remapOp: RemapStep = remapStep();

  /**
   * @param options - see {@link GpuvmOptions}
   * @throws RangeError for a rule set of repeats that there is not
   */
  constructor(options: GpuvmOptions) {
    super(options);
    this.repeat = options.repeat ?? "phase";
    needOneOf("repeat", this.repeat, REPEAT_MODES);
  }

  /**
   * Look on: see each step of split and merge before the driver does.
   *
   * @param observer - told the step, and the index of its operation
   * @returns ends it
   */
  observe(observer: StepObserver): () => void {
    this.#observers.push(observer);
    this.observed = true;
    return () => {
      const i = this.#observers.indexOf(observer);
      if (i >= 0) this.#observers.splice(i, 1);
      this.observed = this.#observers.length > 0;
    };
  }

  /** Show a step to those who look on. @internal */
  show(step: GpuvmOp): void {
    for (const observer of this.#observers) observer(step, this.op);
  }

  /**
   * Insert a mapping (`drm_gpuva_insert`). Takes a VM reference.
   *
   * @param addr - first address in bytes
   * @param range - bytes
   * @param gem - object, or null
   * @param offset - byte offset into it
   * @param flags - flags, 0 unless given
   * @returns its handle, -EINVAL outside the window or in the kernel's range, -EEXIST where a mapping is
   * @throws RangeError when `addr + range` is not exactly representable
   */
  insert(addr: number, range: number, gem: GemObject | null, offset: number, flags = 0): number {
    if (!this.rangeValid(addr, range)) return this.#invalid(addr, range);
    needExactEnd("insert", addr, range);
    const end = addr + range;
    return this.#insertNew(this.fill(addr, end, gem, offset, flags, 0, 0), addr, end);
  }

  /**
   * Take a mapping out of the VM (`drm_gpuva_remove`). Its data stays readable until {@link Gpuvm.free}. Drops a VM
   * reference. The kernel node is refused: nothing happens.
   */
  remove(va: number): void {
    if (va === this.kernelNode) return;
    this.uproot(va);
    this.removed();
  }

  /**
   * Put a mapping back that was removed and not freed (`drm_gpuva_insert` of the same node): under its handle, with its data, and
   * linked as it still is. Takes a VM reference.
   *
   * @param va - its handle
   * @returns 0, -EEXIST where a mapping came in the meantime
   */
  reinsert(va: number): number {
    if (!this.plant(va, this.addr(va), this.end(va))) return this.#occupied(this.addr(va), this.end(va));
    this.inserted();
    return 0;
  }

  /**
   * Insert a mapping again that was removed and not freed, under the handle that it had: for drivers that undo. Linked to an
   * object's list it still is. Takes a VM reference.
   *
   * @param va - its handle
   * @throws Error where another mapping is in its place
   */
  putBack(va: number): void {
    if (!this.plant(va, this.addr(va), this.end(va)))
      throw new Error(`${this.name}: mapping ${va} cannot be put back`);
    this.inserted();
  }

  #insertNew(va: number, addr: number, end: number): number {
    if (!this.plant(va, addr, end)) {
      this.pool.free(va);
      return this.#occupied(addr, end);
    }
    this.inserted();
    return va;
  }

  #invalid(addr: number, range: number): number {
    this.refusal = this.rangeProblem(addr, range) ?? "";
    return -EINVAL;
  }

  #occupied(addr: number, end: number): number {
    this.refusal = `va: ${span(addr, end - addr)} meets another mapping`;
    return -EEXIST;
  }

  /**
   * Compute what it takes to map, and hand each step to the driver (`drm_gpuvm_sm_map`). See `split-merge.ts`.
   *
   * @returns 0, -EINVAL for a missing handler, a range that is not valid or a bad repeat, or what a handler returned
   * @throws RangeError when `addr + range` is not exactly representable
   */
  smMap(request: MapRequest, handlers: StepHandlers): number {
    return smMap(this, request, handlers);
  }

  /**
   * Compute what it takes to unmap, and hand each step to the driver (`drm_gpuvm_sm_unmap`).
   *
   * @param addr - bytes
   * @param range - bytes
   * @param handlers - remap and unmap are needed
   * @returns 0, -EINVAL for a missing handler or a range that is not valid, or what a handler returned
   * @throws RangeError when `addr + range` is not exactly representable
   */
  smUnmap(addr: number, range: number, handlers: StepHandlers): number {
    return smUnmap(this, addr, range, handlers);
  }

  /**
   * The steps of {@link Gpuvm.smMap} as a list (`drm_gpuvm_sm_map_ops_create`).
   *
   * @throws {@link @vmbind/drm!DrmError DrmError} EINVAL
   */
  smMapOps(request: MapRequest): GpuvmOp[] {
    return smMapOps(this, request);
  }

  /**
   * The steps of {@link Gpuvm.smUnmap} as a list (`drm_gpuvm_sm_unmap_ops_create`).
   *
   * @throws {@link @vmbind/drm!DrmError DrmError} EINVAL
   */
  smUnmapOps(addr: number, range: number): GpuvmOp[] {
    return smUnmapOps(this, addr, range);
  }

  /**
   * Cut the mappings without an object at the edges of a request, and map what was cut out, so that attributes can be
   * given to exactly the request; mappings of objects are left alone. Hands each step to the driver. Those that lie in
   * the request afterwards, cut or not, are {@link Gpuvm.mappingsIn} it.
   *
   * A piece has the flags and the offset of what it was cut from; the map step that fills the hole behind a remap step
   * has none of these (`gem` null, `offset` 0 where the request says so): the driver knows from the remap step what was
   * there.
   *
   * @param request - range; `gem` null and `offset` 0 in every caller of the kernel's
   * @param handlers - remap, at most twice, each followed by map; unmap is never called
   * @returns 0, -EINVAL for a missing handler, a range that is not valid or a bad repeat, or what a handler returned
   * @throws RangeError when `addr + range` is not exactly representable
   */
  smMadvise(request: MapRequest, handlers: StepHandlers): number {
    return smMadvise(this, request, handlers);
  }

  /**
   * The steps of {@link Gpuvm.smMadvise} as a list (`drm_gpuvm_madvise_ops_create`).
   *
   * @throws {@link @vmbind/drm!DrmError DrmError} EINVAL
   */
  madviseOps(request: MapRequest): GpuvmOp[] {
    return madviseOps(this, request);
  }

  /**
   * One prefetch for each mapping that meets a range; no range check, the kernel node included
   * (`drm_gpuvm_prefetch_ops_create`).
   *
   * @param addr - bytes
   * @param range - bytes
   */
  prefetchOps(addr: number, range: number): GpuvmOp[] {
    return prefetchOps(this, addr, range);
  }

  /** One unmap for each mapping of a vm_bo, in the order of linking (`drm_gpuvm_bo_unmap_ops_create`). */
  boUnmapOps(vmBo: VmBo): GpuvmOp[] {
    return boUnmapOps(vmBo);
  }

  /**
   * Apply a map step: a new mapping (`drm_gpuva_map`).
   *
   * @returns its handle, or -EINVAL / -EEXIST when it cannot be inserted, which the kernel's helper ignores
   */
  map(op: MapStep): number {
    const end = op.addr + op.range;
    if (!this.rangeValid(op.addr, op.range)) return this.#invalid(op.addr, op.range);
    const va = this.fill(op.addr, end, op.gem, op.offset, op.flags, op.gemRange, op.phase);
    return this.#insertNew(va, op.addr, end);
  }

  /**
   * Apply a remap step (`drm_gpuva_remap`): the old mapping goes, its pieces come; sets `op.prevVa` and `op.nextVa`.
   */
  remap(op: RemapStep): void {
    const { tree } = this;
    const old = op.unmap.va;
    op.prevVa = op.hasPrev ? this.#piece(op.prev) : 0;
    op.nextVa = op.hasNext ? this.#piece(op.next) : 0;
    if (this.emptyMappings > 0) this.#replantPieces(op);
    else if (op.nextVa !== 0) {
      // In the order that leaves the sought place between the pieces, where what is mapped instead goes.
      tree.replace(this.addr(old), old, op.next.addr, op.nextVa);
      if (op.prevVa !== 0) tree.insertAtPlace(op.prev.addr, op.prevVa);
    } else {
      tree.replace(this.addr(old), old, op.prev.addr, op.prevVa);
      tree.stepOver();
    }
    // One goes, and as many come as there are pieces.
    if (op.prevVa !== 0 && op.nextVa !== 0) this.inserted();
    else if (op.prevVa === 0 && op.nextVa === 0) this.removed();
  }

  /** Where zero-length mappings may share the old mapping's start, a piece does not take its place in the order. */
  #replantPieces(op: RemapStep): void {
    this.uproot(op.unmap.va);
    if (op.prevVa !== 0) op.prevVa = this.#replant(op.prevVa);
    if (op.nextVa !== 0) op.nextVa = this.#replant(op.nextVa);
  }

  /** Put a piece into the tree: its handle, 0 when it meets another mapping, which the kernel's helper does not notice. */
  #replant(va: number): number {
    if (this.plant(va, this.addr(va), this.end(va))) return va;
    this.pool.free(va);
    return 0;
  }

  #piece(op: MapStep): number {
    return this.fill(op.addr, op.addr + op.range, op.gem, op.offset, op.flags, op.gemRange, op.phase);
  }

  /** Apply an unmap step (`drm_gpuva_unmap`). */
  unmap(op: UnmapStep): void {
    this.remove(op.va);
  }

  /**
   * Lock what a submit must lock: the VM's reservation, every external object's, then the extra objects
   * (`drm_gpuvm_exec_lock`).
   *
   * @throws {@link @vmbind/drm!DrmError DrmError} EALREADY for a reservation met twice, unless duplicates are ignored
   */
  execLock(options: ExecLockOptions = {}): ExecLock {
    const exec = new ExecLock(options);
    exec.prepare(this.resvObject);
    this.prepareObjects(exec);
    for (const gem of options.extra ?? []) exec.prepare(gem);
    return exec;
  }

  /** Lock the external objects' reservations (`drm_gpuvm_prepare_objects`). */
  prepareObjects(exec: ExecLock): void {
    for (const vmBo of this.liveExtobjs()) {
      exec.prepare(vmBo.gem);
      // The evict list's guard is held from here on: external objects get there only now.
      if (this.resvProtected && vmBo.evicted) this.listEvicted(vmBo);
    }
  }

  /**
   * Lock the objects of all mappings in a range (`drm_gpuvm_prepare_range`).
   *
   * @param exec - lock context
   * @param addr - bytes
   * @param range - bytes
   */
  prepareRange(exec: ExecLock, addr: number, range: number): void {
    for (const va of this.mappingsIn(addr, range)) {
      const gem = this.gem(va);
      if (gem !== null) exec.prepare(gem);
    }
  }
}
