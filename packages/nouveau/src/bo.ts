/**
 * Buffer objects: where they may be, the page size that was chosen for them, their memory, and what happens to it when the
 * memory manager moves them away (`nouveau_bo.c`, `nouveau_gem.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { type DmaBuf, ENOMEM, fail, GemObject, type GemObjects, hex } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import {
  type FrameAllocator,
  OutOfFrames,
  type PhysicalMemory,
  SavedPages,
  type ScatterList,
} from "@vmbind/mmu";
import type { Backend } from "./backends.ts";
import type { NouveauDeviceOptions } from "./options.ts";
import { GEM_DOMAIN_GART, GEM_DOMAIN_VRAM } from "./uapi.ts";

/** What an object needs of its device; see `NouveauDevice`. */
export interface NouveauBoDevice {
  /** What was chosen. */
  readonly options: Readonly<NouveauDeviceOptions>;
  /** System memory and everything that is stored. */
  readonly memory: PhysicalMemory;
  /** VRAM. */
  readonly vramFrames: FrameAllocator;
  /** All objects. */
  readonly gems: GemObjects;
}

/** How an object is made. */
export interface NouveauBoOptions {
  /** Bytes, rounded up to the page size. */
  size: number;
  /** `GEM_DOMAIN_VRAM` and `GEM_DOMAIN_GART`: where the GPU may find it; 0 for nowhere. */
  domain: number;
  /** log2 of its page size. */
  pageShift: number;
  /** Given back by GEM_INFO. */
  tileMode?: number;
  /** Given back by GEM_INFO, too. */
  tileFlags?: number;
  /** The VM's manager, for an object that is private to it (NO_SHARE). */
  privateTo?: Gpuvm | null;
  /** Where it is, instead of memory from the device. */
  pages?: ScatterList;
  /** The other device's object whose memory it shows; detached with it. */
  dmaBuf?: DmaBuf;
}

/**
 * The page size of a new object: the last candidate of the back end's list, largest first, that the domains allow, up to the
 * first one that is not larger than the object. So an object that may be in system memory has small pages even in VRAM.
 *
 * @param backend - which GPU
 * @param domain - `GEM_DOMAIN_` flags
 * @param size - bytes asked for
 * @param unwritten512M - see the quirk
 * @returns log2 of its bytes
 */
export function pageShiftFor(backend: Backend, domain: number, size: number, unwritten512M: boolean): number {
  let candidate = 12;
  for (const { shift, vram, host } of backend.pages) {
    if ((domain & GEM_DOMAIN_VRAM) !== 0 && !vram) continue;
    if ((domain & GEM_DOMAIN_GART) !== 0 && (!host || shift > 12)) continue;
    if (shift === 29 && vram && (domain & GEM_DOMAIN_VRAM) !== 0 && !unwritten512M) continue;
    candidate = shift;
    if (size >= 2 ** shift) break;
  }
  return candidate;
}

/** Bytes of the largest page that is written. */
const LARGEST_PAGE: number = 2 ** 21;

/** A GEM object of nouveau. */
export class NouveauBo extends GemObject {
  readonly #device: NouveauBoDevice;
  /** Where the GPU may find it: `GEM_DOMAIN_VRAM`, `GEM_DOMAIN_GART`, both, or 0. */
  readonly domain: number;
  /** log2 of its page size. */
  readonly pageShift: number;
  /** As asked for. */
  readonly tileMode: number;
  /** As asked for: kind and NONCONTIG. */
  readonly tileFlags: number;
  /** The manager of the VM that it is private to, null for an object that can be shared. */
  readonly privateTo: Gpuvm | null;
  #ownsPages: boolean;
  #pages: ScatterList | null;
  #inVram: boolean;
  readonly #dmaBuf: DmaBuf | null;
  #evicted = false;
  /** Its contents while they are moved out, unless the memory is not its own. */
  #away: SavedPages | null = null;

  /**
   * @param device - the device
   * @param options - see {@link NouveauBoOptions}
   * @throws DrmError ENOMEM
   */
  constructor(device: NouveauBoDevice, options: NouveauBoOptions) {
    const page = 2 ** options.pageShift;
    const { privateTo = null } = options;
    super(device.gems, Math.ceil(options.size / page) * page, privateTo?.resv);
    this.#device = device;
    this.domain = options.domain;
    this.pageShift = options.pageShift;
    this.tileMode = options.tileMode ?? 0;
    this.tileFlags = options.tileFlags ?? 0;
    this.privateTo = privateTo;
    this.#ownsPages = options.pages === undefined;
    this.#pages = options.pages ?? null;
    this.#dmaBuf = options.dmaBuf ?? null;
    this.#inVram = (this.domain & GEM_DOMAIN_VRAM) !== 0;
    privateTo?.resvObject.get();
    if (this.#pages !== null) return;
    try {
      this.#pages = this.#allocate();
    } catch (error) {
      this.put();
      throw error;
    }
  }

  /** Whether its memory is in VRAM now. */
  get inVram(): boolean {
    return this.#inVram;
  }

  /** Whether the memory manager has moved it where the GPU cannot reach it. */
  get evicted(): boolean {
    return this.#evicted;
  }

  /** Whether the GPU may reach it at all. */
  get mappable(): boolean {
    return (this.domain & (GEM_DOMAIN_VRAM | GEM_DOMAIN_GART)) !== 0;
  }

  /** The pages are the device's memory, not given by whoever made the object. */
  get ownsPages(): boolean {
    return this.#ownsPages;
  }

  override get residentBytes(): number {
    return this.#pages?.totalBytes ?? 0;
  }

  /** Its memory, brought back if it is away. */
  get pages(): ScatterList {
    return this.#pages ?? this.restore();
  }

  protected override takePages(): ScatterList {
    return this.pages;
  }

  override holdForImport(): void {
    this.restore();
  }

  /** Give its memory back and take another, before anything maps it: vectors say where objects are. @internal */
  placeAt(pages: ScatterList): void {
    if (this.#ownsPages && this.#pages !== null) this.#framesOf(this.#inVram).free(this.#pages);
    this.#ownsPages = false;
    this.#pages = pages;
  }

  /** Move its memory away. The caller has taken its mappings out. @internal */
  evict(): void {
    const pages = this.#pages;
    if (pages === null) return;
    this.#evicted = true;
    if (this.#ownsPages) {
      this.#away = new SavedPages(this.#device.memory, pages);
      this.#framesOf(this.#inVram).free(pages);
      this.#pages = null;
    }
  }

  /**
   * Bring its memory back.
   *
   * @returns where it is
   * @throws DrmError ENOMEM
   * @internal
   */
  restore(): ScatterList {
    const pages = this.#pages ?? this.#allocate();
    this.#pages = pages;
    this.#away?.restore(this.#device.memory, pages);
    this.#away = null;
    this.#evicted = false;
    return pages;
  }

  protected override release(): void {
    if (this.#ownsPages && this.#pages !== null && this.#pages.totalBytes > 0) {
      this.#framesOf(this.#inVram).free(this.#pages);
    }
    this.#pages = null;
    this.#dmaBuf?.detach();
    this.privateTo?.resvObject.put();
  }

  #allocate(): ScatterList {
    const { options } = this.#device;
    if (options.allocFault?.("bo-pages"))
      fail(ENOMEM, `bo: no memory for ${hex(this.size)} bytes (injected)`);
    const both = (this.domain & GEM_DOMAIN_VRAM) !== 0 && (this.domain & GEM_DOMAIN_GART) !== 0;
    const vram = (this.domain & GEM_DOMAIN_VRAM) !== 0;
    const pages = this.#tryFrames(vram) ?? (both ? this.#tryFrames(false) : null);
    return pages ?? fail(ENOMEM, `bo: no memory for ${hex(this.size)} bytes`);
  }

  /** Memory in one place; pages of more than 4 KiB come in pieces of whole pages. */
  #tryFrames(vram: boolean): ScatterList | null {
    const { boFragmentation } = this.#device.options;
    const kind = this.pageShift > 12 && boFragmentation === "scattered" ? "huge" : boFragmentation;
    const frames = this.#framesOf(vram);
    try {
      const pages = frames.alloc(this.size, this.pageShift > 16 && kind === "huge" ? "contiguous" : kind);
      // Larger pages are never written.
      if (isWhole(pages, Math.min(2 ** this.pageShift, LARGEST_PAGE))) {
        this.#inVram = vram;
        return pages;
      }
      frames.free(pages);
      return null;
    } catch (error) {
      if (error instanceof OutOfFrames) return null;
      throw error;
    }
  }

  #framesOf(vram: boolean): FrameAllocator {
    return vram ? this.#device.vramFrames : this.#device.memory.frames;
  }
}

/** Whether a list has pieces of whole, aligned pages only. */
function isWhole(list: ScatterList, page: number): boolean {
  for (let i = 0; i < list.count; i++) {
    if ((list.pa[i] as number) % page !== 0 || (list.bytes[i] as number) % page !== 0) return false;
  }
  return true;
}
