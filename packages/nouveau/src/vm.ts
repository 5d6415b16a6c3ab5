/**
 * The address space of an open file: mappings (GPUVM), sparse regions beside them, page tables, and the queue of its VM_BINDs
 * (`nouveau_uvmm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import {
  ENOMEM,
  fail,
  type GemHandles,
  GemObject,
  type GemObjects,
  type MappingView,
  type VaRange,
} from "@vmbind/drm";
import { GPUVA_INVALIDATED, Gpuvm } from "@vmbind/gpuvm-core";
import {
  AddressSpace,
  gmmuLeafHi,
  gmmuLeafLo,
  type PageTableFormat,
  type PhysicalMemory,
  type Tlb,
} from "@vmbind/mmu";
import type { Backend } from "./backends.ts";
import { BindJob } from "./bind-job.ts";
import { BindQueue } from "./bind-queue.ts";
import type { NouveauBo } from "./bo.ts";
import type { NouveauCounters } from "./cost-sheet.ts";
import { freeJob, removeRegion, runJob, unmapLeaves } from "./job-run.ts";
import type { LeafAttributes } from "./leaf-runs.ts";
import { kindOf, shiftOf } from "./mapping.ts";
import type { NouveauDeviceOptions } from "./options.ts";
import { NouveauPageTable } from "./page-table.ts";
import { type SparseRegion, SparseRegions } from "./regions.ts";
import type { TableCache } from "./table-cache.ts";
import { VM_END } from "./uapi.ts";
import { VmSteps } from "./vm-steps.ts";

/** PTE kinds that a byte can name. */
const KINDS = 256;

/** One mapping of a nouveau VM. `flags` is its PTE kind. */
export interface NouveauMappingView extends MappingView {
  /** log2 of its page size. */
  pageShift: number;
  /** First VA of the sparse region that it lies in, null outside of regions. */
  region: number | null;
  /** Its object was moved away: nothing is in the page table. */
  invalidated: boolean;
}

/** What a VM needs of its device; see `NouveauDevice`. */
export interface NouveauVmDevice {
  /** What was chosen. */
  readonly options: Readonly<NouveauDeviceOptions>;
  /** Which GPU. */
  readonly backend: Backend;
  /** The cost sheet. */
  readonly counters: NouveauCounters;
  /** Page tables and system memory. */
  readonly memory: PhysicalMemory;
  /** How the GPU reads the tables. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** How much memory page tables take. */
  readonly tableCache: TableCache;
  /** All objects. */
  readonly gems: GemObjects;
  /** VMs by their manager. @internal */
  readonly vms: Map<object, NouveauVm>;
  /** @returns a number for the TLB. @internal */
  nextAsid(): number;
}

/** A VM. For its queue and its jobs it has what `JobRunner` and `JobVm` ask, in members that users do not see. */
export class NouveauVm {
  /** The device. */
  readonly device: NouveauVmDevice;
  /** The mappings. */
  readonly gpuvm: Gpuvm;
  /** The tables. */
  readonly pageTable: NouveauPageTable;
  /** The sparse regions. */
  readonly regions: SparseRegions = new SparseRegions();
  /** What the GPU sees. */
  readonly addressSpace: AddressSpace;
  /** VM_BINDs whose work has not run. */
  readonly queue: BindQueue;
  /** What operations do to the tree. @internal */
  readonly steps: VmSteps;
  /** Number in the TLB. */
  readonly asid: number;
  readonly #handles: GemHandles<NouveauBo>;
  /** By kind, then place; undefined until one is asked for. */
  readonly #leaves: (LeafAttributes | null | undefined)[] = new Array(KINDS * 2).fill(undefined);
  /** A job that was freed, to be used again. Synchronous calls never need more; others leave theirs to whoever waits for them. */
  #spare: BindJob | null = null;

  /**
   * VM_INIT behind its checks.
   *
   * @param device - the device
   * @param kernelStart - first VA of the kernel's range
   * @param kernelRange - bytes of it, 0 for none
   * @param handles - of its file
   * @throws DrmError ENOMEM; nothing is left behind
   */
  constructor(
    device: NouveauVmDevice,
    kernelStart: number,
    kernelRange: number,
    handles: GemHandles<NouveauBo>,
  ) {
    const { memory, options, backend, counters, gems, tlb } = device;
    if (options.allocFault?.("vm")) fail(ENOMEM, "vm_init: no memory for the VM (injected)");
    this.device = device;
    this.#handles = handles;
    this.asid = device.nextAsid();
    this.pageTable = new NouveauPageTable({
      memory,
      counters,
      cache: device.tableCache,
      version: backend.version,
      pages: backend.pages,
      aperture: options.tableAperture,
      allocFault: options.allocFault,
      tlb,
      asid: this.asid,
    });
    const resv = new GemObject(gems, 0);
    this.gpuvm = new Gpuvm({
      name: "nouveau",
      range: VM_END,
      kernelStart,
      kernelRange,
      gems,
      resv,
      counters,
      // A MAP with another PTE kind keeps what shows the same bytes, too.
      repeat: "upstream",
      onFree: () => device.vms.delete(this.gpuvm),
    });
    resv.put();
    device.vms.set(this.gpuvm, this);
    this.steps = new VmSteps(this.gpuvm, this.pageTable, backend);
    this.queue = new BindQueue(this);
    this.addressSpace = new AddressSpace(memory, device.format, this.pageTable.rootAddress, {
      asid: this.asid,
      tlb,
    });
  }

  /**
   * The mappings, ascending; regions are not among them.
   *
   * @param within - only those that meet this range; all unless given
   */
  *mappings(within?: VaRange): Generator<NouveauMappingView> {
    const { gpuvm } = this;
    for (const va of gpuvm.mappingsOf(within)) {
      const gem = gpuvm.gem(va);
      const flags = gpuvm.flags(va);
      const addr = gpuvm.addr(va);
      yield {
        addr,
        range: gpuvm.rangeOf(va),
        kind: "bo",
        bo: gem === null ? 0 : this.#handles.handleOf(gem),
        gem,
        offset: gpuvm.offset(va),
        flags: kindOf(flags),
        pageShift: shiftOf(flags),
        region: this.regions.at(addr)?.addr ?? null,
        invalidated: (flags & GPUVA_INVALIDATED) !== 0,
      };
    }
  }

  /** See `JobVm`. @internal */
  leafOf(bo: NouveauBo, kind: number): LeafAttributes | null {
    const key = kind * 2 + (bo.inVram ? 1 : 0);
    let leaf = this.#leaves[key];
    if (leaf === undefined) {
      leaf = this.#makeLeaf(kind, bo.inVram);
      this.#leaves[key] = leaf;
    }
    return leaf;
  }

  #makeLeaf(kind: number, inVram: boolean): LeafAttributes | null {
    const { backend, options } = this.device;
    const { version } = backend;
    const plain = backend.kinds[kind] as number;
    if (plain < 0) return null;
    const compressed = plain !== kind && options.gsp;
    const written = version === 3 || compressed ? kind : plain;
    const aperture = inVram ? "vram" : options.coherent ? "coherent" : "noncoherent";
    return {
      version,
      lo: gmmuLeafLo(version, written, aperture),
      hi: gmmuLeafHi(version, written),
      tagged: backend.tagLines && compressed,
    };
  }

  /** See `JobVm`. @internal */
  regionGone(_region: SparseRegion): void {
    this.device.counters.regionsLive--;
  }

  /** A region is made. @internal */
  addRegion(region: SparseRegion): void {
    this.regions.add(region);
    const { counters } = this.device;
    counters.regionsLive++;
    if (counters.regionsLive > counters.regionsPeak) counters.regionsPeak = counters.regionsLive;
  }

  /** A job without operations. @internal */
  takeJob(): BindJob {
    const job = this.#spare ?? new BindJob();
    this.#spare = null;
    return job;
  }

  /** Give a job back that nobody looks at any more. @internal */
  giveJob(job: BindJob): void {
    job.reset();
    this.#spare = job;
  }

  /** See `JobRunner`. @internal */
  runJob(job: BindJob): void {
    runJob(this, job);
  }

  /** See `JobRunner`. @internal */
  freeJob(job: BindJob): void {
    freeJob(this, job);
  }

  /** Whether queued work maps an object or takes a mapping of it out: it stands in the tables until that has run. @internal */
  isQueued(bo: NouveauBo): boolean {
    const { gpuvm } = this;
    for (const job of this.queue.jobs) {
      for (let op = 0; op < job.count; op++) if (job.bo(op) === bo) return true;
      for (let step = 0; step < job.stepCount; step++) if (gpuvm.gem(job.old(step)) === bo) return true;
    }
    return false;
  }

  /** The file is closed: its work is done, then everything goes. */
  destroy(): void {
    const { gpuvm } = this;
    this.queue.finish();
    for (const va of gpuvm.mappings()) {
      const bo = gpuvm.gem(va) as NouveauBo;
      const addr = gpuvm.addr(va);
      const range = gpuvm.rangeOf(va);
      unmapLeaves(this, va, addr, addr + range, true);
      if (range > 0) this.pageTable.put(addr, range, shiftOf(gpuvm.flags(va)));
      gpuvm.remove(va);
      gpuvm.unlink(va);
      gpuvm.free(va);
      bo.put();
    }
    for (const region of [...this.regions]) removeRegion(this, region);
    this.pageTable.destroy();
    gpuvm.put();
  }
}
