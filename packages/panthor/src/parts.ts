/**
 * What can be replaced of the driver and of the GPU, for a what-if: how a page table maps, what is done with a step, which bits the
 * GPU understands. A part is a class that extends the one here, from outside this repository if need be.
 *
 * A page table whose sparse ranges cannot be written to:
 *
 * ```typescript
 * class ReadOnlySparse extends PageTable {
 *   protected override mapSparse(flags: number, va: number, size: number, dummy: ScatterList): number {
 *     return super.mapSparse(flags | MAP_READONLY, va, size, dummy);
 *   }
 * }
 * const device = new PanthorDevice({}, { PageTable: ReadOnlySparse });
 * ```
 *
 * @module
 */

import { lpae4k, type PageTableFormat } from "@vmbind/mmu";
import { PageTable } from "./page-table.ts";
import { VmSteps } from "./vm-steps.ts";

/** What a device is made of. */
export interface PanthorParts {
  /** The page table of a VM. */
  readonly PageTable: typeof PageTable;
  /** What is done with the steps of a VM's VA manager. */
  readonly VmSteps: typeof VmSteps;
  /**
   * How the GPU reads page tables: what it would understand that Mali GPUs do not.
   *
   * @param vaBits - width of GPU addresses
   */
  readonly format: (vaBits: number) => PageTableFormat;
}

/** The driver and the GPU as they are. @internal */
export const PARTS: PanthorParts = { PageTable, VmSteps, format: lpae4k };
