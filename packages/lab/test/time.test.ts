/**
 * Goal: the ranges of the time model hold what the kernel's own code took.
 * Method: the creation of 100e6 bytes under each strategy, counted here, against the time that its driver's code took in user space
 * for the same, which has no invalidation in it.
 */

import { measure, resolveWorkload, sparseStrategy, TIME_CONSTANTS, timeEstimates, timeOf } from "@vmbind/lab";
import { describe, expect, it } from "vitest";

/** Microseconds of the kernel's code, gcc 12 -O2, where the workload is the same. */
const KERNEL_US: Readonly<Record<string, number>> = {
  "panthor-per-page": 6600,
  "panthor-blackhole": 9.3,
  "panthor-sparse": 1.7,
  "xe-null": 5.1,
  "nouveau-sparse": 1.17,
  "msm-null": 410,
};

describe("time from counts", () => {
  const workload = resolveWorkload({ lab: "buffer-100e6" });

  it.each(Object.entries(KERNEL_US))(
    "%s: the range holds what the kernel's code took",
    async (name, took) => {
      const { phases } = await measure(workload, sparseStrategy(name), { views: false });
      const create = phases.create;
      if (create === undefined) throw new Error("the workload creates nothing");
      const { low, high } = timeOf({ ...create, tlbInvalidations: 0 });
      expect(low).toBeLessThan(took);
      expect(high).toBeGreaterThan(took);
      expect(timeOf(create).low - low).toBeCloseTo(create.tlbInvalidations);
    },
  );

  it("is given for the creation and the whole of each cost", async () => {
    const cost = await measure(workload, sparseStrategy("xe-null"), { views: false });
    expect(timeEstimates([cost])).toEqual([
      {
        workload: "buffer-100e6",
        strategy: "xe-null",
        create: timeOf(cost.phases.create ?? cost.total),
        whole: timeOf(cost.total),
      },
    ]);
  });

  it("has constants that are ranges, each with its source", () => {
    for (const { low, high, from } of TIME_CONSTANTS) {
      expect(low).toBeGreaterThan(0);
      expect(high).toBeGreaterThan(low);
      expect(from).not.toBe("");
    }
  });
});
