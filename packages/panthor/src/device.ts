/**
 * A Mali CSF GPU with the panthor driver: memory, cost sheet, and the knobs that make it one version or another. Versions
 * and what they brought are those of `panthor_drv.c`, Linux 7.3-rc7.
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
  needKnown,
} from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import { type PageTableFormat, PhysicalMemory, Tlb } from "@vmbind/mmu";
import { AsSlots, isSlotMask } from "./as-slots.ts";
import { PanthorBo } from "./bo.ts";
import { COST_SCHEMA, type PanthorCounter, type PanthorCounters, panthorCounters } from "./cost-sheet.ts";
import { PanthorFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import {
  DRIVER_VERSIONS,
  type DriverVersion,
  defaults,
  OPTION_NAMES,
  type PanthorDeviceOptions,
} from "./options.ts";
import { BLOCK_2M } from "./page-sizes.ts";
import { PARTS, type PanthorParts } from "./parts.ts";
import { QUIRKS } from "./quirks.ts";
import { BO_NO_MMAP, MAP_NOEXEC, MAP_READONLY, MAP_SPARSE, MAP_UNCACHED } from "./uapi.ts";
import type { PanthorVm } from "./vm.ts";

/** A device. */
export class PanthorDevice {
  /** What was chosen, defaults filled in. */
  readonly options: Readonly<PanthorDeviceOptions>;
  /** The cost sheet of everything on this device. */
  readonly counters: PanthorCounters = panthorCounters();
  /** What its counters are. */
  readonly costSchema: CostSchema<PanthorCounter> = COST_SCHEMA;
  /** Page tables and the pages of objects. */
  readonly memory: PhysicalMemory;
  /** What it is made of. */
  readonly parts: PanthorParts;
  /** How the GPU reads the tables of every VM. */
  readonly format: PageTableFormat;
  /** The GPU's TLB; UNLOCK commands (`panthor_mmu.c`) invalidate it. */
  readonly tlb: Tlb;
  /** Whose each AS slot is. */
  readonly asSlots: AsSlots;
  /** All objects. */
  readonly gems: GemObjects = new GemObjects();
  /** Destroyed VMs that are still there: jobs are queued, or have mapped something (quirk `mapsAfterDestroy`). @internal */
  readonly keptVms: Set<PanthorVm> = new Set();
  /** Whether MAP_SPARSE exists. */
  readonly sparse: boolean;
  /** Whether MAP_REPEAT exists and bind operations have 56 bytes. */
  readonly repeats: boolean;
  /** `MAP_` flags that exist. */
  readonly mapFlags: number;
  /** The dummy object of all files with quirk `deviceWideDummy`, which lives as long as the device. */
  readonly dummy: PanthorBo | null;
  readonly #vms = new WeakMap<object, PanthorVm>();
  #nextVmNumber = 1;

  /**
   * @param options - what differs from the defaults
   * @param parts - what is replaced of the driver or of the GPU, for a what-if
   * @throws RangeError for options and parts that there are not, and for a driver version, a posting of REPEAT, a kind of memory, an address
   * width, AS slots or quirks that do not exist
   * @throws Error for `memory.frames` that describe no memory
   */
  constructor(options: DeviceChoices<PanthorDeviceOptions> = {}, parts: Partial<PanthorParts> = {}) {
    needKnown(parts, Object.keys(PARTS), "parts.");
    this.parts = { ...PARTS, ...parts };
    this.options = deviceOptions(defaults, options, QUIRKS, OPTION_NAMES);
    const { vaBits, repeat, memory, tlb, asPresent } = this.options;
    if (!(vaBits >= 22 && vaBits <= 48)) throw new RangeError(`vaBits: ${vaBits} is not in 22..48`);
    if (!isSlotMask(asPresent))
      throw new RangeError(
        `asPresent: 0x${asPresent.toString(16)} is not a run of two or more bits from bit 0`,
      );
    this.memory = new PhysicalMemory({ ...memory, counters: this.counters });
    this.format = this.parts.format(vaBits);
    this.tlb = new Tlb({ ...tlb, counters: this.counters });
    this.asSlots = new AsSlots(this.counters, asPresent);
    this.repeats = repeat !== "off";
    this.sparse = this.since("1.8") && !this.repeats;
    this.mapFlags = MAP_READONLY | MAP_NOEXEC | MAP_UNCACHED | (this.sparse || this.repeats ? MAP_SPARSE : 0);
    this.dummy = this.options.quirks.deviceWideDummy ? this.#makeDummy() : null;
  }

  /**
   * @param version - a driver version
   * @returns true when this device's driver is that one or later
   */
  since(version: DriverVersion): boolean {
    return DRIVER_VERSIONS.indexOf(this.options.driverVersion) >= DRIVER_VERSIONS.indexOf(version);
  }

  #makeDummy(): PanthorBo {
    const { dummyFragmentation, dummyPages } = this.options;
    return new PanthorBo(this, BLOCK_2M, {
      flags: BO_NO_MMAP,
      fragmentation: dummyFragmentation,
      ...(dummyPages && { pages: dummyPages }),
    });
  }

  /** The dummy object of a file that is being opened, referenced. @internal */
  dummyForFile(): PanthorBo {
    return this.dummy?.get() ?? this.#makeDummy();
  }

  /** Open the device node. */
  open(): PanthorFile {
    return new PanthorFile(this, IOCTLS);
  }

  /**
   * What the shrinker does with one object (`panthor_gem.c`, Linux 7.3-rc7): unmap it everywhere, then swap its pages out.
   *
   * @param bo - an object; nothing happens when it has no pages
   * @throws `DrmError` EBUSY while an operation pins it
   */
  evict(bo: PanthorBo): void {
    if (bo.pins > 0) fail(EBUSY, "bo: pages are pinned by an operation");
    if (bo.pages === null) return;
    // Also where the pair is marked evicted: a MAP, or a restore that ran out of memory, may have written entries since.
    for (const vmBo of vmBosOf(bo)) this.#vms.get(vmBo.vm)?.evict(vmBo);
    bo.swapOut();
    this.counters.evictions++;
  }

  /**
   * Bring one object back in every VM that maps it, as Linux 7.3-rc7 does before the next job.
   *
   * @param bo - an object
   * @throws `DrmError` ENOMEM, and what mapping can fail with
   */
  restore(bo: PanthorBo): void {
    for (const vmBo of vmBosOf(bo)) if (vmBo.evicted) this.#vms.get(vmBo.vm)?.restore(vmBo);
  }

  /** @internal */
  register(vm: PanthorVm): void {
    this.#vms.set(vm.gpuvm, vm);
  }

  /** @internal */
  nextVmNumber(): number {
    return this.#nextVmNumber++;
  }
}
