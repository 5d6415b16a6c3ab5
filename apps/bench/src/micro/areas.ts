/**
 * The areas of `vmbind micro`, imported when they run.
 *
 * @module
 */

import type { Scenario } from "./harness.ts";

/** Makes an area's scenarios; sizes above `largest` are left out where an area has several. */
// biome-ignore lint/suspicious/noExplicitAny: each scenario has a state of its own that nobody else looks into
export type Area = (largest: number) => Promise<readonly Scenario<any>[]>;

/** The areas by name, in the order in which they run. */
export const AREAS: Readonly<Record<string, Area>> = {
  gpuvm: async (largest) => (await import("./gpuvm.ts")).gpuvmScenarios(largest),
  mmu: async () => (await import("./mmu.ts")).mmuScenarios(),
  panthor: async () => (await import("../drivers/panthor/micro.ts")).panthorScenarios(),
  asahi: async () => (await import("../drivers/asahi/micro.ts")).asahiScenarios(),
  xe: async () => (await import("../drivers/xe/micro.ts")).xeScenarios(),
  replay: async () => (await import("./replay.ts")).replayScenarios(),
  baseline: async (largest) => [
    ...(await import("./baseline.ts")).baselineScenarios(),
    ...(await import("./ordered-map.ts")).orderedMapScenarios(largest),
  ],
};
