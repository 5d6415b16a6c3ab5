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
