/**
 * An Intel GPU under the `xe` driver of Linux 7.3: its platform, memory, TLB, and what was chosen about it.
 *
 * @module
 */

import { type AllocFault, type CostSchema, GemObjects } from "@vmbind/drm";
import {
  type Fragmentation,
  FrameAllocator,
  PhysicalMemory,
  type PhysicalMemoryOptions,
  Tlb,
  type TlbOptions,
} from "@vmbind/mmu";
import { COST_SCHEMA, type XeCounter, type XeCounters, xeCounters } from "./cost-sheet.ts";
import { XeFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { DEFAULT_PLATFORM, PLATFORMS, type Platform } from "./platforms.ts";
import { PtJob } from "./pt-job.ts";
import { XeTables } from "./pt-tables.ts";
import { DEFAULT_QUIRKS, type XeQuirks } from "./quirks.ts";
import { VmBindRunner } from "./vm-bind.ts";

/** Physical address of VRAM: far from system memory, aligned so that the largest leaf does not notice. */
const VRAM_BASE = 2 ** 45;

/** How a device is made; every field has a default. */
export interface XeDeviceOptions {
  /** What differs from the right behaviour. Default {@link DEFAULT_QUIRKS}. */
  quirks: XeQuirks;
  /** How buffer objects' memory is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /** Physical memory; default that of `@vmbind/mmu`. */
  memory: PhysicalMemoryOptions;
  /** The TLB, or null for none. Default: 64 entries. */
  tlb: TlbOptions | null;
  /** Makes allocations fail on purpose. Default: none do. */
  allocFault: AllocFault | undefined;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. Default false. */
  adoptSyncobjs: boolean;
}

/** A GPU. */
export class XeDevice {
  /** What it is. */
  readonly platform: Platform;
  /** How it was made. */
  readonly options: XeDeviceOptions;
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
  /** Page tables. @internal */
  readonly tables: XeTables;
  /** Buffer objects. */
  readonly gems: GemObjects = new GemObjects();
  /** The TLB, or null. */
  readonly tlb: Tlb | null;
  /** Runs page-table work. @internal */
  readonly job: PtJob;
  /** Runs VM_BIND. @internal */
  readonly binder: VmBindRunner = new VmBindRunner();
  #asids = 0;

  /**
   * @param platform - a name from {@link PLATFORMS} or a row of one's own; Battlemage unless given
   * @param options - see {@link XeDeviceOptions}
   * @throws Error for a name that is not in the table
   */
  constructor(platform: string | Platform = DEFAULT_PLATFORM, options: Partial<XeDeviceOptions> = {}) {
    this.platform = typeof platform === "string" ? platformNamed(platform) : platform;
    this.options = {
      quirks: options.quirks ?? DEFAULT_QUIRKS,
      boFragmentation: options.boFragmentation ?? "contiguous",
      memory: options.memory ?? {},
      tlb: options.tlb === undefined ? {} : options.tlb,
      allocFault: options.allocFault,
      adoptSyncobjs: options.adoptSyncobjs ?? false,
    };
    const { counters } = this;
    this.memory = new PhysicalMemory({ ...this.options.memory, counters });
    const { memory } = this;
    const { base = 2 ** 32, limit = 2 ** 36 } = this.options.memory.frames ?? {};
    this.systemBytes = limit - base;
    this.vramBytes = this.platform.vramBytes;
    this.vramFrames = new FrameAllocator(
      { base: VRAM_BASE, limit: VRAM_BASE + Math.max(this.vramBytes, 2 ** 21) },
      undefined,
      counters,
      ({ pa, bytes }) => memory.zero(pa, bytes),
    );
    this.tables = new XeTables(memory.tables, options.allocFault);
    this.tlb = this.options.tlb === null ? null : new Tlb({ ...this.options.tlb, counters });
    this.job = new PtJob(this.tables, this.platform, this.options.quirks, counters, options.allocFault);
  }

  /** A TLB tag for a new VM. @internal */
  nextAsid(): number {
    return ++this.#asids;
  }

  /** Open the device node. */
  open(): XeFile {
    return new XeFile(this, IOCTLS);
  }
}

function platformNamed(name: string): Platform {
  const platform = PLATFORMS.get(name);
  if (platform === undefined) {
    throw new Error(`XeDevice: no platform "${name}"; there are ${[...PLATFORMS.keys()].join(", ")}`);
  }
  return platform;
}
