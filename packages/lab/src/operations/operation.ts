/**
 * Operations that are written once and go to every driver: what a program asks of an address space, one thing after the other.
 *
 * They stand between a workload and an ioctl. A workload names resources and offsets only; here an address may be any number, so that a
 * driver can refuse it, and a mapping may be made or taken away anywhere, with no resource around it. Ranges and memory have names: where
 * they lie, and which handle they have, each user-mode driver decides.
 *
 * @module
 */

import type { NamedBindOp } from "@vmbind/drm";

/** An address: a place in a range that was made before, or a number that is taken as it is. */
export type OpAddress = number | OpPlace;

/** A place in a range. */
export interface OpPlace {
  /** Name of the range. */
  readonly in: string;
  /** Bytes from its start; may lie outside of it. */
  readonly offset: number;
}

/** A part of a memory object. */
export interface OpMemory {
  /** Its name. */
  readonly object: string;
  /** Bytes from its start. */
  readonly offset: number;
}

/** Allocate device memory; as user-mode drivers do it, it is mapped at an address of its own, too. */
export interface MemoryOperation {
  /** Tells the operations apart. */
  readonly op: "memory";
  /** Name of the new object. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** Make a range of addresses: a sparse resource, which may be touched where nothing is bound, or plain addresses. */
export interface RangeOperation {
  /** Tells the operations apart. */
  readonly op: "sparse" | "range";
  /** Name of the new range. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Where it lies; where the user-mode driver finds room unless told. */
  readonly va?: number;
}

/** vkQueueBindSparse with one element: bind memory in a sparse resource, or unbind what is there. */
export interface BindOperation {
  /** Tells the operations apart. */
  readonly op: "bind";
  /** Where it begins. */
  readonly at: OpAddress;
  /** Bytes. */
  readonly size: number;
  /** What to bind; null unbinds. */
  readonly memory: OpMemory | null;
}

/** One mapping anywhere, made or taken away by the driver's plainest operation, whatever is there. */
export interface MapOperation {
  /** Tells the operations apart. */
  readonly op: "map";
  /** Where it begins. */
  readonly at: OpAddress;
  /** Bytes. */
  readonly size: number;
  /** What to map; null unmaps. */
  readonly memory: OpMemory | null;
  /** Bytes of the window that is mapped over and over; all of `size` is mapped once unless told. */
  readonly window?: number;
}

/** A range goes, whatever is in it, or memory is freed, or its pages are taken away as under memory pressure. */
export interface NamedOperation {
  /** Tells the operations apart. */
  readonly op: "destroy" | "free" | "evict";
  /** Name of the range or of the memory. */
  readonly name: string;
}

/** What a submission does before its job runs: memory that was taken away comes back. */
export interface SubmitOperation {
  /** Tells the operations apart. */
  readonly op: "submit";
}

/** The GPU loads a 32-bit word, or stores one. */
export interface AccessOperation {
  /** Tells the operations apart. */
  readonly op: "read" | "write";
  /** Where. */
  readonly at: OpAddress;
  /** The word to store. */
  readonly value?: number;
}

/** One driver's own operations, as its `vmBind` takes them; other drivers leave them out. */
export interface VmBindOperation {
  /** Tells the operations apart. */
  readonly op: "vm-bind";
  /** The driver, as in the header of traces. */
  readonly driver: string;
  /** The operations; a member may name memory (`{ object }`) in place of a handle, or a place (`{ in, offset }`) in place of an address. */
  readonly ops: readonly NamedBindOp[];
}

/** One operation. */
export type Operation =
  | MemoryOperation
  | RangeOperation
  | BindOperation
  | MapOperation
  | NamedOperation
  | SubmitOperation
  | AccessOperation
  | VmBindOperation;

/** A rule that a list of operations breaks, before any driver has seen it. */
export class OperationError extends Error {
  /** Tells it from other errors where classes are lost. */
  override readonly name = "OperationError";
}
