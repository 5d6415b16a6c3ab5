/**
 * `panthor-blackhole`: what panvk does with drivers older than 1.9: a 2 MiB object mapped over and over.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";
import { BLOCK_2M, fewestLeaves, PANVK } from "./panvk.ts";

/** The row. */
export const panthorBlackhole: SparseStrategy = {
  ...PANVK,
  name: "panthor-blackhole",
  says: "a 2 MiB object mapped over and over",
  look: { light: "#e0a000", dark: "#f2c14e", marker: "triangle" },
  traces: { prefix: "panthor-blackhole" },
  workOf: (bytes) => ({ operations: Math.floor(bytes / BLOCK_2M) + 2, leafEntries: fewestLeaves(bytes) }),
  bindsArrays: false,
  open: async (_device, kernel) => (await import("./session.ts")).openPanvk("blackhole", { kernel }),
};
