/**
 * A recorded ioctl's bytes, read through layouts.
 *
 * @module
 */

import { readSlot, type StructLayout, type UserArray, viewOf, zeroExtended } from "@vmbind/drm";
import type { CallReader, ElementBytes } from "./call-reader.ts";
import type { TraceArray, TraceIoctl } from "./record.ts";

/** Reads one recorded ioctl. */
export class CallBytes implements CallReader {
  readonly #call: TraceIoctl;
  /** The argument, once somebody has asked. */
  #arg: DataView | null = null;

  /** @param call - the ioctl */
  constructor(call: TraceIoctl) {
    this.#call = call;
  }

  /** See {@link CallReader.request}. */
  get request(): number {
    return this.#call.request;
  }

  /** See {@link CallReader.ret}. */
  get ret(): number {
    return this.#call.ret;
  }

  /** See {@link CallReader.sent}. */
  sent<T>(layout: StructLayout<T>): T {
    return layout.read(this.sentBytes(layout));
  }

  /** See {@link CallReader.sentBytes}. */
  sentBytes(layout: Pick<StructLayout<unknown>, "size">): DataView {
    const arg = this.#memory();
    return arg.byteLength >= layout.size ? arg : zeroExtended(this.#call.argIn, layout.size);
  }

  /** See {@link CallReader.returned}. */
  returned<T>(layout: StructLayout<T>): T {
    return layout.read(zeroExtended(this.#call.argOut, layout.size));
  }

  /** See {@link CallReader.elements}. */
  elements<E extends object>(array: CallArray<E>): E[] {
    const { element } = array;
    return element === null ? [] : elementsAt(this.#call.arrays, this.#place(array, element), element);
  }

  /** See {@link CallReader.elementBytes}. */
  elementBytes<E extends object>(array: CallArray<E>): ElementBytes {
    const { element } = array;
    if (element === null) return { view: viewOf(NOTHING.data), count: 0, stride: 0 };
    return elementBytesAt(this.#call.arrays, this.#place(array, element), element);
  }

  /** See {@link CallReader.count}. */
  count<E extends object>(array: CallArray<E>): number {
    const { element } = array;
    return element === null ? 0 : recordedAt(this.#call.arrays, this.#place(array, element)).count;
  }

  #memory(): DataView {
    this.#arg ??= viewOf(this.#call.argIn);
    return this.#arg;
  }

  #place<E extends object>(array: CallArray<E>, element: StructLayout<E>): ArrayPlace {
    const { pointer, count: counts, stride: distance } = array;
    const arg = this.#memory();
    let count = 1;
    for (const slot of counts) count *= memberOf(arg, slot);
    const stride = distance === null ? element.size : memberOf(arg, distance);
    return { addr: memberOf(arg, pointer), count, stride };
  }
}

/** 0 for a member that an older header's struct does not reach. */
function memberOf(arg: DataView, slot: Slot): number {
  return slot.offset + slot.size <= arg.byteLength ? readSlot(arg, slot) : 0;
}

/** Of an array what tells where it is and what it holds. */
export type CallArray<E extends object> = Pick<
  UserArray<object, E>,
  "pointer" | "count" | "stride" | "element"
>;

type Slot = CallArray<object>["pointer"];

/** A pointer into a recording: where, how many, how far apart. */
export interface ArrayPlace {
  /** User address in bytes. */
  readonly addr: number;
  /** Elements that the caller says there are; NaN for more than a double holds. */
  readonly count: number;
  /** Bytes from one element to the next. */
  readonly stride: number;
}

/**
 * The elements that a pointer leads to: found by address, as the model finds them, whatever the recording calls the array. Of
 * two arrays at one address the later one is there.
 *
 * @param arrays - what is recorded
 * @param place - what the pointer's struct says
 * @param layout - of an element
 * @returns decoded elements as far as they are recorded; one that is shorter than the layout reads zero behind its end
 */
export function elementsAt<T>(
  arrays: readonly TraceArray[],
  place: ArrayPlace,
  layout: StructLayout<T>,
): T[] {
  const { view, count, stride } = elementBytesAt(arrays, place, layout);
  const elements: T[] = [];
  for (let i = 0; i < count; i++) elements.push(layout.read(view, i * stride));
  return elements;
}

/** The same as memory; where an element is shorter than the layout, a copy of it. */
function elementBytesAt(
  arrays: readonly TraceArray[],
  place: ArrayPlace,
  { size }: Pick<StructLayout<unknown>, "size">,
): ElementBytes {
  const { data, count } = recordedAt(arrays, place);
  const { stride } = place;
  if (stride >= size && (count - 1) * stride + size <= data.length)
    return { view: viewOf(data), count, stride };
  const whole = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) {
    const at = i * stride;
    whole.set(data.subarray(at, at + Math.min(stride, size)), i * size);
  }
  return { view: viewOf(whole), count, stride: size };
}

const NOTHING = { data: new Uint8Array(0), count: 0 };

/** The bytes that a pointer leads to, and how many elements begin in them. */
function recordedAt(
  arrays: readonly TraceArray[],
  { addr, count, stride }: ArrayPlace,
): { data: Uint8Array; count: number } {
  const data = bytesAt(arrays, addr);
  if (data === null || stride === 0) return NOTHING;
  return {
    data,
    count: Math.min(Number.isNaN(count) ? data.length : count, Math.ceil(data.length / stride)),
  };
}

function bytesAt(arrays: readonly TraceArray[], addr: number): Uint8Array | null {
  for (let i = arrays.length - 1; i >= 0; i--) {
    const { addr: start, data } = arrays[i] as TraceArray;
    if (addr === start && data.length > 0) return data;
    if (addr > start && addr < start + data.length) return data.subarray(addr - start);
  }
  return null;
}
