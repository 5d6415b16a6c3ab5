/**
 * One VM of a trace: what is mapped in it, and its sparse resources.
 *
 * @module
 */

import { IntervalMap } from "../model/intervals.ts";
import { cutPiece, type OpRef, type Piece, type SpaceObject } from "./piece.ts";
import { ResourceSet } from "./resource.ts";

/** Where an operation mapped something. */
export interface MappedRange {
  /** First VA in bytes. */
  readonly addr: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** One VM. */
export interface VmSpace {
  /** Its id in the file. */
  readonly id: number;
  /** Open file. */
  readonly file: number;
  /** What is mapped. */
  readonly pieces: IntervalMap<Piece>;
  /** The living sparse resources. */
  readonly resources: ResourceSet;
  /** Where each object was ever mapped since it was last unmapped as a whole, by its number. */
  readonly mappedAt: Map<number, MappedRange[]>;
  /** Ranges that the client ever laid out: resources, and mappings outside of them. */
  laidOut: number;
  /** The first operation that mapped memory; null before. */
  firstMemory: OpRef | null;
}

/**
 * @param id - of the VM
 * @param file - open file
 * @returns one with nothing in it
 */
export function emptyVm(id: number, file: number): VmSpace {
  return {
    id,
    file,
    pieces: new IntervalMap(cutPiece),
    resources: new ResourceSet(),
    mappedAt: new Map(),
    laidOut: 0,
    firstMemory: null,
  };
}

/**
 * @param vm - a VM
 * @param object - an object
 * @returns what is mapped of it there
 */
export function piecesOf(vm: VmSpace, object: SpaceObject): Piece[] {
  const found = new Set<Piece>();
  for (const { addr, end } of vm.mappedAt.get(object.number) ?? []) {
    for (const piece of vm.pieces.in(addr, end)) if (piece.object === object.number) found.add(piece);
  }
  return [...found].sort((a, b) => a.addr - b.addr);
}

/**
 * Unmap all of an object.
 *
 * @param vm - a VM
 * @param object - an object
 */
export function removeObject(vm: VmSpace, object: SpaceObject): void {
  if (vm.mappedAt.delete(object.number)) vm.pieces.removeObject(object.number);
}
