/**
 * What a trace contains, counted from its bytes alone, and what a plain interval model makes of it.
 *
 * No driver model takes part. The traces' READMEs tabulate the same numbers, so they check the decoding; the interval
 * model's mappings check the driver models.
 *
 * @module
 */

import type { CheckedCall, Checker } from "../check/checker.ts";
import { eventOf, type TraceEvent } from "../event.ts";
import type { Action, BindOp, Lens } from "../lens.ts";
import { PHASES, type Phase, phaseAfter } from "../phase.ts";
import type { TraceIoctl, TraceMark } from "../record.ts";
import { type Hits, type Interval, noHits } from "./intervals.ts";
import { type ByKind, KindCounts } from "./kind-counts.ts";
import { PlainSpace } from "./plain-space.ts";

/** VM_BIND calls and operations. */
export interface BindCounts {
  /** VM_BIND ioctls. */
  bindIoctls: number;
  /** Operations in them. */
  bindOps: number;
}

/** Counts over a stretch of a trace. */
export interface StretchCounts extends BindCounts, ByKind {
  /** Argument structs and pointed-to arrays of all ioctls, in bytes. */
  payloadBytes: number;
  /** The same of VM_BIND only. */
  bindPayloadBytes: number;
}

/** What the plain interval model finds. */
export interface IntervalCounts {
  /** Most mappings of all VMs together, looked at after each operation. */
  peakMappings: number;
  /** Most mappings of all VMs together, looked at after each ioctl. */
  peakMappingsAfterIoctl: number;
  /** Most mappings without an object, looked at after each ioctl. */
  peakWithoutObject: number;
  /** Mappings at the mark `workload-end`, all VMs together; null without the mark. */
  mappingsAtWorkloadEnd: number | null;
  /** Existing mappings that operations covered wholly. */
  mappingsRemoved: number;
  /** Existing mappings that operations cut. */
  mappingsCut: number;
  /** How mapping operations hit existing mappings. */
  mapHits: Hits;
  /** Most mappings under one UNMAP. */
  largestUnmap: number;
  /** Mappings in the VMs that VM_DESTROY destroyed. */
  mappingsAtVmDestroy: number;
  /** Mappings behind the last record, all VMs together. */
  mappingsAtEnd: number;
}

/** All counts of a trace. */
export interface TraceCounts extends StretchCounts {
  /** Recorded ioctls. */
  ioctls: number;
  /** VMs created. */
  vmCreates: number;
  /** VMs destroyed. */
  vmDestroys: number;
  /** Objects created. */
  boCreates: number;
  /** Handles closed. */
  boCloses: number;
  /** Most operations in one VM_BIND. */
  maxOpsPerIoctl: number;
  /** Elements of all sync arrays. */
  syncOps: number;
  /** Mean operations of a VM_BIND inside queue binds; null without any. */
  meanOpsPerSparseBind: number | null;
  /** Most operations of a VM_BIND inside queue binds. */
  maxOpsPerSparseBind: number;
  /** VM_BIND by phase; phases without any are absent. */
  byPhase: Partial<Record<Phase, BindCounts>>;
  /** The stretch between the marks `workload` and `workload-end`. */
  workload: StretchCounts;
  /** The plain interval model. */
  intervals: IntervalCounts;
  /** Jobs (`exec` marks). */
  execs: number;
  /** Stores that `exec` marks record. */
  stores: number;
}

/** What the plain model knows of one open file. Ids and handles count per file. */
export interface PlainFile {
  /** Its address spaces by VM id. */
  readonly vms: ReadonlyMap<number, PlainSpace>;
}

/** The same, from inside. */
class PlainState implements PlainFile {
  readonly vms = new Map<number, PlainSpace>();
  /** Numbers of objects by handle. */
  readonly objects = new Map<number, number>();
}

/** `syncs`, `ops[3].syncs`, `in_syncobjs`, `wait_ptr`. */
const SYNC_ARRAY = /(?:syncs|syncobjs|wait_ptr|sig_ptr)$/;

/** Counts one trace, record by record; it can be asked beside the checkers of a run, before those that compare with it. */
export class TraceCounter implements Checker {
  /** The phase that the last mark began. */
  phase: Phase = "run";
  /** Whether the last mark lies between `workload` and `workload-end`. */
  inWorkload = false;
  /** The unmapping operations between the marks `workload` and `workload-end`; none where the lens has no findings. */
  readonly workloadUnmaps: BindOp[] = [];
  /** What is mapped at the mark `workload-end`, all VMs together; nothing where the lens has no findings. */
  leftAtWorkloadEnd: readonly Interval[] = [];

  readonly #closeUnmaps: boolean;
  readonly #fileVm: number | undefined;
  readonly #finds: boolean;
  readonly #keepsIntervals: boolean;
  readonly #countsKinds: boolean;
  readonly #counts: TraceCounts = emptyCounts();
  readonly #kinds: KindCounts;
  readonly #files = new Map<number, PlainState>();
  /** Something has happened since the last mark `workload-end`. */
  #changed = true;
  #objectCount = 0;
  /** Mappings of all VMs together, and those without an object. */
  #mapped = 0;
  #withoutObject = 0;
  readonly #mapHits: Hits = noHits();
  readonly #unmapHits: Hits = noHits();

  /**
   * @param lens - says which headings exist and what closing a handle does, and whether it looks for findings
   * @param intervals - whether to keep the plain interval model; without it {@link TraceCounts.intervals} stays zero
   * @param kinds - whether to look at each operation; without it what is counted by kind stays zero, and no unmapping operation is kept
   */
  constructor(
    lens: Pick<Lens, "headings" | "closeUnmaps" | "fileVm" | "findings">,
    intervals = true,
    kinds = true,
  ) {
    this.#closeUnmaps = lens.closeUnmaps;
    this.#finds = lens.findings !== undefined;
    this.#fileVm = lens.fileVm;
    this.#keepsIntervals = intervals;
    this.#countsKinds = kinds;
    this.#kinds = new KindCounts(lens.headings);
  }

  /** The plain model by number of the open file; empty when it is not kept. */
  get files(): ReadonlyMap<number, PlainFile> {
    return this.#files;
  }

  /**
   * Take a mark into account.
   *
   * @param mark - the mark
   * @param event - what it says that happens
   */
  mark({ mark, exec }: TraceMark, event: TraceEvent | null = eventOf(mark)): void {
    this.phase = phaseAfter(mark, this.phase);
    if (mark.startsWith("workload ")) this.inWorkload = true;
    if (mark === "workload-end") {
      this.inWorkload = false;
      // One after the other they say the same.
      if (this.#changed) {
        this.#changed = false;
        this.#counts.intervals.mappingsAtWorkloadEnd = this.#mapped;
        if (this.#finds) this.leftAtWorkloadEnd = this.#intervals();
      }
    }
    if (event?.kind === "close") this.#closeFile(event.file);
    if (mark === "exec") this.#counts.execs++;
    this.#counts.stores += exec?.stores.length ?? 0;
  }

  /**
   * Take an ioctl into account.
   *
   * @param call - the ioctl
   * @param action - what it means
   * @param times - how many there are of it; more than one only of binds, with neither intervals nor kinds
   */
  ioctl(call: TraceIoctl, action: Action, times = 1): void {
    this.#changed = true;
    const counts = this.#counts;
    let payload = call.argIn.length;
    for (const { data } of call.arrays) payload += data.length;
    payload *= times;
    counts.ioctls += times;
    counts.payloadBytes += payload;
    if (this.inWorkload) counts.workload.payloadBytes += payload;
    for (const array of call.arrays) {
      if (SYNC_ARRAY.test(array.field)) counts.syncOps += array.count * times;
    }
    if (action.kind === "bind") {
      counts.bindPayloadBytes += payload;
      if (this.inWorkload) counts.workload.bindPayloadBytes += payload;
      this.#countBind(action.count ?? action.ops.length, times);
      if (this.#countsKinds) this.#countOps(action.ops);
    }
    // A refused ioctl changes nothing that this model could follow.
    if (call.ret === 0) this.#apply(this.#file(call.file), action);
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ recorded, action }: CheckedCall): void {
    if (recorded) this.ioctl(recorded, action);
  }

  /** @returns the counts so far */
  result(): TraceCounts {
    const { bindIoctls, bindOps } = this.#counts.byPhase.bind ?? noBinds();
    const hits = [this.#mapHits, this.#unmapHits];
    return {
      ...this.#counts,
      ...this.#kinds.all(),
      workload: { ...this.#counts.workload, ...this.#kinds.workload() },
      meanOpsPerSparseBind: bindIoctls > 0 ? bindOps / bindIoctls : null,
      intervals: {
        ...this.#counts.intervals,
        mappingsRemoved: hits.reduce((sum, h) => sum + h.covered, 0),
        mappingsCut: hits.reduce((sum, h) => sum + h.oneSide + h.split, 0),
        mapHits: { ...this.#mapHits },
        mappingsAtEnd: this.#mapped,
      },
    };
  }

  #countBind(ops: number, times: number): void {
    const counts = this.#counts;
    counts.byPhase[this.phase] ??= noBinds();
    const phase = counts.byPhase[this.phase] as BindCounts;
    phase.bindIoctls += times;
    phase.bindOps += ops * times;
    counts.maxOpsPerIoctl = Math.max(counts.maxOpsPerIoctl, ops);
    if (this.phase === "bind") counts.maxOpsPerSparseBind = Math.max(counts.maxOpsPerSparseBind, ops);
    counts.bindIoctls += times;
    counts.bindOps += ops * times;
    if (!this.inWorkload) return;
    counts.workload.bindIoctls += times;
    counts.workload.bindOps += ops * times;
  }

  #countOps(ops: readonly BindOp[]): void {
    this.#kinds.add(ops, this.inWorkload);
    if (!this.inWorkload || !this.#finds) return;
    for (const op of ops) if (op.effect === "unmap") this.workloadUnmaps.push(op);
  }

  #apply(file: PlainState, action: Action): void {
    const counts = this.#counts;
    if (action.kind === "vm-create") {
      counts.vmCreates++;
      if (this.#keepsIntervals) {
        this.#leave(file, action.vm);
        file.vms.set(action.vm, new PlainSpace());
      }
    } else if (action.kind === "vm-destroy") {
      counts.vmDestroys++;
      counts.intervals.mappingsAtVmDestroy += file.vms.get(action.vm)?.size ?? 0;
      this.#leave(file, action.vm);
    } else if (action.kind === "bo-create") {
      counts.boCreates++;
      file.objects.set(action.handle, ++this.#objectCount);
    } else if (action.kind === "bo-close") {
      counts.boCloses++;
      const object = file.objects.get(action.handle);
      if (this.#closeUnmaps && object) {
        for (const vm of file.vms.values()) {
          this.#book(vm, -1);
          vm.removeObject(object);
          this.#book(vm, 1);
        }
      }
      file.objects.delete(action.handle);
    } else if (action.kind === "bind" && this.#keepsIntervals) {
      const vm = file.vms.get(action.vm);
      if (vm) this.#bind(vm, file.objects, action.ops);
    }
  }

  #bind(vm: PlainSpace, objects: ReadonlyMap<number, number>, ops: readonly BindOp[]): void {
    const intervals = this.#counts.intervals;
    this.#book(vm, -1);
    const elsewhere = this.#mapped;
    let most = intervals.peakMappings;
    // Neighbours are mostly of one object.
    let handle = 0;
    let object = objects.get(0) ?? 0;
    for (const op of ops) {
      const end = op.addr + op.range;
      if (op.handle !== handle) {
        handle = op.handle;
        object = objects.get(handle) ?? 0;
      }
      if (op.effect === "map") {
        vm.map(op.addr, end, op.heading, object, op.offset, this.#mapHits);
      } else if (op.effect === "unmap") {
        intervals.largestUnmap = Math.max(intervals.largestUnmap, vm.unmap(op.addr, end, this.#unmapHits));
      } else if (op.effect === "unmap-at") {
        intervals.largestUnmap = Math.max(intervals.largestUnmap, 1);
        vm.unmapAt(op.addr, object, this.#unmapHits);
      } else if (op.effect === "unmap-object") {
        vm.removeObject(object);
      }
      most = Math.max(most, elsewhere + vm.size);
    }
    this.#book(vm, 1);
    intervals.peakMappings = most;
    intervals.peakMappingsAfterIoctl = Math.max(intervals.peakMappingsAfterIoctl, this.#mapped);
    intervals.peakWithoutObject = Math.max(intervals.peakWithoutObject, this.#withoutObject);
  }

  /** What all VMs have together, with one of them or without it. */
  #book({ size, withoutObject }: PlainSpace, times: 1 | -1): void {
    this.#mapped += times * size;
    this.#withoutObject += times * withoutObject;
  }

  /** A VM goes; nothing happens where there is none of the number. */
  #leave(file: PlainState, id: number): void {
    const vm = file.vms.get(id);
    if (vm === undefined) return;
    this.#book(vm, -1);
    file.vms.delete(id);
  }

  #closeFile(index: number): void {
    const file = this.#files.get(index);
    if (file === undefined) return;
    for (const id of [...file.vms.keys()]) this.#leave(file, id);
    this.#changed = this.#files.delete(index);
  }

  #file(index: number): PlainState {
    const known = this.#files.get(index);
    if (known) return known;
    const file = new PlainState();
    if (this.#fileVm !== undefined && this.#keepsIntervals) file.vms.set(this.#fileVm, new PlainSpace());
    this.#files.set(index, file);
    return file;
  }

  #intervals(): Interval[] {
    return [...this.#files.values()].flatMap(({ vms }) => [...vms.values()].flatMap((vm) => vm.intervals));
  }
}

/**
 * The phases of a trace in the order of tables.
 *
 * @param counts - counts of the trace
 */
export function phasesOf(counts: TraceCounts): Phase[] {
  return PHASES.filter((phase) => counts.byPhase[phase]);
}

function emptyCounts(): TraceCounts {
  return {
    ioctls: 0,
    vmCreates: 0,
    vmDestroys: 0,
    boCreates: 0,
    boCloses: 0,
    maxOpsPerIoctl: 0,
    syncOps: 0,
    meanOpsPerSparseBind: null,
    maxOpsPerSparseBind: 0,
    ...emptyStretch(),
    byPhase: {},
    workload: emptyStretch(),
    intervals: {
      peakMappings: 0,
      peakMappingsAfterIoctl: 0,
      peakWithoutObject: 0,
      mappingsAtWorkloadEnd: null,
      mappingsRemoved: 0,
      mappingsCut: 0,
      mapHits: noHits(),
      largestUnmap: 0,
      mappingsAtVmDestroy: 0,
      mappingsAtEnd: 0,
    },
    execs: 0,
    stores: 0,
  };
}

function noBinds(): BindCounts {
  return { bindIoctls: 0, bindOps: 0 };
}

function emptyStretch(): StretchCounts {
  return { ...noBinds(), opsByKind: {}, vaBytesByKind: {}, payloadBytes: 0, bindPayloadBytes: 0 };
}
