/**
 * Two builds side by side: every workload that both have, in both orders of loading.
 *
 * @module
 */

import { measurePairApart } from "./apart.ts";
import type { Scenarios } from "./harness.ts";
import { type PairResult, type PairTask, scenariosOf } from "./pair.ts";

/** A workload of this build beside that of another: above 1, this one is slower. */
export interface AgainstResult {
  /** Area, e.g. `gpuvm`. */
  area: string;
  /** See Step.id. */
  id: string;
  /** This build, nanoseconds per unit: the lower median of both orders. */
  ns: number;
  /** The other. */
  otherNs: number;
  /** This build's time divided by the other's in the same run: median of the runs, geometric mean of both orders. */
  ratio: number;
  /** The same with this build loaded first, and with it loaded second. */
  ratioByOrder: [number, number];
  /** Fastest run of this build divided by the fastest of the other. */
  ratioOfMinima: number;
}

/** What to measure. */
export interface AgainstOptions extends Omit<PairTask, "builds" | "area" | "steps"> {
  /** Folder of this build. */
  here: string;
  /** Folder of the other. */
  other: string;
  /** Told before each step of each run. */
  onStep(id: string): void;
}

/**
 * @param area - a key of AREAS
 * @param scenario - of this build
 * @param options - see {@link AgainstOptions}
 * @returns one result per step; null where the other build has no such workload
 * @throws Error, in one line, when there is no build there, or a measuring process ends without figures
 */
export async function measureAgainst(
  area: string,
  { steps: own }: Scenarios[number],
  { here, other, onStep, ...task }: AgainstOptions,
): Promise<AgainstResult[] | null> {
  const steps = own.map(({ id }) => id);
  const others = await scenariosOf(other, area, task.largest);
  if (!others?.some((scenario) => scenario.steps.map(({ id }) => id).join() === steps.join())) return null;
  const pair = (builds: PairTask["builds"]): Promise<PairResult[]> =>
    measurePairApart({ ...task, builds, area, steps }, onStep);
  const otherFirst = await pair([other, here]);
  const hereFirst = await pair([here, other]);
  return steps.map((id, s) => joined(area, id, otherFirst[s] as PairResult, hereFirst[s] as PairResult));
}

/**
 * @param area - for the result
 * @param id - of the step
 * @param otherFirst - with the other build loaded first
 * @param hereFirst - with this build loaded first
 */
export function joined(
  area: string,
  id: string,
  otherFirst: PairResult,
  hereFirst: PairResult,
): AgainstResult {
  const ratioByOrder: [number, number] = [1 / hereFirst.ratio, otherFirst.ratio];
  const fastest = Math.min(otherFirst.min[1], hereFirst.min[0]);
  const otherFastest = Math.min(otherFirst.min[0], hereFirst.min[1]);
  return {
    area,
    id,
    ns: Math.min(otherFirst.ns[1], hereFirst.ns[0]),
    otherNs: Math.min(otherFirst.ns[0], hereFirst.ns[1]),
    ratio: geometricMean(ratioByOrder),
    ratioByOrder,
    ratioOfMinima: fastest / otherFastest,
  };
}

/**
 * @param values - above 0
 * @returns what ratios have as a mean
 */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
