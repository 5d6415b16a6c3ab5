/**
 * What the laboratory finds: plain objects, the same for the report, for JSON and for CSV. A figure has one name
 * everywhere, the name of its field here.
 *
 * Four parts: what a workload costs under a strategy, what the GPU then sees, a matrix of questions answered by running
 * loads and stores, and who holds which reference.
 *
 * @module
 */

import type { MappingCounter, UapiCounter } from "@vmbind/drm";
import type { MmuCounter } from "@vmbind/mmu";
import type { Phase } from "@vmbind/trace";
import type { LabFinding, StrategyVerdict } from "./conclusions.ts";
import type { LabExperiments } from "./experiments/result.ts";
import type { SweepFigures } from "./measure/sweep-figures.ts";

/** Everything. */
export interface LabResult {
  /** One for every workload and strategy, workloads in the order given, strategies in the order of the table. */
  costs: CostResult[];
  /** One for every strategy and question, strategies in the order of the table. */
  semantics: SemanticsAnswer[];
  /** One for every strategy. */
  accounting: AccountingResult[];
  /** What was tried beside the workloads. */
  experiments: LabExperiments;
  /** Sentences computed from all of the above. */
  findings: LabFinding[];
  /** What each strategy comes down to. */
  verdicts: StrategyVerdict[];
}

// -- cost -------------------------------------------------------------------------------------------------------------

/** Counters that all drivers have and that a result shows, under their names. */
export type SharedFigure = Exclude<
  UapiCounter | MappingCounter | MmuCounter,
  "ioctlErrors" | "walkSteps" | "tlbHits" | "tlbMisses"
>;

/**
 * What a stretch of a run costs. Counts grow and are those of the stretch. Levels (`...Live`, `...Peak`) are those at its
 * end, a peak since the device was opened; the levels of references and locks are looked at after every step of the
 * workload, all others after every change. Everything is of the one VM and device that the strategy runs on, with what
 * the user-mode driver maps for itself.
 *
 * What the shared counters count say the schemas of their layers. In xe leaf entries are also the empty ones that fill a
 * new table, because a VM with scratch pages has no entry without a translation; and its invalidations name what the
 * highest table entry that changes covers, all 256 TiB when a VM becomes empty.
 */
export interface CostFigures extends Record<SharedFigure, number> {
  /** `mapSteps + remapSteps + unmapSteps`. */
  gpuvmSteps: number;
  /** `gpuvasLive` times {@link CostResult.gpuvaBytes}: bytes of GPUVM's own structs, what drivers add left out. */
  gpuvaBytesLive: number;
  /** The same of `gpuvasPeak`, bytes. */
  gpuvaBytesPeak: number;
  /** `vmBosLive` times {@link CostResult.vmBoBytes}, bytes. */
  vmBoBytesLive: number;
  /** The same of `vmBosPeak`, bytes. */
  vmBoBytesPeak: number;
  /** References to the VM: its handle's, one per mapping, one per vm_bo, and what the driver takes. */
  vmRefsLive: number;
  /** The most there were after a step. */
  vmRefsPeak: number;
  /** References to all vm_bos of the VM together: one per linked mapping. */
  vmBoRefsLive: number;
  /** The most there were after a step. */
  vmBoRefsPeak: number;
  /** References to all GEM objects that the VM maps, together. */
  gemRefsLive: number;
  /** The most there were after a step. */
  gemRefsPeak: number;
  /** Reservations that a submit to the VM locks: its own, and those of its external objects. */
  submitLocksLive: number;
  /** The most there were after a step. */
  submitLocksPeak: number;
  /** `tablesLive` times {@link CostResult.tablePageBytes}, bytes. */
  tableBytesLive: number;
  /** The same of `tablesPeak`, bytes. */
  tableBytesPeak: number;
}

/** A workload under a strategy. */
export interface CostResult {
  /** Name of the workload. */
  workload: string;
  /** The workload in one sentence. */
  description: string;
  /** Seed of the workload's draws. */
  seed: number;
  /** Name of the strategy. */
  strategy: string;
  /** Its driver. */
  driver: string;
  /** The GPU. */
  device: string;
  /** Bytes of the driver's sparse block: sizes are rounded up to it. */
  blockBytes: number;
  /** Bytes of a `drm_gpuva`: 120 upstream, 128 with the fields that REPEAT adds. */
  gpuvaBytes: number;
  /** Bytes of a `drm_gpuvm_bo`: 96. */
  vmBoBytes: number;
  /** Bytes of one page-table page. */
  tablePageBytes: number;
  /** Steps of the workload. */
  steps: number;
  /** Cost by phase; `setup` is opening the device; phases that the workload does not have are absent. */
  phases: Partial<Record<Phase, CostFigures>>;
  /** All phases but `setup` together. */
  total: CostFigures;
  /** The driver's own counters over the same stretch as `total`, under the names of its cost sheet. */
  driverTotal: Record<string, number>;
  /** What the workload's read and write steps came to, in order. */
  accesses: AccessResult[];
  /** What the GPU sees of the workload's largest resource (the first of several): when it was created, and at the end. */
  views: GpuView[];
}

/** What came of a read or write step. */
export interface AccessResult {
  /** Index of the step. */
  step: number;
  /** What the GPU did. */
  access: "read" | "write";
  /** Name of the resource. */
  resource: string;
  /** Byte offset in it. */
  offset: number;
  /** The word read or written, unsigned; null when the GPU faulted. */
  value: number | null;
  /** Why it faulted; null when it did not. */
  fault: string | null;
}

// -- what the GPU sees ------------------------------------------------------------------------------------------------

/** A resource through the page tables at one moment. */
export interface GpuView {
  /** `created`: right behind its creation, nothing bound. `used`: before it is destroyed; absent when nothing was bound. */
  moment: "created" | "used";
  /** Which of the resource's addresses: hk has one to write and another to read, the others one for both. */
  access: "read-write" | "read" | "write";
  /** Name of the resource in the workload. */
  resource: string;
  /** Its address. */
  va: number;
  /** Its bytes, whole blocks. */
  bytes: number;
  /** Bytes of it to which no memory of the application is bound. */
  unboundBytes: number;
  /** The leaves under it in ascending order, equal neighbours joined. */
  runs: LeafRun[];
  /** Leaves under the unbound part by size and kind, largest first. */
  unboundLeaves: LeafCount[];
  /** One load of every {@link SweepFigures.strideBytes} from the start to the end. */
  sequential: SweepFigures;
  /** As many loads as `sequential`, 65536 at most, at seeded random multiples of the stride. */
  random: SweepFigures;
}

/** Leaves of one size and kind, side by side. */
export interface LeafRun {
  /** Bytes from the resource's start to the run. A leaf that begins before the resource counts from the start. */
  offset: number;
  /** Bytes of the run inside the resource. */
  bytes: number;
  /** Bytes that one leaf translates. */
  leafBytes: number;
  /** How many leaves. */
  leaves: number;
  /** `page`: memory; `null`: the hardware's null page; `fault`: nothing, then `leafBytes` and `leaves` are 0. */
  kind: "page" | "null" | "fault";
  /** Whether memory of the application is bound there. */
  bound: boolean;
}

/** Leaves of one size and kind. */
export interface LeafCount {
  /** Bytes that one leaf translates. */
  leafBytes: number;
  /** What they hold. */
  kind: "page" | "null";
  /** How many. */
  leaves: number;
  /** Bytes of the unbound range that they cover. */
  bytes: number;
}

// -- semantics --------------------------------------------------------------------------------------------------------

/** One cell of the semantics matrix: a question, and what a fresh device did when asked. */
export interface SemanticsAnswer {
  /** Name of the strategy. */
  strategy: string;
  /** The question's name in kebab-case. */
  id: string;
  /** The question in words. */
  question: string;
  /** The answer in a few words. */
  answer: string;
  /**
   * Whether that is what Vulkan demands of sparse residency, or what keeps processes apart; null where neither has a say:
   * without residencyNonResidentStrict, unbound reads may return anything.
   */
  ok: boolean | null;
  /** What was measured. */
  detail: SemanticsDetail;
}

/**
 * Measurements behind an answer; only those that the question is about are there. Words have 32 bits. A load that the GPU
 * refuses gives null; AGX's soft faults are not refused: the shader gets 0, and `faults` counts them.
 */
export interface SemanticsDetail {
  /** Address of the access that the answer is about. */
  va?: number;
  /** Byte offset of that access in the resource. */
  offset?: number;
  /** The word that was stored; its bytes are all different from zero. */
  written?: number;
  /** The word loaded before. */
  before?: number | null;
  /** The word loaded before, from the address that shaders write; only where that is another one. */
  writeSideBefore?: number | null;
  /** The word loaded after. */
  after?: number | null;
  /** The word loaded later still: when evicted memory was back. */
  restored?: number | null;
  /** Addresses that were looked at. */
  samples?: number;
  /** Of these, addresses that show the word although it was stored elsewhere. */
  aliases?: number;
  /** Of these, addresses that show another word than before, or fault. */
  changed?: number;
  /** The same as `aliases`, seen through the address that hk's shaders write through. */
  writeSideAliases?: number;
  /** Bytes to the nearest alias, at the write side if there is none else: so much memory is shared over and over; 0 without. */
  sharedBytes?: number;
  /** Accesses that faulted, also those that the device does not report to the shader (AGX soft faults). */
  faults?: number;
  /** What the user-mode driver reports to the application. */
  reported?: boolean;
  /** What was observed. */
  observed?: boolean;
  /** A remark that a table has no room for. */
  note?: string;
}

// -- accounting -------------------------------------------------------------------------------------------------------

/** Who holds what while one sparse resource lives. */
export interface AccountingResult {
  /** Name of the strategy. */
  strategy: string;
  /** Bytes of the resource, whole blocks. */
  resourceBytes: number;
  /** Bytes of the memory of which one block is bound. */
  memoryBytes: number;
  /** The four moments in order. */
  moments: AccountingMoment[];
  /** `created` minus `opened`: what the sparse mapping of the whole resource, and nothing else, is the cause of. */
  sparse: AccountingFigures;
  /** `tile-bound` minus `allocated`: what binding one block into it adds. */
  tile: AccountingFigures;
  /** `destroyed` minus `allocated` plus `created` minus `opened`: what is left of the resource; all 0 when it is gone. */
  left: AccountingFigures;
}

/** Counted from the live model at one moment. */
export interface AccountingFigures {
  /** Mappings in the VM. */
  gpuvas: number;
  /** Bytes of their `drm_gpuva`s. */
  gpuvaBytes: number;
  /** Pairs of VM and object. */
  vmBos: number;
  /** Bytes of their `drm_gpuvm_bo`s. */
  vmBoBytes: number;
  /** References to the VM. */
  vmRefs: number;
  /** References to the VM's vm_bos, together. */
  vmBoRefs: number;
  /** References to the device's GEM objects, together; the objects that only carry a VM's reservation are left out. */
  gemRefs: number;
  /** GEM handles of the open file. */
  handles: number;
  /** Bytes of the objects behind those handles: what per-file statistics (fdinfo) show as total. */
  visibleBytes: number;
  /** Bytes of memory behind them now: what fdinfo shows as resident. */
  visibleResidentBytes: number;
  /** Bytes of memory behind all objects of the device. */
  backingBytes: number;
  /** `backingBytes` minus `visibleResidentBytes`: memory that no file's statistics show. */
  hiddenBytes: number;
  /** Bytes of page tables: charged to nobody in panthor and asahi, to the VM in xe. */
  tableBytes: number;
  /** Bytes of VA that mappings without memory of the application cover. */
  sparseVaBytes: number;
  /** External objects of the VM. */
  extobjs: number;
  /** Reservations that a submit locks. */
  submitLocks: number;
}

/** One moment. */
export interface AccountingMoment {
  /**
   * `opened`: device and VM as the user-mode driver sets them up; `created`: with the sparse resource; `allocated`: with
   * memory; `tile-bound`: one block of it bound in the middle of the resource; `destroyed`: the resource is gone.
   */
  moment: "opened" | "created" | "allocated" | "tile-bound" | "destroyed";
  /** The figures. */
  figures: AccountingFigures;
  /** Every object that has a handle, memory, or a mapping. */
  objects: HeldObject[];
  /** What a submit locks, by name: `VM`, then objects as in `objects`. */
  locked: string[];
}

/** A GEM object and who holds it. */
export interface HeldObject {
  /** What it is: `kernel dummy`, `dummy`, `zero page`, `scratch page`, `memory`, or `driver page` for what only the kernel uses. */
  role: string;
  /** Bytes. */
  bytes: number;
  /** Bytes of memory behind it now. */
  residentBytes: number;
  /** Its handle in the open file, 0 for none. */
  handle: number;
  /** Whether it is external to the VM: it has a reservation of its own. */
  external: boolean;
  /** References to it, all together. */
  refs: number;
  /** Of these, held by its handle: 1 or 0. */
  handleRefs: number;
  /** Held by vm_bos: one for each VM that maps it. */
  vmBoRefs: number;
  /** Held by others: the open file and the VMs hold a kernel dummy; in xe each mapping holds its object too. */
  otherRefs: number;
  /** Mappings of it in the VM; each holds a reference to the vm_bo and none to the object. */
  gpuvas: number;
  /** References to its vm_bo in the VM, 0 without one. */
  refsOfVmBo: number;
}
