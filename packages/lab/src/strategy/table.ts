/**
 * The answers to the question how user space says that a range is sparse: one line each. All that is known of one stands
 * in its file; the order here is the order of all tables and charts.
 *
 * @module
 */

import { amdgpuPrt } from "../drivers/amdgpu/prt.ts";
import { asahiSinglePage } from "../drivers/asahi/single-page.ts";
import { msmNull } from "../drivers/msm/null.ts";
import { nouveauSparse } from "../drivers/nouveau/sparse.ts";
import { panthorBlackhole } from "../drivers/panthor/blackhole.ts";
import { panthorPerPage } from "../drivers/panthor/per-page.ts";
import { panthorRepeat } from "../drivers/panthor/repeat.ts";
import { panthorRepeatWindows } from "../drivers/panthor/repeat-windows.ts";
import { panthorSparse } from "../drivers/panthor/sparse.ts";
import { xeNull } from "../drivers/xe/null.ts";
import type { SparseStrategy } from "./strategy.ts";

/** The strategies, most operations first. */
export const SPARSE_STRATEGIES: readonly SparseStrategy[] = [
  panthorPerPage,
  panthorBlackhole,
  panthorRepeat,
  panthorRepeatWindows,
  panthorSparse,
  asahiSinglePage,
  xeNull,
  nouveauSparse,
  msmNull,
  amdgpuPrt,
];

/** The one that examples are made with: what Linux decided for. */
export const EXAMPLE_STRATEGY: SparseStrategy = panthorSparse;

/**
 * @param name - of a strategy
 * @returns the strategy
 * @throws RangeError for a name that is not in the table
 */
export function sparseStrategy(name: string): SparseStrategy {
  const found = SPARSE_STRATEGIES.find((s) => s.name === name);
  if (found) return found;
  const names = SPARSE_STRATEGIES.map((s) => s.name).join(", ");
  throw new RangeError(`no strategy ${JSON.stringify(name)}; there are ${names}`);
}
