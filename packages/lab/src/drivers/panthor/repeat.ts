/**
 * `panthor-repeat`: the operation that the kernel thread proposes, used as it was posted: one window that divides the whole
 * range. GPUVM knows that a range of an object repeats.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";
import { BLOCK_2M, PAGE, PANVK } from "./panvk.ts";

/** The row. */
export const panthorRepeat: SparseStrategy = {
  ...PANVK,
  name: "panthor-repeat",
  says: "one MAP_REPEAT as posted, with a window that divides the whole range",
  note:
    "A window of MAP_REPEAT must divide the range. 100e6 bytes are 24,415 pages, an odd number, so as posted the window is one " +
    "page, and each page is a leaf of its own: 24,415 leaves under 50 tables.",
  look: { light: "#009e73", dark: "#2fc79a", marker: "square" },
  traces: {
    prefix: "panthor-sparse",
    derive: async (trace, name) => {
      const { derive, REPEAT } = await import("./derive.ts");
      return derive(trace, REPEAT, name);
    },
  },
  workOf(bytes) {
    const pages = Math.ceil(bytes / PAGE);
    // The window must divide the range: 2 MiB where that does, else down to a page.
    return {
      operations: 1,
      leafEntries: (pages * PAGE) % BLOCK_2M === 0 ? pages / (BLOCK_2M / PAGE) : pages,
    };
  },
  bindsArrays: false,
  experiments: { postedRepeat: async () => (await import("./posted-repeat.ts")).cutAsPosted() },
  open: async (_device, kernel) => (await import("./session.ts")).openPanvk("repeat", { kernel }),
};
