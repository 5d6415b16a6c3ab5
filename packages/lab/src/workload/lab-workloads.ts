/**
 * What the laboratory measures unless told: the thread's buffer, and workloads that are small enough for every strategy.
 *
 * @module
 */

import { BUILTIN_WORKLOADS } from "./builtin.ts";
import { manySmall } from "./many-small.ts";
import type { Workload } from "./workload.ts";

const SEED = 1;
/** Of the recorded workload's 500: page by page those would be four million operations. */
const BUFFERS = 40;

function builtin(name: string, seed: number): Workload {
  const found = BUILTIN_WORKLOADS.get(name);
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found.make(seed, undefined);
}

/**
 * @param seed - of their draws
 * @returns what is measured unless told
 */
export function labWorkloads(seed: number = SEED): readonly Workload[] {
  return [
    builtin("buffer-100e6", seed),
    builtin("buffer-stream", seed),
    { ...manySmall(seed, { buffers: BUFFERS }), name: `many-small-${BUFFERS}` },
    builtin("random", seed),
  ];
}

/** The same with the usual seed. */
export const LAB_WORKLOADS: readonly Workload[] = labWorkloads();
