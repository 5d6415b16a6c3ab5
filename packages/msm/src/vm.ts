/**
 * The one GPU address space of an open file: the VA manager, the page table that follows it job by job, and the scheduler of
 * those jobs (`msm_gem_vma.c`, Linux 7.3-rc7).
 *
 * VM_BIND changes the mappings at once and the page table when its job runs. So between the two the mappings say what will
 * be, the page table what is; a later VM_BIND builds on the former, the GPU sees the latter.
 *
 * @module
 */

import {
  ENOMEM,
  fail,
  type GemHandles,
  type GemObject,
  type GemObjects,
  type MappingView,
  type Resv,
  type VaRange,
} from "@vmbind/drm";
import { GPUVA_USERBITS_SHIFT, Gpuvm, type MapRequest, type VmBo } from "@vmbind/gpuvm-core";
import {
  AddressSpace,
  OutOfTables,
  type PageTableFormat,
  type PhysicalMemory,
  type ScatterList,
  type Tlb,
} from "@vmbind/mmu";
import { type BindJob, type PageTableOp, STEP_UNMAP } from "./bind-job.ts";
import { BindScheduler } from "./bind-scheduler.ts";
import type { MsmBo } from "./bo.ts";
import type { MsmCounters } from "./cost-sheet.ts";
import type { MsmDeviceOptions } from "./options.ts";
import { PageTable, SHARED_ASID } from "./page-table.ts";
import type { PrrPage } from "./prr.ts";
import { TableReserve } from "./table-reserve.ts";
import { OP_DUMP, OP_MAP, OP_UNMAP, VA_START } from "./uapi.ts";
import { VMA_DUMP, VMA_MAPPED, VmSteps } from "./vm-steps.ts";

// Folded into loops, which an imported constant is not.
const MAP = OP_MAP;
const UNMAP = OP_UNMAP;

/** One mapping of a VM. */
export interface MsmMappingView extends MappingView {
  /** Whether its entries are in the page table, or on their way there; not while its object is evicted. */
  mapped: boolean;
}

/** What a VM needs of its device; see `MsmDevice`. */
export interface MsmVmDevice {
  /** What was chosen. */
  readonly options: Readonly<MsmDeviceOptions>;
  /** The cost sheet. */
  readonly counters: MsmCounters;
  /** Page tables and the pages of objects. */
  readonly memory: PhysicalMemory;
  /** How the GPU reads the tables. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** The page behind MAP_NULL. */
  readonly prr: PrrPage;
  /** First address behind those that a VM has, in bytes. @internal */
  readonly vaEnd: number;
  /** All objects. */
  readonly gems: GemObjects;
  /** Fences that reservations hold, by reservation: jobs and submits that have not ended. @internal */
  readonly fences: Map<Resv, number>;
  /** Table pages that all VMs have set aside and not used. @internal */
  tablesAside: number;
  /** The GPU goes on with another page table. @internal */
  enterContext(vm: MsmVm): void;
  /** A VM is gone. @internal */
  leaveContext(vm: MsmVm): void;
  /** A number for a new VM, unique in the device. @internal */
  nextVmNumber(): number;
}

/** A VM. */
export class MsmVm {
  readonly #device: MsmVmDevice;
  readonly #handles: GemHandles<MsmBo>;
  readonly #steps: VmSteps;
  readonly #request: MapRequest = { addr: 0.5, range: 0.5, gem: null, offset: 0.5, flags: 0, gemRange: 0 };
  #inFlight = 0;
  #closed = false;

  /** Whether user space manages it: VM_BIND exists (`MSM_PARAM_EN_VM_BIND`). */
  readonly userManaged: boolean;
  /** Mappings and the rules of split and merge. */
  readonly gpuvm: Gpuvm;
  /** The page table. */
  readonly pageTable: PageTable;
  /** What the GPU sees. */
  readonly addressSpace: AddressSpace;
  /** Jobs. */
  readonly scheduler: BindScheduler;
  /** How many tables a VM_BIND sets aside. @internal */
  readonly tableReserve: TableReserve = new TableReserve();
  /** A job failed: VM_BIND and GEM_SUBMIT give EPIPE from now on, for good. */
  unusable = false;
  /** See `SchedulerVm`. */
  readonly queuesApart: boolean;
  /** Sees each page-table operation, from jobs and elsewhere, once it was carried out. */
  observer: ((op: PageTableOp) => void) | null = null;

  /**
   * @param device - the device
   * @param userManaged - see {@link MsmVm.userManaged}
   * @param handles - of its file
   * @throws `DrmError` ENOMEM; then nothing is left behind
   */
  constructor(device: MsmVmDevice, userManaged: boolean, handles: GemHandles<MsmBo>) {
    const { options, counters, memory, tlb, prr } = device;
    if (options.allocFault?.("vm")) fail(ENOMEM, "vm: no memory for the VM (injected)");
    this.#device = device;
    this.#handles = handles;
    this.userManaged = userManaged;
    this.queuesApart = options.quirks.queuesApart;
    prr.get();
    try {
      const { vaBits, paBits, coherent } = options;
      this.pageTable = new PageTable(memory, counters, tlb, vaBits, paBits, coherent);
    } catch (error) {
      prr.put();
      if (error instanceof OutOfTables) fail(ENOMEM, `vm: no root table, ${memory.tables.whenFull()}`);
      throw error;
    }
    this.gpuvm = new Gpuvm({
      name: `msm-vm-${device.nextVmNumber()}`,
      start: VA_START,
      range: device.vaEnd - VA_START,
      gems: device.gems,
      // What the kernel compares when it hints at keeping a mapping has no flags in it.
      repeat: "upstream",
      counters,
      onFree: () => this.#free(),
    });
    this.#steps = new VmSteps(this.gpuvm, options.allocFault);
    this.scheduler = new BindScheduler(this);
    this.addressSpace = new AddressSpace(memory, device.format, this.pageTable.rootAddress, {
      enter: () => {
        device.enterContext(this);
        return SHARED_ASID;
      },
      tlb,
      ...(options.prrStores === "dropped" && { dropsStoresTo: prr.address }),
    });
  }

  /** Table pages that jobs not yet freed have set aside: the counter that throttles VM_BIND. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * The mappings, ascending.
   *
   * @param within - only those that meet this range; all unless given
   */
  *mappings(within?: VaRange): Generator<MsmMappingView> {
    const { gpuvm } = this;
    for (const va of gpuvm.mappingsOf(within)) {
      const flags = gpuvm.flags(va);
      const gem = gpuvm.gem(va);
      yield {
        addr: gpuvm.addr(va),
        range: gpuvm.rangeOf(va),
        kind: gem === null ? "null" : "bo",
        bo: gem === null ? 0 : this.#handles.handleOf(gem),
        gem,
        offset: gpuvm.offset(va),
        flags: (flags & VMA_DUMP) >>> GPUVA_USERBITS_SHIFT,
        mapped: (flags & VMA_MAPPED) !== 0,
      };
    }
  }

  // -- from operations to page-table operations --------------------------------------------------------------------------

  /**
   * Carry a job's operations into the tree, and queue what follows for the page table.
   *
   * @param job - checked, its objects pinned and its tables set aside
   * @throws `DrmError` ENOMEM; then the tree is what it was, and the job holds no page-table operation
   * @internal
   */
  carryIn(job: BindJob): void {
    const steps = this.#steps;
    steps.begin(job);
    let nextBo = 0;
    const { count, kind: kinds, bos } = job;
    for (let i = 0; i < count; i++) {
      const kind = kinds[i] as number;
      steps.kind = kind;
      steps.bo = kind === MAP ? (bos[nextBo++] as MsmBo) : null;
      const ret = this.#carryInOp(job, i);
      if (ret === 0) continue;
      job.dropSteps();
      steps.rollBack();
      fail(
        -ret,
        `${job.nameOf(i)}: ${ret === -ENOMEM ? "no memory for a mapping (injected)" : this.gpuvm.refusal}`,
      );
    }
    steps.end();
  }

  #carryInOp(job: BindJob, i: number): number {
    const steps = this.#steps;
    const { gpuvm } = this;
    const iova = job.iova[i] as number;
    const range = job.range[i] as number;
    gpuvm.op = i;
    if (steps.kind === UNMAP) return steps.unmapRange(iova, range);
    const request = this.#request;
    const offset = job.offset[i] as number;
    request.addr = iova;
    request.range = range;
    request.gem = steps.bo;
    request.offset = offset;
    steps.iova = iova;
    steps.range = range;
    steps.offset = offset;
    steps.dump = steps.kind === MAP && ((job.flags[i] as number) & OP_DUMP) !== 0 ? VMA_DUMP : 0;
    steps.kept = false;
    return gpuvm.smMap(request, steps);
  }

  /**
   * Set tables aside for a job.
   *
   * @param job - gets them
   * @param tables - how many
   * @returns why they cannot be, null when they are
   * @internal
   */
  setTablesAside(job: BindJob, tables: number): string | null {
    const { memory, counters, options } = this.#device;
    if (tables === 0) return null;
    if (options.allocFault?.("page-table")) return "no page tables (injected)";
    const { leftBytes, limitBytes, pageBytes } = memory.tables;
    const left = leftBytes - this.#device.tablesAside * pageBytes;
    if (tables * pageBytes > left) {
      return `no memory to set ${tables} page tables aside: of memory.tableLimitBytes ${limitBytes}, ${left} are left`;
    }
    job.reserved = tables;
    this.#device.tablesAside += tables;
    this.#inFlight += tables;
    counters.tablesReserved += tables;
    return null;
  }

  /** Give back what a job set aside, of which it has taken `used`. @internal */
  returnTables(job: BindJob, used: number): void {
    if (job.reserved === 0) return;
    this.#device.tablesAside -= job.reserved;
    this.#inFlight -= job.reserved;
    this.#device.counters.tablesReturned += job.reserved - used;
    job.reserved = 0;
  }

  /** See `SchedulerVm`. @internal */
  execute(job: BindJob): void {
    const { pageTable } = this;
    let failed = this.unusable;
    const allowed = job.reserved;
    pageTable.reserved = allowed;
    const { steps, stepKind, stepIova, stepRange, stepBo, stepOffset } = job;
    for (let i = 0; i < steps; i++) {
      const kind = stepKind[i] as number;
      const bo = stepBo[i] as MsmBo | null;
      const iova = stepIova[i] as number;
      const range = stepRange[i] as number;
      if (kind === STEP_UNMAP) this.#unmap(iova, range);
      else if (!failed) failed = !this.#map(bo, iova, range, stepOffset[i] as number, kind);
      if (bo !== null) job.dropStep(i);
    }
    if (failed) this.unusable = true;
    this.returnTables(job, allowed - pageTable.reserved);
    pageTable.reserved = 0;
    job.dropObjects();
  }

  #map(bo: MsmBo | null, iova: number, range: number, offset: number, prot: number): boolean {
    const done =
      bo === null
        ? this.pageTable.mapSamePage(iova, range, this.#device.prr.address, prot)
        : this.pageTable.map(iova, range, bo.pages as ScatterList, offset, prot);
    if (this.observer !== null) this.observer({ kind: "map", iova, range, bo, offset, prot, done });
    return done;
  }

  #unmap(iova: number, range: number): void {
    const done = this.pageTable.unmap(iova, range);
    if (this.observer !== null)
      this.observer({ kind: "unmap", iova, range, bo: null, offset: 0, prot: 0, done });
  }

  /** See `SchedulerVm`. @internal */
  cancel(job: BindJob): void {
    job.dropSteps();
    this.returnTables(job, 0);
    job.dropObjects();
  }

  /** See `SchedulerVm`. @internal */
  fenceObjects(job: BindJob, change: 1 | -1): void {
    // Only those that MAPs name; what a job unmaps is in use by its page-table operations.
    if (change === 1) job.resvs = new Set(job.objects().map(({ resv }) => resv));
    for (const resv of job.resvs) this.changeFences(resv, change);
  }

  /** A reservation has a fence more, or less. @internal */
  changeFences(resv: Resv, change: 1 | -1): void {
    const { fences } = this.#device;
    const now = (fences.get(resv) ?? 0) + change;
    if (now === 0) fences.delete(resv);
    else fences.set(resv, now);
  }

  // -- eviction and submits ------------------------------------------------------------------------------------------------

  /** Unmap every mapping of a pair whose object is about to lose its pages. @internal */
  evict(vmBo: VmBo): void {
    const { gpuvm } = this;
    for (const va of vmBo.vas()) {
      const flags = gpuvm.flags(va);
      if ((flags & VMA_MAPPED) === 0) continue;
      this.#unmap(gpuvm.addr(va), gpuvm.rangeOf(va));
      gpuvm.setFlags(va, flags & ~VMA_MAPPED);
    }
    gpuvm.evict(vmBo, true);
  }

  /**
   * Bring back every evicted object, as a submit does before its job.
   *
   * @throws `DrmError` EBUSY for an object whose pages are not wanted, ENOMEM; what was brought back until then stays
   */
  validate(): void {
    this.gpuvm.validate((vmBo) => {
      this.#restore(vmBo);
      return 0;
    });
  }

  #restore(vmBo: VmBo): void {
    const { gpuvm, pageTable } = this;
    const bo = vmBo.gem as MsmBo;
    bo.needPages();
    for (const va of vmBo.vas()) {
      const flags = gpuvm.flags(va);
      if ((flags & VMA_MAPPED) !== 0) continue;
      const addr = gpuvm.addr(va);
      if (!this.#map(bo, addr, gpuvm.rangeOf(va), gpuvm.offset(va), bo.prot))
        fail(ENOMEM, `restore: ${pageTable.refusal}`);
      gpuvm.setFlags(va, flags | VMA_MAPPED);
    }
    gpuvm.evict(vmBo, false);
    this.#device.counters.restores++;
  }

  /** The reservations that a submit locks and gives its fence to: the VM's, and every external object's. */
  lockedObjects(): readonly GemObject[] {
    return this.gpuvm.execLock({ ignoreDuplicates: true }).locked;
  }

  // -- the end ---------------------------------------------------------------------------------------------------------------

  /** The file is closed: queued jobs are dropped, every mapping that is in the page table is unmapped, the tables go. @internal */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.scheduler.close();
    const { gpuvm } = this;
    for (const va of gpuvm.mappings()) {
      if ((gpuvm.flags(va) & VMA_MAPPED) !== 0) this.#unmap(gpuvm.addr(va), gpuvm.rangeOf(va));
      gpuvm.remove(va);
      gpuvm.unlink(va);
      gpuvm.free(va);
    }
    gpuvm.put();
  }

  #free(): void {
    this.#device.leaveContext(this);
    this.pageTable.destroy();
    this.#device.prr.put();
  }
}
