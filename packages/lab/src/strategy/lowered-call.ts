/**
 * One ioctl of a lowering as data: its bytes under the names that traces use, and what they say.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import {
  type BindOp,
  hexOf,
  type Lens,
  type Phase,
  type TraceArray,
  TraceDecoder,
  type TraceHeader,
  type TraceIoctl,
} from "@vmbind/trace";
import { arraysOfCall } from "./calls.ts";
import type { RunCall, RunObserver } from "./run-data.ts";
import type { CallSync, MemoryObject, SparseSession } from "./strategy.ts";

/** What an address belongs to. */
export interface Place {
  /** `resource` or `memory`. */
  of: "resource" | "memory";
  /** Its name in the workload. */
  name: string;
  /** The address is in the read-only mirror. */
  mirror: boolean;
  /** Bytes from the start of it. */
  offset: string;
}

/** One operation of a VM_BIND. Numbers that are addresses or sizes are hex. */
export interface LoweredOp {
  /** As in the tables of traces: `MAP memory`, `SINGLE_PAGE R`, `NULL`, ... */
  kind: string;
  /** Flags as sent. */
  flags: string;
  /** GEM handle, 0 for none. */
  handle: number;
  /** What the handle is: `none`, `dummy`, `zero page`, `scratch page`, or `memory NAME`. */
  role: string;
  /** Byte offset into the object. */
  bo_offset: string;
  /** Address. */
  va: string;
  /** What the address belongs to; null for none. */
  place: Place | null;
  /** Bytes of VA. */
  size: string;
  /** What the driver's operations say beyond that, under the names of the uAPI. */
  [detail: string]: unknown;
}

/** An array that an argument points to. */
export interface LoweredArray {
  /** Name of the member that points to it. */
  field: string;
  /** Where it is in user space, hex. */
  addr: string;
  /** Elements. */
  count: number;
  /** Bytes from one to the next. */
  stride: number;
  /** All bytes, hex. */
  data: string;
}

/** One ioctl. */
export interface LoweredCall {
  /** Counts from 0. */
  seq: number;
  /** What the application was doing. */
  phase: Phase;
  /** Index of the workload's step. */
  step: number;
  /** Name, e.g. `PANTHOR_VM_BIND`. */
  ioctl: string;
  /** 32-bit request number. */
  request: string;
  /** In words. */
  text: string;
  /** How a VM_BIND is run: `sync` or `async`, or which queue it waits in. */
  mode?: string;
  /** Operations of a VM_BIND. */
  ops?: LoweredOp[];
  /** What a VM_BIND waits for and signals. */
  syncs?: CallSync[];
  /** Argument struct as sent, hex bytes. */
  arg_in: string;
  /** What its pointers point to, as in traces. */
  ptrs: LoweredArray[];
  /** 0: a refused ioctl ends the run. */
  ret: number;
  /** Argument struct as it came back, hex bytes. */
  arg_out: string;
}

/** A lowered call, and its operations as the driver decoded them. */
export interface Decoded {
  /** The call as data. */
  call: LoweredCall;
  /** Its operations; empty for anything but VM_BIND. */
  ops: readonly BindOp[];
}

/**
 * Turn the calls of a run into data.
 *
 * @param session - the session that makes them
 * @param lens - of its driver
 * @param sink - takes each call
 * @returns the observer to run with
 */
export function decodeCalls(
  session: SparseSession,
  lens: Lens,
  sink: (decoded: Decoded) => void,
): RunObserver {
  const header = { ...session.facts, driver: lens.name } as unknown as TraceHeader;
  const decoder = new TraceDecoder(lens, header);
  return (run) => {
    const { call, argIn, seq, phase, step } = run;
    const arrays = arraysOfCall(session.ioctls, { ...call, arg: argIn });
    const record: TraceIoctl = {
      kind: "ioctl",
      line: 0,
      seq,
      ioctl: call.name,
      file: 0,
      request: call.request,
      argIn,
      argOut: call.arg,
      arrays,
      ret: 0,
    };
    const action = decoder.decode(record);
    const lowered: LoweredCall = {
      seq,
      phase,
      step,
      ioctl: call.name,
      request: hex(call.request),
      text: action.text,
      arg_in: hexOf(argIn),
      ptrs: arrays.map(pointer),
      ret: 0,
      arg_out: hexOf(call.arg),
    };
    const ops = action.kind === "bind" ? action.ops : [];
    if (action.kind === "bind") {
      lowered.mode = session.mode({ ...call, arg: argIn });
      lowered.ops = ops.map((op) => loweredOp(op, run, session, lens));
      lowered.syncs = session.syncs(arrays);
    }
    sink({ call: lowered, ops });
  };
}

function pointer({ field, addr, count, stride, data }: TraceArray): LoweredArray {
  return { field, addr: hex(addr), count, stride, data: hexOf(data) };
}

function loweredOp(op: BindOp, run: RunCall, session: SparseSession, lens: Lens): LoweredOp {
  const { heading, flags, handle, offset, addr, range } = op;
  return {
    kind: heading,
    flags: hex(flags),
    handle,
    role: roleOf(handle, run.memory, session),
    bo_offset: hex(offset),
    va: hex(addr),
    place: op.effect === "unmap-object" || op.effect === "none" ? null : placeOf(addr, run, session),
    size: hex(range),
    ...lens.details?.(op),
  };
}

function roleOf(handle: number, memory: ReadonlyMap<string, MemoryObject>, session: SparseSession): string {
  if (handle === 0) return "none";
  for (const object of memory.values()) if (object.handle === handle) return `memory ${object.name}`;
  return session.roles.get(handle) ?? "unknown";
}

function placeOf(addr: number, run: RunCall, session: SparseSession): Place | null {
  const { mirrorOffset, secondViewOffset = 0 } = session;
  for (const shift of new Set([0, mirrorOffset, secondViewOffset])) {
    const mirror = shift !== 0;
    const va = addr - shift;
    for (const { name, va: start, bytes } of run.resources.values()) {
      if (va >= start && va < start + bytes) return { of: "resource", name, mirror, offset: hex(va - start) };
    }
    for (const { name, va: start, size } of run.memory.values()) {
      if (va >= start && va < start + size) return { of: "memory", name, mirror, offset: hex(va - start) };
    }
  }
  return null;
}
