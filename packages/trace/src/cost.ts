/**
 * Cost sheets: a device's counters over a stretch of time.
 *
 * Most counters only grow, and a stretch costs the difference. The others say how much there is now (`...Live`,
 * `backingBytes`) or was at most (`...Peak`); for them a sheet holds the value at the end of the stretch.
 *
 * @module
 */

/** Counters by name. */
export type CostSheet = Record<string, number>;

/**
 * @param name - of a counter
 * @returns whether it is a level and not a sum
 */
export function isLevel(name: string): boolean {
  return /(Live|Peak|PeakBytes)$|^backingBytes$/.test(name);
}

/**
 * Copy a device's counters.
 *
 * @param counters - the plain object that the model counts on
 * @returns its numbers as they are now
 */
export function snapshot(counters: object): CostSheet {
  return Object.fromEntries(
    Object.entries(counters).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

/**
 * What a stretch cost.
 *
 * @param before - snapshot at its start
 * @param after - snapshot at its end
 * @returns sums as differences, levels as they are at the end
 */
export function costBetween(before: CostSheet, after: CostSheet): CostSheet {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, isLevel(name) ? value : value - (before[name] ?? 0)]),
  );
}

/**
 * Add a later stretch to an earlier one.
 *
 * @param sum - the earlier cost; undefined for none
 * @param next - the later cost
 * @returns both together
 */
export function addCost(sum: CostSheet | undefined, next: CostSheet): CostSheet {
  if (!sum) return next;
  return Object.fromEntries(
    Object.entries(next).map(([name, value]) => [name, isLevel(name) ? value : value + (sum[name] ?? 0)]),
  );
}

/** What each phase costs, from a device's counters. Marks may follow each other closely: closing a stretch makes no objects. */
export class PhaseCosts<P extends string> {
  readonly #counters: Readonly<CostSheet>;
  readonly #names: readonly string[];
  readonly #levels: readonly boolean[];
  /** Counters at the end of the last stretch. */
  readonly #last: Float64Array;
  readonly #sums: Map<P, Float64Array> = new Map();

  /** @param counters - the plain object that the model counts on; the first stretch begins */
  constructor(counters: object) {
    const now = snapshot(counters);
    this.#counters = counters as CostSheet;
    this.#names = Object.keys(now);
    this.#levels = this.#names.map(isLevel);
    this.#last = Float64Array.from(Object.values(now));
  }

  /**
   * End a stretch, and begin the next one.
   *
   * @param phase - what the stretch belongs to; one without an ioctl is nobody's
   */
  close(phase: P): void {
    const sums = this.#issued() ? this.#sumsOf(phase) : null;
    for (let i = 0; i < this.#names.length; i++) {
      const now = this.#counters[this.#names[i] as string] as number;
      if (sums !== null) {
        sums[i] = this.#levels[i] ? now : (sums[i] as number) + now - (this.#last[i] as number);
      }
      this.#last[i] = now;
    }
  }

  /** @returns the phases with at least one ioctl, in the order of their first */
  sheets(): Partial<Record<P, CostSheet>> {
    const sheets: Partial<Record<P, CostSheet>> = {};
    for (const [phase, sums] of this.#sums) {
      sheets[phase] = Object.fromEntries(this.#names.map((name, i) => [name, sums[i] as number]));
    }
    return sheets;
  }

  #issued(): boolean {
    return this.#counters["ioctls"] !== this.#last[this.#names.indexOf("ioctls")];
  }

  #sumsOf(phase: P): Float64Array {
    const known = this.#sums.get(phase);
    if (known) return known;
    const sums = new Float64Array(this.#names.length);
    this.#sums.set(phase, sums);
    return sums;
  }
}
