/**
 * `panthor-sparse`: what the kernel thread came to; in Linux 7.2.13 and 7.3-rc7. The kernel keeps a dummy object for each open file.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";
import { fewestLeaves, PANVK } from "./panvk.ts";

/** The row. */
export const panthorSparse: SparseStrategy = {
  ...PANVK,
  name: "panthor-sparse",
  says: "one MAP_SPARSE of Linux 7.2.13 and 7.3-rc7",
  look: { light: "#0067b1", dark: "#56a8ea", marker: "diamond" },
  traces: { prefix: "panthor-sparse" },
  workOf: (bytes) => ({ operations: 1, leafEntries: fewestLeaves(bytes) }),
  bindsArrays: true,
  experiments: { dummies: async (kernel) => (await import("./dummies.ts")).mapOverDummies(kernel) },
  open: async (_device, kernel) => (await import("./session.ts")).openPanvk("sparse", { kernel }),
};
