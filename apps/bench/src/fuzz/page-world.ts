/**
 * The naive model of a device: the log of each VM, numbers for objects, and queues of operations that wait for fences. It is told what
 * calls that succeeded mean, and what happens from outside; it shares no code with the drivers.
 *
 * @module
 */

import type { TraceEvent } from "@vmbind/trace";
import type { Job, Meaning, PageOp, Shown } from "./meaning.ts";
import { type LogLine, PageLog, type PageObject, type RangeLine } from "./page-log.ts";

/** Something that happens once. */
interface Sign {
  done: boolean;
}

/** A job on its way through a queue. */
interface Waiting {
  readonly line: LogLine | null;
  readonly waits: readonly Sign[];
  readonly end: Sign;
}

/** A VM. */
export interface PageVm {
  /** What was asked of it. */
  readonly log: PageLog;
  /** What is where nothing is bound. */
  readonly unbound: "fault" | "null";
  /** Ranges that are promised are bound at once all the same. */
  readonly keepsPromises: boolean;
  /** Nothing can be said of it any more. */
  lost: boolean;
  readonly queue: Waiting[];
}

interface PageFile {
  readonly vms: Map<number, PageVm>;
  /** Objects by handle. */
  readonly objects: Map<number, PageObject>;
  readonly syncobjs: Map<number, Sign>;
  /** What lies behind sparse ranges. */
  readonly memory: PageObject;
}

/** Operations of a call whose edges are remembered, at its beginning and as many at its end. */
const EDGES_OF = 24;

/** What a driver tells the model of itself. */
export interface WorldFacts {
  /** Bytes of the smallest page. */
  readonly pageBytes: number;
  /** Closing a handle unbinds the object in every VM of the file. */
  readonly closeUnbinds: boolean;
}

/** A device as it must be. */
export class PageWorld {
  readonly #facts: WorldFacts;
  readonly #files = new Map<number, PageFile>();
  readonly #fences = new Map<number, Sign>();
  /** Queues with jobs, of VMs that are gone as well. */
  readonly #queues = new Set<PageVm>();

  /** @param facts - see {@link WorldFacts} */
  constructor(facts: WorldFacts) {
    this.#facts = facts;
  }

  /** VMs with the numbers of their files and their ids. */
  *vms(): Generator<[file: number, id: number, vm: PageVm]> {
    for (const [index, file] of this.#files) for (const [id, vm] of file.vms) yield [index, id, vm];
  }

  #file(index: number): PageFile {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    const made = { vms: new Map(), objects: new Map(), syncobjs: new Map(), memory: newObject() };
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
          log: new PageLog(this.#facts.pageBytes),
          unbound: meaning.unbound,
          keepsPromises: meaning.keepsPromises,
          lost: false,
          queue: [],
        });
        return;
      case "vm-gone":
        this.#gone(file, meaning.vm);
        return;
      case "object":
        file.objects.set(meaning.handle, newObject());
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
          this.#apply(vm, this.#line(file, op), i < EDGES_OF || i >= meaning.ops.length - EDGES_OF);
        });
        return;
      }
      case "queue":
        this.#queue(file, meaning.vm, meaning.jobs);
        return;
      case "none":
    }
  }

  /** @param event - what happened, and went well unless told; @param result - what {@link OpenDevice.happen} gave */
  happened(event: TraceEvent, result: number): void {
    if (event.kind === "restore") {
      const file = this.#files.get(event.file);
      for (const vm of file?.vms.values() ?? []) vm.log.add({ kind: "restore", whole: result === 0 });
      return;
    }
    if (result < 0) return;
    switch (event.kind) {
      case "fence": {
        const sign = this.#fences.get(event.fence) ?? { done: false };
        this.#fences.set(event.fence, sign);
        this.#file(event.file).syncobjs.set(event.syncobj, sign);
        return;
      }
      case "signal": {
        const sign = this.#fences.get(event.fence);
        this.#fences.delete(event.fence);
        if (sign !== undefined) sign.done = true;
        this.#run();
        return;
      }
      case "evict": {
        const file = this.#file(event.file);
        const object = event.handle === 0 ? file.memory : file.objects.get(event.handle);
        if (object === undefined) return;
        for (const [, , vm] of this.vms()) vm.log.add({ kind: "evict", object });
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

  /** Its jobs still end, without an effect. */
  #gone(file: PageFile, id: number): void {
    const vm = file.vms.get(id);
    if (vm !== undefined) vm.lost = true;
    file.vms.delete(id);
  }

  #queue(file: PageFile, id: number, jobs: readonly Job[]): void {
    const vm = file.vms.get(id);
    if (vm === undefined) return;
    const signs = new Map(file.syncobjs);
    for (const { op, waits, signals } of jobs) {
      const end = { done: false };
      const found = waits.flatMap((syncobj) => signs.get(syncobj) ?? []);
      // Handles mean what they meant when the call was made.
      const line = this.#line(file, op);
      vm.queue.push({ line, waits: found, end });
      // It must not have happened yet, unless it may.
      this.#watch(vm, line);
      for (const syncobj of signals) signs.set(syncobj, end);
    }
    for (const [syncobj, sign] of signs) file.syncobjs.set(syncobj, sign);
    this.#queues.add(vm);
    this.#run();
  }

  /** Run what can run, until nothing more can. */
  #run(): void {
    for (let again = true; again; ) {
      again = false;
      for (const vm of this.#queues) {
        for (let job = vm.queue[0]; job?.waits.every(({ done }) => done); job = vm.queue[0]) {
          vm.queue.shift();
          this.#apply(vm, job.line, true);
          job.end.done = true;
          again = true;
        }
        if (vm.queue.length === 0) this.#queues.delete(vm);
      }
    }
  }

  #apply(vm: PageVm, line: LogLine | null, remembered: boolean): void {
    if (line === null) return;
    vm.log.add(line);
    if (remembered) this.#watch(vm, line);
  }

  /** Look where a range begins and ends, beside it, and in its middle. */
  #watch({ log }: PageVm, line: LogLine | null): void {
    if (line?.kind !== "range") return;
    const { va, bytes } = line;
    const { pageBytes } = this.#facts;
    if (va >= pageBytes) log.watch(va - pageBytes);
    log.watch(va);
    log.watch(va + Math.floor(bytes / 2 / pageBytes) * pageBytes);
    if (va + bytes >= pageBytes) log.watch(va + bytes - pageBytes);
    log.watch(va + bytes);
  }

  #line(file: PageFile, op: PageOp): LogLine | null {
    if (op.kind === "none") return null;
    if (op.kind === "unbind-object") {
      const object = file.objects.get(op.handle);
      return object === undefined ? null : { kind: "gone", object };
    }
    const { va, bytes, access, promised } = op;
    return { kind: "range", va, bytes, access, promised, ...this.#shown(file, op.shows) };
  }

  #shown(file: PageFile, shows: Shown): Pick<RangeLine, "behind" | "page" | "window" | "period"> {
    const { pageBytes } = this.#facts;
    const none = { page: 0, window: 0, period: 0 };
    switch (shows.kind) {
      case "nothing":
      case "null":
      case "unknown":
        return { ...none, behind: shows.kind };
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

function newObject(): PageObject {
  return { cells: new Map() };
}
