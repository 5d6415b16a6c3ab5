/**
 * An NVIDIA GPU with the nouveau driver: VRAM and system memory, TLB, cost sheet, and the knobs that make it one generation or
 * another. Unless told otherwise it is a GeForce RTX 3080 (GA102, Ampere) with 10 GiB, driver 1.4.3 of Linux 7.3-rc7.
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
  VmaOffsets,
} from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import { FrameAllocator, gmmu, type PageTableFormat, PhysicalMemory, Tlb } from "@vmbind/mmu";
import { BACKENDS, type Backend } from "./backends.ts";
import type { NouveauBo } from "./bo.ts";
import { COST_SCHEMA, type NouveauCounter, type NouveauCounters, nouveauCounters } from "./cost-sheet.ts";
import { NouveauFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { invalidateMappings } from "./job-run.ts";
import { defaults, type NouveauDeviceOptions, OPTION_NAMES } from "./options.ts";
import { QUIRKS } from "./quirks.ts";
import { TableCache } from "./table-cache.ts";
import type { NouveauVm } from "./vm.ts";

/** Where VRAM lies among the addresses of the model: above system memory and page tables, below what VRAM entries can hold. */
const VRAM_BASE = 0x80_0000_0000;
const VRAM_MAX = 0x80_0000_0000;
const MIB_2: number = 2 ** 21;

/** A device. */
export class NouveauDevice {
  /** What was chosen, defaults filled in. */
  readonly options: Readonly<NouveauDeviceOptions>;
  /** Which GPU. */
  readonly backend: Backend;
  /** The cost sheet of everything on this device. */
  readonly counters: NouveauCounters = nouveauCounters();
  /** What its counters are. */
  readonly costSchema: CostSchema<NouveauCounter> = COST_SCHEMA;
  /** System memory, page tables, and everything that is stored. */
  readonly memory: PhysicalMemory;
  /** VRAM. Its addresses in entries are those of the model. */
  readonly vramFrames: FrameAllocator;
  /** How the GPU reads the tables of every VM. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** How much memory page tables take. */
  readonly tableCache: TableCache;
  /** All objects. */
  readonly gems: GemObjects;
  /** VMs by their manager. @internal */
  readonly vms: Map<object, NouveauVm> = new Map();
  #asids = 0;

  /**
   * @param options - what differs from the defaults
   * @throws RangeError for a back end, a size of VRAM or quirks that there are not
   * @throws Error for `memory.frames` that describe no memory
   */
  constructor(options: DeviceChoices<NouveauDeviceOptions> = {}) {
    this.options = deviceOptions(defaults, options, QUIRKS, OPTION_NAMES);
    const { backend, tableAperture, memory, tlb, vramBytes, mmapStep } = this.options;
    if (!(vramBytes >= MIB_2 && vramBytes <= VRAM_MAX) || vramBytes % MIB_2 !== 0) {
      throw new RangeError(`vramBytes: ${vramBytes} is not a multiple of 2 MiB up to 512 GiB`);
    }
    this.backend = BACKENDS[backend];
    this.memory = new PhysicalMemory({ ...memory, counters: this.counters });
    this.vramFrames = new FrameAllocator(
      { base: VRAM_BASE, limit: VRAM_BASE + vramBytes },
      { start: 0, end: 0 },
      this.counters,
      this.memory.watch(VRAM_BASE, VRAM_BASE + vramBytes),
    );
    this.format = gmmu(this.backend.version, tableAperture);
    this.tlb = new Tlb({ ...tlb, counters: this.counters });
    this.tableCache = new TableCache(this.counters);
    this.gems = new GemObjects(new VmaOffsets(undefined, mmapStep));
  }

  /** Open the device node. */
  open(): NouveauFile {
    this.gems.offsets.startOver();
    return new NouveauFile(this, IOCTLS);
  }

  /**
   * What the memory manager does with an object that it moves away: queued work that maps it or takes it out is waited for, every
   * mapping is taken out and flagged, then the contents move (`nouveau_bo.c`, Linux 7.3-rc7). The next VM_BIND or EXEC that needs
   * the object brings it back.
   *
   * @param bo - an object; nothing happens when it is away
   * @throws DrmError EBUSY where that work waits for a fence that nobody has signalled, or another device uses the object
   */
  evict(bo: NouveauBo): void {
    if (bo.evicted) return;
    if ((bo.exported?.attachments ?? 0) > 0) fail(EBUSY, "bo: another device uses its memory");
    const mapping = new Set([...vmBosOf(bo)].map(({ vm }) => this.vms.get(vm)));
    for (const vm of this.vms.values()) {
      // What the last mapping left goes on showing the object until the job has run, which the tree and its lists do not tell.
      if (!mapping.has(vm) && !vm.isQueued(bo)) continue;
      vm.queue.run();
      if (vm.queue.jobs.length > 0) fail(EBUSY, "bo: queued work of a VM that maps it waits for a fence");
    }
    for (const vmBo of vmBosOf(bo)) {
      const vm = this.vms.get(vmBo.vm);
      if (vm !== undefined) invalidateMappings(vm, vmBo);
    }
    bo.evict();
  }

  /** @returns a number for the TLB. @internal */
  nextAsid(): number {
    return this.#asids++;
  }
}
