/**
 * What a sparse strategy is: a driver's uAPI, and a user-mode driver that says "this range is sparse" with it.
 *
 * @module
 */

import type {
  CostSchema,
  CostSheet,
  DrmFile,
  FoundArray,
  GemObject,
  IoctlCall,
  IoctlTable,
  MappingCounters,
  QuirkProfile,
  SparseMemory,
  SparseUmd,
  UapiCounters,
  VaRange,
} from "@vmbind/drm";
import type { MmuCounters, PhysicalMemory } from "@vmbind/mmu";
import type { ModelVm, Trace } from "@vmbind/trace";
import type { DummyExperiment, PostedRepeat } from "../experiments/result.ts";
import type { BindEncoder } from "./bind-encoder.ts";
import type { VaRoom } from "./va-heap.ts";

/** Issues a call on the session's file; throws RefusedError when the driver refuses it. */
export type Issue = (call: IoctlCall) => void;

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
  /** In which VM. */
  vm: number;
}

/** How the user-mode driver picks an address. */
export interface Placement {
  /** Multiple that the address must be, bytes. */
  alignment: number;
  /** Bytes left free behind the range. */
  guardBytes: number;
}

/** The counters of a session's device: those that all drivers have are known by name. */
export type SessionCounters = CostSheet & UapiCounters & MappingCounters & MmuCounters;

/** Where a second VM lives: in the session's open file, or in another one of the same device. */
export type Where = "vm" | "file";

/** A VM of a session. */
export interface SessionVm extends ModelVm {
  /** Ranges that stand for "nothing is bound" without being mappings; absent where the driver has none. */
  readonly regions?: Iterable<VaRange>;
}

/** A pair of a VM and an object that it maps: who counts what of it. */
export interface AccountedPair {
  /** References to the pair. */
  readonly refs: number;
  /** Mappings of the object in the VM. */
  readonly vaCount: number;
}

/** Who holds what because of one VM, whatever the driver keeps its mappings in. */
export interface VmAccounts {
  /** Mappings. */
  readonly mappings: number;
  /** Bytes of the kernel's struct of a mapping, what drivers add left out. */
  readonly mappingBytes: number;
  /** Bytes of the kernel's struct of a pair of VM and object. */
  readonly pairBytes: number;
  /** Whether a pair is a reference to its object. */
  readonly pairsHold: boolean;
  /** References to the VM. */
  readonly refs: number;
  /** Objects that a submit has to lock one by one, in the VM or not. */
  readonly externals: number;
  /** All objects of the device but those that only are reservations. */
  objects(): Iterable<GemObject>;
  /**
   * @param gem - an object
   * @returns the pair of the VM and the object, undefined when there is none
   */
  pairOf(gem: GemObject): AccountedPair | undefined;
  /** Whether a submit has to lock an object by itself. */
  isExternal(gem: GemObject): boolean;
  /** What a submit locks: objects, and null for the VM itself. */
  locked(): readonly (GemObject | null)[];
}

/** An open file of such a driver. */
export type SessionFile = DrmFile<GemObject, SessionVm>;

/** A second VM on the device of a session, set up by the same user-mode driver: what one writes, can the other see it? */
export interface Neighbour {
  /** Its open file. */
  file: SessionFile;
  /** The VM. */
  vm: SessionVm;
  /** Lowers its sparse resources. */
  umd: SparseUmd;
}

/** What takes memory away under pressure, and what brings it back. */
export interface Shrinker {
  /**
   * Evict an object.
   *
   * @param gem - mapped in the session's VM
   */
  evict(gem: GemObject): void;
  /** What a submit does before its job runs. */
  submit(): void;
}

/** An array that a call points to, and that the driver reads. */
export interface ReadArray extends FoundArray {
  /** `count * stride` bytes. */
  readonly data: Uint8Array;
}

/** A fresh device with an open file and a VM, set up as the user-mode driver does it. */
export interface SparseSession {
  /** The open file that the ioctls go to. */
  readonly file: SessionFile;
  /** VM id. */
  readonly vmId: number;
  /** The VM: its mappings, and what the GPU sees. */
  readonly vm: SessionVm;
  /** Who holds what because of it. */
  readonly accounts: VmAccounts;
  /** The cost sheet of the device. */
  readonly counters: Readonly<SessionCounters>;
  /** What the counters are. */
  readonly costSchema: CostSchema;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** Lowers sparse resources. */
  readonly umd: SparseUmd;
  /** Addresses for resources and memory objects. */
  readonly heap: VaRoom;
  /** Bytes from where shaders write a resource to where they read it; 0 unless the driver keeps a read-only mirror. */
  readonly mirrorOffset: number;
  /**
   * Bytes from a resource to a second range in which other instructions see it, read-only ones; absent where there is none.
   * `mirrorOffset` is about all loads, this is not.
   */
  readonly secondViewOffset?: number;
  /** What is known of the driver's ioctls. */
  readonly ioctls: Pick<IoctlTable<never>, "row">;
  /** What the driver's own GEM handles are: `zero page`, `scratch page`, `dummy`. */
  readonly roles: ReadonlyMap<number, string>;
  /** The driver's shrinker; null where an object's pages stay until it goes. */
  readonly shrinker: Shrinker | null;
  /** Facts of the device under the names that headers of traces have: enough for the driver's lens to make such a device. */
  readonly facts: Readonly<Record<string, unknown>>;
  /**
   * What an object without a handle is.
   *
   * @param gem - an object that the VM maps, or that is made with it
   * @returns its role, e.g. `kernel dummy`
   */
  kernelRole(gem: GemObject): string;
  /**
   * Open a second VM on the same device, set up as the user-mode driver does it.
   *
   * @param where - in the same open file, or in another one
   */
  neighbour(where: Where): Neighbour;
  /**
   * @param bytes - of a resource or memory object, whole blocks
   * @param what - which of them
   * @returns rules for its address
   */
  placement(bytes: number, what: "resource" | "memory"): Placement;
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
  /**
   * What a submission does before its job reads or writes anything; absent where page tables are never behind the mappings. What it
   * costs counts where it is called.
   */
  beforeAccess?(): void;
  /** Issue calls from index `from` on at once: how many, each with success; 0 where the first goes by itself. Absent where all do. */
  issueRun?(calls: readonly IoctlCall[], from: number): number;
  /** A further session on the same device, in an open file of its own: the VM of another process. */
  another(): SparseSession;
  /**
   * Bind memory outside of sparse resources, or unbind it, as the user-mode driver does with its own objects.
   *
   * @param va - first address
   * @param size - bytes
   * @param memory - what to bind; null unbinds
   */
  bindPlainly(va: number, size: number, memory: SparseMemory | null): IoctlCall;
  /**
   * Bind a window of memory over and over, outside of sparse resources; absent where the driver has no operation for it.
   *
   * @param va - first address
   * @param size - bytes
   * @param memory - the window's object, and where in it the window begins
   * @param window - bytes of the window
   * @returns null for a window of a size that the driver's operation does not take
   */
  repeatPlainly?(va: number, size: number, memory: SparseMemory, window: number): IoctlCall | null;
  /** The driver's own bind operations. */
  readonly vmBind: BindEncoder;
  /** vkDeviceWaitIdle, as far as it shows in VM_BIND. */
  waitIdle(): IoctlCall[];
  /**
   * @param arrays - what one of this session's calls points to
   * @returns what it waits for and signals
   */
  syncs(arrays: readonly ReadArray[]): CallSync[];
  /**
   * @param call - a VM_BIND of this session
   * @returns how it is run: `sync` or `async`, or which queue it waits in
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

/** Where a strategy's recorded workloads come from. */
export interface TraceSource {
  /** Beginning of the names of the traces: the strategy's own, or those that it is derived from. */
  prefix: string;
  /**
   * Makes the strategy's trace from one of those; absent where they are its own, as a real driver sent them.
   *
   * @param trace - its records are consumed
   * @param name - of the new trace
   */
  derive?(trace: Trace, name: string): Promise<Trace>;
  /** What the user-mode driver does not have, so that some traces are empty. */
  lacks?: string;
}

/** Work to come. */
export interface Work {
  /** VM_BIND operations that create the resource. */
  operations: number;
  /** Leaf entries that they write. */
  leafEntries: number;
}

/** Sizes of one class, ascending, and what they took. */
export interface EstimateClass {
  /** Bytes of the resources. */
  readonly bytes: readonly number[];
  /** VM_BIND operations that created each. */
  readonly operations: readonly number[];
  /** Leaf entries that were written for each. */
  readonly leafEntries: readonly number[];
}

/** What was measured. */
export interface WorkEstimate {
  /** Bytes of the smallest class; each further one is twice that. */
  readonly unit: number;
  /** By class. */
  readonly classes: readonly EstimateClass[];
  /** Largest resource, bytes: there is room for it, and it does not take more than 2^20 operations. */
  readonly bytesMax: number;
}

/** How a strategy looks in charts. */
export interface StrategyLook {
  /** Colour on light paper, `#rrggbb`. The hues are those of Okabe and Ito, told apart with any kind of colour vision. */
  light: string;
  /** The same hue on dark paper, `#rrggbb`. */
  dark: string;
  /** Shape of its points; says the same as the colour. */
  marker: "circle" | "triangle" | "square" | "diamond" | "star" | "cross" | "wye" | "hexagon" | "asterisk";
}

/** Experiments that are about one strategy only. */
export interface OwnExperiments {
  /** What the memory of the kernel's dummy makes of one operation; the kernel as in {@link SparseStrategy.open}. */
  dummies?(kernel?: QuirkProfile): Promise<DummyExperiment[]>;
  /** What the strategy's first patch makes of a cut. */
  postedRepeat?(): Promise<PostedRepeat>;
}

/** Where a strategy is from that is in no table: a module of its user. */
export interface StrategyModule {
  /** Path as the user gave it. */
  readonly path: string;
  /** Digest of the module and of all that it imports: two with one digest are the same. */
  readonly digest: string;
  /** What creating a resource takes, as it was measured when the module was loaded. */
  readonly estimate: WorkEstimate;
}

/** A strategy on one of its other devices. */
export interface PinnedStrategy {
  /** Name of the strategy. */
  readonly of: string;
  /** The device. */
  readonly device: string;
}

/** A strategy: one row of the table, and the only place that knows it. */
export interface SparseStrategy {
  /** Name in kebab-case, the same everywhere; begins with the driver's. */
  name: string;
  /** Driver, as in the header of traces. */
  driver: string;
  /** User-mode driver, as in the header of traces. */
  umd: string;
  /** The driver where there is little room. */
  shortDriver: string;
  /** In a few words. */
  says: string;
  /** Sentences that readers of its figures need, beside those of other strategies. */
  note?: string;
  /**
   * What is mapped over and over beside an entry of the hardware that already stands for nothing, and what for, in words that follow "still";
   * absent where one of the two is enough.
   */
  repeatsToo?: string;
  /** In charts. */
  look: StrategyLook;
  /** Largest resource, bytes: more would be millions of operations. */
  resourceBytesMax: number;
  /** Alignment of sparse buffers that the user-mode driver reports, bytes. */
  blockBytes: number;
  /** Bytes of the smallest bind that the kernel takes, where that is less than a block. */
  pageBytes?: number;
  /** GPUs that it can be run on, the usual one first. */
  devices: readonly [string, ...string[]];
  /** What the Vulkan driver reports as residencyNonResidentStrict (Mesa 26.2). */
  reportsStrict: boolean;
  /** Where its recorded workloads come from. */
  traces: TraceSource;
  /**
   * What creating a resource will take, before it is done: upper bounds.
   *
   * @param bytes - of the resource
   */
  workOf(bytes: number): Work;
  /** Whether one ioctl can have operations for many tiles, so that it is worth comparing with one tile a call. */
  bindsArrays: boolean;
  /** What is tried with this strategy alone. */
  experiments?: OwnExperiments;
  /** The strategy that this is on one of its other devices; absent for all others. */
  pinned?: PinnedStrategy;
  /** Where it is from; absent for rows of the table. */
  module?: StrategyModule;
  /** What is other about its device than the header of a trace can say, e.g. `parts.PageTable`; absent for rows of the table. */
  unsaid?: readonly string[];
  /**
   * A fresh session; nothing is shared between two.
   *
   * @param device - one of `devices`
   * @param kernel - which defects its driver has; {@link DEFAULT_KERNEL} unless told
   */
  open(device: string, kernel?: QuirkProfile): Promise<SparseSession>;
}
