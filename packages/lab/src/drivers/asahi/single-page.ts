/**
 * `asahi-single-page`: hk binds one page over and over, a scratch page to write to and a zero page to read from.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";

const PAGE = 2 ** 14;

/** The row. */
export const asahiSinglePage: SparseStrategy = {
  name: "asahi-single-page",
  driver: "asahi",
  umd: "hk",
  shortDriver: "a",
  says: "BIND_SINGLE_PAGE of a scratch page, and of a zero page in a read-only mirror",
  look: { light: "#cc6fa4", dark: "#e59ac4", marker: "star" },
  resourceBytesMax: 2 ** 35,
  blockBytes: PAGE,
  devices: ["m1"],
  reportsStrict: true,
  traces: { prefix: "asahi", lacks: "sparse 3D images" },
  // Once to write and once to read.
  workOf: (bytes) => ({ operations: 2, leafEntries: 2 * Math.ceil(bytes / PAGE) }),
  bindsArrays: true,
  open: async (_device, kernel) => (await import("./session.ts")).openHoneykrisp({ kernel }),
};
