/**
 * A Mali CSF GPU with the panthor driver: memory, cost sheet, and the knobs that make it one version or another. Versions
 * and what they brought are those of `panthor_drv.c`, Linux 7.3.
 *
 * @module
 */

import { type AllocFault, type CostSchema, type DeviceChoices, EBUSY, fail, GemObjects } from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import {
  type Fragmentation,
  lpae4k,
  type PageTableFormat,
  PhysicalMemory,
  type PhysicalMemoryOptions,
  type ScatterList,
  Tlb,
  type TlbOptions,
} from "@vmbind/mmu";
import { PanthorBo } from "./bo.ts";
import { COST_SCHEMA, type PanthorCounter, type PanthorCounters, panthorCounters } from "./cost-sheet.ts";
import { PanthorFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { BLOCK_2M } from "./page-sizes.ts";
import { NO_QUIRKS, type PanthorQuirks } from "./quirks.ts";
import { BO_NO_MMAP, MAP_NOEXEC, MAP_READONLY, MAP_SPARSE, MAP_UNCACHED } from "./uapi.ts";
import type { PanthorVm } from "./vm.ts";

/**
 * Driver versions that the model knows, oldest first. WB_MMAP and `selected_coherency` came with 1.7, the MMU_INFO query
 * and MAP_SPARSE with 1.9.
 */
export const DRIVER_VERSIONS = [
  "1.0",
  "1.1",
  "1.2",
  "1.3",
  "1.4",
  "1.5",
  "1.6",
  "1.7",
  "1.8",
  "1.9",
] as const;

/** A driver version. */
export type DriverVersion = (typeof DRIVER_VERSIONS)[number];

/**
 * Whether the REPEAT proposal is in the driver, and which posting of it (v2 of July 2025 to v5 of March 2026). It takes
 * MAP_SPARSE's flag bit. Up to v4 the window is a u32 and a pad, in v5 a u64 of which 32 bits may be used; legal values
 * have the same bytes.
 */
export type RepeatVersion = "off" | "v2" | "v3" | "v4" | "v5";

/** Everything that can be chosen about a device. */
export interface PanthorDeviceOptions {
  /** Default `1.9`, Linux 7.3. WB_MMAP needs 1.7, MAP_SPARSE and the MMU_INFO query need 1.9. */
  driverVersion: DriverVersion;
  /** Width of GPU addresses in bits, 22..48 (`mmu_features` of `panthor_drm.h`); VM_CREATE refuses up to 28. Default 48. */
  vaBits: number;
  /**
   * Width of physical addresses in bits (`mmu_features`); VM_CREATE refuses all but 32, 36, 40, 42, 44, 48 and 52, the
   * output sizes of `io-pgtable-arm.c`. Default 40.
   */
  paBits: number;
  /** Whether the GPU snoops the CPU's caches; if not, page-table writes are cleaned to memory. Default true. */
  coherent: boolean;
  /** Bytes of a process's address space, for VM_CREATE with range 0. Default 2^48. */
  taskSize: number;
  /** How the memory of BOs is spread. Default `huge`. */
  boFragmentation: Fragmentation;
  /** How the 2 MiB of the dummy object are spread. Default `huge`: one page. */
  dummyFragmentation: Fragmentation;
  /** Fixed DMA segments of every dummy object, instead of memory from the device. */
  dummyPages?: ScatterList | undefined;
  /** Physical memory. Default that of `@vmbind/mmu`. */
  memory: PhysicalMemoryOptions;
  /** The TLB. Default 64 entries. */
  tlb: TlbOptions;
  /** Whether VMs own an AS slot from the start; without one no AS commands are issued (`panthor_mmu.c`). Default true. */
  activeAs: boolean;
  /** The REPEAT proposal. Default `off`. */
  repeat: RepeatVersion;
  /** Defects to reproduce. Default: none. */
  quirks: PanthorQuirks;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
  /** GPU id register, default 0xa8670005 (Mali-G610). */
  gpuId: number;
  /** Makes allocations fail. Default: none does. */
  allocFault?: AllocFault | undefined;
}

const DEFAULTS: PanthorDeviceOptions = {
  driverVersion: "1.9",
  vaBits: 48,
  paBits: 40,
  coherent: true,
  taskSize: 2 ** 48,
  boFragmentation: "huge",
  dummyFragmentation: "huge",
  memory: {},
  tlb: {},
  activeAs: true,
  repeat: "off",
  quirks: NO_QUIRKS,
  adoptSyncobjs: false,
  gpuId: 0xa8670005,
};

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
  /** How the GPU reads the tables of every VM. */
  readonly format: PageTableFormat;
  /** The GPU's TLB; UNLOCK commands (`panthor_mmu.c`) invalidate it. */
  readonly tlb: Tlb;
  /** All objects. */
  readonly gems: GemObjects = new GemObjects();
  /** Whether MAP_SPARSE exists. */
  readonly sparse: boolean;
  /** Whether MAP_REPEAT exists and bind operations have 56 bytes. */
  readonly repeats: boolean;
  /** `MAP_` flags that exist. */
  readonly mapFlags: number;
  /** The dummy object of all files with quirk `deviceWideDummy`, which lives as long as the device. */
  readonly dummy: PanthorBo | null;
  readonly #vms = new WeakMap<object, PanthorVm>();
  #nextAsid = 1;

  /**
   * @param options - what differs from the defaults
   * @throws RangeError for a driver version or address width that does not exist
   * @throws Error for `memory.frames` that describe no memory
   */
  constructor(options: DeviceChoices<PanthorDeviceOptions> = {}) {
    this.options = { ...DEFAULTS, ...options, quirks: { ...NO_QUIRKS, ...options.quirks } };
    const { driverVersion, vaBits, repeat, memory, tlb } = this.options;
    if (!DRIVER_VERSIONS.includes(driverVersion))
      throw new RangeError(`driverVersion: no version ${driverVersion}`);
    if (!(vaBits >= 22 && vaBits <= 48)) throw new RangeError(`vaBits: ${vaBits} is not in 22..48`);
    this.memory = new PhysicalMemory({ ...memory, counters: this.counters });
    this.format = lpae4k(vaBits);
    this.tlb = new Tlb({ ...tlb, counters: this.counters });
    this.repeats = repeat !== "off";
    this.sparse = this.since("1.9") && !this.repeats;
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
   * What the shrinker does with one object (`panthor_gem.c`, Linux 7.3): unmap it everywhere, then swap its pages out.
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
   * Bring one object back in every VM that maps it, as Linux 7.3 does before the next job.
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
  nextAsid(): number {
    return this.#nextAsid++;
  }
}
