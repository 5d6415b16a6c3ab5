/**
 * Steps of a session, copies of calls, and calls of recorded ioctls.
 *
 * @module
 */

import type { Call, TraceEvent, TraceIoctl } from "@vmbind/trace";

/** What is done to a device: an ioctl, or something that happens without one. */
export type Step = Call | TraceEvent;

/** @returns whether it is no ioctl */
export function isEvent(step: Step): step is TraceEvent {
  return "kind" in step;
}

/** @returns a copy that shares no bytes */
export function copyOf(call: Call): Call {
  return {
    file: call.file,
    request: call.request,
    arg: call.arg.slice(),
    buffers: call.buffers.map(({ field, addr, bytes }) => ({ field, addr, bytes: bytes.slice() })),
  };
}

/** @returns a recorded ioctl as a call */
export function callOf({ file, request, argIn, arrays }: TraceIoctl): Call {
  return {
    file,
    request,
    arg: argIn.slice(),
    buffers: arrays.map(({ field, addr, data }) => ({ field, addr, bytes: data.slice() })),
  };
}
