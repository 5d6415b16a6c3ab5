/** The traces that the engine has open, by the name that the page gave them. */

import type { LoadedTrace } from "./loaded-trace.ts";

/** A trace of a hundred thousand operations takes some 100 MB with its models. */
const TRACES_MAX = 3;

const open = new Map<string, LoadedTrace>();

/** Keep a trace; the one that was asked for longest ago goes. */
export function keepTrace(trace: LoadedTrace): void {
  open.delete(trace.name);
  open.set(trace.name, trace);
  for (const name of open.keys()) {
    if (open.size <= TRACES_MAX) break;
    open.delete(name);
  }
}

/**
 * @param name - of a trace
 * @returns it
 * @throws RangeError where it was not opened
 */
export function openTrace(name: string): LoadedTrace {
  const trace = open.get(name);
  if (trace === undefined) throw new RangeError(`${name} is not open`);
  open.delete(name);
  open.set(name, trace);
  return trace;
}
