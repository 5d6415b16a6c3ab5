/**
 * The drivers that the laboratory knows: adding one is one entry in {@link DRIVERS} and one file in `drivers/`.
 *
 * A driver file says three things: what a recorded ioctl means (a {@link Decoder}, which never touches the model), how
 * to set up the model for a trace's header (a {@link Machine}), and where the conformance checks are.
 *
 * @module
 */

import type { CostSchema, CostSheet, DrmFile, DrmVm, GemObject, UapiCounters } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import type { AddressSpace, MmuCounters, PhysicalMemory } from "@vmbind/mmu";
import type { Trace, TraceHeader, TraceIoctl } from "./format.ts";
import type { Interval } from "./model/intervals.ts";

/** One VM_BIND operation, decoded from its bytes. */
export interface BindOp {
  /** Column of the tables: `MAP memory`, `SINGLE_PAGE R`, `NULL`, ... */
  kind: string;
  /** What it does to the plain model of the address space. */
  effect: "map" | "unmap" | "unmap-object" | "none";
  /** First VA in bytes. */
  addr: number;
  /** Bytes of VA. */
  range: number;
  /** GEM handle, 0 for none. */
  handle: number;
  /** Byte offset into the object. */
  offset: number;
  /** Flags as sent. */
  flags: number;
  /** What the driver's {@link Driver.describe} needs beyond that. */
  extra: number;
}

/** What a recorded ioctl means. */
export type Action =
  | { kind: "vm-create"; vm: number; text: string }
  | { kind: "vm-destroy"; vm: number; text: string }
  | { kind: "bo-create"; handle: number; size: number; text: string }
  | { kind: "bo-close"; handle: number; text: string }
  | { kind: "bind"; vm: number; ops: BindOp[]; text: string }
  | { kind: "other"; text: string };

/** Decodes the ioctls of one trace in order; it remembers what it needs of earlier ones. */
export interface Decoder {
  /**
   * @param call - the next ioctl
   * @returns what it means
   */
  decode(call: TraceIoctl): Action;
}

/** What all driver models' VMs have in common. */
export interface ModelVm extends DrmVm {
  /** Its VA manager. */
  readonly gpuvm: Gpuvm;
  /** What the GPU sees. */
  readonly addressSpace: AddressSpace;
}

/** What all driver models' open files have in common. */
export type ModelFile = DrmFile<GemObject, ModelVm>;

/** A model set up for a trace, with one open file. */
export interface Machine {
  /** The open file that the ioctls go to. */
  readonly file: ModelFile;
  /** Open the device node once more. */
  openFile(): ModelFile;
  /**
   * Check every invariant of the device: structure, references, page tables against mappings, TLB.
   *
   * @throws Error that names the invariant and the place
   */
  checkInvariants(): void;
  /** The cost sheet of the device. */
  readonly counters: Readonly<CostSheet & UapiCounters & MmuCounters>;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /**
   * Do what ioctls that recordings leave out must have done before a call.
   *
   * @param call - the next recorded ioctl
   * @param file - the open file that stands for the recording's first
   */
  before?(call: TraceIoctl, file: ModelFile): void;
  /**
   * What must happen before a new VM's costs count.
   *
   * @param id - VM id
   * @param file - its open file
   */
  vmCreated?(id: number, file: ModelFile): void;
}

/** Something worth telling about a trace that is no difference. */
export interface Finding {
  /** Name in kebab-case, the same everywhere. */
  name: string;
  /** One sentence. */
  text: string;
}

/** Everything the laboratory needs of one driver. */
export interface Driver {
  /** As in the header of traces. */
  readonly name: string;
  /** Kinds of operations in the order of tables. */
  readonly kinds: readonly string[];
  /** What its devices count. */
  readonly costSchema: CostSchema;
  /** Whether closing a GEM handle removes the object's mappings from the file's VMs. */
  readonly closeUnmaps: boolean;
  /**
   * @param op - an operation that this driver's decoder made
   * @returns it in words
   */
  describe(op: BindOp): string;
  /**
   * @param header - header of the trace
   * @returns a fresh decoder
   */
  decoder(header: TraceHeader): Decoder;
  /**
   * @param trace - its header configures the model
   * @returns a fresh device with one open file
   * @throws {@link InputError} for a header that lacks a fact of the device
   */
  machine(trace: Trace): Machine;
  /**
   * Look for known peculiarities of the user-mode driver.
   *
   * @param unmaps - the unmapping operations between the marks `workload` and `workload-end`
   * @param left - what is mapped at `workload-end`, all VMs together
   */
  findings?(unmaps: readonly BindOp[], left: readonly Interval[]): Finding[];
}
