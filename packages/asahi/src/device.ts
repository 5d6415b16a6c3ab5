/**
 * The device: memory, TLB, context slots, firmware address space, and the knobs that make one device differ from another.
 *
 * It pretends to be an Apple M1 (G13G B1, chip 0x8103): 8 cores, 40-bit physical addresses. GET_PARAMS has the fields of
 * `asahi_drm.h` (Linux 7.3-rc7); address window, dummy page and tables are the driver's (the downstream asahi driver, branches
 * of 2025).
 *
 * @module
 */

import { type CostSchema, type DeviceChoices, deviceOptions, GemObjects } from "@vmbind/drm";
import { type PageTableFormat, PhysicalMemory, Tlb, uat } from "@vmbind/mmu";
import { ContextSlots } from "./context-slots.ts";
import { type AsahiCounter, type AsahiCounters, asahiCounters, COST_SCHEMA } from "./cost-sheet.ts";
import { AsahiFile } from "./file.ts";
import { FirmwareSpace } from "./firmware.ts";
import { IOCTLS } from "./ioctls.ts";
import { type AsahiDeviceOptions, defaults, OPTION_NAMES } from "./options.ts";
import { QUIRKS } from "./quirks.ts";
import {
  FEATURE_SOFT_FAULTS,
  PAGE_BYTES,
  type ParamsGlobal,
  VM_END,
  VM_KERNEL_MIN_SIZE,
  VM_START,
} from "./uapi.ts";
import type { AsahiVm } from "./vm.ts";

/** An asahi device. */
export class AsahiDevice {
  /** What was chosen, defaults filled in. */
  readonly options: Readonly<AsahiDeviceOptions>;
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
  /** The format of its page tables. */
  readonly format: PageTableFormat;
  /** Destroyed VMs that a mapping without length keeps, see quirk `emptyRanges`. @internal */
  readonly keptVms: Set<AsahiVm> = new Set();
  /** The GPU has crashed: GET_PARAMS fails with ENODEV. */
  crashed = false;
  /** What GET_PARAMS returns. */
  readonly params: Readonly<ParamsGlobal>;

  /**
   * @param options - what differs from the defaults
   * @throws Error for an `oas`, tables, frames or a TLB that cannot be
   * @throws RangeError for quirks that there are not
   */
  constructor(options: DeviceChoices<AsahiDeviceOptions> = {}) {
    this.options = deviceOptions(defaults, options, QUIRKS, OPTION_NAMES);
    const { memory, tlb, oas, softFaults, params } = this.options;
    this.memory = new PhysicalMemory({
      tableBytes: PAGE_BYTES,
      ...memory,
      frames: { pageBytes: PAGE_BYTES, ...memory.frames },
      counters: this.counters,
    });
    this.tlb = new Tlb({ ...tlb, counters: this.counters });
    this.contexts = new ContextSlots(this.counters, this.tlb);
    this.format = uat(oas);
    this.params = m1Params(softFaults, params);
    this.firmware = new FirmwareSpace(this.memory, this.options);
  }

  /** Open the device node. */
  open(): AsahiFile {
    return new AsahiFile(this, IOCTLS);
  }
}

function m1Params(softFaults: boolean, changes: Partial<ParamsGlobal>): ParamsGlobal {
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
