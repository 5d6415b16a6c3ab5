/**
 * An Intel GPU under the `xe` driver of Linux 7.3-rc7: its platform, memory, TLB, and what was chosen about it.
 *
 * @module
 */

import { type CostSchema, type DeviceChoices, DrmError, deviceOptions, GemObjects } from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import { FrameAllocator, PhysicalMemory, Tlb } from "@vmbind/mmu";
import { XeBo, type XeBoHome } from "./bo.ts";
import { COST_SCHEMA, type XeCounter, type XeCounters, xeCounters } from "./cost-sheet.ts";
import { busyVramBytes, isBusy, makeRoom } from "./eviction.ts";
import { XeFile } from "./file.ts";
import { ForcedErrors } from "./forced-errors.ts";
import { IOCTLS } from "./ioctls.ts";
import { defaults, OPTION_NAMES, type XeDeviceOptions } from "./options.ts";
import { PLATFORMS, type Platform } from "./platforms.ts";
import { PtJob } from "./pt-job.ts";
import { XeTables } from "./pt-tables.ts";
import { QUIRKS } from "./quirks.ts";
import type { XeVm } from "./vm.ts";
import { VmBindRunner } from "./vm-bind.ts";
import { type EvictionRules, Vram } from "./vram.ts";

/** Physical address of VRAM: far from system memory, aligned so that the largest leaf does not notice. */
const VRAM_BASE = 2 ** 45;

/** A GPU. */
export class XeDevice {
  /** What it is. */
  readonly platform: Platform;
  /** What was chosen, defaults filled in. */
  readonly options: Readonly<XeDeviceOptions>;
  /** The cost sheet. */
  readonly counters: XeCounters = xeCounters();
  /** What its counters are. */
  readonly costSchema: CostSchema<XeCounter> = COST_SCHEMA;
  /** Physical memory: page tables and system memory. */
  readonly memory: PhysicalMemory;
  /** Bytes of system memory for objects. */
  readonly systemBytes: number;
  /** Bytes of VRAM, 0 on an integrated part. */
  readonly vramBytes: number;
  /** Memory of objects in VRAM; on an integrated part never used. */
  readonly vramFrames: FrameAllocator;
  /** How full VRAM is. */
  readonly vram: Vram;
  /** Page tables. @internal */
  readonly tables: XeTables;
  /** Buffer objects. */
  readonly gems: GemObjects = new GemObjects();
  /** VMs that are not destroyed, by their VA manager. @internal */
  readonly vms: Map<object, XeVm> = new Map();
  /** Where objects were that have moved, while binds that wait may still show it. @internal */
  readonly leaving: Set<XeBoHome> = new Set();
  /** The TLB, or null. */
  readonly tlb: Tlb | null;
  /** Runs page-table work. @internal */
  readonly job: PtJob;
  /** Where VM_BINDs fail that have to. @internal */
  readonly forcedErrors: ForcedErrors = new ForcedErrors();
  /** Runs VM_BIND. @internal */
  readonly binder: VmBindRunner;
  #asids = 0;

  /**
   * @param options - what differs from the defaults; a platform is short for `{ platform }`
   * @param more - further options behind a platform
   * @throws Error for a name that is not in the table
   * @throws RangeError for quirks that there are not
   */
  constructor(
    options: DeviceChoices<XeDeviceOptions> | Platform | string = {},
    more: DeviceChoices<XeDeviceOptions> = {},
  ) {
    const isPlatform = typeof options === "string" || "rootLevel" in options;
    const chosen = isPlatform ? { ...more, platform: options } : options;
    this.options = deviceOptions(defaults, chosen, QUIRKS, OPTION_NAMES);
    const { platform, memory: memoryOptions, tlb, quirks, allocFault } = this.options;
    this.platform = typeof platform === "string" ? platformNamed(platform) : platform;
    const { counters } = this;
    this.vramBytes = this.platform.vramBytes;
    this.memory = new PhysicalMemory({
      ...(this.vramBytes > 0 && { tableLimitBytes: this.vramBytes }),
      ...memoryOptions,
      counters,
    });
    const { memory } = this;
    const { base = 2 ** 32, limit = 2 ** 36 } = memoryOptions.frames ?? {};
    this.systemBytes = limit - base;
    this.vramFrames = new FrameAllocator(
      { base: VRAM_BASE, limit: VRAM_BASE + Math.max(this.vramBytes, 2 ** 21) },
      undefined,
      counters,
      memory.watch(VRAM_BASE, VRAM_BASE + Math.max(this.vramBytes, 2 ** 21)),
    );
    this.vram = new Vram(this.vramBytes, this.vramFrames, memory.tables);
    this.tables = new XeTables(memory.tables, counters, this.vramBytes > 0 ? this : null, allocFault);
    this.tlb = tlb === null ? null : new Tlb({ ...tlb, counters });
    this.binder = new VmBindRunner(this.platform);
    this.job = new PtJob(this.tables, this.platform, quirks, counters, allocFault);
  }

  /** A TLB tag for a new VM. @internal */
  nextAsid(): number {
    return ++this.#asids;
  }

  /**
   * Memory is short, and an object that nobody needs is found (`xe_bo_shrink` and eviction, Linux 7.3-rc7): its contents go for
   * good, its memory is free again. Its leaves become null at once, since outside fault mode every batch binds first; in
   * fault mode they are zero until a fault, which a VM with a scratch page answers with null leaves, and one without refuses
   * (EACCES).
   *
   * @param bo - an object
   * @returns false for one that is needed, that was purged before, or that is in use: by a batch, or a bind that waits
   * @throws `DrmError` ENOMEM for page-table work (by injection alone); the object is purged, its leaves are zero
   */
  purge(bo: XeBo): boolean {
    if (!bo.dontNeed || bo.purged || isBusy(this, bo)) return false;
    const mapped: { readonly vm: XeVm; readonly vas: number[] }[] = [];
    for (const vmBo of vmBosOf(bo)) {
      const vm = this.vms.get(vmBo.vm);
      if (vm !== undefined) mapped.push({ vm, vas: [...vmBo.vas()] });
    }
    for (const { vm, vas } of mapped) vm.leaves.loseMemory(vas);
    bo.dropContents();
    for (const { vm, vas } of mapped) vm.leaves.bindAgain(vas);
    return true;
  }

  /** Bytes of VRAM whose objects could be evicted if no batch and no bind used them: waiting for those would make room. */
  get busyVramBytes(): number {
    return busyVramBytes(this);
  }

  /** See {@link makeRoom}. @internal */
  makeRoom(bytes: number, rules: EvictionRules): boolean {
    return bytes <= this.vram.leftBytes || makeRoom(this, bytes, rules);
  }

  /**
   * Memory is short: whatever nobody needs is purged.
   *
   * @returns how many objects went
   */
  shrink(): number {
    let purged = 0;
    for (const gem of this.gems.values()) {
      if (!(gem instanceof XeBo)) continue;
      try {
        if (this.purge(gem)) purged++;
      } catch (error) {
        // Purged all the same: its leaves are zero and not null, since a table that these need could not be had.
        if (!(error instanceof DrmError)) throw error;
        purged++;
      }
    }
    return purged;
  }

  /** Open the device node. */
  open(): XeFile {
    return new XeFile(this, IOCTLS);
  }
}

function platformNamed(name: string): Platform {
  const platform = PLATFORMS.get(name);
  if (platform === undefined) {
    throw new RangeError(`platform: ${JSON.stringify(name)} is none of ${[...PLATFORMS.keys()].join(", ")}`);
  }
  return platform;
}
