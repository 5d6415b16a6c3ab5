/**
 * The recorder: ioctls of live programs in the format of traces. It sees each call before and after it is worked on, keeps
 * those that are about memory, and puts fixed addresses in place of the process's, so that recording twice gives the same bytes.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  arraysOf,
  type FoundArray,
  type IoctlRow,
  readSlot,
  type UserArray,
  type UserSpace,
  writeU64,
  zeroExtended,
} from "@vmbind/drm";
import {
  type BindOp,
  CallBytes,
  type Decoder,
  eventMark,
  Seal,
  type TraceArray,
  type TraceHeader,
  type TraceIoctl,
  traceLine,
} from "@vmbind/trace";
import type { StandIn } from "./call.ts";
import type { HardwareDriver } from "./hardware.ts";

/** Where stand-in addresses begin that the rules of the driver say nothing of. */
const OTHER_BASE = 0x7f00_0000_0000;

/** A call that is being recorded. */
export interface BegunCall {
  /** What is known of it. */
  readonly row: IoctlRow<never>;
  /** The open file. */
  readonly file: RecordedFile;
  /** 32-bit request number. */
  readonly request: number;
  /** The argument as sent, with the process's pointers. */
  readonly argIn: Uint8Array;
  /** What it points to, with fixed addresses. */
  readonly arrays: TraceArray[];
  /** What is written over pointers of the argument: byte and address. */
  readonly patches: readonly (readonly [at: number, addr: number])[];
}

/** An open file of a recording. */
export interface RecordedFile {
  /** Its number: `file` of the records. */
  readonly number: number;
  /** Reads its calls. */
  readonly decoder: Decoder<BindOp>;
  /** Its VMs. */
  readonly vms: Set<number>;
  /** Handles of its objects. */
  readonly bos: Set<number>;
}

/** What a recorder is told. */
export interface RecorderOptions {
  /** Whose ioctls. */
  readonly driver: HardwareDriver;
  /** First line. */
  readonly header: TraceHeader;
  /** Takes the lines. */
  write(line: string): void;
}

/** Writes one recording. */
export class Recorder {
  readonly #driver: HardwareDriver;
  readonly #header: TraceHeader;
  readonly #write: (line: string) => void;
  readonly #seal = new Seal(createHash("sha256"));
  readonly #rows: ReadonlyMap<number, IoctlRow<never>>;
  readonly #keeps: (call: Omit<TraceIoctl, "line">) => boolean;
  readonly #files = new Map<unknown, RecordedFile>();
  #fileCount = 0;
  #seq = 0;

  /** @param options - see {@link RecorderOptions} */
  constructor({ driver, header, write }: RecorderOptions) {
    this.#driver = driver;
    this.#header = header;
    this.#write = write;
    this.#rows = new Map(driver.rows.map((row) => [row.request & 0xff, row]));
    this.#keeps = driver.recording.filter?.() ?? (() => true);
    this.#write(this.#seal.add(traceLine({ ...header, sealed: true })));
  }

  /** Calls kept so far. */
  get calls(): number {
    return this.#seq;
  }

  /**
   * A call begins.
   *
   * @param key - stands for the open file
   * @param request - 32-bit request number
   * @param arg - the argument as sent
   * @param memory - of the process
   * @returns to be given to {@link Recorder.finish}; undefined for a call that is not kept
   */
  begin(
    key: unknown,
    request: number,
    arg: Uint8Array,
    memory: Pick<UserSpace, "view">,
  ): BegunCall | undefined {
    const row = this.#rows.get(request & 0xff);
    const { keeps, exec } = this.#driver.recording;
    if (row === undefined || ((request >>> 8) & 0xff) !== 0x64) return undefined;
    if (row.name === exec) this.mark("exec");
    if (!keeps.includes(row.name)) return undefined;
    const argIn = arg.slice();
    const found = arraysOf(row.arrays, argIn, (addr, length) => bytesAt(memory, addr, length));
    const { arrays, patches } = this.#standIns(row, argIn, found);
    return { row, file: this.#file(key), request: request >>> 0, argIn, arrays, patches };
  }

  /**
   * A call is answered.
   *
   * @param call - from {@link Recorder.begin}
   * @param ret - 0 or a negative errno; nothing is kept of what a signal interrupted
   * @param argOut - the argument as returned
   * @param standIns - what is recorded in place of numbers of the process
   * @returns whether it is kept
   */
  finish(call: BegunCall, ret: number, argOut: Uint8Array, standIns: readonly StandIn[] = []): boolean {
    const record: Omit<TraceIoctl, "line"> = {
      kind: "ioctl",
      seq: this.#seq,
      ioctl: call.row.name,
      file: call.file.number,
      request: call.request,
      argIn: patched(call.argIn, call.patches),
      argOut: patched(argOut, call.patches),
      arrays: call.arrays,
      ret: Math.min(ret, 0),
    };
    for (const { at, sent, returned } of standIns) {
      putNumber(record.argIn, at, sent);
      putNumber(record.argOut, at, returned);
    }
    if (!this.#keeps(record)) return false;
    this.#seq++;
    this.#line(traceLine(record));
    if (record.ret === 0) this.#note(call.file, record);
    return true;
  }

  /** A client, or the recorder, says where it is. */
  mark(text: string): void {
    this.#line(traceLine({ kind: "mark", mark: text, exec: null }));
  }

  /** An open file is closed. What it takes with it, a replay has to know of. */
  closed(key: unknown): void {
    const file = this.#files.get(key);
    if (file === undefined) return;
    this.#files.delete(key);
    const { fileMarks } = this.#driver.recording;
    const left = file.vms.size + file.bos.size > 0;
    if (fileMarks === "all" || (fileMarks === undefined && left)) {
      this.mark(eventMark({ kind: "close", file: file.number }));
    }
  }

  /** The recording is complete: its end is written. */
  end(): void {
    this.#write(this.#seal.end());
  }

  #line(line: string): void {
    this.#write(this.#seal.add(line));
  }

  #file(key: unknown): RecordedFile {
    let file = this.#files.get(key);
    if (file === undefined) {
      const number = this.#fileCount++;
      const decoder = this.#driver.lens.decoder(this.#header);
      file = { number, decoder, vms: new Set(), bos: new Set() };
      this.#files.set(key, file);
      if (this.#driver.recording.fileMarks === "all") this.mark(`file-open ${number}`);
    }
    return file;
  }

  #note({ decoder, vms, bos }: RecordedFile, record: Omit<TraceIoctl, "line">): void {
    const action = decoder.decode(new CallBytes({ ...record, line: 0 }));
    if (action.kind === "vm-create") vms.add(action.vm);
    else if (action.kind === "vm-destroy") vms.delete(action.vm);
    else if (action.kind === "bo-create") bos.add(action.handle);
    else if (action.kind === "bo-close") bos.delete(action.handle);
  }

  /** Fixed addresses for all arrays of a call: each kind of array has a place of its own, its arrays lie one behind the other. */
  #standIns(
    row: IoctlRow<never>,
    argIn: Uint8Array,
    found: readonly FoundArray[],
  ): Pick<BegunCall, "arrays" | "patches"> {
    const { bases, emptyPointers = {} } = this.#driver.recording;
    const next = new Map<string, number>();
    const patches: [number, number][] = [];
    const arrays: TraceArray[] = [];
    for (const { array, field, within, count, stride, data } of found) {
      const kind = field.replaceAll(/\[\d+\]/g, "");
      // What the rules say nothing of shares one place.
      const place = bases[kind] === undefined ? "" : kind;
      const addr = next.get(place) ?? bases[kind] ?? OTHER_BASE;
      next.set(place, addr + count * stride);
      const at = array.pointer.offset;
      const holder = field.slice(0, field.lastIndexOf("["));
      const outer = arrays.find((other) => other.field === holder);
      if (within.length === 0) patches.push([at, addr]);
      else if (outer !== undefined) putPointer(outer.data, outer.stride * (within.at(-1) ?? 0) + at, addr);
      if (data === null) continue;
      arrays.push({ field, addr, count, stride, data: data.slice() });
    }
    const seen = new Set(patches.map(([at]) => at));
    for (const array of row.arrays) {
      const { offset } = array.pointer;
      if (seen.has(offset) || !holdsPointer(array, argIn)) continue;
      if (readSlot(zeroExtended(argIn, offset + 8), array.pointer) === 0) continue;
      patches.push([offset, emptyPointers[array.field] ?? 0]);
    }
    return { arrays, patches };
  }
}

function bytesAt(memory: Pick<UserSpace, "view">, addr: number, length: number): Uint8Array | null {
  try {
    const view = memory.view(addr, length);
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch {
    return null;
  }
}

/** Whether a union holds the pointer. */
function holdsPointer({ when, pointer }: UserArray<object>, arg: Uint8Array): boolean {
  if (pointer.offset + pointer.size > arg.length) return false;
  if (when === null) return true;
  const value = readSlot(zeroExtended(arg, when.offset + when.size), when);
  return "is" in when ? value === when.is : value > when.above;
}

function putPointer(bytes: Uint8Array, at: number, addr: number): void {
  if (at + 8 <= bytes.length) writeU64(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at, addr);
}

function putNumber(bytes: Uint8Array, at: number, value: number | undefined): void {
  if (value === undefined || at + 4 > bytes.length) return;
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).setUint32(at, value, true);
}

function patched(bytes: Uint8Array, patches: BegunCall["patches"]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, addr] of patches) putPointer(copy, at, addr);
  return copy;
}
