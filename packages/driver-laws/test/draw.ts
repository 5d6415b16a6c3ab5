/** Random operations that meet: they begin and end near a few edges, where tables and leaf sizes change. */

import fc from "fast-check";
import type { Access, Facts, Op } from "./subject.ts";

/** An operation whose object is a number into a list, to be replaced by a handle. */
export type DrawnOp = Op;

const NEAR = 20;

/** A range of whole pages between two edges, or near one. */
function range({ seam, edges, pageBytes }: Facts): fc.Arbitrary<{ va: number; bytes: number }> {
  const edge = fc
    .tuple(fc.constantFrom(...edges), fc.integer({ min: -NEAR, max: NEAR }))
    .map(([at, d]) => seam + at + d * pageBytes);
  return fc.tuple(edge, edge).map(([from, to]) => ({
    va: Math.min(from, to),
    bytes: Math.max(pageBytes, Math.abs(to - from)),
  }));
}

/**
 * One operation of those that a driver has.
 *
 * @param sizes - pages of the objects; `object` of an operation is an index into them
 */
export function operation(facts: Facts, sizes: readonly number[]): fc.Arbitrary<DrawnOp> {
  const { pageBytes, repeatWindows } = facts;
  const object = fc.nat(sizes.length - 1);
  const access: fc.Arbitrary<Access> = fc.constantFrom(...facts.accesses);
  const where = range(facts);
  const page = fc.oneof(fc.nat(40), fc.nat(Math.max(...sizes)));
  const bind = fc.tuple(where, object, page, access).map(([{ va, bytes }, i, at, rights]): DrawnOp => {
    const size = sizes[i] as number;
    const offset = (at % size) * pageBytes;
    const most = size * pageBytes - offset;
    return { kind: "bind", va, bytes: Math.min(bytes, most), object: i, offset, access: rights };
  });
  const choices = [
    { weight: 3, arbitrary: bind },
    { weight: 2, arbitrary: where.map((at): DrawnOp => ({ kind: "unbind", ...at })) },
  ];
  if (facts.sparse !== null) {
    choices.push({ weight: 3, arbitrary: where.map((at): DrawnOp => ({ kind: "sparse", ...at })) });
  }
  if (repeatWindows.length > 0) {
    const window = fc.constantFrom(...repeatWindows);
    const repeat = fc
      .tuple(where, object, page, access, window)
      .map(([{ va, bytes }, i, at, rights, pages]): DrawnOp => {
        const size = sizes[i] as number;
        const first = at % size;
        const repeated = Math.min(pages, size - first) * pageBytes;
        const whole = Math.max(1, Math.floor(bytes / repeated)) * repeated;
        const offset = first * pageBytes;
        return { kind: "repeat", va, bytes: whole, object: i, offset, window: repeated, access: rights };
      });
    choices.push({ weight: 3, arbitrary: repeat });
  }
  if (facts.unbindsObjects) {
    choices.push({
      weight: 1,
      arbitrary: object.map((i): DrawnOp => ({ kind: "unbind-object", object: i })),
    });
  }
  return fc.oneof(...choices);
}

/** The same operation on an object of another number. */
export function onObject(op: DrawnOp, handles: readonly number[]): Op {
  return "object" in op ? { ...op, object: handles[op.object] as number } : op;
}
