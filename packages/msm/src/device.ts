/**
 * An Adreno GPU with the msm driver: memory, TLB, the page behind MAP_NULL, cost sheet, and what was chosen about it
 * (`msm_drv.c`, `msm_iommu.c`, Linux 7.3-rc7).
 *
 * @module
 */

import {
  type CostSchema,
  type DeviceChoices,
  deviceOptions,
  EBUSY,
  fail,
  GemObjects,
  type Resv,
} from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import { lpae4k, type PageTableFormat, PhysicalMemory, Tlb } from "@vmbind/mmu";
import type { MsmBo } from "./bo.ts";
import { COST_SCHEMA, type MsmCounter, type MsmCounters, msmCounters } from "./cost-sheet.ts";
import { MsmFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { defaults, type MsmDeviceOptions, OPTION_NAMES } from "./options.ts";
import { PAGE_BYTES, SHARED_ASID } from "./page-table.ts";
import { PrrPage } from "./prr.ts";
import { QUIRKS } from "./quirks.ts";
import { MADV_DONTNEED } from "./uapi.ts";
import type { MsmVm } from "./vm.ts";

/** A device. */
export class MsmDevice {
  /** What was chosen, defaults filled in. */
  readonly options: Readonly<MsmDeviceOptions>;
  /** The cost sheet of everything on this device. */
  readonly counters: MsmCounters = msmCounters();
  /** What its counters are. */
  readonly costSchema: CostSchema<MsmCounter> = COST_SCHEMA;
  /** Page tables and the pages of objects. */
  readonly memory: PhysicalMemory;
  /** How the GPU reads the tables of every VM. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** The page behind MAP_NULL. */
  readonly prr: PrrPage;
  /** First address behind those that a VM has, in bytes. @internal */
  readonly vaEnd: number;
  /** All objects. */
  readonly gems: GemObjects = new GemObjects();
  /** Fences that reservations hold, by reservation: jobs and submits that have not ended. @internal */
  readonly fences: Map<Resv, number> = new Map();
  /** Table pages that all VMs have set aside and not used. @internal */
  tablesAside = 0;
  readonly #vms: Map<object, MsmVm> = new Map();
  #context: MsmVm | null = null;
  #nextVmNumber = 1;

  /**
   * @param options - what differs from the defaults
   * @throws RangeError for an address width, a page or quirks that cannot be
   * @throws Error for `memory.frames` that describe no memory
   */
  constructor(options: DeviceChoices<MsmDeviceOptions> = {}) {
    this.options = deviceOptions(defaults, options, QUIRKS, OPTION_NAMES);
    const { vaBits, paBits, memory, tlb, prrPage } = this.options;
    if (!(vaBits >= 33 && vaBits <= 48)) throw new RangeError(`vaBits: ${vaBits} is not in 33..48`);
    if (!(paBits >= 32 && paBits <= 48)) throw new RangeError(`paBits: ${paBits} is not in 32..48`);
    if (prrPage !== undefined && !(prrPage >= 0 && prrPage % PAGE_BYTES === 0))
      throw new RangeError(`prrPage: ${prrPage} is not a multiple of ${PAGE_BYTES}`);
    this.vaEnd = 2 ** vaBits;
    this.memory = new PhysicalMemory({ ...memory, counters: this.counters });
    this.format = lpae4k(vaBits);
    this.tlb = new Tlb({ ...tlb, counters: this.counters });
    this.prr = new PrrPage(this);
  }

  /** Open the device node. */
  open(): MsmFile {
    return new MsmFile(this, IOCTLS);
  }

  /** VMs that there are, in the order of their making. */
  vms(): Iterable<MsmVm> {
    return this.#vms.values();
  }

  /**
   * What the shrinker does with one object: unmap it everywhere, swap its pages out (`msm_gem_shrinker.c`). It comes to those
   * that are wanted, and purges the others; the routine itself does not look.
   *
   * @param bo - an object; one without pages stays as it is
   * @throws `DrmError` EBUSY for an object in use, and another device's
   */
  evict(bo: MsmBo): void {
    this.#needIdle(bo);
    if (bo.pages !== null) this.counters.evictions++;
    this.#unmapEverywhere(bo);
    bo.swapOut();
  }

  /**
   * What the shrinker does with one object that was offered (GEM_MADVISE, DONTNEED): unmap it everywhere, throw its pages away.
   *
   * @param bo - an object with pages
   * @throws `DrmError` EBUSY for an object in use, one that was not offered or has no pages, and another device's
   */
  purge(bo: MsmBo): void {
    if (bo.madv !== MADV_DONTNEED) fail(EBUSY, "bo: its pages were not offered (GEM_MADVISE)");
    if (bo.pages === null) fail(EBUSY, "bo: it has no pages");
    this.#needIdle(bo);
    this.counters.purges++;
    this.#unmapEverywhere(bo);
    bo.throwAway();
  }

  #needIdle(bo: MsmBo): void {
    if (bo.imported) fail(EBUSY, "bo: another device's memory");
    if (bo.pins > 0) fail(EBUSY, "bo: its pages are pinned");
    if (bo.queued > 0) fail(EBUSY, "bo: a queued job unmaps it");
    if (this.fences.has(bo.resv)) fail(EBUSY, "bo: its reservation has a fence that has not signalled");
  }

  #unmapEverywhere(bo: MsmBo): void {
    for (const vmBo of vmBosOf(bo)) this.#vms.get(vmBo.vm)?.evict(vmBo);
  }

  /** @internal */
  register(vm: MsmVm): void {
    this.#vms.set(vm.gpuvm, vm);
  }

  /** Whose page table the GPU walks: the last one's that it ran, null before and behind it. */
  get context(): MsmVm | null {
    return this.#context;
  }

  /**
   * The GPU goes on with a VM's page table. It switches by itself, without the driver, and empties the TLB of the one ASID.
   *
   * @internal
   */
  enterContext(vm: MsmVm): void {
    if (this.#context === vm) return;
    if (this.#context !== null) this.counters.contextSwitches++;
    this.#context = vm;
    this.tlb.invalidateAll(SHARED_ASID, 0);
  }

  /** @internal */
  leaveContext(vm: MsmVm): void {
    this.#vms.delete(vm.gpuvm);
    if (this.#context === vm) this.#context = null;
  }

  /** @internal */
  nextVmNumber(): number {
    return this.#nextVmNumber++;
  }
}
