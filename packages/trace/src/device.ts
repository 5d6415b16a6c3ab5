/**
 * A driver's model set up for a trace: the device and the files that are open on it. A lens makes the device; what a
 * recording needs beyond that is the same for all drivers and stands here.
 *
 * @module
 */

import {
  type AllocFault,
  DrmError,
  EBADF,
  EINVAL,
  EOPNOTSUPP,
  Fence,
  fail,
  quirksText,
  type UserArray,
} from "@vmbind/drm";
import type { PhysicalMemory } from "@vmbind/mmu";
import { CallBytes } from "./call-bytes.ts";
import type { CallBuffer } from "./check/checker.ts";
import type { TraceEvent } from "./event.ts";
import { HeaderReader } from "./header-reader.ts";
import type { Action, BindOp, Lens, ModelCounters, ModelDevice, ModelFile, ModelVm } from "./lens.ts";
import { outputsOf, written } from "./output-memory.ts";
import type { Trace, TraceIoctl, TraceRun } from "./record.ts";

/** What is asked of a device's lens. */
export type Hooks<File extends ModelFile> = Pick<
  Lens<BindOp, File>,
  "quirks" | "checkInvariants" | "arrays" | "beforeCall" | "issueRun" | "vmCreated" | "evict" | "restore"
>;

/** Lets one allocation fail, the Nth from when it was armed. */
export class CountedFault {
  /** Allocations that failed so far. */
  failed = 0;
  #left = 0;

  /** What a device asks; a property, so that it can be handed on. */
  readonly ask: AllocFault = () => {
    if (this.#left === 0 || --this.#left > 0) return false;
    this.failed++;
    return true;
  };

  /**
   * Arm it.
   *
   * @param nth - which allocation fails, 1 for the next; 0 for none
   */
  arm(nth: number): void {
    this.#left = nth;
  }
}

/** A device with its open files. */
export class OpenDevice<File extends ModelFile = ModelFile> {
  /** The cost sheet of the device. */
  readonly counters: ModelCounters;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** Which quirks it has, in words: what a caption of its figures says. */
  readonly quirks: string;
  readonly #hooks: Hooks<File>;
  readonly #device: ModelDevice<File>;
  /** By number; null where a file was closed. */
  readonly #files: (File | null)[] = [];
  /** Fences that somebody else will signal, by number. */
  readonly #fences = new Map<number, Fence>();
  readonly #fault: CountedFault | null;
  /** What ioctls have the driver write to, by request. */
  readonly #written = new Map<number, readonly UserArray<object>[]>();

  /**
   * @param device - a fresh device
   * @param lens - that made it
   * @param fault - which it asks; null where allocations cannot fail
   */
  constructor(device: ModelDevice<File>, lens: Hooks<File>, fault: CountedFault | null = null) {
    this.counters = device.counters;
    this.memory = device.memory;
    this.quirks = quirksText(lens.quirks, device.options.quirks);
    this.#device = device;
    this.#hooks = lens;
    this.#fault = fault;
  }

  /** Allocations that were made to fail so far. */
  get allocationsFailed(): number {
    return this.#fault?.failed ?? 0;
  }

  /** Open files in the order of their numbers. */
  get files(): readonly File[] {
    return this.#files.filter((file) => file !== null);
  }

  /** Open files with their numbers, ascending. */
  entries(): [number, File][] {
    const entries: [number, File][] = [];
    for (let index = 0; index < this.#files.length; index++) {
      const file = this.#files[index];
      if (file) entries.push([index, file]);
    }
    return entries;
  }

  /**
   * @param index - number of an open file, from 0; one that is not open yet is opened, and those before it
   * @returns the file
   */
  file(index: number): File {
    while (this.#files.length < index) this.#files.push(this.#device.open());
    const known = this.#files[index];
    if (known) return known;
    const file = this.#device.open();
    this.#files[index] = file;
    return file;
  }

  /**
   * Close one file; used again, its number is that of a fresh one.
   *
   * @param index - number of an open file; nothing happens for one that is not open
   */
  closeFile(index: number): void {
    this.#files[index]?.close();
    if (index < this.#files.length) this.#files[index] = null;
  }

  /**
   * Let something happen to it that is no ioctl. What names a file that is not open does nothing, as an event of a
   * process that died before.
   *
   * @param event - what
   * @returns 0, for `share` the handle in the file that imports; or a negative errno of what was refused
   */
  happen(event: TraceEvent): number {
    try {
      return this.#happen(event);
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      return -error.errno;
    }
  }

  #happen(event: TraceEvent): number {
    switch (event.kind) {
      case "fence": {
        const syncobj = this.#open(event.file).syncobjs.get(event.syncobj);
        if (syncobj === undefined) fail(EINVAL, `fence: no syncobj ${event.syncobj}`);
        const fence = this.#fences.get(event.fence) ?? new Fence();
        this.#fences.set(event.fence, fence);
        syncobj.attach(0, fence);
        return 0;
      }
      case "signal": {
        const fence = this.#fences.get(event.fence);
        this.#fences.delete(event.fence);
        fence?.signal();
        return 0;
      }
      case "evict":
        if (!this.#hooks.evict) fail(EOPNOTSUPP, "evict: this driver's model has no shrinker");
        this.#hooks.evict(this.#device, this.#open(event.file), event.handle);
        return 0;
      case "restore":
        this.#hooks.restore?.(this.#open(event.file));
        return 0;
      case "share": {
        const to = this.#open(event.to);
        const dmaBuf = this.#open(event.from).exportBo(event.handle);
        try {
          return to.importBo(dmaBuf);
        } finally {
          dmaBuf.put();
        }
      }
      case "fault":
        if (this.#fault === null) fail(EOPNOTSUPP, "fault: the header has no alloc_faults");
        this.#fault.arm(event.nth);
        return 0;
      case "must-succeed":
        return 0;
      case "close":
        this.closeFile(event.file);
        return 0;
    }
  }

  #open(index: number): File {
    return this.#files[index] ?? fail(EBADF, `file ${index} is not open`);
  }

  /**
   * @param index - number of an open file
   * @param id - VM id in it
   * @returns the VM, undefined when there is none
   */
  vm(index: number, id: number): ModelVm | undefined {
    return this.#files[index]?.vm(id);
  }

  /**
   * Do what ioctls that recordings leave out must have done before a call.
   *
   * @param call - the next recorded ioctl
   */
  beforeCall(call: TraceIoctl): void {
    this.#hooks.beforeCall?.(this.file(call.file), new CallBytes(call));
  }

  /**
   * @param call - a recorded ioctl
   * @returns the memory of the process that it has the driver write to, see `outputsOf`
   */
  outputs(call: TraceIoctl): CallBuffer[] {
    const { request } = call;
    let arrays = this.#written.get(request);
    if (arrays === undefined) {
      arrays = written(this.#hooks.arrays?.(request) ?? []);
      this.#written.set(request, arrays);
    }
    return outputsOf(arrays, call);
  }

  /**
   * Issue ioctls of a run at once.
   *
   * @param run - the run
   * @param from - index of the first that is not issued yet
   * @returns how many are issued now, with success; 0 where the next one has to be issued by itself
   */
  issueRun({ call, calls, bytes }: TraceRun, from: number): number {
    const { issueRun, beforeCall } = this.#hooks;
    if (issueRun === undefined || beforeCall !== undefined) return 0;
    const rest = bytes.subarray((bytes.length / calls) * from);
    return issueRun.call(this.#hooks, this.file(call.file), call, rest, calls - from);
  }

  /**
   * Do what must follow a call that succeeded.
   *
   * @param index - number of the open file that issued it
   * @param action - what it meant
   */
  succeeded(index: number, action: Action): void {
    if (action.kind === "vm-create") this.#hooks.vmCreated?.(this.file(index), action.vm);
  }

  /**
   * Check every invariant of the device: structure, references, page tables against mappings, TLB.
   *
   * @throws Error that names the invariant and the place
   */
  checkInvariants(): void {
    this.#hooks.checkInvariants(this.#device, this.files);
  }

  /** Close all files, as the end of the process does; the device lives on, and the next file has number 0 again. */
  close(): void {
    for (const file of this.files) file.close();
    this.#files.length = 0;
    // Jobs that wait hold their VM: in the end every fence signals.
    for (const number of [...this.#fences.keys()]) this.happen({ kind: "signal", fence: number });
  }

  /** Behind {@link OpenDevice.close}: nothing is done with the device any more, and what it leaves serves the next one. */
  retire(): void {
    this.memory.tables.retire();
  }
}

/**
 * Set up the model for a trace.
 *
 * @param lens - of the trace's driver
 * @param trace - its header configures the model
 * @returns a fresh device with one open file
 * @throws {@link InputError} for a header that lacks a fact of the device
 */
export function deviceFor<File extends ModelFile>(
  lens: Lens<BindOp, File>,
  { path, header }: Pick<Trace, "path" | "header">,
): OpenDevice<File> {
  const reader = new HeaderReader(path, header);
  const fault = reader.has("alloc_faults") && reader.flag("alloc_faults") ? new CountedFault() : null;
  const device = new OpenDevice(lens.device(reader, fault?.ask), lens, fault);
  device.file(0);
  return device;
}

/** Decodes the ioctls of one trace in order, each open file's with a decoder of its own. */
export class TraceDecoder<Op extends BindOp = BindOp> {
  readonly #lens: Pick<Lens<Op>, "decoder">;
  readonly #header: Trace["header"];
  readonly #files = new Map<number, ReturnType<Lens<Op>["decoder"]>>();

  /**
   * @param lens - of the trace's driver
   * @param header - header of the trace
   */
  constructor(lens: Pick<Lens<Op>, "decoder">, header: Trace["header"]) {
    this.#lens = lens;
    this.#header = header;
  }

  /**
   * @param call - the next ioctl
   * @returns what it means
   */
  decode(call: TraceIoctl): Action<Op> {
    let decoder = this.#files.get(call.file);
    if (decoder === undefined) {
      decoder = this.#lens.decoder(this.#header);
      this.#files.set(call.file, decoder);
    }
    return decoder.decode(new CallBytes(call));
  }
}
