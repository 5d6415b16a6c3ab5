/** What the laboratory's tests run: the recordings that come with the command, as a library, and the workloads. */
import { BUILTIN_WORKLOADS, type TraceLibrary, type Workload } from "@vmbind/lab";
import { names, open } from "../../../test/recordings.ts";

/** All recordings. */
export const library: TraceLibrary = async (name) => (names.includes(name) ? open(name) : null);

/** A workload that comes with the laboratory. */
export function builtin(name: string, seed = 1): Workload {
  const found = BUILTIN_WORKLOADS.get(name);
  if (!found) throw new Error(`no workload ${name}`);
  return found.make(seed, undefined);
}
