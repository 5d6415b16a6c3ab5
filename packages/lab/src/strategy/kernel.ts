/**
 * Which kernel a strategy is run on: its driver as it should be, as Linux has it, or with a patch as it was posted.
 *
 * @module
 */

import { type QuirkProfile, type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";
import type { SparseStrategy } from "./strategy.ts";

/** The kernel of sessions unless told: strategies are compared by what their uAPIs mean, not by today's defects. */
export const DEFAULT_KERNEL: QuirkProfile = "ideal";

/**
 * @param strategy - a strategy
 * @param kernel - a kernel
 * @returns the strategy, all sessions and experiments of which are on that kernel
 */
export function underKernel(strategy: SparseStrategy, kernel: QuirkProfile): SparseStrategy {
  const { experiments } = strategy;
  const dummies = experiments?.dummies;
  return {
    ...strategy,
    ...(experiments && {
      experiments: { ...experiments, ...(dummies && { dummies: () => dummies(kernel) }) },
    }),
    open: (device) => strategy.open(device, kernel),
  };
}

/**
 * The quirks of a device of a strategy.
 *
 * @param table - those of its driver
 * @param kernel - the kernel that is asked for
 * @param own - what the strategy says of them: single ones on or off, or a kernel whatever is asked for
 */
export function quirksUnder<Name extends string>(
  table: QuirkTable<Name>,
  kernel: QuirkProfile,
  own: QuirkProfile | Partial<Quirks<Name>> = {},
): Partial<Quirks<Name>> {
  return typeof own === "string" ? quirksOf(table, own) : { ...quirksOf(table, kernel), ...own };
}
