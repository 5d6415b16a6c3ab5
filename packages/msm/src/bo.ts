/**
 * msm's GEM object: pages that come with the first map, that user space may offer up, and that the shrinker swaps out or throws
 * away (`msm_gem.c`, `msm_gem_shrinker.c`, Linux 7.3-rc7).
 *
 * How the GPU may touch an object is the object's, not the mapping's: GPU_READONLY and the cache mode make the leaf.
 *
 * @module
 */

import { type DmaBuf, EBUSY, ENOMEM, fail, GemObject, type GemObjects } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import {
  type Fragmentation,
  IOMMU_CACHE,
  IOMMU_READ,
  IOMMU_WRITE,
  OutOfFrames,
  type PhysicalMemory,
  SavedPages,
  ScatterList,
} from "@vmbind/mmu";
import type { MsmDeviceOptions } from "./options.ts";
import {
  BO_CACHED_COHERENT,
  BO_GPU_READONLY,
  BO_WC,
  MADV_DONTNEED,
  MADV_PURGED,
  MADV_WILLNEED,
} from "./uapi-values.ts";

/** What an object needs of its device; see `MsmDevice`. */
export interface MsmBoDevice {
  /** What was chosen. */
  readonly options: Readonly<MsmDeviceOptions>;
  /** Where its pages are. */
  readonly memory: PhysicalMemory;
  /** All objects. */
  readonly gems: GemObjects;
}

/** What a NO_SHARE object needs of its VM; see `MsmVm`. */
export interface MsmBoOwner {
  /** Its VA manager, whose reservation the object shares. */
  readonly gpuvm: Gpuvm;
}

/** How a BO is made; what is left out takes the device's defaults. */
export interface MsmBoOptions {
  /** `BO_` flags of `msm_drm.h`; write-combined unless given. */
  flags?: number;
  /** The VM of a NO_SHARE object, null for one that is external to all. */
  owner?: MsmBoOwner | null;
  /** How its memory is spread. */
  fragmentation?: Fragmentation;
  /** Its physical segments, fixed, instead of memory from the device. */
  pages?: ScatterList;
  /** The other device's object whose memory it shows; detached with it. */
  dmaBuf?: DmaBuf;
}

/** Which of the shrinker's lists an object is on (`msm_drv.h`, `drm_gem_lru`). */
export type LruList = "unbacked" | "pinned" | "willneed" | "dontneed";

/** A buffer object. */
export class MsmBo extends GemObject {
  readonly #device: MsmBoDevice;
  readonly #fragmentation: Fragmentation;
  readonly #fixed: ScatterList | null;
  readonly #dmaBuf: DmaBuf | null;
  /** Its contents while they are swapped out. */
  #swap: SavedPages | null = null;

  /** `BO_` flags of `msm_drm.h`. */
  readonly flags: number;
  /** The VM of a NO_SHARE object, null for one that is external. */
  readonly owner: MsmBoOwner | null;
  /** io-pgtable protection of its leaves. */
  readonly prot: number;
  /** `MADV_WILLNEED`, `MADV_DONTNEED` or `MADV_PURGED`. */
  madv: number = MADV_WILLNEED;
  /** Operations of jobs, and importers, that hold its pages in place right now. A mapping alone does not. */
  pins = 0;
  /** Page-table operations on it that are queued and have not run. */
  queued = 0;
  /** Physical segments, null while no memory is behind the object. */
  pages: ScatterList | null = null;
  /** What GEM_INFO called it, a character a byte. */
  label = "";
  /** What user space keeps with it. */
  metadata: Uint8Array = new Uint8Array(0);

  /**
   * @param device - the device
   * @param size - bytes, a multiple of 4096
   * @param options - see {@link MsmBoOptions}
   */
  constructor(device: MsmBoDevice, size: number, options: MsmBoOptions = {}) {
    super(device.gems, size, options.owner?.gpuvm.resv);
    this.#device = device;
    this.flags = options.flags ?? BO_WC;
    this.owner = options.owner ?? null;
    this.prot = protOf(this.flags);
    this.#fragmentation = options.fragmentation ?? device.options.boFragmentation;
    this.#fixed = options.pages ?? null;
    this.#dmaBuf = options.dmaBuf ?? null;
    this.owner?.gpuvm.resvObject.get();
  }

  /**
   * Hold the pages in place for one operation; they come now if there are none.
   *
   * @throws `DrmError` EBUSY unless they are wanted, ENOMEM
   */
  pin(): void {
    this.needPages();
    this.pins++;
  }

  /**
   * The pages, which come now if there are none.
   *
   * @throws `DrmError` EBUSY unless they are wanted, ENOMEM
   */
  needPages(): ScatterList {
    if (this.madv !== MADV_WILLNEED) {
      const state = this.madv === MADV_PURGED ? "were thrown away" : "may be thrown away";
      fail(EBUSY, `bo: its pages ${state} (GEM_MADVISE)`);
    }
    return this.pages ?? this.#populate();
  }

  /** It shows another device's memory. */
  get imported(): boolean {
    return this.#dmaBuf !== null;
  }

  /** The pages are the device's memory, not given by whoever made the object. */
  get ownsPages(): boolean {
    return this.#fixed === null;
  }

  override get residentBytes(): number {
    return this.pages?.totalBytes ?? 0;
  }

  protected override takePages(): ScatterList {
    return this.needPages();
  }

  /** An importer's attachment keeps the shrinker away. */
  override holdForImport(): void {
    this.pin();
  }

  override releaseFromImport(): void {
    this.pins--;
  }

  /** Which of the shrinker's lists the object is on. */
  get lru(): LruList {
    if (this.pages === null) return "unbacked";
    if (this.pins > 0) return "pinned";
    return this.madv === MADV_DONTNEED ? "dontneed" : "willneed";
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

  /** Give the memory back, and with it the contents, for good. The caller has unmapped it. @internal */
  throwAway(): void {
    if (this.pages !== null && this.#fixed === null) this.#device.memory.frames.free(this.pages);
    this.pages = null;
    this.#swap = null;
    this.madv = MADV_PURGED;
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

  protected override release(): void {
    if (this.pages !== null && this.#fixed === null) this.#device.memory.frames.free(this.pages);
    this.pages = null;
    this.#dmaBuf?.detach();
    this.owner?.gpuvm.resvObject.put();
  }
}

/** io-pgtable protection of an object's leaves (`msm_gem_vma.c`): a CACHED object is uncached for the GPU. */
function protOf(flags: number): number {
  return (
    IOMMU_READ | (flags & BO_GPU_READONLY ? 0 : IOMMU_WRITE) | (flags & BO_CACHED_COHERENT ? IOMMU_CACHE : 0)
  );
}

/** io-pgtable protection of MAP_NULL. */
export const NULL_PROT: number = IOMMU_READ | IOMMU_WRITE;

/** Memory of another device as the segments of an object. */
export function segmentsOf(dmaBuf: DmaBuf): ScatterList {
  return ScatterList.of(dmaBuf.attach());
}
