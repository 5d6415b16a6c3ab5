/**
 * One ioctl of a fuzz run as bytes, and where the fields of its structs are.
 *
 * @module
 */

import type { StructLayout } from "@vmbind/drm";
import type { TraceIoctl } from "@vmbind/trace";

/** Memory of the calling process. */
export interface FuzzBuffer {
  /** Member that points to it, as traces name it. */
  field: string;
  /** User address in bytes, below 2^53. */
  addr: number;
  /** What is there. */
  bytes: Uint8Array;
}

/** An ioctl that is to be issued. */
export interface FuzzCall {
  /** Which open file of the device: 0 is the first. */
  file: number;
  /** 32-bit request number. */
  request: number;
  /** Argument struct, as many bytes as the request says. */
  arg: Uint8Array;
  /** What its pointers may point to. */
  buffers: FuzzBuffer[];
}

/** A field that can be overwritten. */
export interface Slot {
  /** Bytes from the start of the struct. */
  readonly offset: number;
  /** 1, 2, 4 or 8 bytes. */
  readonly size: number;
}

/** An array of user space, as a struct names it. */
export interface ArraySpec {
  /** Name of the member, also that of the buffer. */
  readonly field: string;
  /** Byte of the pointer. */
  readonly pointer: number;
  /** Byte of the u32 count. */
  readonly count: number;
  /** Byte of the u32 stride, or null for an array without one. */
  readonly stride: number | null;
  /** Bytes of an element in this kernel. */
  readonly elementBytes: number;
  /** Fields of an element. */
  readonly slots: readonly Slot[];
}

/** What the fuzzer knows about one ioctl. */
export interface IoctlSpec {
  /** Name as traces have it. */
  readonly name: string;
  /** Request number. */
  readonly request: number;
  /** Fields of the argument. */
  readonly slots: readonly Slot[];
  /** Arrays that it points to. */
  readonly arrays: readonly ArraySpec[];
  /** Errnos that the specification allows. */
  readonly errnos: readonly number[];
}

/**
 * The fields of a struct, members that are structs or arrays cut into words.
 *
 * @param layout - the struct
 * @param inner - structs inside it, by the byte where they begin
 */
export function slotsOf(
  layout: StructLayout<never> | StructLayout<object>,
  inner: Readonly<Record<number, readonly Slot[]>> = {},
): Slot[] {
  const slots: Slot[] = [];
  for (const { offset, size } of Object.values(layout.fields) as Slot[]) {
    const known = inner[offset];
    if (known !== undefined) slots.push(...known.map((s) => ({ offset: offset + s.offset, size: s.size })));
    else if ([1, 2, 4, 8].includes(size)) slots.push({ offset, size });
    else for (let at = 0; at + 4 <= size; at += 4) slots.push({ offset: offset + at, size: 4 });
  }
  return slots;
}

/** @returns a copy that shares no bytes */
export function copyOf(call: FuzzCall): FuzzCall {
  return {
    file: call.file,
    request: call.request,
    arg: call.arg.slice(),
    buffers: call.buffers.map(({ field, addr, bytes }) => ({ field, addr, bytes: bytes.slice() })),
  };
}

/** @returns a recorded ioctl as a call of the first file */
export function callOf({ file = 0, request, argIn, arrays }: TraceIoctl): FuzzCall {
  return {
    file,
    request,
    arg: argIn.slice(),
    buffers: arrays.map(({ field, addr, data }) => ({ field, addr, bytes: data.slice() })),
  };
}
