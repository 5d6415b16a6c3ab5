/**
 * How many mappings a workload will have at a time: arrays that hold them are made once, and not outgrown again and again.
 *
 * @module
 */

import type { SparseStrategy } from "../strategy/strategy.ts";
import type { Step } from "./workload.ts";

/** Most that room is made for; a workload may end before it has so many. */
const EXPECTED_MAX = 2 ** 21;

/**
 * An estimate, from what creating each resource of the first VM takes.
 *
 * @param steps - of the workload
 * @param strategy - how sparse is said
 * @returns the most that there are of living resources together
 */
export function expectedMappings(steps: Iterable<Step>, strategy: Pick<SparseStrategy, "workOf">): number {
  const living = new Map<string, number>();
  let now = 0;
  let most = 0;
  for (const step of steps) {
    if (step.step === "create" && !step.plain && !step.vm) {
      const { operations } = strategy.workOf(step.size);
      living.set(step.resource, operations);
      now += operations;
      most = Math.max(most, now);
    } else if (step.step === "destroy") {
      now -= living.get(step.resource) ?? 0;
      living.delete(step.resource);
    }
  }
  // Memory is mapped, too, and binds cut mappings.
  return Math.min(most + (most >>> 6), EXPECTED_MAX);
}
