/**
 * Xe's GEM object: where it may live, where it lives, and what of that VM_BIND must know.
 *
 * @module
 */

import {
  type DmaBuf,
  DrmError,
  EINVAL,
  ENOMEM,
  EOPNOTSUPP,
  fail,
  GemObject,
  type GemObjects,
} from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import {
  copyPages,
  type Fragmentation,
  type FrameAllocator,
  OutOfFrames,
  type PhysicalMemory,
  type ScatterList,
} from "@vmbind/mmu";
import type { XeDeviceOptions } from "./options.ts";
import type { Platform } from "./platforms.ts";
import { EVICT_ANY, type EvictionRules, type Vram } from "./vram.ts";

/** Placement bit of system memory: region instance 0 of `drm_xe_mem_region` (`xe_drm.h`). */
export const PLACEMENT_SYSTEM = 1;
/** Placement bit of VRAM: region instance 1 of `drm_xe_mem_region` (`xe_drm.h`). */
export const PLACEMENT_VRAM = 2;

/** What an object needs of its device; see `XeDevice`. */
export interface XeBoDevice {
  /** What it is. */
  readonly platform: Platform;
  /** What was chosen. */
  readonly options: Readonly<XeDeviceOptions>;
  /** System memory. */
  readonly memory: PhysicalMemory;
  /** Bytes of system memory for objects. */
  readonly systemBytes: number;
  /** VRAM. */
  readonly vramFrames: FrameAllocator;
  /** Bytes of VRAM. */
  readonly vramBytes: number;
  /** How full VRAM is. */
  readonly vram: Vram;
  /** All objects. */
  readonly gems: GemObjects;
  /** Makes room in VRAM, by evicting objects. @internal */
  makeRoom(bytes: number, rules: EvictionRules): boolean;
}

/** What an object needs of the VM that alone may map it; see `XeVm`. */
export interface XeBoOwner {
  /** Its VA manager, whose reservation the object shares. */
  readonly gpuvm: Gpuvm;
}

/** How a BO is made. */
export interface XeBoOptions {
  /** Regions where it may live, one bit each. With VRAM among them it lives there where there is room, until it is moved. */
  placement: number;
  /** `GEM_CPU_CACHING_*`; 0 for an imported dma-buf. */
  cpuCaching: number;
  /** `GEM_CREATE_FLAG_*`, 0 unless given. */
  flags?: number;
  /** The VM that alone may map it, null for any. */
  vm?: XeBoOwner | null;
  /** How its memory is spread; VRAM is never scattered. */
  fragmentation?: Fragmentation;
  /** Its DMA segments, fixed, instead of memory from the device. */
  pages?: ScatterList;
  /** The other device's object whose memory it shows; detached with it. */
  dmaBuf?: DmaBuf;
}

/** Where an object's memory is, or was. @internal */
export interface XeBoHome {
  /** In VRAM. */
  readonly vram: boolean;
  /** DMA segments, null while no memory is behind it. */
  readonly pages: ScatterList | null;
  /** Segments that whoever made the object gave it. */
  readonly fixed: ScatterList | null;
}

/** A buffer object. */
export class XeBo extends GemObject {
  readonly #device: XeBoDevice;
  readonly #fragmentation: Fragmentation | undefined;
  #fixed: ScatterList | null;
  readonly #vm: XeBoOwner | null;
  readonly #dmaBuf: DmaBuf | null;
  #pages: ScatterList | null = null;
  #givenUp = false;
  #vram: boolean;
  #purged = false;
  #mappings = 0;
  #willNeed = 0;

  /** The atomics that MADVISE last said of any mapping of the object, `ATOMIC_*`. @internal */
  atomic = 0;
  /** Bind jobs that wait and take mappings of it away: until then the GPU may still reach it. @internal */
  heldByJobs = 0;
  /** When it came to VRAM: a number that grows. @internal */
  inVramSince = 0;
  /** Regions where it may live, one bit each. */
  readonly placement: number;
  /** `GEM_CPU_CACHING_*`; 0 for an imported dma-buf. */
  readonly cpuCaching: number;
  /** `GEM_CREATE_FLAG_*`. */
  readonly flags: number;
  /** VRAM is among the placements and the platform maps it in 64 KiB pages only. */
  readonly internal64k: boolean;
  /** The key of its protected content is no longer valid: CHECK_PXP fails with ENOEXEC. */
  pxpInvalid = false;

  /**
   * @param device - the device
   * @param size - bytes, a multiple of 4096
   * @param options - see {@link XeBoOptions}
   * @throws `DrmError` ENOSPC when no offset for mmap is left for the size
   */
  constructor(device: XeBoDevice, size: number, options: XeBoOptions) {
    super(device.gems, size, options.vm?.gpuvm.resv);
    this.#device = device;
    this.#fragmentation = options.fragmentation;
    this.#fixed = options.pages ?? null;
    this.#vm = options.vm ?? null;
    this.#dmaBuf = options.dmaBuf ?? null;
    this.placement = options.placement;
    this.#vram = (options.placement & PLACEMENT_VRAM) !== 0;
    this.cpuCaching = options.cpuCaching;
    this.flags = options.flags ?? 0;
    this.internal64k = device.platform.vram64kOnly && (options.placement & PLACEMENT_VRAM) !== 0;
    this.#vm?.gpuvm.resvObject.get();
    // TTM gives every object its place in the space of offsets before it looks for memory (`ttm_bo_init_reserved`).
    try {
      this.createMmapOffset();
    } catch (error) {
      this.put();
      throw error;
    }
  }

  /** It lives in VRAM: from the start if it may and there is room, until PREFETCH or an eviction brings it to system memory. */
  get vram(): boolean {
    return this.#vram;
  }

  /** It was evicted to system memory, where it may not be shown to the GPU. */
  get displaced(): boolean {
    return !this.#vram && (this.placement & PLACEMENT_SYSTEM) === 0;
  }

  /** It has its memory in the system's, may live in VRAM as well, and can be moved there. @internal */
  get prefersVram(): boolean {
    return (
      !this.#vram &&
      this.placement === (PLACEMENT_SYSTEM | PLACEMENT_VRAM) &&
      this.#pages !== null &&
      this.#fixed === null &&
      this.cpuMappings === 0 &&
      !this.shared
    );
  }

  /** It has memory in VRAM that can be taken from it. Others may use it all the same. @internal */
  get evictable(): boolean {
    return (
      this.#vram && this.#pages !== null && this.#fixed === null && this.cpuMappings === 0 && !this.shared
    );
  }

  /** Other devices show its memory, which stays where it is. */
  get shared(): boolean {
    return (this.exported?.attachments ?? 0) > 0;
  }

  /**
   * The contents may go: none of its mappings is WILLNEED, as MADVISE said of each. A new MAP, a PREFETCH and an export fail
   * with EBUSY. An object that is exported is needed by others, and one that was imported is not the driver's: neither is ever
   * DONTNEED. It stays so once the contents went, and when its last mapping goes.
   */
  get dontNeed(): boolean {
    return this.#givenUp && this.exported === null;
  }

  /** Say so without mappings and MADVISE. */
  set dontNeed(value: boolean) {
    this.#givenUp = value;
  }

  /** Mappings of the object in all VMs. @internal */
  get mappings(): number {
    return this.#mappings;
  }

  /** Those of them that are WILLNEED. @internal */
  get willNeedMappings(): number {
    return this.#willNeed;
  }

  /** A mapping came. @internal */
  mappingCame(willNeed: boolean): void {
    this.#mappings++;
    if (willNeed) this.mappingWillNeed();
  }

  /** A mapping went. @internal */
  mappingWent(willNeed: boolean): void {
    this.#mappings--;
    if (willNeed) this.mappingDontNeed();
    if (this.#mappings === 0 && this.exported !== null) this.#givenUp = false;
  }

  /** A mapping is needed which was not. @internal */
  mappingWillNeed(): void {
    if (++this.#willNeed === 1) this.#givenUp = this.#purged;
  }

  /** A mapping is no longer needed, or no longer there: with the last one that was, the object is not needed either. @internal */
  mappingDontNeed(): void {
    if (--this.#willNeed === 0 && this.#mappings > 0 && !this.imported) this.#givenUp = true;
  }

  /**
   * The contents went, for good: a new MAP, and a PREFETCH, fail with EINVAL, and what is mapped shows null pages
   * (`XE_MADV_PURGEABLE_PURGED`, Linux 7.3-rc7).
   */
  get purged(): boolean {
    return this.#purged;
  }

  /**
   * The contents go: the memory is given back, the object has no pages from now on. Its leaves are the caller's.
   *
   * @throws Error for an object that is not {@link XeBo.dontNeed}
   * @internal
   */
  dropContents(): void {
    if (!this.dontNeed) throw new Error("bo: only an object that is not needed can be purged");
    this.#purged = true;
    this.#freePages();
  }

  /** It came as a dma-buf. */
  get imported(): boolean {
    return this.cpuCaching === 0;
  }

  /** The VM that alone may map it, null for any. */
  get vm(): XeBoOwner | null {
    return this.#vm;
  }

  /** DMA segments, null while no memory is behind the object. */
  get pages(): ScatterList | null {
    return this.#pages;
  }

  /**
   * DMA segments; allocates the memory when there is none yet.
   *
   * @param rules - whom an eviction for it may hit
   * @throws `DrmError` ENOMEM; EINVAL for an object whose contents went
   */
  populate(rules: EvictionRules = EVICT_ANY): ScatterList {
    if (this.#purged) fail(EINVAL, "bo: the object is purged, nothing is behind it any more");
    this.#pages ??= this.#fixed ?? this.#settle(rules);
    return this.#pages;
  }

  /** The first memory: VRAM where it may live there, and where it may not be had, system memory. */
  #settle(rules: EvictionRules): ScatterList {
    const alsoSystem = this.#vram && (this.placement & PLACEMENT_SYSTEM) !== 0;
    try {
      return this.#allocate(rules);
    } catch (error) {
      if (!alsoSystem || !(error instanceof DrmError)) throw error;
      this.#vram = false;
      try {
        return this.#allocate(rules);
      } catch (last) {
        this.#vram = true;
        throw last;
      }
    }
  }

  override get residentBytes(): number {
    return this.#pages?.totalBytes ?? 0;
  }

  protected override takePages(): ScatterList {
    return this.populate();
  }

  /** VRAM is refused with EOPNOTSUPP (`xe_dma_buf.c`): neither peer-to-peer access nor moving it is modelled. */
  override holdForImport(): void {
    if (this.vram || this.displaced)
      fail(EOPNOTSUPP, "dma-buf: the object is in VRAM; peer-to-peer access is not modelled");
  }

  #allocate(rules: EvictionRules): ScatterList {
    const { options, vram } = this.#device;
    if (options.allocFault?.("bo-pages")) fail(ENOMEM, `bo: no memory for ${this.size} bytes (injected)`);
    const wish = this.#fragmentation ?? options.boFragmentation;
    if (this.vram && !this.#device.makeRoom(this.size, rules)) {
      fail(ENOMEM, `bo: no memory for ${this.size} bytes, ${vram.usage()}`);
    }
    if (this.size > this.#device.systemBytes && !this.vram) {
      fail(ENOMEM, `bo: no memory for ${this.size} bytes`);
    }
    const kind = this.vram && wish === "scattered" ? "huge" : wish;
    try {
      const pages = this.#framesOf(this.vram).alloc(this.size, kind);
      if (this.vram) this.inVramSince = vram.tick();
      return pages;
    } catch (error) {
      if (error instanceof OutOfFrames) fail(ENOMEM, `bo: no memory for ${this.size} bytes`);
      throw error;
    }
  }

  /**
   * Move to the other region, contents and all.
   *
   * @param vram - to VRAM
   * @param rules - whom an eviction for it may hit
   * @returns where it was; the memory there is kept until {@link XeBo.leave} or {@link XeBo.moveBack}
   * @throws `DrmError` ENOMEM; it stays where it is then
   * @internal
   */
  moveTo(vram: boolean, rules: EvictionRules = EVICT_ANY): XeBoHome {
    const home = { vram: this.#vram, pages: this.#pages, fixed: this.#fixed };
    this.#vram = vram;
    try {
      this.#pages = this.#allocate(rules);
    } catch (error) {
      this.#vram = home.vram;
      throw error;
    }
    this.#fixed = null;
    if (home.pages !== null) copyPages(this.#device.memory, home.pages, this.#pages);
    return home;
  }

  /** Go back to where it was. @internal */
  moveBack(home: XeBoHome): void {
    this.#freePages();
    this.#vram = home.vram;
    this.#pages = home.pages;
    this.#fixed = home.fixed;
  }

  /** Give up the memory where it was. @internal */
  leave({ vram, pages, fixed }: XeBoHome): void {
    if (pages !== null && fixed === null) this.#framesOf(vram).free(pages);
  }

  #framesOf(vram: boolean): FrameAllocator {
    return vram ? this.#device.vramFrames : this.#device.memory.frames;
  }

  /** The pages are the device's memory, not given by whoever made the object. */
  get ownsPages(): boolean {
    return this.#fixed === null;
  }

  #freePages(): void {
    if (this.#pages !== null && this.#fixed === null) this.#framesOf(this.#vram).free(this.#pages);
    this.#pages = null;
  }

  protected override release(): void {
    this.#freePages();
    this.#dmaBuf?.detach();
    this.#vm?.gpuvm.resvObject.put();
  }
}
