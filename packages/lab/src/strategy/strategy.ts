/**
 * What a sparse strategy is: a driver's uAPI, and a user-mode driver that says "this range is sparse" with it.
 *
 * @module
 */

import type { CostSchema, CostSheet, IoctlCall, SparseUmd, UapiCounters } from "@vmbind/drm";
import type { GpuvmCounters } from "@vmbind/gpuvm-core";
import type { MmuCounters, PhysicalMemory } from "@vmbind/mmu";
import type { ModelFile, ModelVm, TraceArray } from "@vmbind/trace";
import type { VaHeap } from "./va-heap.ts";

/** Issues a call on the session's file; throws {@link RefusedError} when the driver refuses it. */
export type Issue = (call: IoctlCall) => void;

/** The driver model refused an ioctl of a lowering. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Memory that a strategy has allocated. */
export interface MemoryObject {
  /** Its name in the workload. */
  name: string;
  /** GEM handle. */
  handle: number;
  /** Where it is mapped as a whole. */
  va: number;
  /** Bytes. */
  size: number;
}

/** How the user-mode driver picks an address. */
export interface Placement {
  /** Multiple that the address must be, bytes. */
  alignment: number;
  /** Bytes left free behind the range. */
  guardBytes: number;
}

/** The counters of a session's device: those that all drivers have are known by name. */
export type SessionCounters = CostSheet & UapiCounters & GpuvmCounters & MmuCounters;

/** A fresh device with an open file and a VM, set up as the user-mode driver does it. */
export interface SparseSession {
  /** The open file that the ioctls go to. */
  readonly file: ModelFile;
  /** VM id. */
  readonly vmId: number;
  /** The VM: its mappings, its GPUVM, and what the GPU sees. */
  readonly vm: ModelVm;
  /** The cost sheet of the device. */
  readonly counters: Readonly<SessionCounters>;
  /** What the counters are. */
  readonly costSchema: CostSchema;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** Lowers sparse resources. */
  readonly umd: SparseUmd;
  /** Addresses for resources and memory objects. */
  readonly heap: VaHeap;
  /** Bytes from where shaders write a resource to where they read it; 0 unless the driver keeps a read-only mirror. */
  readonly mirrorOffset: number;
  /** What the driver's own GEM handles are: `zero page`, `scratch page`, `dummy`. */
  readonly roles: ReadonlyMap<number, string>;
  /** Facts of the device under the names that headers of traces have, for the driver's decoder. */
  readonly facts: Readonly<Record<string, unknown>>;
  /**
   * @param bytes - of a resource or memory object, whole blocks
   * @returns rules for its address
   */
  placement(bytes: number): Placement;
  /**
   * What the user-mode driver does before its first sparse resource.
   *
   * @param issue - takes the calls
   */
  beforeFirstResource(issue: Issue): void;
  /**
   * Allocate device memory and map it whole at its own address.
   *
   * @param object - name, address and size in whole blocks; its handle is filled in as soon as there is one
   * @param issue - takes the calls
   */
  allocate(object: MemoryObject, issue: Issue): void;
  /**
   * Free device memory.
   *
   * @param object - the memory
   * @param issue - takes the calls
   * @returns true when its address may be used again
   */
  free(object: MemoryObject, issue: Issue): boolean;
  /** vkDeviceWaitIdle, as far as it shows in VM_BIND. */
  waitIdle(): IoctlCall[];
  /**
   * @param call - one of this session's calls
   * @returns the arrays that its argument points to, named as in traces
   */
  arrays(call: IoctlCall): TraceArray[];
  /**
   * @param call - one of this session's calls
   * @returns what it waits for and signals
   */
  syncs(call: IoctlCall): CallSync[];
  /**
   * @param call - a VM_BIND of this session
   * @returns how it is run: `sync` or `async`, on xe `default-queue` or `bind-queue`
   */
  mode(call: IoctlCall): string;
}

/** One sync of a VM_BIND. */
export interface CallSync {
  /** Index of the operation that carries it, -1 for the call as a whole. */
  op: number;
  /** Whether it signals or waits. */
  does: "signal" | "wait";
  /** What it signals or waits for. */
  type: "binary" | "timeline" | "user-fence";
  /** Syncobj handle. */
  handle: number;
  /** Point of a timeline, else 0. */
  point: number;
}

/** A strategy. */
export interface SparseStrategy {
  /** Name in kebab-case, the same everywhere. */
  name: string;
  /** Driver, as in {@link DRIVERS}. */
  driver: string;
  /** In a few words. */
  says: string;
  /** Largest resource, bytes: more would be millions of operations. */
  resourceBytesMax: number;
  /** Alignment of sparse buffers that the user-mode driver reports, bytes. */
  blockBytes: number;
  /** GPUs that it can be run on, the usual one first. */
  devices: readonly [string, ...string[]];
  /**
   * A fresh session; nothing is shared between two.
   *
   * @param device - one of `devices`
   */
  open(device: string): Promise<SparseSession>;
}
