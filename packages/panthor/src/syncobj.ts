/**
 * Fences and syncobjs, as much of them as VM_BIND needs: a job waits for fences, and its own fence ends up in syncobjs.
 *
 * @module
 */

/** Something that happens once: a `dma_fence`, as far as a job needs it. */
export class Fence {
  /** Whether it has happened. */
  signaled = false;
  /** Errno that it happened with, 0 or negative. */
  error = 0;
  /** Most fences have none. */
  #waiters: (() => void)[] | null = null;

  /**
   * Let it happen; a second time does nothing.
   *
   * @param error - 0 or a negative errno
   */
  signal(error = 0): void {
    if (this.signaled) return;
    this.signaled = true;
    this.error = error;
    const waiters = this.#waiters;
    if (waiters === null) return;
    this.#waiters = null;
    for (const waiter of waiters) waiter();
  }

  /** Call back when it happens, at once if it has. */
  onSignal(waiter: () => void): void {
    if (this.signaled) waiter();
    else if (this.#waiters === null) this.#waiters = [waiter];
    else this.#waiters.push(waiter);
  }
}

/** Points that are kept before it is looked whether some can go. */
const POINTS_MIN = 16;

/**
 * A syncobj (`drm_syncobj.c`, Linux 7.3): one fence, or a timeline of them. Of a timeline only the points that have not
 * happened are kept, and for those that have what waits can still ask: which value was reached without waiting any more.
 */
export class Syncobj {
  /** Fence of the binary payload, null until something was submitted that signals it. */
  fence: Fence | null = null;
  /** In the order of submission. */
  readonly #points: { value: number; fence: Fence }[] = [];
  /** Highest value that had happened before any point that is kept. */
  #reached = 0;
  #forgetAt = POINTS_MIN;

  /** Points of the timeline that are kept: those that have not happened, and at most as many more, or 16. */
  get points(): number {
    return this.#points.length;
  }

  /**
   * Replace the binary payload, or add a point.
   *
   * @param value - timeline point; 0 is the binary payload
   * @param fence - what signals it
   */
  attach(value: number, fence: Fence): void {
    if (value === 0) {
      this.fence = fence;
      return;
    }
    if (this.#points.length >= this.#forgetAt) this.#forget();
    // A value that is no exact number (NaN) is reached by no wait.
    this.#points.push({ value: value || 0, fence });
  }

  /**
   * Drop the points that have happened. A wait that one of them would end, ends with the point before it, since that is
   * all there is left to wait for; so the value goes to that point.
   */
  #forget(): void {
    const points = this.#points;
    let kept = 0;
    for (const point of points) {
      const { value } = point;
      const before = points[kept - 1];
      if (!point.fence.signaled) points[kept++] = point;
      else if (before === undefined) {
        if (value > this.#reached) this.#reached = value;
      } else if (value > before.value) before.value = value;
    }
    points.length = kept;
    this.#forgetAt = Math.max(POINTS_MIN, 2 * kept);
  }

  /**
   * What a wait waits for: on a timeline, the first point that reaches the value and all before it. Fences that have
   * happened may be left out.
   *
   * @param value - timeline point; 0 is the binary payload
   * @returns null when nothing was submitted that would ever signal it
   */
  fencesFor(value: number): Fence[] | null {
    if (value === 0) return this.fence ? [this.fence] : null;
    if (value <= this.#reached) return [];
    const reached = this.#points.findIndex((p) => p.value >= value);
    return reached < 0 ? null : this.#points.slice(0, reached + 1).map((p) => p.fence);
  }
}
