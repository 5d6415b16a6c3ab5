/**
 * The device: memory, TLB, context slots, firmware address space, and the knobs that make one device differ from another.
 *
 * It pretends to be an Apple M1 (G13G B1, chip 0x8103): 8 cores, 40-bit physical addresses. GET_PARAMS has the fields of
 * `asahi_drm.h` (Linux 7.3); address window, dummy page and tables are the driver's (module `asahi` out of tree, branches
 * of 2025).
 *
 * @module
 */

import { type AllocFault, type CostSchema, GemObjects } from "@vmbind/drm";
import {
  type Fragmentation,
  type FrameOptions,
  type PageTableFormat,
  type PhysicalBacking,
  PhysicalMemory,
  Tlb,
  type TlbOptions,
  uat,
} from "@vmbind/mmu";
import { ContextSlots } from "./context-slots.ts";
import { type AsahiCounter, type AsahiCounters, asahiCounters, COST_SCHEMA } from "./cost-sheet.ts";
import { AsahiFile } from "./file.ts";
import { FirmwareSpace } from "./firmware.ts";
import { IOCTLS } from "./ioctls.ts";
import { type AsahiQuirks, NO_QUIRKS } from "./quirks.ts";
import {
  FEATURE_SOFT_FAULTS,
  PAGE_BYTES,
  type ParamsGlobal,
  VM_END,
  VM_KERNEL_MIN_SIZE,
  VM_START,
} from "./uapi.ts";
import type { AsahiVm } from "./vm.ts";

/** What a device is made with. */
export interface AsahiDeviceOptions {
  /**
   * Shader loads from unmapped VAs read 0 and stores are dropped, and GET_PARAMS says so (SOFT_FAULTS of `asahi_drm.h`).
   * False unless given.
   */
  softFaults?: boolean;
  /** Width of physical addresses in bits, 32..48, which the driver knows for each SoC; 40 (M1) unless given. */
  oas?: number;
  /** Defects to have; none unless given. */
  quirks?: Partial<AsahiQuirks>;
  /** Map the driver's dummy page into every VM. True unless given. */
  dummyPage?: boolean;
  /** Fields of GET_PARAMS (`drm_asahi_params_global`) that differ from those of an M1. */
  params?: Partial<ParamsGlobal>;
  /** Physical address of the first page-table page. */
  tableBase?: number;
  /** Bytes from one page-table page to the next. */
  tableStride?: number;
  /** Where buffer objects may be placed; base pages are 16 KiB. */
  frames?: FrameOptions;
  /** Where the bytes of buffer objects are kept; in this process unless given. */
  backing?: PhysicalBacking;
  /** Kind of memory that buffer objects get. */
  fragmentation?: Fragmentation;
  /** Shape of the GPU's TLB. */
  tlb?: Omit<TlbOptions, "counters">;
  /** Asked at each allocation; true makes it fail. */
  allocFault?: AllocFault;
  /** Take unknown syncobj handles for syncobjs made elsewhere, as replaying a recorded trace needs. False unless given. */
  adoptSyncobjs?: boolean;
}

/** An asahi device. */
export class AsahiDevice {
  /** The cost sheet of all layers. */
  readonly counters: AsahiCounters = asahiCounters();
  /** What its counters are. */
  readonly costSchema: CostSchema<AsahiCounter> = COST_SCHEMA;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** Who runs in which context slot. */
  readonly contexts: ContextSlots;
  /** All objects. */
  readonly gems: GemObjects = new GemObjects();
  /** Where GEM_BIND_OBJECT maps. */
  readonly firmware: FirmwareSpace;
  /** Defects in force. */
  readonly quirks: Readonly<AsahiQuirks>;
  /** See {@link AsahiDeviceOptions.softFaults}. */
  readonly softFaults: boolean;
  /** See {@link AsahiDeviceOptions.oas}. */
  readonly oas: number;
  /** The format of its page tables. */
  readonly format: PageTableFormat;
  /** See {@link AsahiDeviceOptions.dummyPage}. */
  readonly dummyPage: boolean;
  /** See {@link AsahiDeviceOptions.fragmentation}. */
  readonly fragmentation: Fragmentation | undefined;
  /** Asked at each allocation; may be set at any time. */
  allocFault: AllocFault | undefined;
  /** What the layers ask: {@link AsahiDevice.allocFault} as it is at that moment. */
  readonly allocFails: AllocFault = (point) => this.allocFault?.(point) ?? false;
  /** See {@link AsahiDeviceOptions.adoptSyncobjs}. */
  readonly adoptSyncobjs: boolean;
  /** Destroyed VMs that a mapping without length keeps, see quirk `emptyRanges`. @internal */
  readonly keptVms: Set<AsahiVm> = new Set();
  /** The GPU has crashed: GET_PARAMS fails with ENODEV. */
  crashed = false;
  /** What GET_PARAMS returns. */
  readonly params: Readonly<ParamsGlobal>;

  /**
   * @param options - see {@link AsahiDeviceOptions}
   * @throws Error for an `oas`, tables, frames or a TLB that cannot be
   */
  constructor(options: AsahiDeviceOptions = {}) {
    const { tableBase, tableStride } = options;
    this.memory = new PhysicalMemory({
      tableBytes: PAGE_BYTES,
      ...(tableBase === undefined ? {} : { tableBase }),
      ...(tableStride === undefined ? {} : { tableStride }),
      ...(options.backing && { backing: options.backing }),
      frames: { pageBytes: PAGE_BYTES, ...options.frames },
      counters: this.counters,
    });
    this.tlb = new Tlb({ ...options.tlb, counters: this.counters });
    this.contexts = new ContextSlots(this.counters, this.tlb);
    this.quirks = { ...NO_QUIRKS, ...options.quirks };
    this.softFaults = options.softFaults ?? false;
    this.oas = options.oas ?? 40;
    this.format = uat(this.oas);
    this.dummyPage = options.dummyPage ?? true;
    this.fragmentation = options.fragmentation;
    this.allocFault = options.allocFault;
    this.adoptSyncobjs = options.adoptSyncobjs ?? false;
    this.params = m1Params(this.softFaults, options.params);
    this.firmware = new FirmwareSpace(this);
  }

  /** Open the device node. */
  open(): AsahiFile {
    return new AsahiFile(this, IOCTLS);
  }
}

function m1Params(softFaults: boolean, changes: Partial<ParamsGlobal> = {}): ParamsGlobal {
  return {
    features: softFaults ? FEATURE_SOFT_FAULTS : 0,
    gpuGeneration: 13,
    gpuVariant: 0x47,
    gpuRevision: 0x11,
    chipId: 0x8103,
    numDies: 1,
    numClustersTotal: 1,
    numCoresPerCluster: 8,
    maxFrequencyKhz: 1278000,
    coreMasks: [0xff, ...new Array<number>(63).fill(0)],
    vmStart: VM_START,
    vmEnd: VM_END,
    vmKernelMinSize: VM_KERNEL_MIN_SIZE,
    maxCommandsPerSubmission: 64,
    maxAttachments: 16,
    commandTimestampFrequencyHz: 1e9,
    ...changes,
  };
}
