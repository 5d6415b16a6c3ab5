/**
 * What counts may come to in time: a model of stated constants, each a range, never mixed with counts.
 *
 * The constants are read off the kernel's own code, run in user space on one machine (an AMD EPYC virtual machine, gcc 12 -O2): the
 * VA manager of Linux 7.3.4 and the page-table code of six drivers. What those runs leave out is
 * left out here: system-call entry, locks, fences, copies of scattered user memory. An invalidation is no work of the CPU's: the
 * hardware answers within microseconds, and its range is the widest guess of all.
 *
 * @module
 */

import type { TimeEstimate, TimeRange } from "./conclusions.ts";
import type { CostFigures, CostResult } from "./result.ts";

/** A constant: microseconds of one event, at least and at most, and where that is from. */
export interface TimeConstant {
  /** What happens so often. */
  readonly what: string;
  /** The counts that it is taken times, added up. */
  readonly counts: readonly (keyof CostFigures)[];
  /** Microseconds at least. */
  readonly low: number;
  /** Microseconds at most. */
  readonly high: number;
  /** Which measurements say so. */
  readonly from: string;
}

/** The model. */
export const TIME_CONSTANTS: readonly TimeConstant[] = [
  {
    what: "VM_BIND ioctl",
    counts: ["bindIoctls"],
    low: 0.09,
    high: 0.42,
    from: "whole ioctls of one operation that write an entry or four: 90, 150 and 421 ns in three drivers",
  },
  {
    what: "operation",
    counts: ["bindOps"],
    low: 0.05,
    high: 0.6,
    from: "operations of long arrays, one page or tile each: 245, 270, 362 and 423 to 600 ns in four drivers, less the steps in them",
  },
  {
    what: "split-and-merge step",
    counts: ["gpuvmSteps"],
    low: 0.03,
    high: 0.3,
    from: "the VA manager alone: 97 to 130 ns a step of up to 1,000 mappings, 17 to 25 ns each in one unmap of 24,415, 2 us and more where a million are live",
  },
  {
    what: "leaf entry",
    counts: ["pteWrites", "pteClears"],
    low: 0.0005,
    high: 0.02,
    from: "0.6 to 1.3 ns in long runs, 3 to 10 where two tables lie side by side, 12 to 20 where entries are staged, 16.7 page by page through io-pgtable",
  },
  {
    what: "new page table",
    counts: ["tablesAllocated"],
    low: 0.1,
    high: 0.35,
    from: "cleared when it is taken: 105 and 340 ns in two drivers",
  },
  {
    what: "TLB invalidation",
    counts: ["tlbInvalidations"],
    low: 1,
    high: 10,
    from: "not run: a command to the hardware and a wait of microseconds",
  },
];

/**
 * @param figures - counts
 * @returns microseconds at least and at most, the CPU's work and the waits for invalidations together
 */
export function timeOf(figures: CostFigures): TimeRange {
  let [low, high] = [0, 0];
  for (const { counts, ...constant } of TIME_CONSTANTS) {
    const count = counts.reduce((sum, name) => sum + figures[name], 0);
    low += count * constant.low;
    high += count * constant.high;
  }
  return { low, high };
}

/**
 * @param costs - of a comparison
 * @returns for each workload and strategy what creating the resource and the whole may take
 */
export function timeEstimates(costs: readonly CostResult[]): TimeEstimate[] {
  return costs.map(({ workload, strategy, phases: { create }, total }) => ({
    workload,
    strategy,
    ...(create ? { create: timeOf(create) } : {}),
    whole: timeOf(total),
  }));
}
