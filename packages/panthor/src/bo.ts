/**
 * Panthor's GEM object: pages that appear with the first GPU map, and that the shrinker may take away again
 * (`panthor_gem.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { type DmaBuf, ENOMEM, fail, GemObject, type GemObjects, type Resv } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import { type Fragmentation, OutOfFrames, type PhysicalMemory, SavedPages, ScatterList } from "@vmbind/mmu";
import type { PanthorDeviceOptions } from "./options.ts";
import { BLOCK_2M } from "./page-sizes.ts";
import { BO_WB_MMAP } from "./uapi-values.ts";

/** Longest DMA segment: what 32 bits hold, in whole pages. */
const MAX_SEGMENT_BYTES = 0xfffff000;

/** What an object needs of its device; see `PanthorDevice`. */
export interface PanthorBoDevice {
  /** What was chosen. */
  readonly options: Readonly<PanthorDeviceOptions>;
  /** Where its pages are. */
  readonly memory: PhysicalMemory;
  /** All objects. */
  readonly gems: GemObjects;
}

/** What an object needs of the VM that alone may map it; see `PanthorVm`. */
export interface PanthorBoOwner {
  /** Its VA manager, whose reservation the object shares. */
  readonly gpuvm: Gpuvm;
}

/** How a BO is made; what is left out takes the device's defaults. */
export interface PanthorBoOptions {
  /** `BO_NO_MMAP`, `BO_WB_MMAP` (`panthor_drm.h`). */
  flags?: number;
  /** The VM that alone may map it, null for any. */
  exclusiveVm?: PanthorBoOwner | null;
  /** How its memory is spread. */
  fragmentation?: Fragmentation;
  /** Its DMA segments, fixed, instead of memory from the device. */
  pages?: ScatterList;
  /** The other device's object whose memory it shows; detached with it. */
  dmaBuf?: DmaBuf;
  /** Its pages are small folios, even where they happen to form an aligned 2 MiB. */
  smallFolios?: boolean;
}

/** Where the shrinker would look for an object (`panthor_gem.c`). */
export type ReclaimState = "unmapped" | "mapped-by-one-vm" | "mapped-by-several-vms" | "pinned" | "evicted";

/** A buffer object. */
export class PanthorBo extends GemObject {
  readonly #device: PanthorBoDevice;
  readonly #fragmentation: Fragmentation;
  readonly #fixed: ScatterList | null;
  readonly #dmaBuf: DmaBuf | null;
  readonly #smallFolios: boolean;
  /** Its contents while they are swapped out. */
  #swap: SavedPages | null = null;

  /** `BO_` flags of `panthor_drm.h`. */
  readonly flags: number;
  /** The VM that alone may map it, or null. */
  readonly exclusiveVm: PanthorBoOwner | null;
  /** What BO_SET_LABEL called it, a character a byte; null for nothing, which is not the empty string. */
  label: string | null = null;
  /** Operations that hold its pages in place right now. A mapping alone does not. */
  pins = 0;
  /** DMA segments, null while no memory is behind the object. */
  pages: ScatterList | null = null;

  /**
   * @param device - the device
   * @param size - bytes, a multiple of 4096
   * @param options - see {@link PanthorBoOptions}
   */
  constructor(device: PanthorBoDevice, size: number, options: PanthorBoOptions = {}) {
    super(device.gems, size, reservationOf(options));
    this.#device = device;
    this.flags = options.flags ?? 0;
    this.exclusiveVm = options.exclusiveVm ?? null;
    this.#fragmentation = options.fragmentation ?? device.options.boFragmentation;
    this.#fixed = options.pages ?? null;
    this.#dmaBuf = options.dmaBuf ?? null;
    this.#smallFolios = options.smallFolios ?? false;
    this.exclusiveVm?.gpuvm.resvObject.get();
  }

  /**
   * Hold the pages in place; allocates them, or swaps them in, when there are none.
   *
   * @throws `DrmError` ENOMEM
   */
  pin(): void {
    if (this.pages === null) this.#populate();
    this.pins++;
  }

  /** Undo one {@link PanthorBo.pin}. */
  unpin(): void {
    this.pins--;
  }

  /** It shows another device's memory. */
  get imported(): boolean {
    return this.#dmaBuf !== null;
  }

  override get residentBytes(): number {
    return this.pages?.totalBytes ?? 0;
  }

  protected override takePages(): ScatterList {
    return this.pages ?? this.#populate();
  }

  /** An importer's attachment keeps the shrinker away. */
  override holdForImport(): void {
    this.pin();
  }

  override releaseFromImport(): void {
    this.unpin();
  }

  /**
   * Whether a page belongs to a folio of at least 2 MiB: its 2 MiB frame lies wholly in one segment of huge pages.
   *
   * @param offset - byte offset in the object
   */
  isHugeFolio(offset: number): boolean {
    const { pages } = this;
    if (pages === null || this.#smallFolios) return false;
    const i = pages.segmentAt(offset);
    if (i < 0) return false;
    const start = pages.pa[i] as number;
    const pa = start + offset - (pages.offset[i] as number);
    const frame = Math.floor(pa / BLOCK_2M) * BLOCK_2M;
    return frame >= start && frame + BLOCK_2M <= start + (pages.bytes[i] as number);
  }

  /** Whether the CPU maps it past its caches, so that there is nothing to clean (`panthor_gem.c`, Linux 7.3-rc7). */
  get writeCombined(): boolean {
    return !this.#device.options.coherent && (this.flags & BO_WB_MMAP) === 0;
  }

  /** Which of the shrinker's lists the object is on. */
  get reclaimState(): ReclaimState {
    if (this.pins > 0) return "pinned";
    if (this.pages === null) return "evicted";
    const users = this.vmBos.filter((vmBo) => !vmBo.evicted).length;
    return users === 0 ? "unmapped" : users === 1 ? "mapped-by-one-vm" : "mapped-by-several-vms";
  }

  /** Move the contents out and give the memory back. The caller has unmapped it. @internal */
  swapOut(): void {
    const { pages } = this;
    if (pages === null) return;
    if (this.#fixed === null) {
      this.#swap = new SavedPages(this.#device.memory, pages);
      this.#device.memory.frames.free(pages);
    }
    this.pages = null;
  }

  #populate(): ScatterList {
    const { allocFault } = this.#device.options;
    if (allocFault?.("bo-pages")) fail(ENOMEM, `bo: no memory for ${this.size} bytes (injected)`);
    const pages = this.#fixed ?? this.#allocate();
    this.#swap?.restore(this.#device.memory, pages);
    this.#swap = null;
    this.pages = pages;
    return pages;
  }

  #allocate(): ScatterList {
    try {
      return this.#device.memory.frames.alloc(this.size, this.#fragmentation);
    } catch (error) {
      if (error instanceof OutOfFrames) fail(ENOMEM, `bo: no memory for ${this.size} bytes`);
      throw error;
    }
  }

  /** The pages are the device's memory, not given by whoever made the object. */
  get ownsPages(): boolean {
    return this.#fixed === null;
  }

  protected override release(): void {
    if (this.pages !== null && this.#fixed === null) this.#device.memory.frames.free(this.pages);
    this.pages = null;
    this.#dmaBuf?.detach();
    this.exclusiveVm?.gpuvm.resvObject.put();
  }
}

function reservationOf(options: PanthorBoOptions): Resv | undefined {
  return options.exclusiveVm?.gpuvm.resv;
}

/**
 * The DMA segments of a list: the same bytes, no segment longer than the 32-bit lengths of the kernel's scatter lists
 * (Linux 7.3-rc7) allow.
 *
 * @param list - any list
 */
export function dmaSegments(list: ScatterList): ScatterList {
  if (list.bytes.every((bytes) => bytes <= MAX_SEGMENT_BYTES)) return list;
  const segments: { pa: number; bytes: number }[] = [];
  for (let i = 0; i < list.count; i++) {
    const bytes = list.bytes[i] as number;
    for (let at = 0; at < bytes; at += MAX_SEGMENT_BYTES) {
      segments.push({ pa: (list.pa[i] as number) + at, bytes: Math.min(MAX_SEGMENT_BYTES, bytes - at) });
    }
  }
  return ScatterList.of(segments);
}
