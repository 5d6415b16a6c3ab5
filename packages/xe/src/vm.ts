/**
 * One GPU address space: the VA manager, the page table, and what the driver keeps per mapping.
 *
 * @module
 */

import {
  DrmError,
  EACCES,
  EINVAL,
  EPERM,
  errorOf,
  type Fence,
  fail,
  type GemHandles,
  type GemObjects,
  hex,
  type VaRange,
} from "@vmbind/drm";
import { Gpuvm } from "@vmbind/gpuvm-core";
import { AddressSpace, type PhysicalMemory, ppgtt, type Tlb } from "@vmbind/mmu";
import { type BindJob, BindJobs, type JobOrder } from "./bind-jobs.ts";
import type { XeBo, XeBoHome } from "./bo.ts";
import type { XeCounters } from "./cost-sheet.ts";
import { FORCE_OP_ERROR, type ForcedErrors } from "./forced-errors.ts";
import { MadviseCuts } from "./madvise-cuts.ts";
import { mappingViews, type XeMappingView } from "./mapping-view.ts";
import { ObjectMoves } from "./object-moves.ts";
import type { XeDeviceOptions } from "./options.ts";
import { PageTable } from "./page-table.ts";
import type { Platform } from "./platforms.ts";
import type { PtJob } from "./pt-job.ts";
import type { XeTables } from "./pt-tables.ts";
import type { XeQuirks } from "./quirks.ts";
import { invalidateSpace, noRange, type TlbInvalidation } from "./tlb-range.ts";
import {
  VM_CREATE_FLAG_FAULT_MODE,
  VM_CREATE_FLAG_LR_MODE,
  VM_CREATE_FLAG_NO_VM_OVERCOMMIT,
  VM_CREATE_FLAG_SCRATCH_PAGE,
} from "./uapi.ts";
import type { VmFault } from "./uapi-madvise.ts";
import { checkUserFences, setUserFence } from "./user-fences.ts";
import type { XeBindOp } from "./vm-bind-args.ts";
import { type FaultAccess, VmFaults } from "./vm-faults.ts";
import { VmLeaves } from "./vm-leaves.ts";
import { VmSteps } from "./vm-steps.ts";
import { VMA_PRESENT, VMA_READ_ONLY, VMA_SYSTEM_ALLOCATOR, VMA_ZAPPED, XeVmas } from "./vma.ts";
import { release } from "./vma-journal.ts";

const NO_FENCES: readonly Fence[] = [];

/** What a VM needs of its device; see `XeDevice`. */
export interface XeVmDevice {
  /** What it is. */
  readonly platform: Platform;
  /** What was chosen. */
  readonly options: Readonly<XeDeviceOptions>;
  /** The cost sheet. */
  readonly counters: XeCounters;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** All objects. */
  readonly gems: GemObjects;
  /** The TLB, or null. */
  readonly tlb: Tlb | null;
  /** Page tables. @internal */
  readonly tables: XeTables;
  /** Runs page-table work. @internal */
  readonly job: PtJob;
  /** Where VM_BINDs fail that have to. @internal */
  readonly forcedErrors: ForcedErrors;
  /** VMs that are not destroyed, by their VA manager. @internal */
  readonly vms: Map<object, XeVm>;
  /** Where objects were that have moved, while binds that wait may still show it. @internal */
  readonly leaving: Set<XeBoHome>;
}

/** A VM. */
export class XeVm {
  readonly #device: XeVmDevice;
  readonly #handles: GemHandles<XeBo>;
  readonly #cuts: MadviseCuts;
  readonly #faults: VmFaults;
  /** What the device is. */
  readonly platform: Platform;
  /** The device's defects. */
  readonly quirks: XeQuirks;
  /** `VM_CREATE_FLAG_*`. */
  readonly createFlags: number;
  /** What is not mapped reads as zero. */
  readonly scratch: boolean;
  /** Long-running: preempted instead of fenced. */
  readonly longRunning: boolean;
  /** Page tables are filled by recoverable faults. */
  readonly faultMode: boolean;
  /** All that it maps has to be in its memory after a VM_BIND: its batches, which run all the time, have no faults to bring it. */
  readonly keepsAll: boolean;
  /** A VM_BIND may evict some of its objects for others. */
  readonly #overcommits: boolean;
  /** Objects that it maps may have been evicted. @internal */
  hasEvicted = false;
  /** Bytes of VA, from 0 on. */
  readonly size: number;
  /** Mappings and the rules of split and merge. */
  readonly gpuvm: Gpuvm;
  /** The page table. */
  readonly pageTable: PageTable;
  /** What the GPU sees. */
  readonly addressSpace: AddressSpace;
  /** The driver's data of the mappings. */
  readonly vmas: XeVmas = new XeVmas();
  /** Changes of the running ioctl. @internal */
  readonly ops: VmSteps;
  /** Objects that the running ioctl moves. @internal */
  readonly moves: ObjectMoves;
  /** Page-table work that waits. @internal */
  readonly jobs: BindJobs;
  /** What happens to leaves when no VM_BIND asks for it. @internal */
  readonly leaves: VmLeaves;
  readonly #faultOrder: JobOrder;
  readonly #order: { -readonly [Member in keyof JobOrder]: JobOrder[Member] } = {
    queue: this,
    waits: NO_FENCES,
    rebuilds: false,
    maps: false,
    byIoctl: true,
    evictsOwn: false,
    fails: null,
  };
  /** Grows when the next batch of each queue must flush the TLB. */
  tlbFlushSeqno = 0;
  /** The TLB invalidation that the last VM_BIND sent, null when it sent none. The next one writes to the same record. */
  lastInvalidation: TlbInvalidation | null = null;
  /** The record of {@link XeVm.lastInvalidation}. @internal */
  readonly invalidation: TlbInvalidation = noRange();

  /**
   * @param device - the device
   * @param flags - `VM_CREATE_FLAG_*`, checked
   * @param asid - tags TLB entries, unique in the device
   * @param handles - of its file
   * @throws `DrmError` ENOMEM
   */
  constructor(device: XeVmDevice, flags: number, asid: number, handles: GemHandles<XeBo>) {
    const { platform, counters, memory } = device;
    this.#device = device;
    this.#handles = handles;
    this.platform = platform;
    this.quirks = device.options.quirks;
    this.createFlags = flags;
    this.scratch = (flags & VM_CREATE_FLAG_SCRATCH_PAGE) !== 0;
    this.longRunning = (flags & VM_CREATE_FLAG_LR_MODE) !== 0;
    this.faultMode = (flags & VM_CREATE_FLAG_FAULT_MODE) !== 0;
    this.keepsAll = this.longRunning && !this.faultMode;
    this.#overcommits = !this.keepsAll && (flags & VM_CREATE_FLAG_NO_VM_OVERCOMMIT) === 0;
    this.size = 2 ** platform.vaBits;
    this.pageTable = new PageTable(device.tables, platform, this.scratch);
    this.gpuvm = new Gpuvm({
      name: `xe-vm-${asid}`,
      range: this.size,
      gems: device.gems,
      repeat: "upstream",
      resvProtected: true,
      counters,
    });
    this.addressSpace = new AddressSpace(
      memory,
      ppgtt(platform.rootLevel, platform.vaBits),
      memory.tables.address(this.pageTable.root),
      device.tlb === null ? { asid } : { asid, tlb: device.tlb },
    );
    this.jobs = new BindJobs((held) => {
      if (held !== null) held.heldByJobs--;
      release(this.gpuvm, held);
    }, !this.longRunning);
    this.moves = new ObjectMoves(device, this);
    this.ops = new VmSteps(this, this.vmas, device.options, counters, platform.atomicEnableBit);
    this.#faults = new VmFaults(this.addressSpace, this.faultMode);
    this.#cuts = new MadviseCuts(this.gpuvm, this.vmas, device.options);
    this.leaves = new VmLeaves(this, device);
    // A fault evicts rather than to end the VM, NO_VM_OVERCOMMIT or not; the GPU stands still at it, so only its own range counts.
    this.#faultOrder = { ...this.leaves.order, rebuilds: false, evictsOwn: true };
    device.vms.set(this.gpuvm, this);
  }

  /**
   * The mappings, ascending.
   *
   * @param within - only those that meet this range; all unless given
   */
  mappings(within?: VaRange): Generator<XeMappingView> {
    return mappingViews(this.gpuvm, this.vmas, this.#handles, within);
  }

  /**
   * A recoverable page fault: bind the whole mapping that holds an address. One whose leaves are in the page table and
   * valid is left as it is, since another fault was served in the meantime; but for a fault of an atomic access it is bound
   * again all the same (`xe_pagefault.c`, Linux 7.3-rc7).
   *
   * @param addr - faulting address in bytes
   * @param access - what the GPU was about to do; it was a read unless told
   * @throws `DrmError` EINVAL outside fault mode, or where nothing is mapped; EPERM for a write to what may only be read;
   *   EACCES for an object that is not needed or purged, unless the VM has a scratch page; EFAULT, EPERM where a process lost its
   *   memory; ENOMEM. Such a fault is recorded, see
   *   {@link XeVm.recordedFaults}.
   */
  fault(addr: number, access: FaultAccess = {}): void {
    if (!this.faultMode) fail(EINVAL, "fault: the VM is not in fault mode");
    this.lastInvalidation = null;
    try {
      this.#serve(addr, access);
    } catch (error) {
      if (error instanceof DrmError) this.#faults.record(addr, access);
      throw error;
    }
  }

  #serve(addr: number, { atomic = false, write = false }: FaultAccess): void {
    const { vmas } = this;
    const va = this.gpuvm.findFirst(Math.floor(addr / 4096) * 4096, 4096);
    if (va === 0) fail(EINVAL, `fault: nothing is mapped at ${hex(addr)}`);
    const flags = vmas.flags[va] as number;
    if (write && (flags & VMA_READ_ONLY) !== 0) fail(EPERM, `fault: ${hex(addr)} may only be read`);
    if (flags & VMA_SYSTEM_ALLOCATOR) fail(EINVAL, "fault: memory of the process is not modelled");
    if (!atomic && ((vmas.state[va] as number) & (VMA_PRESENT | VMA_ZAPPED)) === VMA_PRESENT) return;
    const bo = this.gpuvm.gem(va) as XeBo | null;
    if (bo !== null && (bo.purged || bo.dontNeed) && !this.scratch) {
      fail(
        EACCES,
        `fault: the contents of the object at ${hex(addr)} are ${bo.purged ? "gone" : "given up"}`,
      );
    }
    vmas.checkUser(va, this.gpuvm.offset(va), this.gpuvm.rangeOf(va));
    this.ops.begin();
    this.ops.addBind(va);
    try {
      this.#device.job.run(this, this.ops.work, false, this.#faultOrder);
    } catch (error) {
      if (error instanceof DrmError) this.moves.undo();
      throw error;
    }
    this.ops.finish();
    if (this.moves.any) this.#followMoves();
  }

  /** The faults that the driver has recorded, see {@link VmFaults.list}. */
  recordedFaults(): readonly Partial<VmFault>[] {
    return this.#faults.list();
  }

  /**
   * Parse and run a list of operations, all or nothing.
   *
   * @param binds - the operations, checked
   * @param count - how many of them
   * @param queue - the bind queue, this VM for its default one
   * @param waits - what the entries have to wait for: nothing that has happened
   * @returns what happens when the entries are written; null when they are
   * @throws `DrmError` ENOMEM, ENOBUFS, EBUSY, EINVAL, ENOSPC where it was forced; everything is as before then, but for {@link VMA_PTE_FLAGS}
   * @internal
   */
  execute(
    binds: readonly XeBindOp[],
    count: number,
    queue: object = this,
    waits: readonly Fence[] = NO_FENCES,
  ): Fence | null {
    const { ops } = this;
    const order = this.#order;
    order.queue = queue;
    order.waits = waits;
    // In an array one operation would take the memory of another.
    order.evictsOwn = this.#overcommits && count === 1;
    order.fails = null;
    let job: BindJob | null = null;
    let parsed: XeBindOp | null = null;
    ops.begin();
    this.lastInvalidation = null;
    try {
      for (let i = 0; i < count; i++) {
        this.gpuvm.op = i;
        parsed = binds[i] as XeBindOp;
        ops.parse(parsed);
        if ((parsed.flags & FORCE_OP_ERROR) !== 0) order.fails = this.#device.forcedErrors.next();
      }
      parsed = null;
      checkUserFences(this.gpuvm, this.vmas, ops.work);
      order.rebuilds = ops.rebuilt > 0;
      order.maps = this.jobs.idle || ops.work.maps;
      if (ops.steps > 0) job = this.#device.job.run(this, ops.work, count > 1, order);
    } catch (error) {
      if (error instanceof DrmError) {
        ops.undo();
        this.moves.undo();
      }
      throw parsed === null ? error : errorOf(parsed.name, error);
    }
    ops.finish(job?.held);
    if (this.moves.any) this.#followMoves();
    if (job !== null) return job.done;
    return ops.work.count === 0 ? this.jobs.following(order) : null;
  }

  /**
   * A batch of the VM was submitted (EXEC, which the model does not run): until it is done no object of the VM is taken from its
   * memory, and binds that have to bind pieces of cut mappings again wait, unless the VM is long-running. In fault mode batches
   * hold nothing.
   *
   * @param done - happens when the GPU is done with it
   */
  submitted(done: Fence): void {
    if (!this.faultMode) this.jobs.addBatch(done);
  }

  /**
   * Bring all that the VM maps back to where it may be shown, as EXEC does before a batch runs. Nothing happens in fault mode,
   * where each fault brings what it needs, and where nothing was evicted.
   *
   * @throws `DrmError` ENOMEM where not all of it fits
   */
  makeResident(): void {
    if (this.hasEvicted && !this.faultMode) this.moves.makeResident();
  }

  /**
   * What a batch has to wait for before it runs: binds that wait, and bind pieces of cut mappings again. Batches of a long-running
   * VM wait for nothing.
   */
  beforeBatch(): Fence[] {
    return this.longRunning ? [] : this.jobs.beforeBatch();
  }

  /** The mappings that the last VM_BIND made or bound stay until a user fence has happened. @internal */
  setUserFence(fence: Fence): void {
    setUserFence(this.vmas, this.ops.arrivals(), this.ops.work, fence);
  }

  /** Leaves of other mappings follow the objects that PREFETCH moved; what the ioctl itself sent stays on record. */
  #followMoves(): void {
    const sent = this.lastInvalidation === null ? null : { ...this.lastInvalidation };
    this.moves.finish(this.ops.work);
    this.lastInvalidation ??= sent;
  }

  /**
   * Cut mappings without an object at both ends of a range, see {@link MadviseCuts}.
   *
   * @throws `DrmError` EINVAL for a range that the VM does not have, ENOMEM; everything is as before then
   * @internal
   */
  cutForAdvice(addr: number, range: number): void {
    const cuts = this.#cuts;
    let job: BindJob | null = null;
    this.lastInvalidation = null;
    try {
      cuts.cut(addr, range);
      if (cuts.work.count > 0) job = this.#device.job.run(this, cuts.work, false, this.leaves.order);
    } catch (error) {
      if (error instanceof DrmError) cuts.undo();
      throw error;
    }
    cuts.finish(job?.held);
  }

  /** VM_DESTROY: mappings and page tables go; the VM's object stays while something refers to it. @internal */
  close(): void {
    this.#device.vms.delete(this.gpuvm);
    this.jobs.drop();
    this.ops.removeAll();
    invalidateSpace(this.addressSpace, this.#device.platform, this.#device.counters);
    this.pageTable.destroy();
    this.gpuvm.put();
  }
}
