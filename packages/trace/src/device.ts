/**
 * A driver's model set up for a trace: the device and the files that are open on it. A lens makes the device; what a
 * recording needs beyond that is the same for all drivers and stands here.
 *
 * @module
 */

import { quirksText } from "@vmbind/drm";
import type { PhysicalMemory } from "@vmbind/mmu";
import { CallBytes } from "./call-bytes.ts";
import type { Trace, TraceIoctl } from "./format.ts";
import { HeaderReader } from "./header-reader.ts";
import type { Action, BindOp, Lens, ModelCounters, ModelDevice, ModelFile, ModelVm } from "./lens.ts";

/** What is asked of a device's lens. */
type Hooks<File extends ModelFile> = Pick<
  Lens<BindOp, File>,
  "quirks" | "checkInvariants" | "beforeCall" | "vmCreated"
>;

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

  /**
   * @param device - a fresh device
   * @param lens - that made it
   */
  constructor(device: ModelDevice<File>, lens: Hooks<File>) {
    this.counters = device.counters;
    this.memory = device.memory;
    this.quirks = quirksText(lens.quirks, device.options.quirks);
    this.#device = device;
    this.#hooks = lens;
  }

  /** Open files in the order of their numbers. */
  get files(): readonly File[] {
    return this.#files.filter((file) => file !== null);
  }

  /** Open files with their numbers, ascending. */
  *entries(): Generator<[number, File]> {
    for (const [index, file] of this.#files.entries()) if (file !== null) yield [index, file];
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
   * @param index - number of an open file
   * @param id - VM id in it
   * @returns the VM, undefined when there is none
   */
  vm(index: number, id: number): ModelVm | undefined {
    for (const [vmId, vm] of this.#files[index]?.vms() ?? []) if (vmId === id) return vm;
    return undefined;
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
  const device = new OpenDevice(lens.device(new HeaderReader(path, header)), lens);
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
