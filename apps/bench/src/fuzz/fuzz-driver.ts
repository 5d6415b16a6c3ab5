/**
 * What the fuzzer needs to know of a driver: its ioctls with the errnos that the specification allows, devices to run
 * on, and how to make a call that has a good chance to succeed.
 *
 * @module
 */

import { type GemObject, type StructLayout, viewOf } from "@vmbind/drm";
import type { Call, ModelFile } from "@vmbind/trace";
import type { Draw } from "./draw.ts";
import type { Meaning } from "./meaning.ts";
import type { WorldFacts } from "./page-world.ts";
import type { IoctlSpec } from "./spec.ts";

/**
 * One driver, as the fuzzer sees it. All functions are methods, so that a table holds drivers as `FuzzDriver`; each is given
 * only files of its own devices.
 *
 * @typeParam File - its open files
 */
export interface FuzzDriver<File extends ModelFile = ModelFile> {
  /** As in the header of traces. */
  readonly name: string;
  /** Facts of the devices to run on, as headers of traces give them. */
  readonly devices: readonly Readonly<Record<string, unknown>>[];
  /** Its ioctls. */
  readonly specs: readonly IoctlSpec[];
  /**
   * A well-formed call.
   *
   * @param draw - decides
   * @param file - open file that it will be issued on, as it is
   */
  valid(draw: Draw, file: File): Call;
  /** What the naive model of pages is told of it. */
  readonly facts: WorldFacts;
  /**
   * @param file - an open file
   * @returns end of the addresses that bind calls reach: what lies behind is nobody's, or the driver's own
   */
  vaEnd(file: File): number;
  /** Bind calls can wait for fences. */
  readonly queues: boolean;
  /**
   * What a call does, if it succeeds, to what the GPU sees.
   *
   * @param call - as it is issued
   * @param argOut - its argument as it comes back; of a call that was not issued yet, as it is
   * @returns null for a call that the naive model does not follow
   */
  meaning(call: Call, argOut: Uint8Array): Meaning | null;
  /**
   * A bind call, which need not be valid as a whole.
   *
   * @param draw - decides
   * @param file - open file that it will be issued on, as it is
   * @param count - operations
   */
  bind(draw: Draw, file: File, count: number): Call;
  /** Calls that have to succeed while no allocation fails. */
  readonly probe: Probe;
  /**
   * Bound what a call may cost: shorten huge ranges that would be accepted, at the same alignment.
   *
   * @param call - changed in place
   */
  bound(call: Call): void;
  /**
   * What a refused call has done all the same.
   *
   * @param call - the call as it was issued
   * @param argOut - its argument struct as it came back
   * @param started - operations that the driver decoded before it gave up, the failing one included
   * @returns a call that does just that, null for nothing
   */
  prefix(call: Call, argOut: Uint8Array, started: number): Call | null;
  /**
   * Carry over what a refused call leaves behind in the real driver, and what later calls depend on.
   *
   * @param call - the call as it was issued
   * @param from - its file on the device that refused it
   * @param to - the same file on the twin, which was not given the call
   */
  carryOver?(call: Call, from: File, to: File): void;
  /**
   * Errnos that the defects of a device add to those of the specification.
   *
   * @param file - an open file of the device
   */
  defectErrnos?(file: File): readonly number[];
  /**
   * Whether only the refused call itself does again what it did: a defect let it stop inside an operation, or nothing tells
   * where it stopped. The twin is then given all of it.
   *
   * @param call - the call as it was issued
   * @param from - its file on the device that refused it
   * @param to - the same file on the twin, which was not given the call
   */
  mustRepeat?(call: Call, from: File, to: File): boolean;
}

/** A bind and an unbind that must be possible in every VM, in an order: object, bind, unbind, close. */
export interface Probe {
  /** Has to come before a VM is made; nothing unless given. */
  beforeVm?(): Call;
  /** Makes a VM. */
  vm(): Call;
  /** Makes an object of a few pages. */
  object(): Call;
  /** Binds it where no other call does. */
  bind(vm: number, handle: number): Call;
  /** Unbinds it. */
  unbind(vm: number): Call;
  /** Closes its handle. */
  close(handle: number): Call;
  /** Destroys a VM. */
  destroy(vm: number): Call;
}

/** Most objects and VMs of a file before calls that remove some become likely. */
export const OBJECTS_MAX = 10;
/** See {@link OBJECTS_MAX}. */
export const VMS_MAX = 3;
/** Where arrays lie in the calling process, as in recorded traces. */
export const OPS_ADDR = 0x7000_0000_0000;
/** See {@link OPS_ADDR}. */
export const SYNCS_ADDR = 0x7100_0000_0000;

/** The live ids of a file, and now and then one that is not. */
export class Ids {
  /** VM ids. */
  readonly vms: number[] = [];
  /** GEM handles. */
  readonly handles: number[] = [];
  readonly #draw: Draw;
  readonly #file: ModelFile;

  /** @param draw - decides; @param file - whose ids */
  constructor(draw: Draw, file: ModelFile) {
    this.#draw = draw;
    this.#file = file;
    for (const [id] of file.vms()) this.vms.push(id);
    for (let handle = 1; handle <= 2 * OBJECTS_MAX; handle++) {
      if (file.bo(handle) !== undefined) this.handles.push(handle);
    }
  }

  /** A VM id. */
  vm(): number {
    return this.vms.length > 0 && !this.#draw.chance(1) ? this.#draw.pick(this.vms) : this.#draw.below(4);
  }

  /** A GEM handle. */
  handle(): number {
    return this.handles.length > 0 && !this.#draw.chance(1)
      ? this.#draw.pick(this.handles)
      : this.#draw.below(8);
  }

  /** Bytes of an object, 0 for none. */
  sizeOf(handle: number): number {
    const gem: GemObject | undefined = this.#file.bo(handle);
    return gem?.size ?? 0;
  }
}

/** A range inside an object. */
export interface Piece {
  /** First byte. */
  offset: number;
  /** Bytes. */
  bytes: number;
}

/** Draw a range of whole pages of an object; one page of nothing when it has none. */
export function pieceOf(draw: Draw, size: number, pageBytes: number): Piece {
  const pages = Math.floor(size / pageBytes);
  if (pages === 0) return { offset: 0, bytes: pageBytes };
  if (draw.chance(25)) return { offset: 0, bytes: size };
  const count = Math.min(pages, draw.length(10));
  const first = draw.below(pages - count + 1);
  return { offset: first * pageBytes, bytes: count * pageBytes };
}

/** Draw an address near an anchor, on a page; those below zero become the anchor. */
export function near(draw: Draw, anchors: readonly number[], pageBytes: number): number {
  const anchor = draw.pick(anchors);
  const at = anchor + pageBytes * (draw.below(72) - 8) + (draw.chance(30) ? 0x20_0000 * draw.below(6) : 0);
  return at < 0 ? anchor : at;
}

/** Shorten the u64 at a byte to at most `most`, keeping its low 21 bits, when it is below `limit`. */
export function shorten(view: DataView, at: number, most: number, limit: number): void {
  const lo = view.getUint32(at, true);
  const value = view.getUint32(at + 4, true) * 2 ** 32 + lo;
  if (value <= most || value >= limit) return;
  view.setUint32(at, (lo % 2 ** 21) + Math.min(most, 2 ** 31) / 2, true);
  view.setUint32(at + 4, 0, true);
}

/** Largest object that is let through, in bytes: scattered memory is a list of pages. */
const OBJECT_BYTES_MAX = 2 ** 22;
/** Objects from here on are refused for want of memory. */
const MEMORY_BYTES = 2 ** 37;

/** Bound the size of an object, the u64 at a byte of a call's argument, where the memory for it could be found. */
export function boundObject(call: Call, request: number, at: number): void {
  const { arg } = call;
  if ((call.request & 0xff) === (request & 0xff) && arg.length >= at + 8) {
    shorten(viewOf(arg), at, OBJECT_BYTES_MAX, MEMORY_BYTES);
  }
}

/**
 * The elements of an array of a call, where it has as many bytes as they need.
 *
 * @param call - the call
 * @param addr - user address of the array
 * @param count - elements
 * @param layout - of an element
 * @returns null where it is not so
 */
export function elementsOf<T>(
  { buffers }: Call,
  addr: number,
  count: number,
  layout: StructLayout<T>,
): T[] | null {
  if (count === 0) return [];
  const bytes = buffers.find((buffer) => buffer.addr === addr)?.bytes;
  if (bytes === undefined || bytes.length < count * layout.size) return null;
  const view = viewOf(bytes);
  const elements: T[] = [];
  for (let i = 0; i < count; i++) elements.push(layout.read(view, i * layout.size));
  return elements;
}

/**
 * @param driver - whose call it is
 * @param call - a call that was not issued
 * @returns whether its argument has the size that its request says, and the naive model knows what it means
 */
export function isFollowed({ meaning }: Pick<FuzzDriver, "meaning">, call: Call): boolean {
  return call.arg.length === ((call.request >>> 16) & 0x3fff) && meaning(call, call.arg) !== null;
}
