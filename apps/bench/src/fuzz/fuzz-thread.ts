/**
 * What a further thread of a run of the fuzzer runs.
 *
 * @module
 */

import { runTaken, type SharedRun, type TakenStretch, takeStretch } from "./shared-run.ts";
import { targetFor } from "./targets.ts";

/** What it is told. */
export interface ThreadOrders {
  /** Of which run it takes stretches. */
  readonly run: SharedRun;
  /** Which of its threads it is. */
  readonly thread: number;
}

/**
 * Run stretches as long as there are any.
 *
 * @param orders - see {@link ThreadOrders}
 */
export default async function runStretches({ run, thread }: ThreadOrders): Promise<TakenStretch[]> {
  const target = await targetFor(run.driver);
  const taken: TakenStretch[] = [];
  for (let index = takeStretch(run); index !== null; index = takeStretch(run))
    taken.push(runTaken(target, run, index, thread));
  return taken;
}
