/**
 * Fences and syncobjs, as much of them as VM_BIND needs: a job waits for fences, and its own fence ends up in syncobjs.
 *
 * @module
 */

/** Something that happens once. */
export class Fence {
  /** Whether it has happened. */
  signaled = false;
  /** Errno that it happened with, 0 or negative. */
  error = 0;
  readonly #waiters: (() => void)[] = [];

  /**
   * Let it happen; a second time does nothing.
   *
   * @param error - 0 or a negative errno
   */
  signal(error = 0): void {
    if (this.signaled) return;
    this.signaled = true;
    this.error = error;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** Call back when it happens, at once if it has. */
  onSignal(waiter: () => void): void {
    if (this.signaled) waiter();
    else this.#waiters.push(waiter);
  }
}

/** A syncobj: one fence, or a timeline of them. */
export class Syncobj {
  /** Fence of the binary payload, null until something was submitted that signals it. */
  fence: Fence | null = null;
  readonly #points: { value: number; fence: Fence }[] = [];

  /**
   * Replace the binary payload, or add a point.
   *
   * @param value - timeline point; 0 is the binary payload
   * @param fence - what signals it
   */
  attach(value: number, fence: Fence): void {
    if (value === 0) this.fence = fence;
    else this.#points.push({ value, fence });
  }

  /**
   * What a wait waits for: on a timeline, the first point that reaches the value and all before it.
   *
   * @param value - timeline point; 0 is the binary payload
   * @returns null when nothing was submitted that would ever signal it
   */
  fencesFor(value: number): Fence[] | null {
    if (value === 0) return this.fence ? [this.fence] : null;
    const reached = this.#points.findIndex((p) => p.value >= value);
    return reached < 0 ? null : this.#points.slice(0, reached + 1).map((p) => p.fence);
  }
}
