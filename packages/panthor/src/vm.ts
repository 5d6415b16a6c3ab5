/**
 * One GPU address space: the VA manager, the page table that follows its steps (`vm-steps.ts`), and the AS lock around each
 * operation (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * Where a page table fails, the VM is unusable from then on: with the UNLOCK of that operation its AS is switched off, and
 * every access of the GPU through it faults, also where something is still mapped. The same goes for a queued job that
 * fails, whatever the reason.
 *
 * @module
 */

import {
  EINVAL,
  ENOMEM,
  fail,
  type GemHandles,
  type GemObjects,
  type MappingView,
  type VaRange,
} from "@vmbind/drm";
import {
  GPUVA_REPEAT,
  GPUVA_SPARSE,
  GPUVA_USERBITS_SHIFT,
  Gpuvm,
  type MapRequest,
  type VmBo,
} from "@vmbind/gpuvm-core";
import {
  AddressSpace,
  type PageTableFormat,
  type PhysicalMemory,
  type ScatterList,
  type Tlb,
} from "@vmbind/mmu";
import { AsLock } from "./as-lock.ts";
import type { AsSlots } from "./as-slots.ts";
import { PanthorBindOp } from "./bind-op.ts";
import { BindQueue } from "./bind-queue.ts";
import type { PanthorBo } from "./bo.ts";
import type { PanthorCounters } from "./cost-sheet.ts";
import type { PanthorDeviceOptions } from "./options.ts";
import { tablesForMap } from "./page-sizes.ts";
import type { PageTable } from "./page-table.ts";
import { PARTS, type PanthorParts } from "./parts.ts";
import { OP_MAP, OP_SYNC_ONLY, OP_UNMAP } from "./uapi.ts";
import { VMA_EVICTED, type VmSteps } from "./vm-steps.ts";

/** Driver bits of a gpuva's flags: the operation's READONLY, NOEXEC, UNCACHED, SPARSE, then "evicted". */
const MAP_FLAGS_MASK = 0xf;

/** One mapping of a Panthor VM. */
export interface PanthorMappingView extends MappingView {
  /** Whether its object was evicted: nothing is in the page table. */
  evicted: boolean;
  /** Bytes of the repeated window, 0 without one. */
  repeatRange: number;
  /** Byte of the window that the mapping begins with. */
  phase: number;
}

/** What a VM needs of its device; see `PanthorDevice`. */
export interface PanthorVmDevice {
  /** What was chosen. */
  readonly options: Readonly<PanthorDeviceOptions>;
  /** The cost sheet. */
  readonly counters: PanthorCounters;
  /** Page tables and the pages of objects. */
  readonly memory: PhysicalMemory;
  /** How the GPU reads the tables. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** Whose each AS slot is. */
  readonly asSlots: AsSlots;
  /** What VMs are made of. */
  readonly parts: PanthorParts;
  /** All objects. */
  readonly gems: GemObjects;
  /** Destroyed VMs that are still there: jobs are queued, or have mapped something (quirk `mapsAfterDestroy`). @internal */
  readonly keptVms: Set<PanthorVm>;
}

/** A VM. */
export class PanthorVm {
  readonly #device: PanthorVmDevice;
  readonly #handles: GemHandles<PanthorBo>;
  readonly #request: Required<MapRequest> = mapRequest();
  readonly #steps: VmSteps;

  /** Cost sheet of the device. */
  readonly counters: PanthorCounters;
  /** Reused by synchronous calls. @internal */
  readonly syncOp: PanthorBindOp = new PanthorBindOp();
  /** The first mapping of a run; reused by synchronous calls. @internal */
  readonly syncRun: Required<MapRequest> = mapRequest();
  /** Mappings and the rules of split and merge. */
  readonly gpuvm: Gpuvm;
  /** The page table. */
  readonly pageTable: PageTable;
  /**
   * What the GPU sees. An access takes an AS slot where the VM has none, as a short job does (`DrmError` EBUSY where all others
   * run); when the VM is unusable, it faults.
   */
  readonly addressSpace: AddressSpace;
  /** The VM's AS slot. */
  readonly as: AsLock;
  /** Asynchronous jobs. */
  readonly queue: BindQueue;
  /** Bytes of user VA, from 0 on; operations cannot reach beyond. */
  readonly userRange: number;
  /** Whether a what-if has left the driver as it is: another part may do something else with each mapping. @internal */
  readonly hasOwnParts: boolean;
  /** The dummy object behind sparse ranges: that of the file that made the VM. */
  readonly dummy: PanthorBo;
  /** Set by VM_DESTROY. */
  destroyed = false;
  /** Why the last operation that was executed failed. */
  refusal = "";
  /** An asynchronous job failed. */
  #failed = false;
  /** The last reference is gone. */
  #freed = false;

  /**
   * @param device - the device
   * @param userRange - bytes of user VA
   * @param dummy - the file's dummy object; the VM takes a reference
   * @param number - unique in the device, for the name in messages
   * @param handles - of its file
   */
  constructor(
    device: PanthorVmDevice,
    userRange: number,
    dummy: PanthorBo,
    number: number,
    handles: GemHandles<PanthorBo>,
  ) {
    const { options, counters, memory } = device;
    this.#device = device;
    this.#handles = handles;
    this.counters = counters;
    this.userRange = userRange;
    this.dummy = dummy;
    dummy.get();
    const { vaBits, paBits, coherent } = options;
    const { PageTable, VmSteps } = device.parts;
    this.hasOwnParts = PageTable === PARTS.PageTable && VmSteps === PARTS.VmSteps;
    this.pageTable = new device.parts.PageTable(memory, counters, options.quirks, vaBits, paBits, coherent);
    this.gpuvm = new Gpuvm({
      name: `panthor-vm-${number}`,
      range: 2 ** vaBits,
      gems: device.gems,
      repeat: options.repeat === "off" ? "upstream" : options.quirks.repeatPhaseShift ? "v4-fixed" : "phase",
      resvProtected: true,
      immediateMode: true,
      counters,
      onFree: () => this.#free(),
    });
    this.as = new AsLock(counters, device.tlb);
    this.#steps = new device.parts.VmSteps(this.gpuvm, this.pageTable, this.as, this.syncOp);
    this.queue = new BindQueue(this);
    this.addressSpace = new AddressSpace(memory, device.format, this.pageTable.io.rootAddress, {
      enter: () => this.#enter(),
      tlb: device.tlb,
    });
    if (options.activeAs && device.asSlots.available) device.asSlots.visit(this.as);
  }

  /** The VM takes no more MAPs, and no asynchronous operations at all; its AS is off. */
  get unusable(): boolean {
    return this.#failed || this.pageTable.broken;
  }

  /**
   * The mappings, ascending.
   *
   * @param within - only those that meet this range; all unless given
   */
  *mappings(within?: VaRange): Generator<PanthorMappingView> {
    const { gpuvm } = this;
    for (const va of gpuvm.mappingsOf(within)) {
      const flags = gpuvm.flags(va);
      const gem = gpuvm.gem(va);
      yield {
        addr: gpuvm.addr(va),
        range: gpuvm.rangeOf(va),
        kind: flags & GPUVA_SPARSE ? "sparse" : flags & GPUVA_REPEAT ? "repeat" : "bo",
        bo: gem === null ? 0 : this.#handles.handleOf(gem),
        gem,
        offset: gpuvm.offset(va),
        flags: (flags >>> GPUVA_USERBITS_SHIFT) & MAP_FLAGS_MASK,
        evicted: (flags & VMA_EVICTED) !== 0,
        repeatRange: gpuvm.gemRange(va),
        phase: gpuvm.phase(va),
      };
    }
  }

  // -- the GPU's side ---------------------------------------------------------------------------------------------------

  /**
   * A group of the VM is put on the hardware, as the scheduler does when it has jobs: the VM gets an AS slot, or keeps the one that
   * it has, until {@link PanthorVm.idle} has been called as often. Submissions are not modelled, so this stands for them.
   *
   * @throws `DrmError` EINVAL for a VM that is unusable or gone, whose groups do not run; EBUSY when the VMs of all slots run
   */
  activate(): void {
    if (this.unusable || this.#freed) fail(EINVAL, `vm: it is ${this.#freed ? "gone" : "unusable"}`);
    this.#device.asSlots.activate(this.as);
  }

  /** A group of the VM leaves the hardware. The VM keeps its slot until another one needs it. */
  idle(): void {
    this.#device.asSlots.idle(this.as);
  }

  /** The slot that an access goes through, -1 when the AS is off. */
  #enter(): number {
    return this.unusable ? -1 : this.#device.asSlots.visit(this.as);
  }

  // -- execution ----------------------------------------------------------------------------------------------------

  /**
   * Execute a prepared operation.
   *
   * @param op - from `prepare`
   * @returns 0 or a negative errno
   * @internal
   */
  execute(op: PanthorBindOp): number {
    if (op.type === OP_SYNC_ONLY) return 0;
    this.#steps.op = op;
    this.gpuvm.op = op.index;
    const { io } = this.pageTable;
    const allowed = io.allow(op.tables);
    this.as.lock(op.va, op.size);
    const ret = op.type === OP_MAP ? this.#executeMap(op) : this.#executeUnmap(op);
    this.as.unlock();
    op.tables -= allowed - io.reserved;
    return ret;
  }

  #executeUnmap(op: PanthorBindOp): number {
    if (this.hasOwnParts && this.#steps.unmapInside(op.va, op.size)) return 0;
    const ret = this.gpuvm.smUnmap(op.va, op.size, this.#steps);
    if (ret !== 0) this.#refused();
    return ret;
  }

  /** A request stopped: a step handler does that where the page table fails, which breaks it; else it was the core. */
  #refused(): void {
    this.refusal = this.pageTable.broken ? this.pageTable.refusal : this.gpuvm.refusal;
  }

  #executeMap(op: PanthorBindOp): number {
    // Nobody would ever unmap what a job still maps into a VM that is destroyed; the mapping would hold the VM for good. That
    // is right, and not what the driver does: see the quirk.
    const gone = this.destroyed && !this.#device.options.quirks.mapsAfterDestroy;
    if (this.unusable || gone) {
      this.refusal = `vm_id: the VM is ${gone ? "destroyed" : "unusable"}`;
      return -EINVAL;
    }
    const request = this.#request;
    const flagsMask = op.kind === GPUVA_REPEAT ? 7 : MAP_FLAGS_MASK;
    request.addr = op.va;
    request.range = op.size;
    request.gem = op.bo;
    request.offset = op.boOffset;
    request.flags = op.kind | ((op.flags & flagsMask) << GPUVA_USERBITS_SHIFT);
    request.gemRange = op.kind === GPUVA_REPEAT ? op.repeatRange : 0;
    const ret = this.gpuvm.smMap(request, this.#steps);
    if (ret !== 0) this.#refused();
    return ret;
  }

  /** An asynchronous job failed: nothing more will be mapped. @internal */
  declareUnusable(): void {
    this.#failed = true;
  }

  // -- eviction -----------------------------------------------------------------------------------------------------

  /** Unmap every mapping of a pair whose object is about to lose its pages. @internal */
  evict(vmBo: VmBo): void {
    const { gpuvm } = this;
    for (const va of vmBo.vas()) {
      const flags = gpuvm.flags(va);
      if ((flags & VMA_EVICTED) !== 0) continue;
      this.as.lock(gpuvm.addr(va), gpuvm.rangeOf(va));
      this.pageTable.unmap(gpuvm.addr(va), gpuvm.rangeOf(va));
      this.as.unlock();
      gpuvm.setFlags(va, flags | VMA_EVICTED);
    }
    gpuvm.evict(vmBo, true);
  }

  /**
   * Bring back every evicted object, as a GPU job does before it runs.
   *
   * @throws `DrmError` ENOMEM, and what mapping can fail with
   */
  validate(): void {
    // Locking puts evicted external objects on the list that is validated.
    this.gpuvm.execLock({ ignoreDuplicates: true });
    this.gpuvm.validate((vmBo) => {
      this.restore(vmBo);
      return 0;
    });
  }

  /**
   * Bring one object back: its pages, then each evicted mapping.
   *
   * @param vmBo - its pair with this VM
   * @throws `DrmError` ENOMEM, and what mapping can fail with
   * @internal
   */
  restore(vmBo: VmBo): void {
    const { gpuvm, pageTable } = this;
    const bo = vmBo.gem as PanthorBo;
    const { counters, options } = this.#device;
    bo.pin();
    try {
      for (const va of vmBo.vas()) {
        const flags = gpuvm.flags(va);
        if ((flags & VMA_EVICTED) === 0) continue;
        const addr = gpuvm.addr(va);
        const size = gpuvm.rangeOf(va);
        const tables = tablesForMap(addr, size);
        if (tables > 0 && options.allocFault?.("page-table"))
          fail(ENOMEM, "restore: no page tables (injected)");
        const reason = pageTable.io.tooMany(tables);
        if (reason !== null) fail(ENOMEM, `restore: ${reason}`);
        counters.tablesReserved += tables;
        const allowed = pageTable.io.allow(tables);
        this.as.lock(addr, size);
        const list = bo.pages as ScatterList;
        const ret = pageTable.map(
          flags,
          flags >>> GPUVA_USERBITS_SHIFT,
          addr,
          size,
          list,
          gpuvm.offset(va),
          gpuvm.gemRange(va),
          gpuvm.phase(va),
        );
        this.as.unlock();
        counters.tablesReturned += tables - allowed + pageTable.io.reserved;
        if (ret !== 0) fail(-ret, `restore: mapping 0x${addr.toString(16)} again failed`);
        gpuvm.setFlags(va, flags & ~VMA_EVICTED);
      }
    } finally {
      bo.unpin();
    }
    gpuvm.evict(vmBo, false);
    counters.restores++;
  }

  /**
   * VM_DESTROY: no asynchronous call is taken any more, and everything is unmapped. Queued jobs keep the VM alive until
   * they have run; their MAPs fail.
   *
   * @internal
   */
  destroy(): void {
    this.destroyed = true;
    const op = new PanthorBindOp();
    op.type = OP_UNMAP;
    op.va = 0;
    op.size = this.gpuvm.range;
    this.execute(op);
    this.gpuvm.deferredCleanup();
    this.#device.keptVms.add(this);
    this.gpuvm.put();
  }

  #free(): void {
    this.#freed = true;
    this.#device.keptVms.delete(this);
    this.#device.asSlots.release(this.as);
    this.pageTable.io.destroy();
    this.dummy.put();
  }
}

/** A request to be filled in; its numbers are no integers, so that large ones are stored in place. */
function mapRequest(): Required<MapRequest> {
  return { addr: 0.5, range: 0.5, gem: null, offset: 0.5, flags: 0, gemRange: 0 };
}
