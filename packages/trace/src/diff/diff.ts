/**
 * Two traces compared by meaning: what one application asked for, whatever addresses, handles and numbers of ioctls it got.
 *
 * @module
 */

import type { Lens } from "../lens.ts";
import { liftTrace } from "../lift/lift.ts";
import type { Trace } from "../record.ts";
import { editsOf } from "./edits.ts";
import { type DiffItem, diffSides } from "./items.ts";
import { firstStateDifference, type StateDifference } from "./state.ts";

/**
 * How two traces differ in one thing.
 *
 * - `missing`: the first does it, the second does not
 * - `new`: the other way round
 * - `elsewhere`: the second does it, at another place of a resource
 * - `other-memory`: the second binds other memory there
 * - `other-size`: the second binds more or less there
 * - `moved`: the second does the same earlier or later
 */
export type TraceChangeKind = "missing" | "new" | "elsewhere" | "other-memory" | "other-size" | "moved";

/** One difference. */
export interface TraceChange {
  /** What kind. */
  readonly kind: TraceChangeKind;
  /** What the first trace does; null for nothing. */
  readonly a: DiffItem | null;
  /** What the second trace does; null for nothing. */
  readonly b: DiffItem | null;
}

/** What came of a comparison. */
export interface TraceDiff {
  /** Differences, in the order of the first trace; what is new where it comes. */
  readonly changes: readonly TraceChange[];
  /** The first difference in state; null for none. */
  readonly state: StateDifference | null;
  /** Items of each trace that were compared. */
  readonly compared: readonly [number, number];
  /** Whether objects and mappings outside of resources were left out. */
  readonly resourcesOnly: boolean;
}

/** A trace to compare, with the lens of its driver. */
export interface DiffInput {
  /** It; its records are consumed. */
  readonly trace: Trace;
  /** Of its driver. */
  readonly lens: Lens;
}

/**
 * Compare two traces.
 *
 * @param a - a trace
 * @param b - another
 * @param resourcesOnly - leave out objects, and mappings outside of resources; always so for traces of two drivers, whose user-mode
 * drivers make different ones for themselves
 * @returns how the second differs from the first
 * @throws {@link InputError} for a trace that breaks its format
 */
export async function diffTraces(a: DiffInput, b: DiffInput, resourcesOnly = false): Promise<TraceDiff> {
  const only = resourcesOnly || a.lens.name !== b.lens.name;
  const liftedA = await liftTrace(a.trace, a.lens);
  const liftedB = await liftTrace(b.trace, b.lens);
  const [sideA, sideB] = diffSides(liftedA.steps, liftedB.steps, only);
  const { gone, come } = editsOf(
    sideA.items.map(({ key }) => key),
    sideB.items.map(({ key }) => key),
  );
  const changes = paired(
    gone.map((i) => sideA.items[i] as DiffItem),
    come.map((i) => sideB.items[i] as DiffItem),
  );
  return {
    changes,
    state: firstStateDifference(sideA, sideB),
    compared: [sideA.items.length, sideB.items.length],
    resourcesOnly: only,
  };
}

/** Ways to see one thing in two, the closest first. */
const PAIRS: readonly (readonly [TraceChangeKind, (item: DiffItem) => string | null])[] = [
  ["moved", ({ key }) => key],
  ["elsewhere", ({ step, memory, size }) => (step === "bind" && memory !== "" ? `${memory} ${size}` : null)],
  [
    "other-memory",
    ({ step, resource, offset, size }) => (step === "bind" ? `${resource} ${offset} ${size}` : null),
  ],
  ["other-size", ({ step, resource, offset }) => (step === "bind" ? `${resource} ${offset}` : null)],
];

function byKey(
  items: Iterable<DiffItem>,
  keyOf: (item: DiffItem) => string | null,
): ReadonlyMap<string, readonly DiffItem[]> {
  const found = new Map<string, DiffItem[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const alike = found.get(key);
    if (alike === undefined) found.set(key, [item]);
    else alike.push(item);
  }
  return found;
}

function paired(gone: readonly DiffItem[], come: readonly DiffItem[]): TraceChange[] {
  const leftA = new Set(gone);
  const leftB = new Set(come);
  const changes: TraceChange[] = [];
  for (const [kind, keyOf] of PAIRS) {
    const waiting = new Map<string, Iterator<DiffItem>>();
    for (const [key, items] of byKey(leftB, keyOf)) waiting.set(key, items.values());
    for (const a of [...leftA]) {
      const key = keyOf(a);
      const b: DiffItem | undefined = key === null ? undefined : waiting.get(key)?.next().value;
      if (b === undefined) continue;
      leftA.delete(a);
      leftB.delete(b);
      changes.push({ kind, a, b });
    }
  }
  for (const a of leftA) changes.push({ kind: "missing", a, b: null });
  for (const b of leftB) changes.push({ kind: "new", a: null, b });
  const at = ({ a, b }: TraceChange): number => a?.seq ?? b?.seq ?? 0;
  return changes.sort((x, y) => at(x) - at(y));
}
