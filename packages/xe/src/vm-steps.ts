/**
 * Parsing the operations of one VM_BIND into changes of the VA tree and work for the page table.
 *
 * All operations of an ioctl change the tree first, in order, each against what the earlier ones left. Only then is the
 * collected page-table work staged, also in order. So two lists are kept:
 *
 * - the *journal*: mappings that came and went, to be undone backwards when anything fails;
 * - the *work*: unbind this mapping, bind that one.
 *
 * A cut need not touch the pieces that stay. A piece whose edge at the cut is a multiple of the largest leaf that the
 * mapping has had shares no entry with the rest: it is *skipped*, and the old mapping is trimmed so that its unbind leaves
 * the piece alone. Otherwise the piece is bound anew, whole:
 *
 * ```text
 * old     [1 GiB leaf|1 GiB leaf|1 GiB leaf|1 GiB leaf]
 * cut                |====== 2 GiB ========|
 * unbind             [ 1 GiB   |   1 GiB   ]               both pieces skipped
 * cut                 |= 64 KiB =|
 * unbind  [ 4 x 1 GiB                                 ]    both pieces bound again
 * ```
 *
 * @module
 */

import { DrmError, EBUSY, EINVAL, ENOMEM, fail, hex } from "@vmbind/drm";
import {
  GPUVA_SPARSE,
  type Gpuvm,
  type MapRequest,
  type MapStep,
  type RemapStep,
  type StepHandlers,
  type UnmapStep,
  type VmBo,
} from "@vmbind/gpuvm-core";
import type { XeBo } from "./bo.ts";
import type { XeCounters } from "./cost-sheet.ts";
import { joinMirrors } from "./mirrors.ts";
import type { XeDeviceOptions } from "./options.ts";
import {
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_IMMEDIATE,
  VM_BIND_FLAG_NULL,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_PREFETCH,
  VM_BIND_OP_UNMAP,
} from "./uapi.ts";
import type { UserPages, UserRange } from "./user-pages.ts";
import type { XeBindOp } from "./vm-bind-args.ts";
import {
  leafFlag,
  maxLeafBytes,
  VMA_ATOMIC_PTE,
  VMA_DESTROYED,
  VMA_INHERITED,
  VMA_NEW,
  VMA_PRESENT,
  VMA_READ_ONLY,
  VMA_SYSTEM_ALLOCATOR,
  VMA_ZAPPED,
  VMA_ZEROED,
  vmaFlags,
  type XeVmas,
} from "./vma.ts";
import { VmaJournal } from "./vma-journal.ts";
import { WORK_BIND, WORK_CLEAR, WORK_UNBIND, WorkList } from "./work-list.ts";

/** What the changes need to know of their VM; see `XeVm`. */
export interface SteppingVm {
  /** Mappings and the rules of split and merge. */
  readonly gpuvm: Gpuvm;
  /** Page tables are filled by recoverable faults. */
  readonly faultMode: boolean;
  /** What is not mapped reads as zero. */
  readonly scratch: boolean;
  /** Bytes of VA, from 0 on. */
  readonly size: number;
}

/** The changes of one ioctl. One per VM, reused. */
export class VmSteps implements StepHandlers {
  readonly #vm: SteppingVm;
  readonly #gpuvm: Gpuvm;
  readonly #vmas: XeVmas;
  readonly #counters: XeCounters;
  readonly #options: Readonly<XeDeviceOptions>;
  readonly #baseFlags: number;
  readonly #journal: VmaJournal;
  readonly #request: MapRequest = { addr: 0.5, range: 0.5, gem: null, offset: 0.5, flags: 0 };
  /** Page-table work that was parsed. */
  readonly work: WorkList = new WorkList();
  #mapFlags = 0;
  #mapPat = 0;
  #mapUserPages: UserPages | null = null;
  #mapProcess: object | undefined = undefined;
  /** Why a step handler stopped; empty where the VA manager did. */
  #refusal = "";
  #mapWork = WORK_BIND;

  /** Operations that the VA manager produced for this ioctl. */
  steps = 0;
  /** Pieces of cut mappings that are bound again. */
  rebuilt = 0;

  /**
   * @param vm - the VM
   * @param vmas - its mappings' records
   * @param options - the device's
   * @param counters - where to count
   * @param atomicEnableBit - the platform's leaves have one
   */
  constructor(
    vm: SteppingVm,
    vmas: XeVmas,
    options: Readonly<XeDeviceOptions>,
    counters: XeCounters,
    atomicEnableBit: boolean,
  ) {
    this.#vm = vm;
    this.#gpuvm = vm.gpuvm;
    this.#vmas = vmas;
    this.#options = options;
    this.#counters = counters;
    this.#journal = new VmaJournal(vm.gpuvm, vmas);
    this.#baseFlags = atomicEnableBit ? VMA_ATOMIC_PTE : 0;
  }

  /** A new ioctl begins. */
  begin(): void {
    this.#journal.begin();
    this.work.clear();
    this.steps = 0;
    this.rebuilt = 0;
  }

  /**
   * Parse one operation into the tree.
   *
   * @throws `DrmError` EBUSY, ENOMEM; {@link VmSteps.undo} is to follow
   */
  parse(op: XeBindOp): void {
    this.#refusal = "";
    if (op.op === VM_BIND_OP_MAP || op.op === VM_BIND_OP_MAP_USERPTR) this.#parseMap(op);
    else if (op.op === VM_BIND_OP_UNMAP) this.#parseUnmap(op);
    else if (op.op === VM_BIND_OP_PREFETCH) this.#parsePrefetch(op);
    else this.#parseUnmapAll(op);
  }

  /** Bind one mapping that exists: what a recoverable fault asks for. */
  addBind(va: number): void {
    this.steps++;
    this.work.push(WORK_BIND, va);
  }

  #parseMap(op: XeBindOp): void {
    if (op.bo?.purged) fail(EINVAL, `${op.name}.obj: the object is purged: its contents are gone`);
    if (op.bo?.dontNeed) fail(EBUSY, `${op.name}.obj: madvise gave the object's contents up`);
    const { flags } = op;
    this.#mapPat = op.patIndex;
    this.#mapUserPages = op.userPages;
    this.#mapProcess = op.process;
    this.#mapFlags = this.#baseFlags | vmaFlags(flags);
    const { faultMode, scratch } = this.#vm;
    const deferred = faultMode && (flags & VM_BIND_FLAG_IMMEDIATE) === 0;
    this.#mapWork = !deferred ? WORK_BIND : scratch ? WORK_CLEAR : -1;
    if (flags & VM_BIND_FLAG_CPU_ADDR_MIRROR) this.#mapWork = -1;
    const request = this.#request;
    request.addr = op.addr;
    request.range = op.range;
    if (flags & VM_BIND_FLAG_CPU_ADDR_MIRROR) joinMirrors(request, this.#vm, this.#vmas);
    request.gem = op.bo;
    request.offset = op.objOffset;
    request.flags = flags & VM_BIND_FLAG_NULL ? GPUVA_SPARSE : 0;
    // Most binds meet nothing. What may fail step by step, or is asked of a process, goes the long way.
    const short = this.#options.allocFault === undefined && op.userPages === null;
    const va = short ? this.#gpuvm.mapFree(request) : 0;
    if (va !== 0) this.#came(va, op.bo === null ? null : this.#gpuvm.vmBoObtain(op.bo));
    else this.#check(this.#gpuvm.smMap(request, this), op);
  }

  #parseUnmap(op: XeBindOp): void {
    // Most unmaps are of one whole mapping.
    const va = this.#gpuvm.unmapWhole(op.addr, op.range);
    if (va !== 0) this.#went(va);
    else this.#check(this.#gpuvm.smUnmap(op.addr, op.range, this), op);
  }

  #parsePrefetch(op: XeBindOp): void {
    const gpuvm = this.#gpuvm;
    let { region } = op;
    for (const va of gpuvm.mappingsIn(op.addr, op.range)) {
      const refused = this.#pinAgain(va, gpuvm.offset(va), gpuvm.rangeOf(va));
      if (refused !== 0) this.#check(refused, op);
      this.steps++;
      if (((this.#vmas.flags[va] as number) & VMA_SYSTEM_ALLOCATOR) !== 0) continue;
      this.work.pushPrefetch(va, region, op.name);
      if (this.#options.quirks.prefetchFirstOnly) region = 0;
    }
  }

  #parseUnmapAll(op: XeBindOp): void {
    const vmBo = op.bo === null ? null : this.#gpuvm.vmBoFind(op.bo);
    if (vmBo === null) return;
    const { flags } = this.#vmas;
    // Mappings that an earlier operation of the ioctl took out are still linked; the kernel would take them out twice.
    const vas = [...vmBo.vas()].filter((va) => ((flags[va] as number) & VMA_DESTROYED) === 0);
    for (const va of vas) {
      this.#gpuvm.counters.unmapSteps++;
      this.#remove(va);
    }
    vmBo.put();
  }

  #check(ret: number, op: XeBindOp): void {
    if (ret === 0) return;
    fail(-ret, `${op.name}: ${this.#refusal || this.#gpuvm.refusal}`);
  }

  #noMemory(what: string, addr: number): number {
    this.#refusal = `no memory for the ${what} at ${hex(addr)} (injected)`;
    return -ENOMEM;
  }

  /** Run what may be refused inside a step handler, which has to return a negative errno. */
  #attempt(run: () => void): number {
    try {
      run();
      return 0;
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      this.#refusal = error.reason;
      return -error.errno;
    }
  }

  /** Pin the pages of a user-pointer mapping: what was pinned, or a negative errno. */
  #pin(pages: UserPages, { offset, range }: MapStep): UserRange | number {
    const write = (this.#mapFlags & VMA_READ_ONLY) === 0;
    let pinned: UserRange | number = 0;
    const refused = this.#attempt(() => {
      pinned = pages.pin(offset, range, this.#mapProcess, write);
    });
    return refused === 0 ? pinned : refused;
  }

  /** Pages of a mapping, or of a piece of it, are pinned anew if they are a process's; 0 or a negative errno. */
  #pinAgain(va: number, offset: number, bytes: number): number {
    return this.#vmas.user.size === 0 ? 0 : this.#attempt(() => this.#vmas.checkUser(va, offset, bytes));
  }

  // -- step handlers ------------------------------------------------------------------------------------------------

  /** Step handler; see {@link StepHandlers}. @internal */
  map(step: MapStep): number {
    if (this.#options.allocFault?.("gpuva")) return this.#noMemory("gpuva", step.addr);
    const gpuvm = this.#gpuvm;
    const { gem } = step;
    let vmBo = gem === null ? null : gpuvm.vmBoFind(gem);
    if (gem !== null && vmBo === null) {
      if (this.#options.allocFault?.("vm_bo")) return this.#noMemory("vm_bo", step.addr);
      vmBo = gpuvm.vmBoObtain(gem);
    }
    const user = this.#mapUserPages === null ? null : this.#pin(this.#mapUserPages, step);
    if (typeof user === "number") return user;
    const va = gpuvm.map(step);
    if (va < 0) throw new Error(`vm_bind: GPUVM refused the map step at 0x${step.addr.toString(16)}: ${va}`);
    this.#came(va, vmBo);
    if (user !== null) this.#vmas.user.set(va, user);
    return 0;
  }

  /** What is asked for is in the tree; a reference to its vm_bo goes. */
  #came(va: number, vmBo: VmBo | null): void {
    this.steps++;
    this.#vmas.create(va, this.#mapFlags, this.#mapPat, 0);
    if (vmBo !== null) {
      this.#gpuvm.link(va, vmBo);
      this.#gpuvm.extobjAdd(vmBo);
      vmBo.put();
    }
    this.#journal.came(va);
    if (this.#mapWork >= 0) this.work.push(this.#mapWork, va);
  }

  /** Step handler. @internal */
  unmap(step: UnmapStep): number {
    this.#remove(step.va);
    return 0;
  }

  #remove(va: number): void {
    this.#gpuvm.remove(va);
    this.#went(va);
  }

  /** A whole mapping is out of the tree. */
  #went(va: number): void {
    this.steps++;
    this.#journal.went(va);
    if (((this.#vmas.flags[va] as number) & VMA_SYSTEM_ALLOCATOR) === 0) this.work.push(WORK_UNBIND, va);
  }

  /** Step handler. @internal */
  remap(step: RemapStep): number {
    const { allocFault } = this.#options;
    const old = step.unmap.va;
    if (step.hasPrev) {
      if (allocFault?.("gpuva")) return this.#noMemory("piece in front", step.prev.addr);
      const refused = this.#pinAgain(old, step.prev.offset, step.prev.range);
      if (refused !== 0) return refused;
    }
    if (step.hasNext) {
      if (allocFault?.("gpuva")) return this.#noMemory("piece behind", step.next.addr);
      const refused = this.#pinAgain(old, step.next.offset, step.next.range);
      if (refused !== 0) return refused;
    }
    this.steps++;
    const vmas = this.#vmas;
    const oldFlags = vmas.flags[old] as number;
    const mirror = (oldFlags & VMA_SYSTEM_ALLOCATOR) !== 0;
    const leaf = maxLeafBytes(oldFlags);
    let first = this.#gpuvm.addr(old);
    let behind = this.#gpuvm.end(old);
    this.#gpuvm.remap(step);
    this.#journal.went(old);
    if (!mirror) this.work.push(WORK_UNBIND, old);
    if (step.prevVa !== 0) {
      const end = step.prev.addr + step.prev.range;
      if (this.#piece(old, step.prevVa, oldFlags, mirror, (end & (leaf - 1)) === 0, leaf)) first = end;
    }
    if (step.nextVa !== 0) {
      const start = step.next.addr;
      if (this.#piece(old, step.nextVa, oldFlags, mirror, (start & (leaf - 1)) === 0, leaf)) behind = start;
    }
    if (first !== this.#gpuvm.addr(old) || behind !== this.#gpuvm.end(old))
      vmas.trims.set(old, first, behind);
    return 0;
  }

  /** A piece of a split mapping. True when it keeps its page-table entries. */
  #piece(
    old: number,
    va: number,
    oldFlags: number,
    mirror: boolean,
    aligned: boolean,
    leaf: number,
  ): boolean {
    const vmas = this.#vmas;
    const gpuvm = this.#gpuvm;
    const flags = this.#baseFlags | (oldFlags & VMA_INHERITED);
    const bindsLater = (oldFlags & VMA_NEW) !== 0 && !this.#options.quirks.lostRemnant;
    // Pieces of a user-pointer mapping get DMA mappings of their own, so they are always bound again.
    const user = vmas.user.size === 0 ? undefined : vmas.user.get(old);
    // Of zapped leaves a table may be cut off that pieces would share.
    const zapped = ((vmas.state[old] as number) & VMA_ZAPPED) !== 0;
    const skip = mirror || (aligned && !bindsLater && user === undefined && !zapped);
    const state = skip ? (vmas.state[old] as number) & (VMA_PRESENT | VMA_ZEROED) : 0;
    vmas.create(va, skip ? flags | leafFlag(leaf) : flags, vmas.pat[old] as number, state);
    vmas.inheritAttributes(old, va);
    const vmBo = gpuvm.vmBo(old);
    if (vmBo !== null) gpuvm.link(va, vmBo);
    else if (user !== undefined) vmas.user.set(va, user);
    else gpuvm.setOffset(va, 0);
    this.#journal.came(va);
    if (mirror) return false;
    if (skip) {
      this.#counters.remnantsSkipped++;
    } else {
      this.#counters.remnantsRebound++;
      this.rebuilt++;
      this.work.push(WORK_BIND, va);
    }
    return skip;
  }

  // -- the end of an ioctl ------------------------------------------------------------------------------------------

  /** The mappings that the ioctl made. */
  arrivals(): Iterable<number> {
    return this.#journal.arrivals();
  }

  /** Everything went well; `held` is that of {@link VmaJournal.finish}. */
  finish(held?: (XeBo | null)[]): void {
    this.#journal.finish(held);
  }

  /** Bring the tree back to what it was when the ioctl began. */
  undo(): void {
    this.#journal.undo();
    this.begin();
  }

  /** VM_DESTROY: every mapping goes. */
  removeAll(): void {
    this.#journal.removeAll();
  }
}
