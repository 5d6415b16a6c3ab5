/**
 * Cost sheets: a device's counters over a stretch of time.
 *
 * Most counters only grow, and a stretch costs the difference. The others say how much there is now (`level`) or was at
 * most (`peak`); for them a sheet holds the value at the end of the stretch. Which is which says the device's schema.
 *
 * @module
 */

import type { CostSchema, CostSheet } from "@vmbind/drm";

/**
 * Copy a device's counters.
 *
 * @param counters - the plain object that the model counts on
 * @returns its numbers as they are now
 */
export function snapshot(counters: Readonly<CostSheet>): CostSheet {
  return { ...counters };
}

/**
 * What a stretch cost.
 *
 * @param schema - of the device
 * @param before - snapshot at its start
 * @param after - snapshot at its end
 * @returns sums as differences, levels and peaks as they are at the end
 */
export function costBetween(schema: CostSchema, before: CostSheet, after: CostSheet): CostSheet {
  return eachCounter(after, (name, value) => (isSum(schema, name) ? value - (before[name] ?? 0) : value));
}

/**
 * Add a later stretch to an earlier one.
 *
 * @param schema - of the device
 * @param sum - the earlier cost; undefined for none
 * @param next - the later cost
 * @returns both together
 */
export function addCost(schema: CostSchema, sum: CostSheet | undefined, next: CostSheet): CostSheet {
  if (!sum) return next;
  return eachCounter(next, (name, value) => (isSum(schema, name) ? value + (sum[name] ?? 0) : value));
}

function isSum(schema: CostSchema, name: string): boolean {
  return schema[name]?.kind === "sum";
}

function eachCounter(sheet: CostSheet, of: (name: string, value: number) => number): CostSheet {
  const result: CostSheet = {};
  for (const name of Object.keys(sheet)) result[name] = of(name, sheet[name] as number);
  return result;
}

/**
 * What comes out of an array of doubles V8 takes for a fraction. In an object with the names of a device's sheet that would change the
 * shape of all such sheets, and what was compiled for it would be thrown away.
 */
function asCounted(value: number): number {
  const small = value | 0;
  return small === value ? small : value;
}

/** What each phase costs, from a device's counters. Marks may follow each other closely: closing a stretch makes no objects. */
export class PhaseCosts<P extends string> {
  readonly #counters: Readonly<CostSheet>;
  /** In the order of the sheet. */
  readonly #names: readonly string[];
  readonly #isSum: readonly boolean[];
  readonly #ioctls: number;
  /** Counters at the end of the last stretch. */
  readonly #last: Float64Array;
  readonly #sums: Map<P, Float64Array> = new Map();

  /**
   * The first stretch begins.
   *
   * @param schema - of the device
   * @param counters - the plain object that the model counts on
   */
  constructor(schema: CostSchema, counters: Readonly<CostSheet>) {
    this.#counters = counters;
    this.#names = Object.keys(counters);
    this.#ioctls = this.#names.indexOf("ioctls");
    this.#isSum = this.#names.map((name) => isSum(schema, name));
    this.#last = Float64Array.from(Object.values(counters));
  }

  /**
   * End a stretch, and begin the next one.
   *
   * @param phase - what the stretch belongs to; one without an ioctl is nobody's
   */
  close(phase: P): void {
    const counters = this.#counters;
    const last = this.#last;
    const isSum = this.#isSum;
    const sums = this.#issued() ? this.#sumsOf(phase) : null;
    let i = 0;
    // Read by a list of its names, each counter would be looked up by its text.
    for (const name in counters) {
      const now = counters[name] as number;
      if (sums !== null) sums[i] = isSum[i] ? (sums[i] as number) + now - (last[i] as number) : now;
      last[i++] = now;
    }
  }

  /** @returns the phases with at least one ioctl, in the order of their first */
  sheets(): Partial<Record<P, CostSheet>> {
    const sheets: Partial<Record<P, CostSheet>> = {};
    for (const [phase, sums] of this.#sums) {
      const sheet: CostSheet = {};
      for (let i = 0; i < sums.length; i++) sheet[this.#names[i] as string] = asCounted(sums[i] as number);
      sheets[phase] = sheet;
    }
    return sheets;
  }

  #issued(): boolean {
    return this.#counters["ioctls"] !== this.#last[this.#ioctls];
  }

  #sumsOf(phase: P): Float64Array {
    const known = this.#sums.get(phase);
    if (known) return known;
    const sums = new Float64Array(this.#names.length);
    this.#sums.set(phase, sums);
    return sums;
  }
}
