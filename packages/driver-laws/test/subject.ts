/**
 * A *subject*: a driver as the laws know it. It says how to open the device and how to make, bind and unbind things, and
 * it states facts of itself. A law never asks for a driver's name; it reads the facts and leaves out what does not apply.
 *
 * Nothing here presumes that a driver keeps its address spaces with GPUVM: what a law sees of one is what the GPU sees,
 * the page tables, and a list of mappings.
 */

import type { AllocFault, AllocPoint, DrmFile, GemObject, MappingView } from "@vmbind/drm";
import type { AddressSpace, PageTableFormat, PhysicalMemory, Tlb } from "@vmbind/mmu";

/** What the GPU may do with a mapping. */
export type Access = "r" | "w" | "rw";

/** One operation of a bind call. */
export type Op =
  | { kind: "bind"; va: number; bytes: number; object: number; offset: number; access: Access }
  /** The first `window` bytes behind `offset`, over and over. */
  | {
      kind: "repeat";
      va: number;
      bytes: number;
      object: number;
      offset: number;
      window: number;
      access: Access;
    }
  /** A range without an object, which does not fault. */
  | { kind: "sparse"; va: number; bytes: number }
  | { kind: "unbind"; va: number; bytes: number }
  /** Every mapping of an object in the VM. */
  | { kind: "unbind-object"; object: number }
  /** One of {@link Facts.ownOps}. */
  | { kind: "own"; name: string; va: number; bytes: number };

/** What a kind of object differs in. */
export interface ObjectKind {
  name: string;
  /** What addresses, offsets and lengths of its binds are multiples of. */
  grain: number;
}

/** What a driver says of itself. */
export interface Facts {
  /** Smallest page that can be bound, in bytes. */
  pageBytes: number;
  /** A VA at which the tables of as many levels as possible meet. */
  seam: number;
  /** Distances from the seam around which random ranges begin and end, ascending, 0 among them. */
  edges: readonly number[];
  /** A VA far from the seam, free for preparations. */
  elsewhere: number;
  /** End of the VA range that binds may reach. */
  vaEnd: number;
  /** Pages from `seam - pages * pageBytes / 2` in which random processes work. */
  windowPages: number;
  /** VAs outside the window that the GPU can reach without a bind. */
  alwaysMapped: readonly number[];
  /** Pages of the objects that the page model works with. */
  objectPages: readonly number[];
  /** Kinds of objects, the ordinary one first. */
  objectKinds: readonly ObjectKind[];
  /** Objects can belong to one VM. */
  privateObjects: boolean;
  /** Errno of exporting such an object. */
  privateExport: number;
  accesses: readonly Access[];
  /** What the GPU finds where nothing is bound. */
  unbound: "fault" | "null";
  /**
   * What the GPU finds in a sparse range, null for a driver without them: null pages, or memory of the open file that
   * repeats with a period in bytes, by virtual address.
   */
  sparse: null | { stores: "dropped" } | { stores: "kept"; period: number };
  /** Windows that can be repeated, in pages; empty for a driver that cannot. */
  repeatWindows: readonly number[];
  /** There are operations of the kind `unbind-object`. */
  unbindsObjects: boolean;
  /** Names of operations that only this driver has. They take a range. */
  ownOps: readonly string[];
  /** Closing a handle unbinds the object in every VM of the file. */
  closeUnbinds: boolean;
  /** What a call that fails in the middle does to the operations before that. */
  failedCall: "undoes" | "keeps";
  /** Calls can be queued: such a call is refused as a whole, or runs later. */
  queues: boolean;
  /** {@link TestFile.bindLater} and {@link TestFile.touch} work: the GPU's first access binds what was promised. */
  bindsLater: boolean;
  /** Operations of one call; 1 where the variant is known to get longer ones wrong. */
  opsMax: number;
  /** {@link TestFile.evict} and {@link TestFile.restore} work. */
  evicts: boolean;
  /** A bind call brings back what it maps or cuts as a whole, also mappings elsewhere; not so unless given. */
  bindsRestore?: boolean;
  /** A page table that became empty goes. */
  freesTables: boolean;
  /** A file has one VM, and only with the file it goes. */
  oneVm: boolean;
  /** Page tables follow a call that has succeeded: it does not fail for want of one, and what is missing is written later. */
  tablesLater?: boolean;
  /** An object has its memory from the start: making it is refused for want of memory, not binding it. */
  memoryFirst?: boolean;
  /** VMs that run at the same time, when the device can run only so many. */
  contextSlots: number | null;
  /** Errnos for what the file does not have. */
  unknownVm: { bind: number; destroy: number; createObject: number };
  /** The same for objects. */
  unknownObject: { bind: number; close: number; mmapOffset: number };
}

/** What a law may choose about a device. */
export interface OpenOptions {
  /** Bytes of memory for objects. */
  memoryBytes?: number;
  /** The limit of page-table memory in bytes. */
  tableLimitBytes?: number;
  /** Entries of the TLB. */
  tlbEntries?: number;
  allocFault?: AllocFault;
}

/** The same as options of a device, which all drivers spell alike. Memory that is nobody's is poisoned. */
export function choicesOf({ memoryBytes, tableLimitBytes, tlbEntries, allocFault }: OpenOptions) {
  return {
    memory: {
      poison: true,
      ...(memoryBytes && { frames: { limit: 2 ** 32 + memoryBytes } }),
      ...(tableLimitBytes && { tableLimitBytes }),
    },
    ...(tlbEntries && { tlb: { entries: tlbEntries } }),
    ...(allocFault && { allocFault }),
  };
}

/** A driver, or a variant of one. */
export interface Subject {
  name: string;
  facts: Facts;
  /** It differs from another subject in what the GPU sees, not in the driver's bookkeeping: costly laws about that leave it out. */
  viewOnly?: boolean;
  device(options?: OpenOptions): TestDevice;
  /** Errno of a call that failed at an allocation; ENOMEM unless given. */
  faultErrno?(point: AllocPoint, ops: number): number;
}

/** A device. */
export interface TestDevice {
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb | null;
  open(): TestFile;
  /** Check every invariant, with all files that are open. */
  check(): void;
  /** What must be 0 once every file is closed. */
  left(): Record<string, number>;
  /** What must have happened in a long life. */
  activity(): Record<string, number>;
}

/** A VM. */
export interface TestVm {
  /** What the GPU sees, once the VM runs. */
  space(): AddressSpace;
  /** The tables, without a look by the GPU. */
  readonly tree: { memory: PhysicalMemory; format: PageTableFormat; root: number };
  /** Physical address of an ordinary page behind sparse ranges, which reads 0 and takes no stores. */
  readonly nullPage?: number;
  /** Whether a table, by slot, is shared by many entries and holds nothing of this VM. */
  isShared?(slot: number): boolean;
  mappings(): Iterable<MappingView>;
}

/** The outcome of a bind call. */
export interface Bound {
  /** 0 or a negative errno. */
  ret: number;
  /** Operations that took effect. */
  done: number;
}

/** An open file. What makes something returns its id, or a negative errno. */
export interface TestFile {
  /** The file itself, as every driver offers it. */
  readonly node: DrmFile;
  createVm(): number;
  destroyVm(vm: number): number;
  createObject(bytes: number, options?: { vm?: number; kind?: string }): number;
  closeObject(handle: number): number;
  /** An offset for mmap, or a negative errno. */
  mmapOffset(handle: number): number;
  bind(vm: number, ops: readonly Op[], queued?: boolean): Bound;
  vm(id: number): TestVm;
  vms(): Iterable<readonly [number, TestVm]>;
  objects(): Iterable<readonly [number, GemObject]>;
  /** Why the last call was refused. */
  reason(): string;
  /** A bind call whose mappings need not be in the page table before they are touched. */
  bindLater?(vm: number, ops: readonly Op[]): Bound;
  /** The GPU accesses an address. */
  touch?(vm: number, va: number): number;
  /** Take the pages of an object away, or those behind sparse ranges. */
  evict?(what: number | "sparse"): number;
  /** Bring everything back. */
  restore?(): number;
  /** Calls that only this driver has. Each does one thing that `below` chooses, and returns 0 or a negative errno. */
  readonly own: readonly OwnCall[];
  /** Let everything run that waits. */
  quiesce?(): void;
  close(): void;
}

/** @param below - gives an integer from 0 to its argument - 1 */
export type OwnCall = (vm: number, ops: readonly Op[], below: (limit: number) => number) => number;
