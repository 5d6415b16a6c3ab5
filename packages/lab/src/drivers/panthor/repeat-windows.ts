/**
 * `panthor-repeat-windows`: the proposed operation as a careful client would use it. Whole windows of 2 MiB are blocks; what
 * sticks out at either end of the range is mapped on its own.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";
import { fewestLeaves, PANVK } from "./panvk.ts";

/** The row. */
export const panthorRepeatWindows: SparseStrategy = {
  ...PANVK,
  name: "panthor-repeat-windows",
  says: "one MAP_REPEAT of whole 2 MiB windows, a MAP for the rest",
  note:
    "The same proposal used with care repeats whole windows of 2 MiB, which are blocks, and maps the rest once: one operation " +
    "more, and 398 leaves under 3 tables for 100e6 bytes. So the leaves of panthor-repeat are the price of its window, not of REPEAT.",
  look: { light: "#6a51a3", dark: "#a99be0", marker: "hexagon" },
  traces: {
    prefix: "panthor-sparse",
    derive: async (trace, name) => {
      const { derive, REPEAT_WINDOWS } = await import("./derive.ts");
      return derive(trace, REPEAT_WINDOWS, name);
    },
  },
  // What sticks out in front, the windows, what sticks out behind.
  workOf: (bytes) => ({ operations: 3, leafEntries: fewestLeaves(bytes) }),
  bindsArrays: false,
  open: async (_device, kernel) => (await import("./session.ts")).openPanvk("repeat-windows", { kernel }),
};
