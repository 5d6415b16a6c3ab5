/**
 * What is mapped, and who mapped it: the pieces of an address space, each with the operation that it comes from.
 *
 * Cutting a mapping leaves pieces; each keeps the operation, so that whoever finds something wrong at an address can say which ioctl
 * put it there, however often it was cut since.
 *
 * @module
 */

import type { Cut, Interval } from "../model/intervals.ts";

/** An ioctl of a trace. */
export interface CallRef {
  /** Counts the ioctls of the trace from 0. */
  readonly seq: number;
  /** Line of the file, from 1; 0 where there is none. */
  readonly line: number;
  /** Number of the open file that issued it. */
  readonly file: number;
  /** Name, e.g. `PANTHOR_VM_BIND`. */
  readonly ioctl: string;
}

/** One operation of a VM_BIND. */
export interface OpRef extends CallRef {
  /** Its index in the call. */
  readonly op: number;
  /** Operations of the call. */
  readonly ops: number;
  /** First VA in bytes, as sent. */
  readonly addr: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** An object of a file. */
export interface SpaceObject {
  /** Never given out twice, unlike a handle. */
  readonly number: number;
  /** Open file. */
  readonly file: number;
  /** GEM handle. */
  readonly handle: number;
  /** Bytes. */
  readonly size: number;
  /** The ioctl that made it. */
  readonly made: CallRef;
  /** The ioctl that closed its handle; null while it is open. */
  closed: CallRef | null;
}

/** A piece of a mapping. */
export interface Piece extends Interval {
  /** What its operation says of the object, or that nothing is bound there. */
  readonly is: "memory" | "unbound";
  /** Bytes from the first view to that of the piece; 0 for the first. */
  readonly view: number;
  /** Whether it only shows again what another mapping is there for. */
  readonly aside: boolean;
  /** Whether the GPU may write through it. */
  readonly mayWrite: boolean;
  /** Flags as sent. */
  readonly flags: number;
  /** The operation that mapped it. */
  readonly by: OpRef;
}

/** {@link Cut} of a piece. */
export const cutPiece: Cut<Piece> = (
  { kind, object, is, view, aside, mayWrite, flags, by },
  addr,
  end,
  offset,
) => ({ addr, end, kind, object, offset, is, view, aside, mayWrite, flags, by });

/**
 * @param object - an object, or null for none
 * @returns how messages name it: `BO 6`
 */
export function objectName(object: SpaceObject | null): string {
  if (object === null) return "no object";
  return object.file === 0 ? `BO ${object.handle}` : `BO ${object.handle} of file ${object.file}`;
}

/**
 * @param ref - an ioctl, or one operation of it
 * @returns how messages name it: `#14 op 3`, or `#14` where the call has a single operation
 */
export function refName(ref: CallRef | OpRef): string {
  return "op" in ref && ref.ops > 1 ? `#${ref.seq} op ${ref.op}` : `#${ref.seq}`;
}
