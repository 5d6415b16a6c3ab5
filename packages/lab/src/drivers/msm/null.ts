/**
 * `msm-null`: turnip's MAP_NULL. The hardware has one page per GPU for everything that is unbound, and the driver maps it page by
 * page, so that any part can go without its neighbours being touched.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";

const PAGE_BYTES = 4096;

/** The row. */
export const msmNull: SparseStrategy = {
  name: "msm-null",
  driver: "msm",
  umd: "turnip",
  shortDriver: "msm",
  says: "MAP_NULL: one page per GPU behind leaves of 4 KiB only",
  look: { light: "#7a5c00", dark: "#d9b84a", marker: "asterisk" },
  // 16 million leaves, and 128 MiB of tables.
  resourceBytesMax: 2 ** 36,
  blockBytes: PAGE_BYTES,
  devices: ["a750"],
  reportsStrict: true,
  traces: { prefix: "msm", lacks: "sparse 3D images" },
  workOf: (bytes) => ({ operations: 1, leafEntries: Math.ceil(bytes / PAGE_BYTES) }),
  note:
    "All TLB invalidations of msm are of everything: every context has the same ASID. Tables of msm go with the file only. What is stored to " +
    "unbound pages is dropped by the hardware, not by the page table. A file has one VM, so its neighbour is always in another file.",
  bindsArrays: true,
  open: async (_device, kernel) => (await import("./session.ts")).openTurnip({ kernel }),
};
