/**
 * Syncobjs: a box with one payload, which user space names by a handle (`drivers/gpu/drm/drm_syncobj.c`, Linux 7.3-rc7).
 *
 * The payload is a fence (binary) or a chain of points (a timeline), never both: attaching a fence replaces a timeline,
 * adding a point to a fence chains on it. A handle belongs to an open file; a syncobj may have handles in several.
 *
 * @module
 */

import { EINVAL, ENOENT, fail } from "./errno.ts";
import { Fence, FenceChain, signaledFence } from "./fence.ts";
import { HandleTable } from "./handle-table.ts";

/** Points that are kept before it is looked whether some can go. */
const POINTS_MIN = 16;

/** A syncobj. */
export class Syncobj {
  #fence: Fence | null = null;
  #points = 0;
  #forgetAt = POINTS_MIN;
  /** Most syncobjs have none. */
  #watchers: (() => void)[] | null = null;

  /** The payload: a `FenceChain` is the newest point of a timeline; null until something was submitted. */
  get fence(): Fence | null {
    return this.#fence;
  }

  /** Points of the timeline that are kept: those that have not happened, and at most as many more, or 16. */
  get points(): number {
    return this.#points;
  }

  /**
   * Give it a payload (`drm_syncobj_replace_fence`), or add a point (`drm_syncobj_add_point`).
   *
   * @param point - point of the timeline, see {@link Syncobj.addPoint}; 0 replaces the payload
   * @param fence - what signals it
   */
  attach(point: number, fence: Fence): void {
    if (point === 0) {
      this.#fence = fence;
      this.#points = fence instanceof FenceChain ? length(fence) : 0;
      this.#tell();
    } else this.addPoint(point, fence);
  }

  /**
   * Add a point (`drm_syncobj_add_point`). A point that is not above the last one counts as the last one, and as the first of
   * a new order: waits for any point up to it wait for it. So does 0, with which `DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL` adds a
   * point like any other.
   *
   * @param point - point of the timeline. NaN, a u64 that a double cannot hold, is above all others
   * @param fence - what signals it
   */
  addPoint(point: number, fence: Fence): void {
    const chain = new FenceChain(this.#fence, fence, Number.isNaN(point) ? Number.POSITIVE_INFINITY : point);
    this.#fence = chain;
    if (++this.#points > this.#forgetAt) {
      this.#points = length(chain);
      this.#forgetAt = Math.max(POINTS_MIN, 2 * this.#points);
    }
    this.#tell();
  }

  /**
   * Call back once, when something is attached next: what a wait for a point does that nobody has submitted
   * (`DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT`).
   */
  onAttach(watcher: () => void): void {
    if (this.#watchers === null) this.#watchers = [watcher];
    else this.#watchers.push(watcher);
  }

  #tell(): void {
    const watchers = this.#watchers;
    if (watchers === null) return;
    this.#watchers = null;
    for (const watcher of watchers) watcher();
  }

  /** Take the payload out (`DRM_IOCTL_SYNCOBJ_RESET`). */
  reset(): void {
    this.#fence = null;
    this.#points = 0;
  }

  /**
   * What a wait waits for (`drm_syncobj_find_fence`).
   *
   * @param point - 0 for the payload, which on a timeline is its newest point; else the first point that reaches it
   * @returns a fence; null when there is no payload, it is no timeline, or the timeline does not reach the point yet
   */
  find(point: number): Fence | null {
    const fence = this.#fence;
    if (point === 0 || fence === null) return fence;
    const wanted = Number.isNaN(point) ? Number.POSITIVE_INFINITY : point;
    if (!(fence instanceof FenceChain) || fence.seqno < wanted) return null;
    let at: Fence | null = fence;
    while (at instanceof FenceChain && at.context === fence.context && at.prevSeqno >= wanted) at = at.walk();
    // Nothing is left of what has happened.
    return at ?? signaledFence();
  }
}

/** Points of a chain that have not happened. */
function length(newest: FenceChain): number {
  let count = 0;
  for (let at: Fence | null = newest; at instanceof FenceChain; at = at.walk()) count++;
  return count;
}

/** A syncobj of which only a part is known: what was not attached here has happened elsewhere. */
class AdoptedSyncobj extends Syncobj {
  override find(point: number): Fence {
    return super.find(point) ?? signaledFence();
  }
}

/** The syncobjs of an open file by handle. */
export class Syncobjs {
  readonly #handles: HandleTable<Syncobj> = new HandleTable();
  readonly #adopted: Map<number, Syncobj> = new Map();
  readonly #adopts: boolean;

  /**
   * @param adopts - take unknown handles but 0 for syncobjs that were made elsewhere, and what nobody here has attached for
   * signalled: recordings leave out the ioctls that make syncobjs
   */
  constructor(adopts = false) {
    this.#adopts = adopts;
  }

  /**
   * Make a syncobj (`DRM_IOCTL_SYNCOBJ_CREATE`).
   *
   * @param signaled - with a fence that has happened (`DRM_SYNCOBJ_CREATE_SIGNALED`); without a payload unless given
   * @returns its handle
   */
  create(signaled = false): number {
    const syncobj = new Syncobj();
    if (signaled) syncobj.attach(0, signaledFence());
    return this.import(syncobj);
  }

  /**
   * Give up a handle (`DRM_IOCTL_SYNCOBJ_DESTROY`); who has the syncobj by another one keeps it.
   *
   * @param handle - syncobj handle
   * @throws {@link DrmError} EINVAL for a handle that is not in use
   */
  destroy(handle: number): void {
    if (this.#adopted.delete(handle)) return;
    if (this.#handles.remove(handle) === undefined) fail(EINVAL, unknown("syncobj_destroy", handle));
  }

  /**
   * @param handle - syncobj handle
   * @returns the syncobj; undefined for an unknown handle, unless those are adopted
   */
  get(handle: number): Syncobj | undefined {
    const own = this.#handles.get(handle) ?? this.#adopted.get(handle);
    if (own !== undefined || !this.#adopts || handle === 0) return own;
    const adopted = new AdoptedSyncobj();
    this.#adopted.set(handle, adopted);
    return adopted;
  }

  /**
   * Put a fence into a syncobj, as a job of another driver or queue does.
   *
   * @param handle - syncobj handle
   * @param point - timeline point, 0 (unless told) for the binary payload
   * @returns the fence, to be signalled by the caller
   * @throws {@link DrmError} ENOENT for an unknown handle
   */
  attachFence(handle: number, point = 0): Fence {
    const syncobj = this.get(handle) ?? fail(ENOENT, unknown("syncobj", handle));
    const fence = new Fence();
    syncobj.attach(point, fence);
    return fence;
  }

  /** Syncobjs with their handles, ascending; adopted ones left out. */
  entries(): Iterable<[number, Syncobj]> {
    return this.#handles.entries();
  }

  /**
   * What a file descriptor of a syncobj carries to another file (`DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD`): the syncobj itself.
   *
   * @param handle - syncobj handle
   * @throws {@link DrmError} EINVAL for an unknown handle
   */
  export(handle: number): Syncobj {
    return this.get(handle) ?? fail(EINVAL, unknown("syncobj_handle_to_fd", handle));
  }

  /**
   * Give a syncobj a handle in this file (`DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE`).
   *
   * @param syncobj - from {@link Syncobjs.export} of any file
   * @returns a new handle, also where the file has one already
   */
  import(syncobj: Syncobj): number {
    return this.#handles.alloc(syncobj);
  }
}

function unknown(ioctl: string, handle: number): string {
  return `${ioctl}.handle: ${handle} is not a syncobj of this file`;
}
