/**
 * `xe-null`: anv's NULL binds. The hardware has an entry that stands for no memory, at every level up to 1 GiB.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";

/** The row. */
export const xeNull: SparseStrategy = {
  name: "xe-null",
  driver: "xe",
  umd: "anv",
  shortDriver: "xe",
  says: "a NULL bind: the hardware's null entries, no object",
  look: { light: "#3b3a38", dark: "#d4d0c8", marker: "cross" },
  resourceBytesMax: 2 ** 40,
  blockBytes: 2 ** 16,
  pageBytes: 2 ** 12,
  devices: ["bmg", "lnl", "dg2"],
  reportsStrict: true,
  traces: { prefix: "xe" },
  // Leaves of 1 GiB, and at either end of 2 MiB and of 4 KiB.
  workOf: (bytes) => ({ operations: 1, leafEntries: Math.floor(bytes / 2 ** 30) + 4 * 512 }),
  note:
    "Leaf entries of xe are null entries and those that show memory. The 512 entries of the scratch page that fill each new page " +
    "table first are counted apart, as scratchWrites.",
  bindsArrays: true,
  open: async (device, kernel) => (await import("./session.ts")).openAnv(device, { kernel }),
};
