/**
 * The first difference in state: where, for the first time, a byte of a resource has other memory behind it in one trace than in the
 * other, after as many binds.
 *
 * @module
 */

import type { LiftedBind, LiftedResource } from "../lift/lifted.ts";
import { type Cut, type Interval, IntervalMap, noHits } from "../model/intervals.ts";
import type { DiffSide } from "./items.ts";

/** A place at which two traces disagree. */
export interface StateDifference {
  /** The resource, as the first trace names it. */
  readonly resource: string;
  /** Byte offset in it. */
  readonly offset: number;
  /** What is there. */
  readonly a: StateSide;
  /** What is there in the second trace. */
  readonly b: StateSide;
}

/** What one trace has at a place. */
export interface StateSide {
  /** The last ioctl that changed the resource, by its `seq`. */
  readonly seq: number;
  /** `BO 6 + 0x1000`, or `nothing bound`. */
  readonly shows: string;
}

/** A piece of a resource: an interval whose addresses are offsets in it. */
interface Bound extends Interval {
  /** Name of the object in both traces. */
  readonly shared: string;
  /** Its name in its own trace. */
  readonly name: string;
}

const cutBound: Cut<Bound> = ({ kind, object, shared, name }, addr, end, offset) => ({
  addr,
  end,
  kind,
  object,
  offset,
  shared,
  name,
});

/**
 * @param a - a trace
 * @param b - another
 * @returns the first difference; null where no resource ever differs
 */
export function firstStateDifference(a: DiffSide, b: DiffSide): StateDifference | null {
  const resourcesB = new Map(resourcesIn(b).map((resource) => [b.names.resource(resource), resource]));
  let first: StateDifference | null = null;
  for (const resource of resourcesIn(a)) {
    const other = resourcesB.get(a.names.resource(resource));
    const found = other === undefined ? null : compare(a, resource, b, other);
    if (found !== null && found.a.seq < (first?.a.seq ?? Number.POSITIVE_INFINITY)) first = found;
  }
  return first;
}

function resourcesIn({ steps }: DiffSide): LiftedResource[] {
  return steps.flatMap((step) => (step.step === "create" ? [step.resource] : []));
}

function bindsOf({ steps }: DiffSide, resource: LiftedResource): LiftedBind[] {
  return steps.flatMap((step) => (step.step === "bind" && step.resource === resource ? [step] : []));
}

function compare(
  a: DiffSide,
  resourceA: LiftedResource,
  b: DiffSide,
  resourceB: LiftedResource,
): StateDifference | null {
  const bindsA = bindsOf(a, resourceA);
  const bindsB = bindsOf(b, resourceB);
  const stateA = new IntervalMap(cutBound);
  const stateB = new IntervalMap(cutBound);
  let seqA = 0;
  let seqB = 0;
  for (let i = 0; i < Math.max(bindsA.length, bindsB.length); i++) {
    const ranges = [...apply(stateA, bindsA[i], a), ...apply(stateB, bindsB[i], b)];
    seqA = bindsA[i]?.from.last ?? seqA;
    seqB = bindsB[i]?.from.last ?? seqB;
    for (const { offset, size } of ranges.sort((x, y) => x.offset - y.offset)) {
      const at = difference(stateA, stateB, offset, offset + size);
      if (at === null) continue;
      return {
        resource: resourceA.name,
        offset: at,
        a: { seq: seqA, shows: shows(stateA, at) },
        b: { seq: seqB, shows: shows(stateB, at) },
      };
    }
  }
  return null;
}

function apply(
  state: IntervalMap<Bound>,
  bind: LiftedBind | undefined,
  { names }: DiffSide,
): { offset: number; size: number }[] {
  const hits = noHits();
  for (const { offset, size, memory } of bind?.binds ?? []) {
    if (memory === null) state.unmap(offset, offset + size, hits);
    else {
      const { object, offset: at } = memory;
      const bound = { addr: offset, end: offset + size, kind: "", object: 1, offset: at };
      state.map({ ...bound, shared: names.memory(object), name: object.name }, hits);
    }
  }
  return [...(bind?.binds ?? [])];
}

/** @returns the first offset of a range at which two states differ; null for none */
function difference(a: IntervalMap<Bound>, b: IntervalMap<Bound>, from: number, to: number): number | null {
  let at = from;
  while (at < to) {
    const pieceA = a.in(at, to)[0];
    const pieceB = b.in(at, to)[0];
    if (pieceA === undefined && pieceB === undefined) return null;
    const startA = Math.max(at, pieceA?.addr ?? to);
    const startB = Math.max(at, pieceB?.addr ?? to);
    if (startA !== startB || pieceA === undefined || pieceB === undefined) return Math.min(startA, startB);
    const same =
      pieceA.shared === pieceB.shared && pieceA.offset - pieceA.addr === pieceB.offset - pieceB.addr;
    if (!same) return startA;
    const end = Math.min(pieceA.end, pieceB.end);
    if (end >= to) return null;
    at = end;
  }
  return null;
}

function shows(state: IntervalMap<Bound>, at: number): string {
  const [piece] = state.in(at, at + 1);
  return piece === undefined
    ? "nothing bound"
    : `${piece.name} + 0x${(piece.offset + at - piece.addr).toString(16)}`;
}
