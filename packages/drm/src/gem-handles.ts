/**
 * The GEM handles of an open file: an object has at most one in each file, and each is one reference of it
 * (`drivers/gpu/drm/drm_gem.c`, `drm_prime.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { DmaBuf } from "./dma-buf.ts";
import { EINVAL, ENOENT, fail } from "./errno.ts";
import type { GemObject, GemObjects } from "./gem.ts";
import { HandleTable } from "./handle-table.ts";
import type { OffsetTarget } from "./vma-offsets.ts";

/** What a table of handles needs of its device. */
export interface GemHandlesOptions<Bo extends GemObject> {
  /** The device's objects. */
  gems: GemObjects;
  /** What its physical addresses mean, see {@link DmaBuf.memory}. */
  memory: object;
  /** Tells the driver's objects from others. */
  isBo(gem: GemObject): gem is Bo;
  /**
   * Refuse what the driver exports to nobody.
   *
   * @throws {@link DrmError} with the driver's errno
   */
  checkExport(bo: Bo): void;
  /**
   * Make an object over the memory of another device's.
   *
   * @param dmaBuf - the other device's object, in memory that this device reaches
   * @returns an object with one reference
   * @throws {@link DrmError} for what the driver or the exporter refuses
   */
  importForeign(dmaBuf: DmaBuf): Bo;
}

/** Handles to objects, and back. */
export class GemHandles<Bo extends GemObject> {
  readonly #options: GemHandlesOptions<Bo>;
  readonly #objects: HandleTable<Bo> = new HandleTable();
  readonly #handles: Map<GemObject, number> = new Map();
  /** Which of them show another device's memory, and whose. */
  readonly #foreign: Map<Bo, DmaBuf> = new Map();

  /** @param options - see {@link GemHandlesOptions} */
  constructor(options: GemHandlesOptions<Bo>) {
    this.#options = options;
  }

  /**
   * Give an object a handle, which takes one reference over from the caller.
   *
   * @param bo - an object that has none in this file
   * @returns the lowest free handle
   */
  add(bo: Bo): number {
    const handle = this.#objects.alloc(bo);
    this.#handles.set(bo, handle);
    bo.handles++;
    return handle;
  }

  /**
   * @param handle - any number
   * @returns the object, undefined for a handle that is not in use
   */
  get(handle: number): Bo | undefined {
    return this.#objects.get(handle);
  }

  /**
   * @param gem - any object
   * @returns its handle in this file, 0 when it has none
   */
  handleOf(gem: GemObject): number {
    return this.#handles.get(gem) ?? 0;
  }

  /** Objects with their handles, ascending. */
  entries(): Iterable<[number, Bo]> {
    return this.#objects.entries();
  }

  /**
   * Free a handle.
   *
   * @param handle - any number
   * @returns its object, whose reference is now the caller's; undefined for a handle that is not in use
   */
  remove(handle: number): Bo | undefined {
    const bo = this.#objects.remove(handle);
    if (bo === undefined) return undefined;
    this.#handles.delete(bo);
    this.#foreign.delete(bo);
    if (--bo.handles === 0) bo.name = 0;
    return bo;
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<Bo> | undefined {
    const target = this.#options.gems.offsets.lookup(mmapOffset);
    if (target === undefined) return undefined;
    const object = this.get(this.handleOf(target.object));
    return object && { object, offset: target.offset };
  }

  /** See `DrmFile.exportBo`. */
  export(handle: number): DmaBuf {
    const bo = this.get(handle) ?? fail(ENOENT, `export: ${handle} is not a handle of this file`);
    const original = this.#foreign.get(bo);
    if (original !== undefined) return original.get();
    this.#options.checkExport(bo);
    return DmaBuf.of(bo, this.#options.memory);
  }

  /** See `DrmFile.importBo`. */
  import(dmaBuf: DmaBuf): number {
    const { gems, memory, isBo, importForeign } = this.#options;
    const { gem } = dmaBuf;
    const known = this.handleOf(gem);
    if (known !== 0) return known;
    for (const [bo, original] of this.#foreign) if (original === dmaBuf) return this.handleOf(bo);
    if (gems.get(gem.id) === gem && isBo(gem)) return this.add(gem.get());
    if (dmaBuf.memory !== memory)
      fail(EINVAL, "import: the object is in memory that this device does not reach");
    const bo = importForeign(dmaBuf);
    this.#foreign.set(bo, dmaBuf);
    return this.add(bo);
  }
}
