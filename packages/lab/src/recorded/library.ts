/**
 * Where recorded workloads come from: a library of traces, and for a strategy that nobody recorded, the traces of another
 * one with each sparse operation replaced.
 *
 * @module
 */

import type { Trace } from "@vmbind/trace";
import type { SparseStrategy } from "../strategy/strategy.ts";

/**
 * A place where recorded traces are: files, or a web server.
 *
 * @param name - of a trace, e.g. `xe-buffer-100e6`
 * @returns the trace, null when there is none of that name
 */
export type TraceLibrary = (name: string) => Promise<Trace | null>;

/** The recorded workloads, smallest question first. */
export const WORKLOADS = [
  "buffer-100e6",
  "image-unbound",
  "buffer-stream",
  "image-window",
  "image-3d",
  "image-array-mips",
  "many-small",
] as const;

/**
 * Open a strategy's trace of a workload.
 *
 * @param strategy - which answer
 * @param workload - one of {@link WORKLOADS}
 * @param library - where traces are
 * @returns the trace, or null when the library has none
 */
export async function openStrategyTrace(
  { name, traces }: SparseStrategy,
  workload: string,
  library: TraceLibrary,
): Promise<Trace | null> {
  const trace = await library(`${traces.prefix}-${workload}`);
  if (trace === null || !traces.derive) return trace;
  return traces.derive(trace, `${name}-${workload}`);
}
