/**
 * Binds that are finer than the blocks of a user-mode driver: what a recording of another driver holds.
 *
 * @module
 */

import type { Workload } from "../workload/workload.ts";
import type { SparseStrategy } from "./strategy.ts";

/**
 * @param workload - what is to be run
 * @param strategy - how sparse is said
 * @returns the strategy, with the kernel's pages as its blocks where the workload is made of such
 */
export function strategyFor<S extends Pick<SparseStrategy, "blockBytes" | "pageBytes">>(
  { fine = false }: Pick<Workload, "fine">,
  strategy: S,
): S {
  const { pageBytes, blockBytes } = strategy;
  return fine && pageBytes !== undefined && pageBytes < blockBytes
    ? { ...strategy, blockBytes: pageBytes }
    : strategy;
}
