import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fence, Syncobj } from "../src/index.ts";

/** A timeline that forgets nothing. */
class Naive {
  readonly points: { value: number; fence: Fence }[] = [];

  fencesFor(value: number): Fence[] | null {
    const reached = this.points.findIndex((point) => point.value >= value);
    return reached < 0 ? null : this.points.slice(0, reached + 1).map(({ fence }) => fence);
  }
}

/** What is left to wait for; null when nothing would ever end the wait. */
function pending(fences: Fence[] | null): Fence[] | null {
  return fences?.filter((fence) => !fence.signaled) ?? null;
}

describe("a timeline", () => {
  it("keeps only what has not happened", () => {
    const syncobj = new Syncobj();
    const late = new Fence();
    syncobj.attach(1, late);
    for (let value = 2; value < 10000; value++) {
      const fence = new Fence();
      syncobj.attach(value, fence);
      fence.signal();
      expect(syncobj.points).toBeLessThanOrEqual(17);
    }
    expect(syncobj.fencesFor(1)).toEqual([late]);
    expect(pending(syncobj.fencesFor(9000))).toEqual([late]);
    expect(syncobj.fencesFor(10000)).toBeNull();
    late.signal();
    for (let value = 10000; value < 10020; value++) syncobj.attach(value, new Fence());
    expect(pending(syncobj.fencesFor(9999))).toEqual([]);
    expect(pending(syncobj.fencesFor(10001))).toHaveLength(2);
  });

  it("answers as one that forgets nothing, in whatever order points are submitted and happen", () => {
    const step = fc.record({
      value: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(Number.NaN)),
      signal: fc.integer({ min: 0, max: 100 }),
      wait: fc.integer({ min: 1, max: 45 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, minLength: 30 }), (steps) => {
        const syncobj = new Syncobj();
        const naive = new Naive();
        for (const { value, signal, wait } of steps) {
          const fence = new Fence();
          syncobj.attach(value, fence);
          naive.points.push({ value, fence });
          naive.points[signal]?.fence.signal();
          expect(pending(syncobj.fencesFor(wait))).toEqual(pending(naive.fencesFor(wait)));
        }
      }),
    );
  });

  it("leaves the binary payload alone", () => {
    const syncobj = new Syncobj();
    expect(syncobj.fencesFor(0)).toBeNull();
    const fence = new Fence();
    syncobj.attach(0, fence);
    expect([syncobj.fencesFor(0), syncobj.fencesFor(1), syncobj.points]).toEqual([[fence], null, 0]);
  });
});
