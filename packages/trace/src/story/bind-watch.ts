/**
 * Looking on while one VM_BIND runs: its split and merge steps, and how page-table leaves change where it names addresses.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import type { BindOp, ModelVm } from "../lens.ts";
import { LeafBudget, type LeafRun, type LeafSnapshot, type Range } from "./leaf-diff.ts";
import { StepRecorder, type StepText } from "./steps.ts";

/** One VM_BIND that is looked at, from before it is issued until {@link BindWatch.end}. */
export class BindWatch {
  /** Its steps so far; none of a driver without GPUVM. */
  readonly steps: readonly StepText[];
  readonly #leaves: LeafSnapshot;
  readonly #endObserving: () => void;

  /**
   * @param vm - the VM before the call
   * @param ops - operations of the call
   * @param nameOf - names an object
   * @param budget - how many leaves may be looked at
   */
  constructor(
    vm: ModelVm,
    ops: readonly BindOp[],
    nameOf: (gem: GemObject | null) => string,
    budget: LeafBudget = new LeafBudget(),
  ) {
    this.#leaves = budget.snapshot(vm.addressSpace, rangesOf(vm, ops));
    const recorder = vm.gpuvm ? new StepRecorder(vm.gpuvm, nameOf) : null;
    this.steps = recorder?.steps ?? [];
    this.#endObserving = vm.gpuvm?.observe((step, op) => recorder?.see(step, op)) ?? (() => {});
  }

  /** The call is over. */
  end(): void {
    this.#endObserving();
  }

  /** How leaves have changed, in ascending order; null where there are more than the budget allows. */
  leaves(): LeafRun[] | null {
    return this.#leaves.changes();
  }
}

/** As in `ops[5].va: ...` or `binds[5].flags: ...`. */
const INDEX = /\[(\d+)\]/;

/**
 * @param reason - why a call was refused
 * @returns index of the operation that it names; -1 where it names none
 */
export function refusedOp(reason: string): number {
  return Number(INDEX.exec(reason)?.[1] ?? -1);
}

/**
 * @param vm - the VM before the operations
 * @param ops - operations of one call
 * @returns the addresses that they name, or that an object is mapped at
 */
function rangesOf(vm: ModelVm, ops: readonly BindOp[]): Range[] {
  const ranges = ops
    .filter((op) => op.effect === "map" || op.effect === "unmap" || op.effect === "unmap-at")
    .map(({ addr, range }) => ({ addr, end: addr + range }));
  const objects = new Set(ops.filter((op) => op.effect === "unmap-object").map((op) => op.handle));
  if (objects.size > 0) {
    for (const { addr, range, bo } of vm.mappings()) {
      if (objects.has(bo)) ranges.push({ addr, end: addr + range });
    }
  }
  return ranges.filter(({ addr, end }) => addr < end);
}
