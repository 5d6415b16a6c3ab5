/**
 * Fences: things that happen once, and chains of them, which are what a timeline is made of (`struct dma_fence`,
 * `struct dma_fence_chain`, Linux 7.3-rc7).
 *
 * A chain is a linked list, newest point first. A point has happened when its own fence has and all before it have:
 *
 * ```text
 * newest                                  oldest
 *   9 ─────> 5 ─────> 2 ─────> (a plain fence or nothing)
 *  own      own      own
 * ```
 *
 * A point whose own fence has happened says nothing any more that the one before it does not say, so walks drop it: what is
 * kept is what has not happened.
 *
 * @module
 */

/** Something that happens once. */
export class Fence {
  #signaled = false;
  #error = 0;
  /** Most fences have none. */
  #waiters: (() => void)[] | null = null;

  /** Whether it has happened. */
  get signaled(): boolean {
    return this.#signaled;
  }

  /** Errno that it happened with, 0 or negative. A chain has none of its own. */
  get error(): number {
    return this.#error;
  }

  /**
   * Let it happen; a second time does nothing.
   *
   * @param error - 0 or a negative errno
   */
  signal(error = 0): void {
    if (this.#signaled) return;
    this.#signaled = true;
    this.#error = error;
    const waiters = this.#waiters;
    if (waiters === null) return;
    this.#waiters = null;
    for (const waiter of waiters) waiter();
  }

  /** Call back when it happens, at once if it has. */
  onSignal(waiter: () => void): void {
    if (this.#signaled) waiter();
    else if (this.#waiters === null) this.#waiters = [waiter];
    else this.#waiters.push(waiter);
  }
}

/**
 * Call back when several have happened, at once if they all have.
 *
 * @param fences - any number, also none
 * @param then - called once
 */
export function afterAll(fences: readonly Fence[], then: () => void): void {
  const open = fences.filter((fence) => !fence.signaled);
  let left = open.length;
  if (left === 0) then();
  for (const fence of open) {
    fence.onSignal(() => {
      if (--left === 0) then();
    });
  }
}

/** @returns a fence that has happened without an error */
export function signaledFence(): Fence {
  const fence = new Fence();
  fence.signal();
  return fence;
}

/** A point of a timeline: its own fence and everything before it. */
export class FenceChain extends Fence {
  /** The point. At least that of the point before. */
  readonly seqno: number;
  /** The point before, 0 when there is none in this order: this one then stands for all points up to it. */
  readonly prevSeqno: number;
  /** Which order of points it belongs to: one that was not above the last one begins a new order. */
  readonly context: object;
  readonly #own: Fence;
  #prev: Fence | null;
  #armed = false;

  /**
   * @param prev - what is there already: a chain, a plain fence, or nothing
   * @param own - what signals the point
   * @param seqno - the point, above 0
   */
  constructor(prev: Fence | null, own: Fence, seqno: number) {
    super();
    const chain = prev instanceof FenceChain ? prev : null;
    const inOrder = chain !== null && seqno > chain.seqno;
    this.seqno = chain === null || inOrder ? seqno : chain.seqno;
    this.prevSeqno = inOrder ? chain.seqno : 0;
    this.context = inOrder ? chain.context : {};
    this.#own = own;
    this.#prev = prev;
  }

  /** Whether its own fence and all before it have happened. */
  override get signaled(): boolean {
    if (super.signaled) return true;
    if (this.#pending() !== null) return false;
    this.signal();
    return true;
  }

  /** Called by itself when all have happened. @internal */
  override signal(): void {
    this.#prev = null;
    super.signal();
  }

  override onSignal(waiter: () => void): void {
    if (!this.signaled && !this.#armed) this.#arm();
    super.onSignal(waiter);
  }

  /** One waiter at a time, on the newest that has not happened. */
  #arm(): void {
    this.#armed = true;
    this.#pending()?.onSignal(() => {
      if (!this.signaled) this.#arm();
    });
  }

  /** The newest fence that has not happened. */
  #pending(): Fence | null {
    for (let at: Fence | null = this; at !== null; at = before(at)) {
      const own = at instanceof FenceChain ? at.#own : at;
      if (!own.signaled) return own;
    }
    return null;
  }

  /**
   * One step back. What has happened in between is dropped (`dma_fence_chain_walk`).
   *
   * @returns the newest older fence that has not happened by itself, null when everything older has
   */
  walk(): Fence | null {
    let prev = this.#prev;
    while (prev !== null && (prev instanceof FenceChain ? prev.#own : prev).signaled) {
      prev = prev instanceof FenceChain ? prev.#prev : null;
    }
    this.#prev = prev;
    return prev;
  }
}

function before(fence: Fence): Fence | null {
  return fence instanceof FenceChain ? fence.walk() : null;
}
