/**
 * The areas of `vmbind micro`, imported when they run.
 *
 * @module
 */

import { BENCH_DRIVERS } from "../drivers/table.ts";
import type { Scenarios } from "./harness.ts";

/** Makes an area's scenarios; sizes above `largest` are left out where an area has several. */
export type Area = (largest: number) => Promise<Scenarios>;

/** The areas by name, in the order in which they run. */
export const AREAS: ReadonlyMap<string, Area> = new Map<string, Area>([
  ["gpuvm", async (largest) => (await import("./gpuvm.ts")).gpuvmScenarios(largest)],
  [
    "mmu",
    async () => (await Promise.all(BENCH_DRIVERS.map((driver) => driver.microTables?.() ?? []))).flat(),
  ],
  ...BENCH_DRIVERS.map(({ name, micro }): [string, Area] => [name, () => micro()]),
  ["replay", async () => (await import("./replay.ts")).replayScenarios()],
  [
    "baseline",
    async (largest) => [
      ...(await import("./baseline.ts")).baselineScenarios(),
      ...(await import("./ordered-map.ts")).orderedMapScenarios(largest),
    ],
  ],
]);
