/**
 * The naive model of a device: the log of each VM, its objects, and jobs that wait for fences. It is told what calls that succeeded
 * mean, and what happens from outside; it shares no code with the drivers.
 *
 * @module
 */

import type { TraceEvent } from "@vmbind/trace";
import type { Meaning, PageOp, Shown } from "./meaning.ts";
import { PageJobs } from "./page-jobs.ts";
import { type LogLine, PageLog, type PageObject, type PageRules, type RangeLine } from "./page-log.ts";
import { PageSyncobjs, type Sign } from "./page-syncs.ts";

/** A VM. */
export interface PageVm {
  /** What was asked of it. */
  readonly log: PageLog;
  /** What is where nothing is bound. */
  readonly unbound: "fault" | "null";
  /** Ranges that are promised are bound at once all the same. */
  readonly keepsPromises: boolean;
  /** Pages may be out of its tables. */
  advised: boolean;
  /** Nothing can be said of it any more. */
  lost: boolean;
  /** What was asked of it and waits. */
  readonly jobs: PageJobs;
}

interface PageFile {
  readonly vms: Map<number, PageVm>;
  /** Objects by handle. */
  readonly objects: Map<number, PageObject>;
  readonly syncobjs: PageSyncobjs;
  /** Queues by id. */
  readonly queues: Map<number, object>;
  /** What lies behind sparse ranges. */
  readonly memory: PageObject;
  /** Memory of the process. */
  readonly process: PageObject;
}

/** Operations of a call whose edges are remembered, at its beginning and as many at its end. */
const EDGES_OF = 24;

/** What a driver tells the model of itself. */
export interface WorldFacts extends PageRules {
  /** Closing a handle unbinds the object in every VM of the file. */
  readonly closeUnbinds: boolean;
  /** What is mapped changes with the call, page tables with the job. */
  readonly spaceFirst: boolean;
  /** A job that has nothing to write does not hold up the one behind it. */
  readonly idleJobsPass: boolean;
  /** A bind brings back the objects that it is about, in every VM, so that one that was taken may be there. */
  readonly bindsRestore?: boolean;
}

/** A device as it must be. */
export class PageWorld {
  readonly #facts: WorldFacts;
  readonly #files = new Map<number, PageFile>();
  readonly #fences = new Map<number, Sign>();
  /** VMs with jobs that wait, those that are gone as well. */
  readonly #waiting = new Set<PageVm>();
  #moving = false;

  /** @param facts - see {@link WorldFacts} */
  constructor(facts: WorldFacts) {
    this.#facts = facts;
  }

  /** VMs with the numbers of their files and their ids. */
  vms(): [file: number, id: number, vm: PageVm][] {
    const vms: [number, number, PageVm][] = [];
    for (const [index, file] of this.#files) for (const [id, vm] of file.vms) vms.push([index, id, vm]);
    return vms;
  }

  #file(index: number): PageFile {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    const made: PageFile = {
      vms: new Map(),
      objects: new Map(),
      syncobjs: new PageSyncobjs(),
      queues: new Map(),
      memory: newObject(),
      process: newObject(),
    };
    this.#files.set(index, made);
    return made;
  }

  /**
   * @param index - number of the open file
   * @param meaning - what a call on it has done
   */
  called(index: number, meaning: Meaning): void {
    const file = this.#file(index);
    switch (meaning.kind) {
      case "vm":
        // Where a file has one VM, several calls may say that it is there.
        if (file.vms.has(meaning.vm)) return;
        file.vms.set(meaning.vm, {
          log: new PageLog(this.#facts),
          unbound: meaning.unbound,
          keepsPromises: meaning.keepsPromises,
          advised: false,
          lost: false,
          jobs: new PageJobs(),
        });
        return;
      case "vm-gone":
        this.#gone(file, meaning.vm);
        return;
      case "object":
        file.objects.set(meaning.handle, newObject(meaning.wanders));
        return;
      case "handle-gone": {
        const object = file.objects.get(meaning.handle);
        file.objects.delete(meaning.handle);
        if (object === undefined || !this.#facts.closeUnbinds) return;
        for (const vm of file.vms.values()) vm.log.add({ kind: "gone", object });
        return;
      }
      case "bind": {
        const vm = file.vms.get(meaning.vm);
        if (vm === undefined) return;
        meaning.ops.forEach((op, i) => {
          this.#apply(vm, this.#line(file, op), isEdge(i, meaning.ops.length));
        });
        return;
      }
      case "queue":
        this.#queue(file, meaning);
        return;
      case "queue-gone":
        file.queues.delete(meaning.queue);
        return;
      case "advice": {
        const vm = file.vms.get(meaning.vm);
        const { va, bytes } = meaning;
        if (vm === undefined) return;
        this.#advise(vm, va, bytes);
        this.#run();
        return;
      }
      case "not-needed": {
        const { vm, va, bytes } = meaning;
        for (const object of file.vms.get(vm)?.log.objectsIn(va, bytes) ?? []) object.mayBeGone = true;
        for (const line of file.vms.get(vm)?.jobs.lines() ?? []) {
          if (line.kind === "range" && typeof line.behind !== "string") line.behind.mayBeGone = true;
        }
        return;
      }
      case "none":
    }
  }

  /** @param event - what happened, and went well unless told; @param result - what {@link OpenDevice.happen} gave */
  happened(event: TraceEvent, result: number): void {
    if (event.kind === "restore") {
      const file = this.#files.get(event.file);
      for (const vm of file?.vms.values() ?? []) this.#restored(vm, result === 0);
      return;
    }
    if (result < 0) return;
    switch (event.kind) {
      case "fence": {
        const sign = this.#fences.get(event.fence) ?? { done: "no" };
        this.#fences.set(event.fence, sign);
        this.#file(event.file).syncobjs.get(event.syncobj).attach(0, sign);
        return;
      }
      case "signal": {
        const sign = this.#fences.get(event.fence);
        this.#fences.delete(event.fence);
        if (sign !== undefined) sign.done = "yes";
        this.#run();
        return;
      }
      case "evict": {
        const file = this.#file(event.file);
        const object = event.handle === 0 ? file.memory : file.objects.get(event.handle);
        if (object === undefined) return;
        const maybe = this.#facts.bindsRestore === true && { maybe: true };
        for (const [, , vm] of this.vms()) vm.log.add({ kind: "evict", object, ...maybe });
        return;
      }
      case "share": {
        const object = this.#file(event.from).objects.get(event.handle);
        if (object !== undefined) this.#file(event.to).objects.set(result, object);
        return;
      }
      case "close": {
        const file = this.#files.get(event.file);
        if (file !== undefined) for (const id of [...file.vms.keys()]) this.#gone(file, id);
        this.#files.delete(event.file);
        return;
      }
      default:
    }
  }

  #restored({ log, jobs }: PageVm, whole: boolean): void {
    log.add({ kind: "restore", whole });
    if (!this.#facts.spaceFirst) return;
    // Nothing is brought back to where a job is about to write.
    for (const line of jobs.lines()) {
      if (line.kind === "range") log.add({ kind: "advice", va: line.va, bytes: line.bytes });
    }
  }

  /** Its jobs still end, without an effect. */
  #gone(file: PageFile, id: number): void {
    const vm = file.vms.get(id);
    if (vm !== undefined) vm.lost = true;
    file.vms.delete(id);
  }

  #queue(file: PageFile, { vm: id, now = [], jobs, queue: queueId }: Meaning & { kind: "queue" }): void {
    const vm = file.vms.get(id);
    if (vm === undefined) return;
    for (const [i, op] of now.entries()) this.#apply(vm, this.#line(file, op), isEdge(i, now.length));
    const queue = queueId === 0 ? vm : (file.queues.get(queueId) ?? {});
    if (queueId !== 0) file.queues.set(queueId, queue);
    const ends = jobs.map((job) => ({ ...job, end: { done: "no" } as Sign }));
    const waits = file.syncobjs.resolve(ends);
    const asked = ends.map(({ ops, end }, i) => {
      // Handles mean what they meant when the call was made.
      const lines = ops.flatMap((op) => this.#line(file, op) ?? []);
      this.#wait(vm, lines, waits[i] ?? [], queue, end, isVague(ops, vm));
      if (ops.some(moves) || lines.some(wanders)) this.#moving = true;
      return { lines, end };
    });
    this.#run();
    for (const { lines, end } of asked) {
      if (end.done === "yes") continue;
      // It must not have happened yet, unless it may.
      lines.forEach((line, i) => {
        if (isEdge(i, lines.length)) this.#watch(vm, line);
      });
    }
  }

  /** Pages of a range may be out of the tables, behind what waits. */
  #advise(vm: PageVm, va: number, bytes: number): void {
    vm.advised = true;
    this.#wait(vm, [{ kind: "advice", va, bytes }], [], {}, { done: "no" }, false);
  }

  #wait(
    vm: PageVm,
    lines: readonly LogLine[],
    waits: readonly Sign[],
    queue: object,
    end: Sign,
    vague: boolean,
  ): void {
    const holdsUp = !this.#facts.idleJobsPass || lines.some((line) => isWritten(line, vm));
    vm.jobs.push({ lines, waits, queue, holdsUp, end }, !holdsUp && vague);
    this.#waiting.add(vm);
  }

  /**
   * @param index - number of the open file
   * @param meaning - of a call on it that was refused: objects that it moved may be back, and their pages still missing
   */
  refused(index: number, meaning: Meaning): void {
    if (this.#waiting.size > 0 && this.#mayMove(index, meaning)) this.#moving = true;
  }

  /**
   * @param index - number of the open file
   * @param meaning - of a call on it in which something was given up in silence: where objects moved, their pages may be missing
   *   until they are bound again
   */
  starved(index: number, meaning: Meaning): void {
    if (!this.#mayMove(index, meaning)) return;
    for (const [, , vm] of this.vms()) this.#advise(vm, 0, Number.POSITIVE_INFINITY);
    this.#run();
  }

  /** Whether a call may have moved objects: it says so, or it binds what wanders. */
  #mayMove(index: number, meaning: Meaning): boolean {
    if (meaning.kind !== "queue") return false;
    const file = this.#file(index);
    return meaning.jobs.some(({ ops }) => ops.some((op) => moves(op) || wanders(this.#line(file, op))));
  }

  /** Objects have moved since no job waited: their pages may be missing until no job waits. */
  get moving(): boolean {
    return this.#moving;
  }

  /** Run what can run, until nothing more can. */
  #run(): void {
    for (let again = true; again; ) {
      again = false;
      for (const vm of this.#waiting) {
        const news = vm.jobs.run(({ lines }) => {
          lines.forEach((line, i) => {
            this.#apply(vm, line, isEdge(i, lines.length));
          });
        });
        again ||= news;
        if (vm.jobs.count === 0) this.#waiting.delete(vm);
      }
    }
    if (this.#waiting.size === 0) this.#moving = false;
  }

  #apply(vm: PageVm, line: LogLine | null, remembered: boolean): void {
    if (line === null) return;
    vm.log.add(line);
    if (remembered) this.#watch(vm, line);
  }

  /** Look where a range begins and ends, beside it, and in its middle. */
  #watch({ log }: PageVm, line: LogLine | null): void {
    // An operation of no bytes does nothing wherever it stands, and where it stands need not be a page.
    if (line?.kind !== "range" || line.bytes === 0) return;
    const { va, bytes } = line;
    const { pageBytes } = this.#facts;
    if (va >= pageBytes) log.watch(va - pageBytes);
    log.watch(va);
    log.watch(va + Math.floor(bytes / 2 / pageBytes) * pageBytes);
    if (va + bytes >= pageBytes) log.watch(va + bytes - pageBytes);
    log.watch(va + bytes);
  }

  #line(file: PageFile, op: PageOp): LogLine | null {
    if (op.kind === "none" || op.kind === "move") return null;
    if (op.kind === "unbind-object") {
      const object = file.objects.get(op.handle);
      return object === undefined ? null : { kind: "gone", object };
    }
    const { va, bytes, access, promised } = op;
    const under = op.under === true && { under: true };
    return { kind: "range", va, bytes, access, promised, ...under, ...this.#shown(file, op.shows) };
  }

  #shown(file: PageFile, shows: Shown): Pick<RangeLine, "behind" | "page" | "window" | "period"> {
    const { pageBytes } = this.#facts;
    const none = { page: 0, window: 0, period: 0 };
    switch (shows.kind) {
      case "nothing":
      case "null":
      case "under":
      case "unknown":
        return { ...none, behind: shows.kind };
      case "process-memory":
        return { ...none, behind: file.process, page: shows.addr / pageBytes };
      case "file-memory":
        return { ...none, behind: file.memory, period: shows.period / pageBytes };
      case "object": {
        const { handle, offset, window } = shows;
        const behind = file.objects.get(handle) ?? "unknown";
        return { behind, page: offset / pageBytes, window: window / pageBytes, period: 0 };
      }
    }
  }
}

/** Whether a range is bound to an object that may move for it. */
function wanders(line: LogLine | null): boolean {
  return line?.kind === "range" && typeof line.behind !== "string" && line.behind.wanders;
}

/** Whether an operation moves objects and does nothing else. */
function moves({ kind }: PageOp): boolean {
  return kind === "move";
}

function newObject(wanders = false): PageObject {
  return { cells: new Map(), mayBeGone: false, wanders };
}

/** Operations at the beginning and at the end of a call are looked around. */
function isEdge(index: number, count: number): boolean {
  return index < EDGES_OF || index >= count - EDGES_OF;
}

/** Whether nobody can tell if operations have anything to write. */
function isVague(ops: readonly PageOp[], { keepsPromises, advised }: PageVm): boolean {
  if (ops.length === 0) return false;
  return !keepsPromises || advised || ops.some((op) => op.kind !== "range" || op.shows.kind === "unknown");
}

/** Whether page tables surely change: something is bound, and not only by an access. */
function isWritten(line: LogLine, { keepsPromises }: PageVm): boolean {
  if (line.kind !== "range" || line.behind === "nothing" || line.behind === "unknown") return false;
  return keepsPromises || !line.promised;
}
