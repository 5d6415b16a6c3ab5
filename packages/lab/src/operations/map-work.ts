/**
 * How much work operations may ask for, reckoned before a driver does it: an operation of a hundred bytes can ask for 2^35 leaf entries.
 *
 * @module
 */

import type { BindOp } from "@vmbind/trace";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { WorkloadError } from "../workload/workload.ts";

/** Operations that a program's ranges may be made of, all together. */
const OPERATIONS_MAX: number = 2 ** 17;
/** Leaf entries that a program may ask for, all together. */
const ENTRIES_MAX: number = 2 ** 22;
/** Where the driver may well write one leaf for each. */
const PAGE_BYTES = 4096;

/** What one program has asked of one strategy. */
export class MapWork {
  readonly #strategy: Pick<SparseStrategy, "workOf">;
  #operations = 0;
  #entries = 0;

  /** @param strategy - knows what sparse ranges take */
  constructor(strategy: Pick<SparseStrategy, "workOf">) {
    this.#strategy = strategy;
  }

  /**
   * @param bytes - of a sparse resource that is about to be made
   * @throws {@link WorkloadError} for more than the budget
   */
  holdResource(bytes: number): void {
    const { operations, leafEntries } = this.#strategy.workOf(bytes);
    if (this.#entries + leafEntries > ENTRIES_MAX)
      throw new WorkloadError(moreThan(ENTRIES_MAX, "leaf entries"));
    this.holdOperations(operations);
  }

  /**
   * @param count - operations that are about to be made
   * @throws {@link WorkloadError} for more than the budget
   */
  holdOperations(count: number): void {
    const operations = this.#operations + count;
    if (operations > OPERATIONS_MAX) throw new WorkloadError(moreThan(OPERATIONS_MAX, "operations"));
    this.#operations = operations;
  }

  /**
   * @param ops - operations of one call, not issued yet
   * @param vaEnd - end of the address space
   * @throws {@link WorkloadError} for more than the budget; what leaves the address space is left to the driver to refuse
   */
  holdEntries(ops: readonly BindOp[], vaEnd: number): void {
    let entries = this.#entries;
    for (const { effect, addr, range, handle } of ops) {
      if (effect !== "map" || addr + range > vaEnd) continue;
      const pages = range / PAGE_BYTES;
      // Memory may come in pages; what stands for nothing is as coarse as the strategy's.
      entries += handle === 0 ? Math.min(pages, this.#strategy.workOf(range).leafEntries) : pages;
    }
    if (entries > ENTRIES_MAX) throw new WorkloadError(moreThan(ENTRIES_MAX, "leaf entries"));
    this.#entries = entries;
  }
}

function moreThan(most: number, what: string): string {
  return `not done: a program may ask for ${most.toLocaleString("en")} ${what}`;
}
