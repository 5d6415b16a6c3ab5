/**
 * What is done to a well-formed call: fields with other values, strides and counts that lie, pointers that fault,
 * requests of another size, plain random bytes.
 *
 * @module
 */

import type { ArraySpec, FuzzBuffer, FuzzCall, IoctlSpec, Slot } from "./call.ts";
import type { Draw } from "./draw.ts";

/** Longest array that is made, in bytes: enough for hundreds of operations. */
const ARRAY_BYTES_MAX = 16384;

/**
 * Change a call, up to three times.
 *
 * @param draw - decides
 * @param call - changed in place
 * @param spec - what is known about it
 */
export function mutate(draw: Draw, call: FuzzCall, spec: IoctlSpec): void {
  for (let n = 1 + draw.below(3); n > 0; n--) {
    const how = draw.below(20);
    if (how < 6) mutateFields(draw, call.arg, spec.slots);
    else if (how < 12) mutateElement(draw, call, spec);
    else if (how < 17) mutateArray(draw, call, spec);
    else if (how < 19) scramble(draw, call);
    else mutateRequest(draw, call);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function mutateFields(draw: Draw, bytes: Uint8Array, slots: readonly Slot[], base = 0): void {
  if (slots.length === 0) return;
  const { offset, size } = draw.pick(slots);
  if (base + offset + size <= bytes.length) draw.field(viewOf(bytes), base + offset, size);
}

/** The array's spec and its buffer, when the call has both. */
function arrayOf(draw: Draw, call: FuzzCall, spec: IoctlSpec): [ArraySpec, FuzzBuffer] | null {
  if (spec.arrays.length === 0) return null;
  const array = draw.pick(spec.arrays);
  const buffer = call.buffers.find((b) => b.field === array.field);
  return buffer === undefined || call.arg.length < array.pointer + 8 ? null : [array, buffer];
}

function mutateElement(draw: Draw, call: FuzzCall, spec: IoctlSpec): void {
  const found = arrayOf(draw, call, spec);
  if (found === null) {
    mutateFields(draw, call.arg, spec.slots);
    return;
  }
  const [array, { bytes }] = found;
  const stride = array.stride === null ? array.elementBytes : viewOf(call.arg).getUint32(array.stride, true);
  const count = stride === 0 ? 0 : Math.floor(bytes.length / stride);
  if (count > 0) mutateFields(draw, bytes, array.slots, stride * draw.below(count));
}

function mutateArray(draw: Draw, call: FuzzCall, spec: IoctlSpec): void {
  const found = arrayOf(draw, call, spec);
  if (found === null) return;
  const [array, buffer] = found;
  const arg = viewOf(call.arg);
  const how = draw.below(6);
  if (how === 0) draw.field(arg, array.count, 4);
  else if (how === 1) draw.field(arg, array.pointer, 8);
  else if (how === 2) buffer.bytes = buffer.bytes.slice(0, draw.below(buffer.bytes.length + 1));
  else if (array.stride === null) return;
  else if (how === 3) draw.field(arg, array.stride, 4);
  else relay(draw, arg, array, buffer);
}

/** Lay the elements out at another distance, with zeros or rubbish between them. */
function relay(draw: Draw, arg: DataView, array: ArraySpec, buffer: FuzzBuffer): void {
  const at = array.stride as number;
  const old = arg.getUint32(at, true);
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
  arg.setUint32(at, stride, true);
}

function scramble(draw: Draw, call: FuzzCall): void {
  const buffer = draw.chance(50) && call.buffers.length > 0 ? draw.pick(call.buffers).bytes : call.arg;
  for (let n = draw.length(3); n > 0 && buffer.length > 0; n--)
    buffer[draw.below(buffer.length)] = draw.word();
}

function mutateRequest(draw: Draw, call: FuzzCall): void {
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
export function randomCall(draw: Draw, spec: IoctlSpec): FuzzCall {
  const arg = new Uint8Array((spec.request >>> 16) & 0x3fff);
  for (let i = 0; i < arg.length; i++) arg[i] = draw.chance(60) ? 0 : draw.word();
  return { file: 0, request: spec.request, arg, buffers: [] };
}
