/**
 * Waiting. An ioctl that has to wait is answered later; until then the server serves others. What the hardware does, it does
 * after each call, and once a millisecond while work is left.
 *
 * @module
 */

/** Nanoseconds of CLOCK_MONOTONIC, which clients' absolute timeouts are of. */
export function monotonicNow(): bigint {
  return process.hrtime.bigint();
}

/** What a call waits for. */
export interface Wait {
  /** Whether it has come. */
  ready(): boolean;
  /** When to give up, in nanoseconds of {@link monotonicNow}; null for never. */
  readonly deadline: bigint | null;
  /**
   * Have `look` called once when it may have come; called again after each time that it had not. Without this it is looked at
   * every millisecond.
   */
  watch?(look: () => void): void;
}

/** A wait that is not over. */
export interface Waiting {
  /** Whether it came, false at the deadline; rejected with what {@link Wait.ready} throws. */
  readonly came: Promise<boolean>;
  /** Nobody waits any more. */
  cancel(): void;
}

const TICK_MS = 1;
const NS_PER_MS = 1_000_000n;
/** Longest delay that a timer takes. */
const TIMER_MS = 2 ** 30;

/** Who waits for what. */
export class Scheduler {
  readonly #progress: () => boolean;
  readonly #polled = new Set<() => void>();
  #timer: NodeJS.Timeout | null = null;

  /** @param progress - lets the hardware work; whether it has more to do, at some later time */
  constructor(progress: () => boolean) {
    this.#progress = progress;
  }

  /** Let the hardware work. */
  run(): void {
    if (this.#progress()) this.#wind();
  }

  /**
   * @param wait - see {@link Wait}
   * @returns true when it has come, false when the deadline is over; else what will be
   */
  until(wait: Wait): boolean | Waiting {
    if (wait.ready()) return true;
    this.run();
    if (wait.ready()) return true;
    if (wait.deadline !== null && wait.deadline <= monotonicNow()) return false;
    return this.#later(wait);
  }

  /** End every wait's clock, so that the process can end. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#polled.clear();
  }

  #later(wait: Wait): Waiting {
    let cancel = () => {};
    const came = new Promise<boolean>((resolve, reject) => {
      let over = false;
      let alarm: NodeJS.Timeout | undefined;
      const end = () => {
        over = true;
        clearTimeout(alarm);
        this.#polled.delete(look);
      };
      cancel = () => {
        end();
        resolve(false);
      };
      /** Whether it has come; what cannot be found out any more ends the wait. */
      const ready = (): boolean => {
        try {
          return wait.ready();
        } catch (error) {
          end();
          reject(error);
          return false;
        }
      };
      const look = () => {
        if (over) return;
        if (ready()) {
          end();
          resolve(true);
        } else if (!over) wait.watch?.(look);
      };
      const wake = () => {
        if (over || wait.deadline === null) return;
        const left = wait.deadline - monotonicNow();
        if (left > 0n) {
          alarm = setTimeout(wake, Math.min(Number(left / NS_PER_MS) + 1, TIMER_MS));
          return;
        }
        const last = ready();
        end();
        resolve(last);
      };
      if (wait.watch) wait.watch(look);
      else {
        this.#polled.add(look);
        this.#wind();
      }
      wake();
    });
    return { came, cancel };
  }

  #wind(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const busy = this.#progress();
    for (const look of [...this.#polled]) look();
    if (busy || this.#polled.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
