/**
 * One GPU address space: the VA manager, the page table, and what the driver keeps per mapping.
 *
 * @module
 */

import {
  DrmError,
  EINVAL,
  fail,
  type GemHandles,
  type GemObjects,
  type MappingView,
  type VaRange,
} from "@vmbind/drm";
import { Gpuvm } from "@vmbind/gpuvm-core";
import { AddressSpace, type PhysicalMemory, ppgtt, type Tlb } from "@vmbind/mmu";
import type { XeBo } from "./bo.ts";
import type { XeCounters } from "./cost-sheet.ts";
import type { XeDeviceOptions } from "./options.ts";
import { PageTable } from "./page-table.ts";
import type { Platform } from "./platforms.ts";
import type { PtJob } from "./pt-job.ts";
import type { XeTables } from "./pt-tables.ts";
import type { XeQuirks } from "./quirks.ts";
import { invalidateSpace, noRange, type TlbInvalidation } from "./tlb-range.ts";
import { VM_CREATE_FLAG_FAULT_MODE, VM_CREATE_FLAG_LR_MODE, VM_CREATE_FLAG_SCRATCH_PAGE } from "./uapi.ts";
import type { XeBindOp } from "./vm-bind-args.ts";
import { VmSteps } from "./vm-steps.ts";
import { VMA_PRESENT, VMA_SPARSE, VMA_SYSTEM_ALLOCATOR, XeVmas } from "./vma.ts";

/** One mapping of an Xe VM. */
export interface XeMappingView extends MappingView {
  /** PAT index. */
  patIndex: number;
  /** Its leaves are in the page table. */
  present: boolean;
}

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
}

/** A VM. */
export class XeVm {
  readonly #device: XeVmDevice;
  readonly #handles: GemHandles<XeBo>;
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
    this.ops = new VmSteps(this, this.vmas, device.options, counters, platform.atomicEnableBit);
  }

  /**
   * The mappings, ascending.
   *
   * @param within - only those that meet this range; all unless given
   */
  *mappings(within?: VaRange): Generator<XeMappingView> {
    const { gpuvm, vmas } = this;
    for (const va of gpuvm.mappingsOf(within)) {
      const flags = vmas.flags[va] as number;
      const gem = gpuvm.gem(va) as XeBo | null;
      yield {
        addr: gpuvm.addr(va),
        range: gpuvm.rangeOf(va),
        kind: kindOf(flags, gem),
        bo: gem === null ? 0 : this.#handles.handleOf(gem),
        gem,
        offset: gpuvm.offset(va),
        flags,
        patIndex: vmas.pat[va] as number,
        present: ((vmas.state[va] as number) & VMA_PRESENT) !== 0,
      };
    }
  }

  /**
   * A recoverable page fault: bind the whole mapping that holds an address. One whose leaves are in the page table and
   * valid is left as it is, since another fault was served in the meantime; but for a fault of an atomic access it is bound
   * again all the same (`xe_pagefault.c`, Linux 7.3-rc7).
   *
   * @param addr - faulting address in bytes
   * @param access - whether the access was an atomic operation; it was not unless told
   * @throws `DrmError` EINVAL outside fault mode, or where nothing is mapped; ENOMEM
   */
  fault(addr: number, { atomic = false }: { readonly atomic?: boolean } = {}): void {
    if (!this.faultMode) fail(EINVAL, "fault: the VM is not in fault mode");
    const va = this.gpuvm.findFirst(Math.floor(addr / 4096) * 4096, 4096);
    if (va === 0) fail(EINVAL, `fault: nothing is mapped at 0x${addr.toString(16)}`);
    const flags = this.vmas.flags[va] as number;
    if (flags & VMA_SYSTEM_ALLOCATOR) fail(EINVAL, "fault: memory of the process is not modelled");
    this.lastInvalidation = null;
    if (!atomic && ((this.vmas.state[va] as number) & VMA_PRESENT) !== 0) return;
    this.ops.begin();
    this.ops.addBind(va);
    this.#device.job.run(this, this.ops, false);
    this.ops.finish();
  }

  /**
   * Parse and run a list of operations, all or nothing.
   *
   * @param binds - the operations, checked
   * @param count - how many of them
   * @throws `DrmError` ENOMEM, ENOBUFS, EBUSY, EINVAL; everything is as before then, but for {@link VMA_PTE_FLAGS}
   * @internal
   */
  execute(binds: readonly XeBindOp[], count: number): void {
    const { ops } = this;
    ops.begin();
    this.lastInvalidation = null;
    try {
      for (let i = 0; i < count; i++) {
        this.gpuvm.op = i;
        ops.parse(binds[i] as XeBindOp);
      }
      if (ops.steps > 0) this.#device.job.run(this, ops, count > 1);
    } catch (error) {
      if (error instanceof DrmError) ops.undo();
      throw error;
    }
    ops.finish();
  }

  /** VM_DESTROY: mappings and page tables go; the VM's object stays while something refers to it. @internal */
  close(): void {
    this.ops.removeAll();
    invalidateSpace(this.addressSpace, this.#device.platform, this.#device.counters);
    this.pageTable.destroy();
    this.gpuvm.put();
  }
}

function kindOf(flags: number, gem: XeBo | null): string {
  if (flags & VMA_SYSTEM_ALLOCATOR) return "cpu-addr-mirror";
  if (flags & VMA_SPARSE) return "null";
  return gem === null ? "userptr" : "bo";
}
