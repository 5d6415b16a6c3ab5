/**
 * Which objects a VM maps: vm_bo pairs and their references, the list of external objects, eviction, and the clean-up
 * that immediate mode defers.
 *
 * | event | VM | vm_bo | GEM |
 * |---|---|---|---|
 * | vm_bo made | +1 | 1 | +1 |
 * | vm_bo found | | +1 | |
 * | mapping inserted | +1 | | |
 * | mapping linked | | +1 | |
 *
 * and back. A mapping holds no reference of its own on the object: n mappings of one object cost the object one
 * (`drivers/gpu/drm/drm_gpuvm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { GemObject, type GemObjects, type Resv } from "@vmbind/drm";
import { type GpuvmCounters, gpuvmCounters } from "./counters.ts";
import { ListEntry, ListHead } from "./list-head.ts";
import { VaSpace, type VaSpaceOptions } from "./va-space.ts";
import { VmBo } from "./vm-bo.ts";

/** What a VM's objects need to be told. */
export interface VmObjectsOptions extends VaSpaceOptions {
  /** For people, `"unknown"` unless given. */
  name?: string;
  /** The device's objects. */
  gems: GemObjects;
  /** The object whose reservation is the VM's (`r_obj`); one reference is taken. A private one is made unless given. */
  resv?: GemObject;
  /** `DRM_GPUVM_RESV_PROTECTED`: the extobj and evict lists are guarded by the VM's reservation. */
  resvProtected?: boolean;
  /** `DRM_GPUVM_IMMEDIATE_MODE`: bindings change in the fence-signalling path; vm_bo destruction is deferred. */
  immediateMode?: boolean;
  /** Where to count. */
  counters?: GpuvmCounters;
  /** The `vm_free` callback: the last reference is gone. */
  onFree?: () => void;
}

/** A VA space whose mappings show objects. */
export class VmObjects extends VaSpace {
  /** For people. */
  readonly name: string;
  /** The object whose reservation is the VM's. */
  readonly resvObject: GemObject;
  /** See {@link VmObjectsOptions.resvProtected}. */
  readonly resvProtected: boolean;
  /** See {@link VmObjectsOptions.immediateMode}. */
  readonly immediateMode: boolean;
  /** Where this VM counts. */
  readonly counters: GpuvmCounters;
  /** The device's objects. */
  readonly gems: GemObjects;
  /** References: the creator's, one per inserted mapping, one per vm_bo. */
  refs = 1;
  /** vm_bos by slot; mappings store the slot. */
  readonly #vmBos: (VmBo | null)[] = [null];
  /** GEM id by vm_bo slot. */
  readonly #vmBoGems: number[] = [0];
  readonly #freeSlots: number[] = [];
  readonly #extobjs = new ListHead<VmBo>();
  readonly #evicted = new ListHead<VmBo>();
  readonly #deferred: VmBo[] = [];
  readonly #onFree: (() => void) | undefined;

  /** @param options - see {@link VmObjectsOptions} */
  constructor(options: VmObjectsOptions) {
    super(options);
    this.name = options.name ?? "unknown";
    this.gems = options.gems;
    this.resvObject = options.resv?.get() ?? new GemObject(options.gems, 0);
    this.resvProtected = options.resvProtected ?? false;
    this.immediateMode = options.immediateMode ?? false;
    this.counters = options.counters ?? gpuvmCounters();
    this.#onFree = options.onFree;
  }

  /** The VM's reservation. */
  get resv(): Resv {
    return this.resvObject.resv;
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
    if (!this.#extobjs.isEmpty || !this.#evicted.isEmpty || this.#deferred.length !== 0) {
      throw new Error(`${this.name}: extobj, evict or bo_defer list not empty at the end`);
    }
    this.resvObject.put();
    this.#onFree?.();
  }

  /** Object of a mapping, null = none. */
  gem(va: number): GemObject | null {
    return this.gems.get(this.gemId(va));
  }

  /** {@link GemObject.id} of a mapping's object, 0 = none. */
  gemId(va: number): number {
    const object = this.pool.object(va);
    return object > 0 ? (this.#vmBoGems[object] as number) : -object;
  }

  /** vm_bo that a mapping is linked to, null = none. */
  vmBo(va: number): VmBo | null {
    const object = this.pool.object(va);
    return object > 0 ? (this.#vmBos[object] as VmBo) : null;
  }

  /**
   * Connect a mapping with its vm_bo (`drm_gpuva_link`): takes a vm_bo reference. Nothing happens for a mapping without
   * an object.
   *
   * @throws Error when the objects differ, where the kernel warns
   */
  link(va: number, vmBo: VmBo): void {
    const { pool } = this;
    const object = pool.object(va);
    if (object === 0) return;
    if (object !== -vmBo.gem.id && this.gemId(va) !== vmBo.gem.id)
      throw new Error(`link: mapping and vm_bo have different objects`);
    vmBo.refs++;
    vmBo.vaCount++;
    pool.setObject(va, vmBo.slot);
    pool.setPrev(va, vmBo.tail);
    pool.setNext(va, 0);
    if (vmBo.tail !== 0) pool.setNext(vmBo.tail, va);
    else vmBo.head = va;
    vmBo.tail = va;
  }

  /**
   * Take a mapping from its vm_bo's list (`drm_gpuva_unlink`) and drop the reference.
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

  /** Mappings `first` to `last`, `count` of them, have been linked to a vm_bo behind its last one. @internal */
  protected linkedRun(vmBo: VmBo, first: number, last: number, count: number): void {
    vmBo.refs += count;
    vmBo.vaCount += count;
    if (vmBo.tail === 0) vmBo.head = first;
    vmBo.tail = last;
  }

  /**
   * {@link VmObjects.unlinkDefer}, then {@link Gpuvm.free}, of one mapping after the other. Those that follow one another in a vm_bo's list
   * leave it together.
   *
   * @param vas - their handles, removed
   * @param count - how many of those, from the first on
   */
  dropDeferred(vas: readonly number[], count: number): void {
    const { pool } = this;
    for (let i = 0; i < count; ) {
      const first = vas[i] as number;
      const vmBo = this.vmBo(first);
      if (vmBo === null) {
        pool.free(first);
        i++;
        continue;
      }
      const n = pool.chainedFrom(vas, i, count);
      const prev = pool.prev(first);
      const next = pool.next(vas[i + n - 1] as number);
      if (prev !== 0) pool.setNext(prev, next);
      else vmBo.head = next;
      if (next !== 0) pool.setPrev(next, prev);
      else vmBo.tail = prev;
      vmBo.vaCount -= n;
      pool.freeRun(vas, i, n, -vmBo.gem.id);
      i += n;
      vmBo.refs -= n - 1;
      vmBo.putDeferred();
    }
  }

  #unlisted(va: number): VmBo | null {
    const { pool } = this;
    const slot = pool.object(va);
    if (slot <= 0) return null;
    const vmBo = this.#vmBos[slot] as VmBo;
    const prev = pool.prev(va);
    const next = pool.next(va);
    if (prev !== 0) pool.setNext(prev, next);
    else vmBo.head = next;
    if (next !== 0) pool.setPrev(next, prev);
    else vmBo.tail = prev;
    vmBo.vaCount--;
    pool.setObject(va, -vmBo.gem.id);
    return vmBo;
  }

  /** A new pair (`drm_gpuvm_bo_create`), on no list, with one reference; takes one of the VM and one of the object. */
  vmBoCreate(gem: GemObject): VmBo {
    const slot = this.#freeSlots.pop() ?? this.#vmBos.length;
    const vmBo = new VmBo(this, gem.get(), slot);
    this.#vmBos[slot] = vmBo;
    this.#vmBoGems[slot] = gem.id;
    this.refs++;
    const c = this.counters;
    if (++c.vmBosLive > c.vmBosPeak) c.vmBosPeak = c.vmBosLive;
    return vmBo;
  }

  /** The pair of an object, with a reference for the caller; null = not on the object's list. */
  vmBoFind(gem: GemObject): VmBo | null {
    const { vmBos } = gem;
    for (let i = 0; i < vmBos.length; i++) {
      const vmBo = vmBos[i] as VmBo;
      if (vmBo.vm === this) return vmBo.get();
    }
    return null;
  }

  /** All pairs of this VM, zombies included. */
  *vmBos(): Generator<VmBo> {
    for (const vmBo of this.#vmBos) if (vmBo !== null) yield vmBo;
  }

  /** Mapping before a linked one in its vm_bo's list, 0 = none. @internal */
  previousOfVmBo(va: number): number {
    return this.pool.prev(va);
  }

  /** Find the pair of an object or make it (`drm_gpuvm_bo_obtain_locked`); the caller gets a reference. */
  vmBoObtain(gem: GemObject): VmBo {
    const found = this.vmBoFind(gem);
    if (found !== null) return found;
    const vmBo = this.vmBoCreate(gem);
    append(gem.vmBos, vmBo);
    return vmBo;
  }

  /**
   * {@link VmObjects.vmBoObtain} for immediate mode, where nothing may be allocated (`drm_gpuvm_bo_obtain_prealloc`).
   *
   * @param mine - made beforehand with {@link VmObjects.vmBoCreate}; used up
   */
  vmBoObtainPrealloc(mine: VmBo): VmBo {
    const found = this.vmBoFind(mine.gem);
    if (found !== null) {
      mine.put();
      return found;
    }
    append(mine.gem.vmBos, mine);
    return mine;
  }

  /** Last reference gone. @internal */
  vmBoDestroy(vmBo: VmBo): void {
    this.#extobjs.delete(vmBo.extobj);
    this.#evicted.delete(vmBo.evict);
    discard(vmBo.gem.vmBos, vmBo);
    this.#releaseVmBo(vmBo);
  }

  #releaseVmBo(vmBo: VmBo): void {
    this.#vmBos[vmBo.slot] = null;
    this.#freeSlots.push(vmBo.slot);
    this.counters.vmBosLive--;
    this.put();
    vmBo.gem.put();
  }

  /** Last reference gone in immediate mode. @internal */
  vmBoDefer(vmBo: VmBo): void {
    discard(vmBo.gem.vmBos, vmBo);
    if (!this.resvProtected) {
      this.#extobjs.delete(vmBo.extobj);
      this.#evicted.delete(vmBo.evict);
    }
    append(this.#deferred, vmBo);
  }

  /**
   * Destroy the zombies, the last one first (`drm_gpuvm_bo_deferred_cleanup`). Until then they hold their references.
   */
  deferredCleanup(): void {
    const zombies = this.#deferred;
    while (zombies.length > 0) {
      const vmBo = zombies.pop() as VmBo;
      this.#extobjs.delete(vmBo.extobj);
      this.#evicted.delete(vmBo.evict);
      this.#releaseVmBo(vmBo);
    }
  }

  /** vm_bos of external objects: what every submit locks besides the VM's own reservation. */
  extobjs(): readonly VmBo[] {
    return this.#extobjs.toArray();
  }

  /** vm_bos that are to be validated before the next submit. */
  evictList(): readonly VmBo[] {
    return this.#evicted.toArray();
  }

  /** Zombies, most recent first. */
  boDefer(): readonly VmBo[] {
    return this.#deferred.toReversed();
  }

  /** @returns true when the object does not share the VM's reservation */
  isExtobj(gem: GemObject): boolean {
    return gem.resv !== this.resv;
  }

  /**
   * Put a vm_bo on the extobj list (`drm_gpuvm_bo_extobj_add`); nothing happens for one that is there or whose object is
   * not external.
   */
  extobjAdd(vmBo: VmBo): void {
    if (!this.isExtobj(vmBo.gem)) return;
    vmBo.extobj ??= new ListEntry(vmBo);
    this.#extobjs.add(vmBo.extobj);
  }

  /**
   * Mark a vm_bo evicted or not (`drm_gpuvm_bo_evict`). With {@link GpuvmOptions.resvProtected} an external one joins
   * the list only in {@link Gpuvm.execLock}, since the list's guard is not held here.
   */
  evict(vmBo: VmBo, evicted: boolean): void {
    vmBo.evicted = evicted;
    if (this.resvProtected && this.isExtobj(vmBo.gem)) return;
    if (evicted) this.listEvicted(vmBo);
    else this.#evicted.delete(vmBo.evict);
  }

  /** Put a vm_bo on the evict list once. @internal */
  protected listEvicted(vmBo: VmBo): void {
    vmBo.evict ??= new ListEntry(vmBo);
    this.#evicted.add(vmBo.evict);
  }

  /** Forget the external objects whose vm_bo lost its last reference; the list without a guard is cleaned on the way. @internal */
  protected liveExtobjs(): VmBo[] {
    const live: VmBo[] = [];
    for (const vmBo of this.#extobjs.toArray()) {
      if (vmBo.refs > 0) live.push(vmBo);
      else if (!this.resvProtected) this.#extobjs.delete(vmBo.extobj);
    }
    return live;
  }

  /**
   * Bring evicted vm_bos back (`drm_gpuvm_validate`).
   *
   * @param vmBoValidate - the driver's callback: 0, or a negative errno to stop; without
   *   {@link GpuvmOptions.resvProtected} it calls {@link Gpuvm.evict} itself
   * @returns 0 or the callback's error
   */
  validate(vmBoValidate: (vmBo: VmBo) => number): number {
    for (const vmBo of this.#evicted.toArray()) {
      if (vmBo.refs === 0) continue;
      const ret = vmBoValidate(vmBo);
      if (ret !== 0) return ret;
      if (this.resvProtected && !vmBo.evicted) this.#evicted.delete(vmBo.evict);
    }
    return 0;
  }
}

/** Where most lists are empty, V8 calls `push`: of an empty array it does not know what it will hold. */
function append<T>(list: T[], entry: T): void {
  list[list.length] = entry;
}

function discard<T>(list: T[], entry: T): void {
  if (list.length === 0) return;
  // What came last often goes first, and splice would make an array of it.
  if (list[list.length - 1] === entry) {
    list.pop();
    return;
  }
  const i = list.indexOf(entry);
  if (i >= 0) list.splice(i, 1);
}
