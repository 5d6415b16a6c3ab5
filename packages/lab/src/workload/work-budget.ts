/**
 * How much work a workload may ask for. A file of a hundred bytes can ask for 2^28 binds, or for ten thousand resources that a
 * strategy makes page by page: both are reckoned up before anything is made of them.
 *
 * @module
 */

import { allowed, type Budget, type Budgets, overBudget, STANDARD_BUDGETS } from "@vmbind/trace/input";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { type Step, WorkloadError } from "./workload.ts";

/** What a workload may ask for. */
export const WORK_BUDGETS: Readonly<Record<"steps" | "binds" | "operations" | "entries", Budget>> = {
  steps: { name: "steps", standard: 2 ** 20, counts: "steps that a module yields" },
  binds: { name: "binds", standard: 2 ** 18, counts: "binds of a workload with knobs, or of a module" },
  operations: {
    name: "operations",
    standard: 2 ** 18,
    counts: "operations that the strategy makes of the resources",
  },
  entries: { name: "entries", standard: 2 ** 26, counts: "leaf entries that the resources take" },
};

/**
 * Hold an amount of work against its budget.
 *
 * @param budget - which
 * @param amount - what is asked for
 * @param budgets - amounts other than the standard ones
 * @param place - what asks: a member of the workload
 * @throws {@link WorkloadError} naming the place, the budget and the option that raises it
 */
export function holdWork(
  budget: Budget,
  amount: number,
  budgets: Budgets = STANDARD_BUDGETS,
  place = "",
): void {
  const most = allowed(budget, budgets);
  if (!(amount <= most)) throw new WorkloadError(`${place}${overBudget(budget, most)}`);
}

/**
 * What the strategy will do for the resources of a workload, held against the budgets.
 *
 * @param steps - of the workload
 * @param strategy - that will run them
 * @param budgets - amounts other than the standard ones
 * @throws {@link WorkloadError} for more than a budget, naming the step that is one too many
 */
export function holdStrategyWork(
  steps: readonly Step[],
  strategy: Pick<SparseStrategy, "workOf" | "resourceBytesMax">,
  budgets?: Budgets,
): void {
  let operations = 0;
  let entries = 0;
  for (const [i, step] of steps.entries()) {
    // What is larger is refused when it comes to it.
    if (step.step !== "create" || step.size > strategy.resourceBytesMax) continue;
    const work = strategy.workOf(step.size);
    operations += work.operations;
    entries += work.leafEntries;
    holdWork(WORK_BUDGETS.operations, operations, budgets, `steps[${i}].size: `);
    holdWork(WORK_BUDGETS.entries, entries, budgets, `steps[${i}].size: `);
  }
}
