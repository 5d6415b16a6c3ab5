/**
 * The generated workloads: what an application asks of Vulkan, lowered by each strategy's user-mode driver.
 *
 * @module
 */

import { size as sizeInWords } from "@vmbind/drm";
import type { Budgets } from "@vmbind/trace";
import type { CostFigures, CostResult } from "../result.ts";
import { strategyFor } from "../strategy/fine.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { holdStrategyWork } from "../workload/work-budget.ts";
import { type Workload, WorkloadError } from "../workload/workload.ts";
import { measure } from "./cost.ts";

/** Largest resource that a GPU is sent through, bytes: every page of it is loaded. */
const VIEW_BYTES_MAX = 2 ** 34;

/** Figures that people are shown, in the order of tables; JSON and CSV have all. */
export const SHOWN_FIGURES: readonly (readonly [keyof CostFigures, string])[] = [
  ["bindOps", "operations"],
  ["bindIoctls", "VM_BIND ioctls"],
  ["payloadBytes", "payload bytes"],
  ["gpuvmSteps", "split and merge steps"],
  ["gpuvasPeak", "mappings, peak"],
  ["vmBosPeak", "vm_bos, peak"],
  ["vmRefsPeak", "references to the VM, peak"],
  ["gemRefsPeak", "references to objects, peak"],
  ["submitLocksPeak", "reservations a submit locks, peak"],
  ["pteWrites", "leaf entries written"],
  ["pteClears", "leaf entries cleared"],
  ["tableWrites", "directory entries written"],
  ["tablesReserved", "table pages reserved"],
  ["tablesAllocated", "table pages used"],
  ["tablesPeak", "table pages, peak"],
  ["tableBytesPeak", "table bytes, peak"],
  ["tlbInvalidations", "TLB invalidations"],
  ["tlbInvalidatedBytes", "bytes invalidated"],
  ["backingPeakBytes", "backing bytes, peak"],
];

/**
 * Run a workload under a strategy.
 *
 * @param workload - what the application does
 * @param strategy - how sparse is said
 * @param views - whether to look at the largest resource as the GPU sees it; never above 16 GiB
 * @param budgets - of work that a file may ask for; what the program brings along has none
 * @throws WorkloadError when a resource is larger than the strategy is run with, or all are more work than a budget
 */
export async function measureCell(
  workload: Workload,
  strategy: SparseStrategy,
  views: boolean,
  budgets?: Budgets,
): Promise<CostResult> {
  const steps = workload.steps(strategyFor(workload, strategy).blockBytes);
  const largest = steps.reduce(
    (most, step) => (step.step === "create" ? Math.max(most, step.size) : most),
    0,
  );
  if (largest > strategy.resourceBytesMax) {
    throw new WorkloadError(
      `a resource of ${sizeInWords(largest)}; ${strategy.name} is run with ${sizeInWords(strategy.resourceBytesMax)} at most`,
    );
  }
  if (budgets) holdStrategyWork(steps, strategy, budgets);
  return measure(workload, strategy, { steps, views: views && largest <= VIEW_BYTES_MAX });
}
