/**
 * What a trace comes to once it is lifted: sparse steps, as an application asks for them, without any driver's way to say them.
 *
 * A resource is a range that the GPU may touch where nothing is bound; a piece of memory is an object that a handle names. What is
 * mapped outside of resources, and not at the one place where a user-mode driver shows an object whole, stays what it is: a
 * plain bind.
 *
 * @module
 */

/** Where a lifted step came from. */
export interface LiftedFrom {
  /** Number of the open file. */
  readonly file: number;
  /** VM id in it. */
  readonly vm: number;
  /** The first ioctl of the step, by its `seq`. */
  readonly first: number;
  /** The last one. */
  readonly last: number;
}

/** A sparse resource. */
export interface LiftedResource {
  /** `resource#1` and so on, in the order in which they begin. */
  readonly name: string;
  /** Number of the open file. */
  readonly file: number;
  /** VM id in it. */
  readonly vm: number;
  /** First VA in bytes: of its first view, where it has two. */
  readonly va: number;
  /** Bytes: whole blocks of the driver. */
  readonly bytes: number;
}

/** Memory: an object of a file. */
export interface LiftedMemory {
  /** `BO 6`; the second object under that handle, in any file, is `BO 6 (2)`. */
  readonly name: string;
  /** Number of the open file. */
  readonly file: number;
  /** GEM handle. */
  readonly handle: number;
  /** Bytes; of an object whose making the trace does not show, as far as it is ever used. */
  readonly bytes: number;
}

/** A part of an object. */
export interface LiftedPart {
  /** The object. */
  readonly object: LiftedMemory;
  /** Byte offset into it. */
  readonly offset: number;
}

/** One element of a queue bind. */
export interface LiftedElement {
  /** Byte offset in the resource. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** What is bound there; null for what is unbound. */
  readonly memory: LiftedPart | null;
  /** The ioctl that says so, by its `seq`. */
  readonly seq: number;
  /** Index of its operation. */
  readonly op: number;
}

/** A sparse resource begins; nothing is bound to it. */
export interface LiftedCreate {
  /** Tells the steps apart. */
  readonly step: "create";
  /** The resource. */
  readonly resource: LiftedResource;
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** A sparse resource ends, with whatever is bound to it. */
export interface LiftedDestroy {
  /** Tells the steps apart. */
  readonly step: "destroy";
  /** The resource. */
  readonly resource: LiftedResource;
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** One queue bind, as far as it is about one resource. */
export interface LiftedBind {
  /** Tells the steps apart. */
  readonly step: "bind";
  /** The resource. */
  readonly resource: LiftedResource;
  /** Its elements in the order of the operations; no two overlap. */
  readonly binds: readonly LiftedElement[];
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** An object begins, and shows whole at an address of its own, if anywhere. */
export interface LiftedAllocate {
  /** Tells the steps apart. */
  readonly step: "allocate";
  /** The object. */
  readonly memory: LiftedMemory;
  /** Its own VA in bytes; null where it has none. */
  readonly va: number | null;
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** An object's handle is closed. */
export interface LiftedFree {
  /** Tells the steps apart. */
  readonly step: "free";
  /** The object. */
  readonly memory: LiftedMemory;
  /** Where it came from; the VM is the one in which it had an address of its own. */
  readonly from: LiftedFrom;
}

/** A plain bind: an object, or a part of it, is mapped outside of resources. */
export interface LiftedMap {
  /** Tells the steps apart. */
  readonly step: "map";
  /** First VA in bytes. */
  readonly va: number;
  /** Bytes. */
  readonly size: number;
  /** What is mapped; null for pages of the process. */
  readonly memory: LiftedPart | null;
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** A plain unbind: what was mapped outside of resources is no more. Objects that lose the address of their own are not told here. */
export interface LiftedUnmap {
  /** Tells the steps apart. */
  readonly step: "unmap";
  /** First VA in bytes. */
  readonly va: number;
  /** Bytes. */
  readonly size: number;
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** A part of a living resource loses its mappings, so that the GPU faults there. */
export interface LiftedHole {
  /** Tells the steps apart. */
  readonly step: "hole";
  /** The resource. */
  readonly resource: LiftedResource;
  /** Byte offset in it. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Because its range was unmapped, or because everything of an object was. */
  readonly because: "range" | "object";
  /** Where it came from. */
  readonly from: LiftedFrom;
}

/** One thing that an application asks for, or a user-mode driver for itself. */
export type LiftedStep =
  | LiftedCreate
  | LiftedAllocate
  | LiftedBind
  | LiftedDestroy
  | LiftedFree
  | LiftedMap
  | LiftedUnmap
  | LiftedHole;

/** What an address belongs to. */
export interface LiftedPlace {
  /** The resource. */
  readonly resource: LiftedResource;
  /** Bytes from its start. */
  readonly offset: number;
}

/** Where ranges that seem to go on do not: addresses by the `seq` of the ioctl that begins anew there. */
export type Seams = ReadonlyMap<number, number>;
