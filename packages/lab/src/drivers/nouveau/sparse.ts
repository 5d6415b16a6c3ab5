/**
 * `nouveau-sparse`: nvk's sparse regions. The kernel keeps a list of regions beside the mappings; what is not mapped in one
 * reads as zero, with entries of up to 128 TiB.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";

/** The row. */
export const nouveauSparse: SparseStrategy = {
  name: "nouveau-sparse",
  driver: "nouveau",
  umd: "nvk",
  shortDriver: "nv",
  says: "a sparse region beside the mappings; its entries come back by themselves",
  look: { light: "#a04a00", dark: "#f0924a", marker: "hexagon" },
  // The next power of two is nvk's whole heap.
  resourceBytesMax: 2 ** 37,
  blockBytes: 2 ** 12,
  devices: ["ga102"],
  reportsStrict: true,
  traces: { prefix: "nouveau" },
  // Entries of 512 MiB or more, and at either end of 2 MiB, 64 KiB and 4 KiB.
  workOf: (bytes) => ({ operations: 1, leafEntries: Math.ceil(bytes / 2 ** 29) + 2 * (256 + 32 + 16) }),
  note:
    "A sparse region of nouveau is no mapping and has no object, so it counts among neither; its entries are leaf entries. What a new table " +
    "begins with is counted apart, as fillWrites.",
  bindsArrays: true,
  open: async (_device, kernel) => (await import("./session.ts")).openNvkSession({ kernel }),
};
