/**
 * GEM objects as the DRM core knows them: a size, a reservation object, a reference count, and the list of the VMs that
 * map them (`struct drm_gem_object` and its `gpuva.list`, `include/drm/drm_gem.h`, Linux 7.3).
 *
 * @module
 */

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
  *values(): Generator<GemObject> {
    for (const object of this.#objects) if (object !== null) yield object;
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

/** A buffer object. Drivers extend it with their backing pages. */
export class GemObject {
  readonly #gems: GemObjects;
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
    this.release();
  }

  /** Give back what backs the object. Called once, with the last reference gone. */
  protected release(): void {}
}
