/**
 * One ioctl of a fuzz run as bytes.
 *
 * @module
 */

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
