/**
 * The device: memory, TLB, and the knobs that make one device differ from another.
 *
 * It pretends to be a discrete card: VRAM is a range of physical addresses of its own, and the SYSTEM bit of an entry says
 * which memory its address is one of. Unless told otherwise it is a Navi 21 (Radeon RX 6800, GFX 10.3).
 *
 * @module
 */

import { type CostSchema, type DeviceChoices, deviceOptions, ENOMEM, fail, GemObjects } from "@vmbind/drm";
import {
  copyPages,
  FrameAllocator,
  type GcvmGeneration,
  gcvm,
  OutOfFrames,
  type PageTableFormat,
  PhysicalMemory,
  type ScatterList,
  Tlb,
} from "@vmbind/mmu";
import type { AmdgpuBo } from "./bo.ts";
import { type AmdgpuCounter, type AmdgpuCounters, amdgpuCounters, COST_SCHEMA } from "./cost-sheet.ts";
import { AmdgpuFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import type { Place } from "./leaf-flags.ts";
import { type AmdgpuDeviceOptions, type AmdgpuGfx, defaults, OPTION_NAMES } from "./options.ts";
import { QUIRKS } from "./quirks.ts";
import type { AmdgpuVm } from "./vm.ts";

/** First physical address of VRAM in the model: above system memory and page tables. */
const VRAM_BASE = 2 ** 40;

const GENERATIONS: Readonly<Record<AmdgpuGfx, GcvmGeneration>> = {
  "9.0": "gfx9",
  "10.3": "gfx10",
  "11.0": "gfx10",
  "12.0": "gfx12",
};

/** An amdgpu device. */
export class AmdgpuDevice {
  /** What was chosen, defaults filled in. */
  readonly options: Readonly<AmdgpuDeviceOptions>;
  /** The cost sheet of all layers. */
  readonly counters: AmdgpuCounters = amdgpuCounters();
  /** What its counters are. */
  readonly costSchema: CostSchema<AmdgpuCounter> = COST_SCHEMA;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** The memory of objects in VRAM. */
  readonly vram: FrameAllocator;
  /** Bytes of system memory that objects can have. */
  readonly gttBytes: number;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** All objects. */
  readonly gems: GemObjects = new GemObjects();
  /** Where the bits of an entry are. */
  readonly generation: GcvmGeneration;
  /** The format of its page tables. */
  readonly format: PageTableFormat;
  #opened = 0;

  /**
   * @param options - what differs from the defaults
   * @throws Error for a `gfx`, tables, frames or a TLB that cannot be
   * @throws RangeError for quirks that there are not
   */
  constructor(options: DeviceChoices<AmdgpuDeviceOptions> = {}) {
    this.options = deviceOptions(defaults, options, QUIRKS, OPTION_NAMES);
    const { memory, tlb, gfx, vramBytes, vramFragmentation } = this.options;
    const generation = GENERATIONS[gfx];
    this.generation = generation;
    this.format = gcvm(generation);
    this.memory = new PhysicalMemory({ ...memory, counters: this.counters });
    const { base = 2 ** 32, limit = 2 ** 36 } = memory.frames ?? {};
    this.gttBytes = limit - base;
    this.vram = new FrameAllocator(
      { base: VRAM_BASE, limit: VRAM_BASE + vramBytes, fragmentation: vramFragmentation },
      { start: this.memory.tables.base, end: this.memory.tables.end },
      this.counters,
      this.memory.watch(VRAM_BASE, VRAM_BASE + vramBytes),
    );
    this.tlb = new Tlb({ ...tlb, counters: this.counters });
  }

  /** Open the device node: an open file is an address space. */
  open(): AmdgpuFile {
    return new AmdgpuFile(this, IOCTLS, ++this.#opened);
  }

  /** The allocator of one place. */
  framesOf(place: Place): FrameAllocator {
    return place === "vram" ? this.vram : this.memory.frames;
  }

  /**
   * Memory in a place.
   *
   * @param place - VRAM or system memory
   * @param bytes - a multiple of 4 KiB
   * @throws DrmError ENOMEM
   */
  take(place: Place, bytes: number): ScatterList {
    if (this.options.allocFault?.("bo-pages")) fail(ENOMEM, `bo: no memory for ${bytes} bytes (injected)`);
    try {
      if (place === "vram") return this.vram.alloc(bytes);
      return this.memory.frames.alloc(bytes, this.options.boFragmentation);
    } catch (error) {
      if (error instanceof OutOfFrames) return fail(ENOMEM, `bo: ${error.message}`);
      throw error;
    }
  }

  /**
   * Let the memory manager put an object elsewhere, with its bytes. Page tables follow at the next submission of each VM.
   *
   * @param bo - an object with memory
   * @param place - VRAM or system memory
   * @param evicted - because the memory was needed, not because somebody asked
   * @throws DrmError ENOMEM; then it stays where it is
   */
  moveBo(bo: AmdgpuBo, place: "vram" | "gtt", evicted: boolean): void {
    if (bo.place === "none" || bo.place === place) return;
    const pages = this.take(place, bo.size);
    if (bo.pages !== null) copyPages(this.memory, bo.pages, pages);
    bo.moved(place, pages, this.framesOf(place));
    this.movedBo(bo, evicted);
  }

  /**
   * An object is elsewhere now: every VM has to know.
   *
   * @param bo - the object
   * @param evicted - because the memory was needed
   */
  movedBo(bo: AmdgpuBo, evicted: boolean): void {
    for (const { vm } of bo.vmBos) (vm as AmdgpuVm).invalidate(bo, evicted);
  }
}
