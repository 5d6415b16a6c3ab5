/**
 * What is done to a well-formed call: fields with other values, strides and counts that lie, pointers that fault,
 * requests of another size, plain random bytes.
 *
 * @module
 */

import { readSlot, type Slot, viewOf } from "@vmbind/drm";
import type { Call, CallBuffer } from "@vmbind/trace";
import type { Draw } from "./draw.ts";
import type { ArraySpec, IoctlSpec } from "./spec.ts";

/** Longest array that is made, in bytes: enough for hundreds of operations. */
const ARRAY_BYTES_MAX = 16384;
/** How often an array that elements point to is taken in place of theirs. */
const INNER_PERCENT = 25;

/**
 * Change a call, up to three times.
 *
 * @param draw - decides
 * @param call - changed in place
 * @param spec - what is known about it
 */
export function mutate(draw: Draw, call: Call, spec: IoctlSpec): void {
  for (let n = 1 + draw.below(3); n > 0; n--) {
    const how = draw.below(20);
    if (how < 6) mutateFields(draw, call.arg, spec.slots);
    else if (how < 12) mutateElement(draw, call, spec);
    else if (how < 17) mutateArray(draw, call, spec);
    else if (how < 19) scramble(draw, call);
    else mutateRequest(draw, call);
  }
}

function mutateFields(draw: Draw, bytes: Uint8Array, slots: readonly Slot[], base = 0): void {
  if (slots.length === 0) return;
  const { offset, size } = draw.pick(slots);
  if (base + offset + size <= bytes.length) draw.field(viewOf(bytes), base + offset, size);
}

/** An array that a call has: what is known of it, its bytes, and the struct that points to it. */
interface Place {
  readonly array: ArraySpec;
  readonly buffer: CallBuffer;
  readonly holder: DataView;
}

/** One of the arrays that the argument points to, or now and then one that its elements point to. */
function placeOf(draw: Draw, call: Call, spec: IoctlSpec): Place | null {
  if (spec.arrays.length === 0) return null;
  const array = draw.pick(spec.arrays);
  const buffer = bufferOf(call, array.field);
  if (buffer === undefined || call.arg.length < array.pointer.offset + array.pointer.size) return null;
  const outer: Place = { array, buffer, holder: viewOf(call.arg) };
  // Without another buffer there is nothing for the elements to point to.
  if (array.arrays.length === 0 || call.buffers.length === 1) return outer;
  const inner: Place[] = [];
  addInner(inner, outer, array.field, call);
  return inner.length > 0 && draw.chance(INNER_PERCENT) ? draw.pick(inner) : outer;
}

/** Adds what the elements of an array point to, element by element. */
function addInner(places: Place[], { array, buffer, holder }: Place, field: string, call: Call): void {
  const stride = strideOf(array, holder);
  const { bytes } = buffer;
  for (let at = 0, i = 0; stride > 0 && at + stride <= bytes.length; at += stride, i++) {
    for (const inner of array.arrays) {
      if (stride < inner.pointer.offset + inner.pointer.size) continue;
      const name = `${field}[${i}].${inner.field}`;
      const found = bufferOf(call, name);
      if (found === undefined) continue;
      const element = new DataView(bytes.buffer, bytes.byteOffset + at, stride);
      const place: Place = { array: inner, buffer: found, holder: element };
      places.push(place);
      if (inner.arrays.length > 0) addInner(places, place, name, call);
    }
  }
}

function bufferOf({ buffers }: Call, field: string): CallBuffer | undefined {
  for (const buffer of buffers) if (buffer.field === field) return buffer;
  return undefined;
}

/** Of a struct that ends before its stride, that of the header. */
function strideOf({ stride, elementBytes }: ArraySpec, holder: DataView): number {
  const has = stride !== null && stride.offset + stride.size <= holder.byteLength;
  return has ? readSlot(holder, stride) : elementBytes;
}

function mutateElement(draw: Draw, call: Call, spec: IoctlSpec): void {
  const place = placeOf(draw, call, spec);
  if (place === null) {
    mutateFields(draw, call.arg, spec.slots);
    return;
  }
  const { array, buffer, holder } = place;
  const stride = strideOf(array, holder);
  const count = stride === 0 ? 0 : Math.floor(buffer.bytes.length / stride);
  if (count > 0) mutateFields(draw, buffer.bytes, array.slots, stride * draw.below(count));
}

function mutateArray(draw: Draw, call: Call, spec: IoctlSpec): void {
  const place = placeOf(draw, call, spec);
  if (place === null) return;
  const { array, buffer, holder } = place;
  const { count, pointer, stride } = array;
  const how = draw.below(6);
  if (how === 0) {
    if (count.length > 0) mutateSlot(draw, holder, draw.pick(count));
  } else if (how === 1) mutateSlot(draw, holder, pointer);
  else if (how === 2) buffer.bytes = buffer.bytes.slice(0, draw.below(buffer.bytes.length + 1));
  else if (stride === null) return;
  else if (how === 3) mutateSlot(draw, holder, stride);
  else relay(draw, holder, array, stride, buffer);
}

function mutateSlot(draw: Draw, holder: DataView, { offset, size }: Slot): void {
  // The argument may be shorter than the struct.
  if (offset + size <= holder.byteLength) draw.field(holder, offset, size);
}

/** Lay the elements out at another distance, with zeros or rubbish between them. */
function relay(draw: Draw, holder: DataView, array: ArraySpec, slot: Slot, buffer: CallBuffer): void {
  if (slot.offset + slot.size > holder.byteLength) return;
  const old = readSlot(holder, slot);
  const stride = Math.max(1, array.elementBytes + draw.pick([-24, -8, -1, 1, 4, 8, 16, 64]));
  if (old === 0) return;
  const count = Math.floor(buffer.bytes.length / old);
  if (count * stride > ARRAY_BYTES_MAX) return;
  const bytes = new Uint8Array(count * stride);
  if (draw.chance(30)) bytes.fill(draw.word());
  for (let i = 0; i < count; i++) {
    bytes.set(buffer.bytes.subarray(i * old, i * old + Math.min(old, stride)), i * stride);
    if (!draw.chance(90)) bytes[i * stride + stride - 1] = draw.word();
  }
  buffer.bytes = bytes;
  holder.setUint32(slot.offset, stride, true);
}

function scramble(draw: Draw, call: Call): void {
  const buffer = draw.chance(50) && call.buffers.length > 0 ? draw.pick(call.buffers).bytes : call.arg;
  for (let n = draw.length(3); n > 0 && buffer.length > 0; n--)
    buffer[draw.below(buffer.length)] = draw.word();
}

function mutateRequest(draw: Draw, call: Call): void {
  const { request } = call;
  const how = draw.below(4);
  if (how === 0) call.request = (request ^ (1 << (30 + draw.below(2)))) >>> 0;
  else if (how === 1) call.request = ((request & ~0xff) | (0x3c + draw.below(0x20))) >>> 0;
  else if (how === 2) call.request = (request ^ (1 << draw.below(16))) >>> 0;
  else {
    const size = draw.chance(80) ? draw.below(2 * call.arg.length + 2) : draw.below(0x4000);
    call.request = ((request & ~0x3fff_0000) | (size << 16)) >>> 0;
    const arg = new Uint8Array(size);
    arg.set(call.arg.subarray(0, size));
    if (draw.chance(20)) arg.fill(draw.word(), Math.min(size, call.arg.length));
    call.arg = arg;
  }
}

/** A call of random bytes. */
export function randomCall(draw: Draw, spec: IoctlSpec): Call {
  const arg = new Uint8Array((spec.request >>> 16) & 0x3fff);
  for (let i = 0; i < arg.length; i++) arg[i] = draw.chance(60) ? 0 : draw.word();
  return { file: 0, request: spec.request, arg, buffers: [] };
}
