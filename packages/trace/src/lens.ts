/**
 * A lens: what a driver says of its recorded ioctls. It stands in the driver's own package, as the sub-entry
 * `@vmbind/<driver>/trace`, and knows that driver's types; everything here works on what all lenses have in common.
 *
 * It says three things: what an ioctl means (a {@link Decoder}, which never touches the model), how a trace's header sets
 * up the model ({@link Lens.device}), and the words for both.
 *
 * @module
 */

import type {
  AllocFault,
  CostSchema,
  CostSheet,
  DrmFile,
  DrmVm,
  GemObject,
  Quirks,
  QuirkTable,
  UapiCounters,
  UserArray,
} from "@vmbind/drm";
import type { AddressSpace, MmuCounters, PhysicalMemory, PhysicalMemoryOptions } from "@vmbind/mmu";
import type { CallReader } from "./call-reader.ts";
import type { HeaderReader } from "./header-reader.ts";
import type { Interval } from "./model/intervals.ts";
import type { TraceHeader, TraceIoctl } from "./record.ts";

/** What an operation says of sparse ranges, where its effect alone does not. A user-mode driver's habits are known to its lens only. */
export interface SparseWord {
  /**
   * - `unbound`: no memory is bound there from now on, and the GPU may touch it all the same; where no sparse resource is, one begins
   * - `uncover`: what is mapped there goes, and a sparse range below it, if there is one, shows again
   * - `aside`: nothing new: another operation has said it, or is about to
   *
   * Absent where the effect says it all: a map binds, an unmap ends whatever lies in its range.
   */
  readonly says?: "unbound" | "uncover" | "aside";
  /**
   * Bytes from the resource or object to the second view of it that the operation keeps up; absent for the first one. What it does
   * there, an operation on the first view says too.
   */
  readonly view?: number;
}

/** What all drivers' VM_BIND operations have in common; a driver's own are a union with this in each member. */
export interface BindOp {
  /** Column of the tables: `MAP memory`, `SINGLE_PAGE R`, `NULL`, ... */
  readonly heading: string;
  /** What it does to the plain model of the address space; `unmap-at` removes the one mapping of the object that begins there. */
  readonly effect: "map" | "unmap" | "unmap-at" | "unmap-object" | "none";
  /** First VA in bytes. */
  readonly addr: number;
  /** Bytes of VA. */
  readonly range: number;
  /** GEM handle, 0 for none. */
  readonly handle: number;
  /** Byte offset into the object. */
  readonly offset: number;
  /** Flags as sent. */
  readonly flags: number;
  /** What it says of sparse ranges beyond its effect; undefined for nothing. */
  readonly sparse?: SparseWord | undefined;
}

/** What every {@link Action} says. */
export interface ActionText<Kind extends string> {
  /** Tells the actions apart. */
  readonly kind: Kind;
  /** What the ioctl says, in words. */
  readonly text: string;
}

/** An ioctl that makes or destroys a VM. */
export interface VmAction extends ActionText<"vm-create" | "vm-destroy"> {
  /** VM id. */
  readonly vm: number;
}

/** An ioctl that makes an object. */
export interface BoCreateAction extends ActionText<"bo-create"> {
  /** GEM handle. */
  readonly handle: number;
  /** Bytes. */
  readonly size: number;
}

/** An ioctl that closes a handle. */
export interface BoCloseAction extends ActionText<"bo-close"> {
  /** GEM handle. */
  readonly handle: number;
}

/** A VM_BIND. */
export interface BindAction<Op extends BindOp = BindOp> extends ActionText<"bind"> {
  /** VM id. */
  readonly vm: number;
  /** Its operations in order. A decoder may read them when they are asked for. */
  readonly ops: readonly Op[];
  /** How many they are, where a decoder reads them when they are asked for. */
  readonly count?: number;
  /** Whether the user-mode driver goes on with the same list of operations in its next VM_BIND, as far as this one tells. */
  readonly more?: boolean;
}

/** An ioctl that changes no mapping. */
export type OtherAction = ActionText<"other">;

/** What a recorded ioctl means. Ids and handles are those of the file that issued it. */
export type Action<Op extends BindOp = BindOp> =
  | VmAction
  | BoCreateAction
  | BoCloseAction
  | BindAction<Op>
  | OtherAction;

/** Decodes the ioctls of one open file in order; it remembers what it needs of earlier ones. */
export interface Decoder<Op extends BindOp = BindOp> {
  /**
   * @param call - the next ioctl
   * @returns what it means
   */
  decode(call: CallReader): Action<Op>;
}

/** A mapping that a step makes or leaves. */
export interface StepMapping {
  /** First VA in bytes. */
  readonly addr: number;
  /** Bytes. */
  readonly range: number;
  /** Object, or null. */
  readonly gem: GemObject | null;
  /** Byte offset into the object. */
  readonly offset: number;
}

/** A mapping is made: the operation's own. */
export interface MapStepView extends StepMapping {
  /** Tells the steps apart. */
  readonly kind: "map";
}

/** A mapping is cut. */
export interface RemapStepView {
  /** Tells the steps apart. */
  readonly kind: "remap";
  /** The mapping that goes. */
  readonly unmap: VaStep;
  /** Whether a piece stays in front. */
  readonly hasPrev: boolean;
  /** The piece in front, if one stays. */
  readonly prev: StepMapping;
  /** Whether a piece stays behind. */
  readonly hasNext: boolean;
  /** The piece behind, if one stays. */
  readonly next: StepMapping;
}

/** What happens to one mapping. */
export interface VaStep {
  /** Handle of the mapping. */
  readonly va: number;
}

/** A mapping goes. */
export interface UnmapStepView extends VaStep {
  /** Tells the steps apart. */
  readonly kind: "unmap";
  /** The same bytes come back, so that page tables may stay. */
  readonly keep: boolean;
}

/** A mapping is prefetched. */
export interface PrefetchStepView extends VaStep {
  /** Tells the steps apart. */
  readonly kind: "prefetch";
}

/** One step of split and merge, as far as a story needs it. A VA manager may use the object again: copy what is to be kept. */
export type StepView = MapStepView | RemapStepView | UnmapStepView | PrefetchStepView;

/** A VA manager, as far as a story needs it. Mappings have handles. */
export interface VaManager {
  /** References. */
  readonly refs: number;
  /**
   * @param va - handle of a mapping
   * @returns its first address
   */
  addr(va: number): number;
  /**
   * @param va - handle of a mapping
   * @returns its bytes
   */
  rangeOf(va: number): number;
  /**
   * Look on.
   *
   * @param see - sees every step before the driver does, with the index of the operation that causes it
   * @returns ends it
   */
  observe(see: (step: StepView, op: number) => void): () => void;
  /** Makes room for so many mappings at once, where there is a way. */
  expect?(mappings: number): void;
}

/** What all driver models' VMs have in common. */
export interface ModelVm extends DrmVm {
  /** Its VA manager; absent where the driver has none that takes steps. */
  readonly gpuvm?: VaManager;
  /** What the GPU sees. */
  readonly addressSpace: AddressSpace;
}

/** What all driver models' open files have in common. */
export type ModelFile = DrmFile<GemObject, ModelVm>;

/** What all drivers let choose. */
export interface ModelOptions {
  /** Which quirks a device has. */
  readonly quirks: Readonly<Quirks>;
  /** Physical memory. */
  readonly memory: PhysicalMemoryOptions;
}

/** What all driver models' devices have in common. */
export interface ModelDevice<File extends ModelFile = ModelFile> {
  /** The cost sheet of the device. */
  readonly counters: ModelCounters;
  /** What was chosen, as far as all drivers have it. */
  readonly options: ModelOptions;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** Open the device node. */
  open(): File;
}

/** The cost sheet of a device. */
export type ModelCounters = Readonly<CostSheet & UapiCounters & MmuCounters>;

/** Something worth telling about a trace that is no difference. */
export interface Finding {
  /** Name in kebab-case, the same everywhere. */
  readonly name: string;
  /** One sentence. */
  readonly text: string;
}

/**
 * What a driver says of its traces.
 *
 * All functions are methods: a table of lenses holds them as `Lens<BindOp, ModelFile>`, and each is given only operations, files
 * and devices that it made itself.
 *
 * @typeParam Op - its operations: a union, told apart by a member of its own
 * @typeParam File - its open files
 * @typeParam Device - its devices
 */
export interface Lens<
  Op extends BindOp = BindOp,
  File extends ModelFile = ModelFile,
  Device extends ModelDevice<File> = ModelDevice<File>,
> {
  /** The driver, as in the header of traces. */
  readonly name: string;
  /** Headings of operations in the order of tables. */
  readonly headings: readonly string[];
  /** What its devices count. */
  readonly costSchema: CostSchema;
  /** The quirks that its devices may have. */
  readonly quirks: QuirkTable;
  /** Whether closing a GEM handle removes the object's mappings from the file's VMs. */
  readonly closeUnmaps: boolean;
  /** Id of the VM that every open file has from the start, where no ioctl makes one. */
  readonly fileVm?: number;
  /**
   * @param op - an operation that this lens's decoder made
   * @returns it in words
   */
  describe(op: Op): string;
  /**
   * @param op - an operation that this lens's decoder made
   * @returns its numbers that not every driver's operations have, under the names of the header
   */
  details?(op: Op): Readonly<Record<string, number>>;
  /**
   * @param op - an operation that this lens's decoder made, and that maps
   * @returns whether the GPU may write through the mapping; left out where the uAPI cannot say that it may not
   */
  mayWrite?(op: Op): boolean;
  /**
   * @param header - header of the trace
   * @returns a fresh decoder, for one open file
   */
  decoder(header: TraceHeader): Decoder<Op>;
  /**
   * @param header - facts of the device
   * @param allocFault - what makes its allocations fail; none do unless given
   * @returns a fresh device
   * @throws {@link InputError} for a header that lacks a fact, from its reader
   */
  device(header: HeaderReader, allocFault?: AllocFault): Device;
  /**
   * Take the memory of an object, as the shrinker of the kernel does. Left out where the driver has no such thing.
   *
   * @param device - a device of this lens
   * @param file - an open file of it
   * @param handle - GEM handle in the file, 0 for what lies behind its sparse ranges
   * @throws `DrmError` for a handle that the file does not have, and for an object whose memory has to stay
   */
  evict?(device: Device, file: File, handle: number): void;
  /**
   * Bring back what was taken, in every VM of a file, as happens before a job.
   *
   * @param file - an open file
   * @throws `DrmError` where there is no memory for it
   */
  restore?(file: File): void;
  /**
   * Check every invariant of a device: structure, references, page tables against mappings, TLB.
   *
   * @param device - a device of this lens
   * @param files - all its open files
   * @throws Error that names the invariant and the place
   */
  checkInvariants(device: Device, files: readonly File[]): void;
  /**
   * What the struct of an ioctl points to: of that, a recording leaves out what the driver writes to, and a replay has it there.
   *
   * @param request - 32-bit request number
   * @returns as the driver's table of ioctls has it; left out where a driver writes to nothing
   */
  arrays?(request: number): readonly UserArray<object>[];
  /**
   * Do what ioctls that recordings leave out must have done before a call.
   *
   * @param file - the open file that issues it
   * @param call - the next recorded ioctl
   */
  beforeCall?(file: File, call: CallReader): void;
  /**
   * Issue ioctls of a run at once, each with success and its argument left as it is; not asked where {@link Lens.beforeCall} is there.
   *
   * @param first - the first of them
   * @param bytes - what the one array of each holds, one behind the other
   * @param calls - how many they are
   * @returns how many of them are done; 0 where the first one has to be issued by itself
   */
  issueRun?(file: File, first: TraceIoctl, bytes: Uint8Array, calls: number): number;
  /**
   * What must happen before a new VM's costs count.
   *
   * @param file - its open file
   * @param id - VM id
   */
  vmCreated?(file: File, id: number): void;
  /**
   * Look for known peculiarities of the user-mode driver.
   *
   * @param unmaps - the unmapping operations between the marks `workload` and `workload-end`
   * @param left - what is mapped at `workload-end`, all VMs together
   */
  findings?(unmaps: readonly BindOp[], left: readonly Interval[]): readonly Finding[];
}
