/**
 * One address space. An open file has exactly one: there is no ioctl that makes it and no id that names it.
 *
 * Three parts: the mappings and what is to be done about them (`va-space.ts`), the page tables (`page-table.ts`), and how the
 * second is brought up to the first (`vm-update.ts`). After `amdgpu_vm.c` of Linux 7.3-rc7.
 *
 * @module
 */

import { DrmError, type GemHandles, type GemObject, type MappingView, Resv, type VaRange } from "@vmbind/drm";
import {
  AddressSpace,
  type FrameAllocator,
  type GcvmGeneration,
  type PageTableFormat,
  type PhysicalMemory,
  type Tlb,
} from "@vmbind/mmu";
import type { AmdgpuBo } from "./bo.ts";
import type { BoVa } from "./bo-va.ts";
import type { AmdgpuCounters } from "./cost-sheet.ts";
import { type LeafRules, leafRules } from "./leaf-flags.ts";
import type { AmdgpuDeviceOptions } from "./options.ts";
import { GcvmPageTable } from "./page-table.ts";
import { PAGE_BYTES, VM_PAGE_PRT } from "./uapi.ts";
import { VaSpace } from "./va-space.ts";
import { clearFreed, updateAfterOperation, updateForSubmission } from "./vm-update.ts";

/** What a VM needs of its device; see `AmdgpuDevice`. */
export interface AmdgpuVmDevice {
  /** What was chosen. */
  readonly options: Readonly<AmdgpuDeviceOptions>;
  /** The cost sheet. */
  readonly counters: AmdgpuCounters;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** The memory of objects in VRAM. */
  readonly vram: FrameAllocator;
  /** Where the bits of an entry are. */
  readonly generation: GcvmGeneration;
  /** The format of its page tables. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
}

const NONE: readonly AmdgpuBo[] = [];

/** The VM of an open file. */
export class AmdgpuVm {
  /** The device. */
  readonly device: AmdgpuVmDevice;
  /** Its number: in the TLB, and for people. The driver calls it the PASID. */
  readonly pasid: number;
  /** What a submission locks for it and for all objects that are always valid in it. */
  readonly resv: Resv = new Resv("VM");
  /** The mappings, and the lists that say what is to be done. */
  readonly space: VaSpace;
  /** The tables. */
  readonly pageTable: GcvmPageTable;
  /** What a shader sees, through the TLB. */
  readonly addressSpace: AddressSpace;
  /** Where the bits of an entry are. */
  readonly generation: GcvmGeneration;
  /** What makes the flags of an entry. */
  readonly leafRules: LeafRules;
  /** Its page tables are being taken away: until the next submission nothing is written. */
  evicting = false;
  readonly #handles: GemHandles<AmdgpuBo>;
  /** Objects without a handle whose entries are still in the tables. */
  readonly #kept: GemObject[] = [];

  /**
   * @param device - the device
   * @param pasid - its number
   * @param handles - of its file
   * @throws DrmError ENOMEM without a page for the root table
   */
  constructor(device: AmdgpuVmDevice, pasid: number, handles: GemHandles<AmdgpuBo>) {
    const { memory, counters, generation, options, format, tlb } = device;
    const { allocFault } = options;
    this.device = device;
    this.pasid = pasid;
    this.generation = generation;
    this.leafRules = leafRules(generation);
    this.#handles = handles;
    this.pageTable = new GcvmPageTable(memory, { generation, counters, allocFault });
    this.addressSpace = new AddressSpace(memory, format, this.pageTable.root, { asid: pasid, tlb });
    const forgets = options.quirks.forgottenEntries;
    this.space = new VaSpace(this, {
      counters,
      allocFault,
      hasLeaves: (first, last) => !forgets && this.pageTable.hasLeaves(first, last),
    });
  }

  /**
   * The TLB is to forget what it knows of the VM.
   *
   * @param requests - of the driver that lead to it
   */
  flushTlb(requests: number): void {
    this.device.tlb.invalidateAll(this.pasid, requests);
  }

  /** Nothing of what is gone is in the tables any more: memory that waited for it goes back. */
  allCleared(): void {
    if (this.#kept.length === 0) return;
    for (const gem of this.#kept.splice(0)) gem.put();
  }

  /** Objects without a handle whose memory waits until their entries are cleared. */
  get kept(): readonly GemObject[] {
    return this.#kept;
  }

  /**
   * A handle to an object was made in the VM's file.
   *
   * @throws DrmError ENOMEM
   */
  open(bo: AmdgpuBo): void {
    this.space.open(bo);
  }

  /**
   * A handle was closed: with an object's last one its mappings go, and its entries are cleared at once if that is possible.
   *
   * @param bo - its reference stays the caller's
   */
  close(bo: AmdgpuBo): void {
    const boVa = this.space.boVaOf(bo);
    if (boVa === undefined || !this.space.close(boVa)) return;
    // The driver's own update has no place for an error either.
    try {
      if (!this.evicting) clearFreed(this);
    } catch (error) {
      this.#keepToItself(error);
    }
    if (this.space.freedCount > 0) this.#kept.push(bo.get());
  }

  /**
   * What GEM_VA does at its end.
   *
   * @param boVa - the bo_va of a MAP or a REPLACE, null for other operations
   */
  update(boVa: BoVa | null): void {
    try {
      updateAfterOperation(this, boVa);
    } catch (error) {
      this.#keepToItself(error);
    }
  }

  /** Errors of an update are not returned: what was not written is still on the lists. */
  #keepToItself(error: unknown): void {
    if (!(error instanceof DrmError)) throw error;
    this.device.counters.driverMessages++;
  }

  /**
   * What a submission does before its job: page tables come back, everything that waits is written.
   *
   * @param listed - the objects in its list, in order
   * @throws DrmError ENOMEM; nothing that waits is lost
   */
  submit(listed: readonly AmdgpuBo[] = NONE): void {
    const { counters } = this.device;
    const { rangeUpdates, pteWrites, pteClears } = counters;
    const boVas: BoVa[] = [];
    for (const bo of listed) {
      const boVa = this.space.boVaOf(bo);
      if (boVa !== undefined) boVas.push(boVa);
    }
    this.evicting = false;
    try {
      updateForSubmission(this, boVas);
    } finally {
      counters.submissions++;
      counters.submissionRangeUpdates += counters.rangeUpdates - rangeUpdates;
      counters.submissionEntries += counters.pteWrites - pteWrites + counters.pteClears - pteClears;
    }
  }

  /**
   * The memory manager moved an object: its entries show where it was until the next submission.
   *
   * @param bo - the object
   * @param evicted - because the memory was needed
   */
  invalidate(bo: AmdgpuBo, evicted: boolean): void {
    const boVa = this.space.boVaOf(bo);
    if (boVa === undefined) return;
    const lists = this.space.listsOf(boVa);
    if (evicted && boVa.isAlwaysValid) {
      boVa.moved = true;
      lists.evicted.moveHere(boVa);
    } else if (!boVa.moved) {
      boVa.moved = true;
      lists.needsUpdate.moveHere(boVa);
    }
  }

  /** VRAM was lost, page tables with it: the next submission writes everything again. */
  vramLost(): void {
    const { space, pageTable, device } = this;
    pageTable.forgetAll();
    space.prt.moved = true;
    for (const boVa of space.boVas()) {
      const lists = space.listsOf(boVa);
      if (boVa.list !== lists.idle && device.options.quirks.partialRestore) continue;
      boVa.moved = true;
      if (boVa.list !== lists.evicted) lists.needsUpdate.moveHere(boVa);
    }
  }

  /**
   * The mappings, ascending; kinds are `bo` and `prt`. Addresses have 48 bits.
   *
   * @param within - only those that meet this range; all unless given
   */
  *mappings(within?: VaRange): Generator<MappingView> {
    const { mappings } = this.space;
    const from = within === undefined ? 0 : Math.floor(within.addr / PAGE_BYTES);
    const to =
      within === undefined
        ? Number.POSITIVE_INFINITY
        : Math.ceil((within.addr + within.range) / PAGE_BYTES) - 1;
    for (const id of mappings.ascending(from, to)) {
      const { bo } = this.space.ownerOf(id);
      const first = mappings.first[id] as number;
      const flags = mappings.flags[id] as number;
      yield {
        addr: first * PAGE_BYTES,
        range: ((mappings.last[id] as number) + 1 - first) * PAGE_BYTES,
        kind: (flags & VM_PAGE_PRT) !== 0 ? "prt" : "bo",
        bo: bo === null ? 0 : this.#handles.handleOf(bo),
        gem: bo,
        offset: mappings.offset[id] as number,
        flags,
      };
    }
  }

  /** The file is closed: mappings and tables go, nothing is cleared. All objects must have been closed. */
  destroy(): void {
    this.device.counters.gpuvasLive -= this.space.mappings.size;
    this.flushTlb(0);
    this.pageTable.destroy();
    this.allCleared();
  }
}
