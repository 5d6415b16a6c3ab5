/**
 * GPUVM: the DRM core's manager of one GPU address space (`drm_gpuvm`, Linux 7.3).
 *
 * It knows which range of addresses shows which bytes of which object, computes the steps that a request takes
 * (split and merge), and counts references. It knows nothing of page tables, page sizes or alignment: those are the
 * driver's. Mappings are named by handles, small positive integers; 0 is "none".
 *
 * @module
 */

import type { GpuvmCounters } from "./counters.ts";
import { gpuvmCounters } from "./counters.ts";
import { EEXIST, EINVAL } from "./errno.ts";
import { ExecLock, type ExecLockOptions } from "./exec-lock.ts";
import { GemObject, type GemObjects, type Resv } from "./gem.ts";
import { ADDR, END, F64, FLAGS, GpuvaPool, I32, NEXT, OBJECT, OFFSET, PREV } from "./gpuva-pool.ts";
import { boUnmapOps, madviseOps, prefetchOps, smMapOps, smUnmapOps } from "./op-lists.ts";
import type { RepeatMode } from "./repeat.ts";
import { smMap, smUnmap } from "./split-merge.ts";
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
import { VaTree } from "./va-tree.ts";
import { VmBo } from "./vm-bo.ts";

const U64 = 2 ** 64;

/** What a VM is made of. */
export interface GpuvmOptions {
  /** For people, `"unknown"` unless given. */
  name?: string;
  /** First managed address in bytes, 0 unless given. */
  start?: number;
  /** Managed bytes. */
  range: number;
  /** First address of the range reserved for the kernel, in bytes. */
  kernelStart?: number;
  /** Bytes of it, 0 = none. */
  kernelRange?: number;
  /** The device's objects. */
  gems: GemObjects;
  /** The object whose reservation is the VM's (`r_obj`); one reference is taken. A private one is made unless given. */
  resv?: GemObject;
  /** Rule set for REPEAT, `phase` unless given. */
  repeat?: RepeatMode;
  /** `DRM_GPUVM_RESV_PROTECTED`: the extobj and evict lists are guarded by the VM's reservation. */
  resvProtected?: boolean;
  /** `DRM_GPUVM_IMMEDIATE_MODE`: bindings change in the fence-signalling path; vm_bo destruction is deferred. */
  immediateMode?: boolean;
  /** Where to count. */
  counters?: GpuvmCounters;
  /** Mappings to make room for at once. */
  capacity?: number;
  /** Entries per tree node, a power of two from 4. */
  nodeCapacity?: number;
  /** The `vm_free` callback: the last reference is gone. */
  onFree?: () => void;
}

/** One address space. */
export class Gpuvm {
  /** For people. */
  readonly name: string;
  /** First managed address in bytes. */
  readonly start: number;
  /** Managed bytes. */
  readonly range: number;
  /** First address behind the window; wraps at 2^64 as the kernel's sum does. */
  readonly #end: number;
  readonly #kernelStart: number;
  readonly #kernelEnd: number;
  /** The object whose reservation is the VM's. */
  readonly resvObject: GemObject;
  /** Rule set for REPEAT. */
  readonly repeat: RepeatMode;
  /** See {@link GpuvmOptions.resvProtected}. */
  readonly resvProtected: boolean;
  /** See {@link GpuvmOptions.immediateMode}. */
  readonly immediateMode: boolean;
  /** Where this VM counts. */
  readonly counters: GpuvmCounters;
  /** The device's objects. */
  readonly gems: GemObjects;
  /** References: the creator's, one per inserted mapping, one per vm_bo. */
  refs = 1;
  /** Handle of the kernel's reserved node, 0 = none. */
  readonly kernelNode: number = 0;
  /** Sees every step, for tools that explain. */
  observer: StepObserver | null = null;

  /** The mappings' records. @internal */
  readonly pool: GpuvaPool;
  /** The mappings in order. @internal */
  readonly tree: VaTree;
  /** vm_bos by slot; mappings store the slot. @internal */
  readonly vmBos: (VmBo | null)[] = [null];
  /** GEM id by vm_bo slot. @internal */
  readonly vmBoGems: number[] = [0];
  readonly #freeSlots: number[] = [];
  readonly #extobjs: VmBo[] = [];
  readonly #evicted: VmBo[] = [];
  readonly #deferred: VmBo[] = [];
  readonly #onFree: (() => void) | undefined;
  /** A zero-length mapping at address 0: its inclusive end wraps, so it meets every look-up. */
  #wrapped = 0;

  /** Reused by every request. @internal */
  readonly mapOp: MapStep = mapStep();
  /** Reused by every request. @internal */
  readonly unmapOp: UnmapStep = unmapStep();
  /** Reused by every request. @internal */
  readonly remapOp: RemapStep = remapStep();

  /** @param options - see {@link GpuvmOptions} */
  constructor(options: GpuvmOptions) {
    this.name = options.name ?? "unknown";
    this.start = options.start ?? 0;
    this.range = options.range;
    this.#end = (this.start + this.range) % U64;
    this.gems = options.gems;
    this.resvObject = options.resv?.get() ?? new GemObject(options.gems, 0);
    this.repeat = options.repeat ?? "phase";
    this.resvProtected = options.resvProtected ?? false;
    this.immediateMode = options.immediateMode ?? false;
    this.counters = options.counters ?? gpuvmCounters();
    this.#onFree = options.onFree;
    this.pool = new GpuvaPool(options.capacity);
    this.tree = new VaTree(options.nodeCapacity);
    const kernelRange = options.kernelRange ?? 0;
    this.#kernelStart = options.kernelStart ?? 0;
    this.#kernelEnd = this.#kernelStart + kernelRange;
    if (kernelRange !== 0) {
      this.kernelNode = this.#fill(this.#kernelStart, this.#kernelEnd, null, 0, 0, 0, 0);
      if (this.#kernelEnd < U64) {
        this.tree.seek(this.#kernelStart);
        this.tree.insertAtPlace(this.#kernelStart, this.kernelNode);
      }
    }
  }

  /** The VM's reservation. */
  get resv(): Resv {
    return this.resvObject.resv;
  }

  /** Mappings, the kernel node left out. */
  get count(): number {
    return this.tree.size - (this.kernelNode !== 0 && this.#kernelEnd < U64 ? 1 : 0);
  }

  /** Bytes that the mappings take: records and tree, slack included. */
  get memoryBytes(): number {
    return this.pool.memoryBytes + this.tree.memoryBytes;
  }

  /** Take a reference. */
  get(): this {
    this.refs++;
    return this;
  }

  /**
   * Drop a reference; the last one ends the VM.
   *
   * @throws Error when mappings or lists are left, where the kernel warns
   */
  put(): void {
    if (--this.refs > 0) return;
    if (this.count !== 0) throw new Error(`${this.name}: ${this.count} mappings left at the end`);
    if (this.#extobjs.length + this.#evicted.length + this.#deferred.length !== 0) {
      throw new Error(`${this.name}: extobj, evict or bo_defer list not empty at the end`);
    }
    this.resvObject.put();
    this.#onFree?.();
  }

  // -- range checks and look-up -------------------------------------------------------------------------------------

  /**
   * @param addr - bytes
   * @param range - bytes; 0 is accepted, as in the kernel
   * @returns true when `[addr, addr + range)` does not reach 2^64, lies in the window, and leaves the kernel's range alone
   */
  rangeValid(addr: number, range: number): boolean {
    const end = addr + range;
    return (
      end < U64 &&
      addr >= this.start &&
      end <= this.#end &&
      !(this.kernelNode !== 0 && addr < this.#kernelEnd && this.#kernelStart < end)
    );
  }

  /**
   * Lowest mapping that meets a range. The kernel node can be returned.
   *
   * @param addr - bytes
   * @param range - bytes; with 0 only a mapping that holds both `addr - 1` and `addr` is found
   * @returns its handle, 0 = none
   */
  findFirst(addr: number, range: number): number {
    return this.seekFirst(addr, range) ? this.tree.at() : 0;
  }

  /**
   * @param addr - bytes
   * @param range - bytes
   * @returns the mapping of exactly this range, 0 = none
   */
  find(addr: number, range: number): number {
    const va = this.findFirst(addr, range);
    return va !== 0 && this.addr(va) === addr && this.rangeOf(va) === range ? va : 0;
  }

  /**
   * @param addr - bytes
   * @param range - bytes
   * @returns true when no mapping, the kernel's included, meets the range
   */
  intervalEmpty(addr: number, range: number): boolean {
    return !this.seekFirst(addr, range);
  }

  /** {@link Gpuvm.findFirst} that leaves the tree's sought place on what it found. @internal */
  seekFirst(addr: number, range: number): boolean {
    const { tree, pool } = this;
    if (this.#wrapped !== 0 || (addr === 0 && range === 0)) {
      // Inclusive ends wrap below zero here: the first mapping of the whole VM is met.
      tree.seek(Number.NEGATIVE_INFINITY);
      return tree.at() !== 0;
    }
    tree.seek(addr);
    const { leaf, pos } = tree;
    // A zero-length mapping never meets what begins at its own address; the mapping in front of it may.
    for (let va = tree.before(); va !== 0; va = tree.before()) {
      tree.stepBack();
      const start = pool.f64[va * F64 + ADDR] as number;
      const end = pool.f64[va * F64 + END] as number;
      if (end > addr && (range !== 0 || start < addr)) return true;
      if (end !== start) break;
    }
    tree.leaf = leaf;
    tree.pos = pos;
    return tree.keyAt() < addr + range;
  }

  /** Handles of all mappings in ascending order, the kernel node left out. */
  mappings(): number[] {
    const out: number[] = [];
    this.tree.startWalkAtFirst();
    for (;;) {
      const va = this.tree.walk(Number.POSITIVE_INFINITY);
      if (va === 0) return out;
      if (va !== this.kernelNode) out.push(va);
    }
  }

  /**
   * Handles of the mappings that meet a range, ascending, the kernel node included.
   *
   * @param addr - bytes
   * @param range - bytes
   */
  mappingsIn(addr: number, range: number): number[] {
    const out: number[] = [];
    if (!this.seekFirst(addr, range)) return out;
    this.tree.startWalk();
    for (let va = this.tree.walk(addr + range); va !== 0; va = this.tree.walk(addr + range)) out.push(va);
    return out;
  }

  // -- one mapping --------------------------------------------------------------------------------------------------

  /** First address of a mapping, in bytes. */
  addr(va: number): number {
    return this.pool.f64[va * F64 + ADDR] as number;
  }

  /** First address behind a mapping, in bytes. */
  end(va: number): number {
    return this.pool.f64[va * F64 + END] as number;
  }

  /** Length of a mapping, in bytes. */
  rangeOf(va: number): number {
    return this.end(va) - this.addr(va);
  }

  /** Byte offset of a mapping into its object. */
  offset(va: number): number {
    return this.pool.f64[va * F64 + OFFSET] as number;
  }

  /** Set the byte offset of a mapping into its object. */
  setOffset(va: number, offset: number): void {
    this.pool.f64[va * F64 + OFFSET] = offset;
  }

  /** Flags of a mapping; bits below {@link GPUVA_USERBITS_SHIFT} are the core's. */
  flags(va: number): number {
    return this.pool.i32[va * I32 + FLAGS] as number;
  }

  /** Set all flags of a mapping. */
  setFlags(va: number, flags: number): void {
    this.pool.i32[va * I32 + FLAGS] = flags;
  }

  /** Bytes of the repeated window, 0 for a mapping that does not repeat. */
  gemRange(va: number): number {
    return this.pool.window(va);
  }

  /** Byte of the window that a repeated mapping begins with. */
  phase(va: number): number {
    return this.pool.phase(va);
  }

  /** Object of a mapping, null = none. */
  gem(va: number): GemObject | null {
    return this.gems.get(this.gemId(va));
  }

  /** {@link GemObject.id} of a mapping's object, 0 = none. */
  gemId(va: number): number {
    const object = this.pool.i32[va * I32 + OBJECT] as number;
    return object > 0 ? (this.vmBoGems[object] as number) : -object;
  }

  /** vm_bo that a mapping is linked to, null = none. */
  vmBo(va: number): VmBo | null {
    const object = this.pool.i32[va * I32 + OBJECT] as number;
    return object > 0 ? (this.vmBos[object] as VmBo) : null;
  }

  #fill(
    addr: number,
    end: number,
    gem: GemObject | null,
    offset: number,
    flags: number,
    gemRange: number,
    phase: number,
  ): number {
    const va = this.pool.alloc();
    const { f64, i32 } = this.pool;
    f64[va * F64 + ADDR] = addr;
    f64[va * F64 + END] = end;
    f64[va * F64 + OFFSET] = offset;
    i32[va * I32 + OBJECT] = gem === null ? 0 : -gem.id;
    i32[va * I32 + FLAGS] = flags;
    this.pool.setRepeat(va, gemRange, phase);
    return va;
  }

  /** Put a mapping into the tree. False when it would meet another one: nothing has changed then. */
  #plant(va: number, addr: number, end: number): boolean {
    const { tree } = this;
    const simple = end > addr && this.#wrapped === 0;
    // A walk that removed what was here left the place open.
    if (simple && tree.seekGap() && this.#endsBefore(addr) && tree.keyBehindGap() >= end) {
      tree.insertInGap(addr, va);
      return true;
    }
    tree.seek(addr);
    if (!(simple && this.#endsBefore(addr) && tree.keyAt() >= end)) {
      if (this.seekFirst(addr, end - addr)) return false;
      tree.seek(addr);
    }
    tree.insertAtPlace(addr, va);
    return true;
  }

  /** The mapping before the sought place ends at or below an address, and is not a zero-length one that hides another. */
  #endsBefore(addr: number): boolean {
    const va = this.tree.before();
    if (va === 0) return true;
    const end = this.pool.f64[va * F64 + END] as number;
    return end <= addr && end !== (this.pool.f64[va * F64 + ADDR] as number);
  }

  #insertNew(va: number, addr: number, end: number): number {
    if (!this.#plant(va, addr, end)) {
      this.pool.free(va);
      return -EEXIST;
    }
    this.#inserted(va);
    return va;
  }

  #inserted(va: number): void {
    this.refs++;
    const c = this.counters;
    if (++c.gpuvasLive > c.gpuvasPeak) c.gpuvasPeak = c.gpuvasLive;
    if (this.end(va) === 0) this.#wrapped = va;
  }

  /**
   * Insert a mapping. Takes a VM reference.
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
    const end = addr + range;
    if (!this.rangeValid(addr, range)) return -EINVAL;
    if (end - addr !== range) throw new RangeError(`insert: ${addr} + ${range} is not exactly representable`);
    return this.#insertNew(this.#fill(addr, end, gem, offset, flags, 0, 0), addr, end);
  }

  /**
   * Take a mapping out of the VM. Its data stays readable until {@link Gpuvm.free}. Drops a VM reference. The kernel node
   * is refused: nothing happens.
   */
  remove(va: number): void {
    if (va === this.kernelNode) return;
    this.tree.remove(this.addr(va), va);
    this.#removed(va);
  }

  #removed(va: number): void {
    this.refs--;
    this.counters.gpuvasLive--;
    if (va === this.#wrapped) this.#wrapped = 0;
  }

  /** Give a removed and unlinked mapping's handle back. */
  free(va: number): void {
    this.pool.free(va);
  }

  // -- split and merge ----------------------------------------------------------------------------------------------

  /**
   * Compute what it takes to map, and hand each step to the driver (`drm_gpuvm_sm_map`). See `split-merge.ts`.
   *
   * @returns 0, -EINVAL for a missing handler, a range that is not valid or a bad repeat, or what a handler returned
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
   */
  smUnmap(addr: number, range: number, handlers: StepHandlers): number {
    return smUnmap(this, addr, range, handlers);
  }

  /**
   * The steps of {@link Gpuvm.smMap} as a list.
   *
   * @throws {@link DrmError} EINVAL
   */
  smMapOps(request: MapRequest): GpuvmOp[] {
    return smMapOps(this, request);
  }

  /**
   * The steps of {@link Gpuvm.smUnmap} as a list.
   *
   * @throws {@link DrmError} EINVAL
   */
  smUnmapOps(addr: number, range: number): GpuvmOp[] {
    return smUnmapOps(this, addr, range);
  }

  /**
   * Cut the mappings without an object at the edges of a request, and map what was cut out.
   *
   * @throws {@link DrmError} EINVAL
   */
  madviseOps(request: MapRequest): GpuvmOp[] {
    return madviseOps(this, request);
  }

  /** One prefetch for each mapping that meets a range; no range check, the kernel node included. */
  prefetchOps(addr: number, range: number): GpuvmOp[] {
    return prefetchOps(this, addr, range);
  }

  /** One unmap for each mapping of a vm_bo, in the order of linking. */
  boUnmapOps(vmBo: VmBo): GpuvmOp[] {
    return boUnmapOps(vmBo);
  }

  /**
   * Apply a map step: a new mapping.
   *
   * @returns its handle, or -EINVAL / -EEXIST when it cannot be inserted, which the kernel's helper ignores
   */
  map(op: MapStep): number {
    const end = op.addr + op.range;
    if (!this.rangeValid(op.addr, op.range)) return -EINVAL;
    const va = this.#fill(op.addr, end, op.gem, op.offset, op.flags, op.gemRange, op.phase);
    return this.#insertNew(va, op.addr, end);
  }

  /** Apply a remap step: the old mapping goes, its pieces come; sets `op.prevVa` and `op.nextVa`. */
  remap(op: RemapStep): void {
    const { tree } = this;
    const old = op.unmap.va;
    const oldAddr = this.addr(old);
    op.prevVa = op.hasPrev ? this.#piece(op.prev) : 0;
    op.nextVa = op.hasNext ? this.#piece(op.next) : 0;
    if (op.prevVa !== 0) {
      tree.replace(oldAddr, old, op.prev.addr, op.prevVa);
      if (op.nextVa !== 0) {
        tree.stepOver();
        tree.insertAtPlace(op.next.addr, op.nextVa);
      }
    } else tree.replace(oldAddr, old, op.next.addr, op.nextVa);
    this.#removed(old);
    if (op.prevVa !== 0) this.#inserted(op.prevVa);
    if (op.nextVa !== 0) this.#inserted(op.nextVa);
  }

  #piece(op: MapStep): number {
    return this.#fill(op.addr, op.addr + op.range, op.gem, op.offset, op.flags, op.gemRange, op.phase);
  }

  /** Apply an unmap step. */
  unmap(op: UnmapStep): void {
    this.remove(op.va);
  }

  // -- vm_bo --------------------------------------------------------------------------------------------------------

  /**
   * Connect a mapping with its vm_bo: takes a vm_bo reference. Nothing happens for a mapping without an object.
   *
   * @throws Error when the objects differ, where the kernel warns
   */
  link(va: number, vmBo: VmBo): void {
    const { i32 } = this.pool;
    const at = va * I32;
    if (i32[at + OBJECT] === 0) return;
    if (this.gemId(va) !== vmBo.gem.id) throw new Error(`link: mapping and vm_bo have different objects`);
    vmBo.refs++;
    vmBo.vaCount++;
    i32[at + OBJECT] = vmBo.slot;
    i32[at + PREV] = vmBo.tail;
    i32[at + NEXT] = 0;
    if (vmBo.tail !== 0) i32[vmBo.tail * I32 + NEXT] = va;
    else vmBo.head = va;
    vmBo.tail = va;
  }

  /**
   * Take a mapping from its vm_bo's list and drop the reference.
   *
   * @returns true when that was the vm_bo's last one
   */
  unlink(va: number): boolean {
    const vmBo = this.#unlisted(va);
    return vmBo?.put() ?? false;
  }

  /** {@link Gpuvm.unlink} for immediate mode: a vm_bo that loses its last reference becomes a zombie. */
  unlinkDefer(va: number): void {
    this.#unlisted(va)?.putDeferred();
  }

  #unlisted(va: number): VmBo | null {
    const vmBo = this.vmBo(va);
    if (vmBo === null) return null;
    const { i32 } = this.pool;
    const prev = i32[va * I32 + PREV] as number;
    const next = i32[va * I32 + NEXT] as number;
    if (prev !== 0) i32[prev * I32 + NEXT] = next;
    else vmBo.head = next;
    if (next !== 0) i32[next * I32 + PREV] = prev;
    else vmBo.tail = prev;
    vmBo.vaCount--;
    i32[va * I32 + OBJECT] = -vmBo.gem.id;
    return vmBo;
  }

  /** A new pair, on no list, with one reference; takes one of the VM and one of the object. */
  vmBoCreate(gem: GemObject): VmBo {
    const slot = this.#freeSlots.pop() ?? this.vmBos.length;
    const vmBo = new VmBo(this, gem.get(), slot);
    this.vmBos[slot] = vmBo;
    this.vmBoGems[slot] = gem.id;
    this.refs++;
    const c = this.counters;
    if (++c.vmBosLive > c.vmBosPeak) c.vmBosPeak = c.vmBosLive;
    return vmBo;
  }

  /** The pair of an object, with a reference for the caller; null = not on the object's list. */
  vmBoFind(gem: GemObject): VmBo | null {
    for (const vmBo of gem.vmBos) if (vmBo.vm === this) return vmBo.get();
    return null;
  }

  /** Find the pair of an object or make it; the caller gets a reference. */
  vmBoObtain(gem: GemObject): VmBo {
    const found = this.vmBoFind(gem);
    if (found !== null) return found;
    const vmBo = this.vmBoCreate(gem);
    gem.vmBos.push(vmBo);
    return vmBo;
  }

  /**
   * {@link Gpuvm.vmBoObtain} for immediate mode, where nothing may be allocated.
   *
   * @param mine - made beforehand with {@link Gpuvm.vmBoCreate}; used up
   */
  vmBoObtainPrealloc(mine: VmBo): VmBo {
    const found = this.vmBoFind(mine.gem);
    if (found !== null) {
      mine.put();
      return found;
    }
    mine.gem.vmBos.push(mine);
    return mine;
  }

  /** Last reference gone. @internal */
  vmBoDestroy(vmBo: VmBo): void {
    discard(this.#extobjs, vmBo);
    discard(this.#evicted, vmBo);
    discard(vmBo.gem.vmBos, vmBo);
    this.#releaseVmBo(vmBo);
  }

  #releaseVmBo(vmBo: VmBo): void {
    this.vmBos[vmBo.slot] = null;
    this.#freeSlots.push(vmBo.slot);
    this.counters.vmBosLive--;
    this.put();
    vmBo.gem.put();
  }

  /** Last reference gone in immediate mode. @internal */
  vmBoDefer(vmBo: VmBo): void {
    discard(vmBo.gem.vmBos, vmBo);
    if (!this.resvProtected) {
      discard(this.#extobjs, vmBo);
      discard(this.#evicted, vmBo);
    }
    this.#deferred.unshift(vmBo);
  }

  /** Destroy the zombies, the last one first. Until then they hold their references. */
  deferredCleanup(): void {
    if (this.#deferred.length === 0) return;
    const zombies = this.#deferred.splice(0);
    for (const vmBo of zombies) {
      discard(this.#extobjs, vmBo);
      discard(this.#evicted, vmBo);
    }
    for (const vmBo of zombies) this.#releaseVmBo(vmBo);
  }

  // -- external objects and eviction --------------------------------------------------------------------------------

  /** vm_bos of external objects: what every submit locks besides the VM's own reservation. */
  extobjs(): readonly VmBo[] {
    return this.#extobjs;
  }

  /** vm_bos that are to be validated before the next submit. */
  evictList(): readonly VmBo[] {
    return this.#evicted;
  }

  /** Zombies, most recent first. */
  boDefer(): readonly VmBo[] {
    return this.#deferred;
  }

  /** @returns true when the object does not share the VM's reservation */
  isExtobj(gem: GemObject): boolean {
    return gem.resv !== this.resv;
  }

  /** Put a vm_bo on the extobj list; nothing happens for one that is there or whose object is not external. */
  extobjAdd(vmBo: VmBo): void {
    if (this.isExtobj(vmBo.gem) && !this.#extobjs.includes(vmBo)) this.#extobjs.push(vmBo);
  }

  /**
   * Mark a vm_bo evicted or not. With {@link GpuvmOptions.resvProtected} an external one joins the list only in
   * {@link Gpuvm.execLock}, since the list's guard is not held here.
   */
  evict(vmBo: VmBo, evicted: boolean): void {
    vmBo.evicted = evicted;
    if (this.resvProtected && this.isExtobj(vmBo.gem)) return;
    if (!evicted) discard(this.#evicted, vmBo);
    else if (!this.#evicted.includes(vmBo)) this.#evicted.push(vmBo);
  }

  /**
   * Lock what a submit must lock: the VM's reservation, every external object's, then the extra objects
   * (`drm_gpuvm_exec_lock`).
   *
   * @throws {@link DrmError} EALREADY for a reservation met twice, unless duplicates are ignored
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
    if (!this.resvProtected) {
      for (let i = this.#extobjs.length - 1; i >= 0; i--) {
        if ((this.#extobjs[i] as VmBo).refs === 0) this.#extobjs.splice(i, 1);
      }
    }
    for (const vmBo of this.#extobjs) {
      if (vmBo.refs === 0) continue;
      exec.prepare(vmBo.gem);
      if (this.resvProtected && vmBo.evicted && !this.#evicted.includes(vmBo)) this.#evicted.push(vmBo);
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

  /**
   * Bring evicted vm_bos back.
   *
   * @param vmBoValidate - the driver's callback: 0, or a negative errno to stop; without
   *   {@link GpuvmOptions.resvProtected} it calls {@link Gpuvm.evict} itself
   * @returns 0 or the callback's error
   */
  validate(vmBoValidate: (vmBo: VmBo, exec: ExecLock) => number, exec: ExecLock): number {
    for (const vmBo of [...this.#evicted]) {
      if (vmBo.refs === 0) continue;
      const ret = vmBoValidate(vmBo, exec);
      if (ret !== 0) return ret;
      if (this.resvProtected && !vmBo.evicted) discard(this.#evicted, vmBo);
    }
    return 0;
  }
}

function discard(list: VmBo[], vmBo: VmBo): void {
  const i = list.indexOf(vmBo);
  if (i >= 0) list.splice(i, 1);
}
