/** The recordings that come with the command, as a library. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { BUILTIN_WORKLOADS, type TraceLibrary, type Workload } from "@vmbind/lab";
import { gunzip, readTrace, type Trace } from "@vmbind/trace";

/** Where they are. */
export const TRACES: URL = new URL("../../../apps/bench/traces/", import.meta.url);

/** Names of all recordings, sorted. */
export const names: readonly string[] = readdirSync(TRACES)
  .filter((name) => name.endsWith(".jsonl.gz"))
  .map((name) => name.slice(0, -".jsonl.gz".length))
  .sort();

/** Open a recording. */
export function open(name: string): Promise<Trace> {
  return readTrace(name, () => gunzip(new Uint8Array(readFileSync(new URL(`${name}.jsonl.gz`, TRACES)))));
}

/** All of them. */
export const library: TraceLibrary = async (name) =>
  existsSync(new URL(`${name}.jsonl.gz`, TRACES)) ? open(name) : null;

/** A workload that comes with the laboratory. */
export function builtin(name: string, seed = 1): Workload {
  const found = BUILTIN_WORKLOADS.get(name);
  if (!found) throw new Error(`no workload ${name}`);
  return found.make(seed, undefined);
}
