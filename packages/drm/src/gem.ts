/**
 * GEM objects as the DRM core knows them: a size, a reservation object, a reference count, the list of the VMs that
 * map them, the offset that mmap knows them by (`struct drm_gem_object` and its `gpuva.list` and `vma_node`,
 * `include/drm/drm_gem.h`, Linux 7.3-rc7); and one way to ask where their bytes are.
 *
 * @module
 */

import { ENOMEM, fail } from "./errno.ts";
import { VmaOffsets } from "./vma-offsets.ts";

/**
 * A reservation object (`struct dma_resv`, `include/linux/dma-resv.h`): what a submit locks. Objects that share one are
 * locked together.
 */
export class Resv {
  /** For people. */
  readonly name: string;

  /** @param name - for people */
  constructor(name = "resv") {
    this.name = name;
  }
}

/** The objects of a device by number, so that typed arrays can hold them. */
export class GemObjects {
  readonly #objects: (GemObject | null)[] = [null];
  readonly #free: number[] = [];
  #size = 0;
  /** Which object has which offsets for mmap. */
  readonly offsets: VmaOffsets<GemObject>;

  /** @param offsets - where offsets for mmap come from; the kernel's way unless given */
  constructor(offsets: VmaOffsets<GemObject> = new VmaOffsets()) {
    this.offsets = offsets;
  }

  /** Objects alive. */
  get size(): number {
    return this.#size;
  }

  /**
   * @param id - a {@link GemObject.id}
   * @returns the object, null for an id that is not in use
   */
  get(id: number): GemObject | null {
    return this.#objects[id] ?? null;
  }

  /** All objects alive, by ascending id. */
  values(): GemObject[] {
    return this.#objects.filter((object) => object !== null);
  }

  /** Register an object. @internal */
  add(object: GemObject): number {
    const id = this.#free.pop() ?? this.#objects.length;
    this.#objects[id] = object;
    this.#size++;
    return id;
  }

  /** Forget an object. @internal */
  delete(id: number): void {
    this.#objects[id] = null;
    this.#free.push(id);
    this.#size--;
  }
}

/**
 * One VM that maps an object, as an entry of the object's list. The list stands in every GEM object (`gpuva.list` of
 * `struct drm_gem_object`), its entries belong to the VA manager: `vmBosOf` of `@vmbind/gpuvm-core` gives them whole.
 */
export interface GemVmBo {
  /** The VM, for comparison. */
  readonly vm: object;
  /** References. */
  readonly refs: number;
  /** The object's pages are not where the GPU expects them. */
  readonly evicted: boolean;
  /** Linked mappings. */
  readonly vaCount: number;
}

/** What a dma-buf of an object tells the object: it is one more reference. `DmaBuf` is what drivers pass around. */
export interface GemExport {
  /** Objects of other devices that show this one's memory. */
  readonly attachments: number;
}

/** A physically contiguous piece of an object's memory. */
export interface GemSegment {
  /** Physical address of its first byte. */
  readonly pa: number;
  /** Bytes. */
  readonly bytes: number;
}

/** Where all of an object's bytes are: the parts of a scatter list (`ScatterList` of `@vmbind/mmu`) that are needed here. */
export interface GemPages {
  /** Physical address of each segment. */
  readonly pa: ArrayLike<number>;
  /** Bytes of each segment. */
  readonly bytes: ArrayLike<number>;
  /** Offset in the object of each segment's first byte. */
  readonly offset: ArrayLike<number>;
  /**
   * @param offset - a byte of the object
   * @returns index of the segment that holds it
   */
  segmentAt(offset: number): number;
}

/** A buffer object. Drivers extend it with their backing pages. */
export class GemObject {
  readonly #gems: GemObjects;
  #mmapOffset = 0;
  /** Number in the device's registry, from 1; not a handle. */
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  /** What a submit locks for it. */
  readonly resv: Resv;
  /** References: the creator's, one per vm_bo, and what drivers add. */
  refs = 1;
  /** One for every VM that maps it, in the order of first mapping. Zombies are not on it. */
  readonly vmBos: GemVmBo[] = [];
  #cpuMappings = 0;
  /** Its dma-buf, null when there is none. `DmaBuf` sets it. */
  exported: GemExport | null = null;
  /** Handles in all open files. `GemHandles` counts them. */
  handles = 0;
  /** Its global name (`DRM_IOCTL_GEM_FLINK`), 0 for none. It goes with the last handle, whatever else holds the object. */
  name = 0;

  /**
   * @param gems - the device's registry
   * @param size - bytes
   * @param resv - reservation object to share; a fresh one unless given, which makes the object external to every VM
   */
  constructor(gems: GemObjects, size: number, resv: Resv = new Resv()) {
    this.#gems = gems;
    this.size = size;
    this.resv = resv;
    this.id = gems.add(this);
  }

  /** Take a reference. */
  get(): this {
    this.refs++;
    return this;
  }

  /**
   * Drop a reference; the last one releases the object.
   *
   * @throws Error when there was none left
   */
  put(): void {
    if (this.refs <= 0) throw new Error(`GemObject ${this.id}: put without a reference`);
    if (--this.refs > 0) return;
    this.#gems.delete(this.id);
    if (this.#mmapOffset !== 0) this.#gems.offsets.remove(this.#mmapOffset);
    this.release();
  }

  /**
   * Mappings of it in processes: each is one reference. While there is any, the memory stays where it is; a kernel would make such a
   * mapping anew when the object moves.
   */
  get cpuMappings(): number {
    return this.#cpuMappings;
  }

  /** A process maps it, or a part (`drm_gem_vm_open`). */
  mapForCpu(): void {
    this.#cpuMappings++;
    this.get();
  }

  /** Such a mapping is gone (`drm_gem_vm_close`). */
  unmapForCpu(): void {
    this.#cpuMappings--;
    this.put();
  }

  /** Offset for mmap in bytes, 0 until {@link GemObject.createMmapOffset} was called. */
  get mmapOffset(): number {
    return this.#mmapOffset;
  }

  /**
   * The offset for mmap, the same at every call (`drm_gem_create_mmap_offset`); it goes with the object.
   *
   * @returns bytes, 4 GiB or more
   * @throws {@link DrmError} ENOSPC when the object does not fit into the space of offsets
   */
  createMmapOffset(): number {
    if (this.#mmapOffset === 0) this.#mmapOffset = this.#gems.offsets.add(this, this.size);
    return this.#mmapOffset;
  }

  /** Bytes of memory behind the object now; nothing is allocated to tell. */
  get residentBytes(): number {
    return 0;
  }

  /**
   * Where a range of its bytes is, in order. Memory appears as it would with a CPU access.
   *
   * @param offset - first byte
   * @param bytes - length
   * @returns pieces whose lengths sum up to `bytes`; valid until the driver moves the object
   * @throws RangeError for bytes outside the object
   * @throws {@link DrmError} ENOMEM
   */
  segments(offset: number, bytes: number): Iterable<GemSegment> {
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= this.size)) {
      throw new RangeError(`GEM ${this.id}: ${bytes} bytes at ${offset} leave an object of ${this.size}`);
    }
    if (bytes === 0) return [];
    const pages = this.takePages();
    const first = pages.segmentAt(offset);
    const skip = offset - (pages.offset[first] as number);
    // Mostly all of them are in one piece.
    return bytes <= (pages.bytes[first] as number) - skip
      ? [{ pa: (pages.pa[first] as number) + skip, bytes }]
      : pieces(pages, offset, bytes);
  }

  /**
   * The pages, taken now if the object has none.
   *
   * @throws {@link DrmError} ENOMEM
   */
  protected takePages(): GemPages {
    return fail(ENOMEM, `GEM ${this.id}: an object without memory`);
  }

  /**
   * Another device is about to use the memory: it has to stay where it is.
   *
   * @throws {@link DrmError} when it cannot, and ENOMEM
   */
  holdForImport(): void {}

  /** The opposite of {@link GemObject.holdForImport}. */
  releaseFromImport(): void {}

  /** Give back what backs the object. Called once, with the last reference gone. */
  protected release(): void {}
}

function* pieces(pages: GemPages, first: number, length: number): Generator<GemSegment> {
  const end = first + length;
  let at = first;
  for (let i = pages.segmentAt(first); at < end; i++) {
    const skip = at - (pages.offset[i] as number);
    const bytes = Math.min(end - at, (pages.bytes[i] as number) - skip);
    yield { pa: (pages.pa[i] as number) + skip, bytes };
    at += bytes;
  }
}

/** Every object has fewer bytes than this: its pages are mostly those of a file (`MAX_LFS_FILESIZE` of `fs.h`, with 64-bit longs). */
export const OBJECT_BYTES_MAX: number = 2 ** 63;

/**
 * Read the size that is asked for an object, a little-endian u64, rounded up to whole pages: from its halves, since a double drops
 * bits that decide.
 *
 * @param view - memory
 * @param at - byte offset
 * @param pageBytes - a power of two from 4096 on, below 2^32
 * @returns the exact number, up to 2^64
 */
export function readWholePages(view: DataView, at: number, pageBytes: number): number {
  return (
    view.getUint32(at + 4, true) * 4294967296 + Math.ceil(view.getUint32(at, true) / pageBytes) * pageBytes
  );
}
