/**
 * `panthor-per-page`: what the kernel thread complains about, one MAP of a dummy page for each page.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";
import { PAGE, PANVK } from "./panvk.ts";

/** The row. */
export const panthorPerPage: SparseStrategy = {
  ...PANVK,
  name: "panthor-per-page",
  says: "one MAP of a dummy page per 4 KiB",
  resourceBytesMax: 2 ** 32,
  look: { light: "#d55e00", dark: "#f07a1f", marker: "circle" },
  traces: {
    prefix: "panthor-sparse",
    derive: async (trace, name) => {
      const { derive, PER_PAGE } = await import("./derive.ts");
      return derive(trace, PER_PAGE, name);
    },
  },
  workOf: (bytes) => ({ operations: Math.ceil(bytes / PAGE), leafEntries: Math.ceil(bytes / PAGE) }),
  bindsArrays: false,
  open: async (_device, kernel) => (await import("./session.ts")).openPanvk("per-page", { kernel }),
};
