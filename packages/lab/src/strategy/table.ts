/**
 * The six answers to the question how user space says that a range is sparse, ready to run.
 *
 * @module
 */

import type { SparseStrategy } from "./strategy.ts";

const MALI = ["g610"] as const;
const KIB = 2 ** 10;
const GIB = 2 ** 30;

function panthor(
  name: string,
  says: string,
  how: "per-page" | "blackhole" | "repeat" | "sparse",
): SparseStrategy {
  return {
    name,
    driver: "panthor",
    says,
    resourceBytesMax: how === "per-page" ? 4 * GIB : 1024 * GIB,
    blockBytes: 4 * KIB,
    devices: MALI,
    open: async () => (await import("../drivers/panthor/session.ts")).openPanvk(how),
  };
}

/** The strategies, most operations first. */
export const SPARSE_STRATEGIES: readonly SparseStrategy[] = [
  panthor("panthor-per-page", "one MAP of a dummy page per 4 KiB", "per-page"),
  panthor("panthor-blackhole", "a 2 MiB object mapped over and over", "blackhole"),
  panthor("panthor-repeat", "one MAP_REPEAT of the proposal", "repeat"),
  panthor("panthor-sparse", "one MAP_SPARSE of Linux 7.3", "sparse"),
  {
    name: "asahi-single-page",
    driver: "asahi",
    says: "BIND_SINGLE_PAGE of a scratch page, and of a zero page in a read-only mirror",
    resourceBytesMax: 32 * GIB,
    blockBytes: 16 * KIB,
    devices: ["m1"],
    open: async () => (await import("../drivers/asahi/session.ts")).openHoneykrisp(),
  },
  {
    name: "xe-null",
    driver: "xe",
    says: "a NULL bind: the hardware's null entries, no object",
    resourceBytesMax: 1024 * GIB,
    blockBytes: 64 * KIB,
    devices: ["bmg", "lnl", "dg2"],
    open: async (device) => (await import("../drivers/xe/session.ts")).openAnv(device),
  },
];

/**
 * @param name - of a strategy
 * @returns the strategy
 * @throws RangeError for a name that is not in the table
 */
export function sparseStrategy(name: string): SparseStrategy {
  const found = SPARSE_STRATEGIES.find((s) => s.name === name);
  if (found) return found;
  const names = SPARSE_STRATEGIES.map((s) => s.name).join(", ");
  throw new RangeError(`no strategy ${JSON.stringify(name)}; there are ${names}`);
}
