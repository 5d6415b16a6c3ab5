/** Looks at everything that cost no more than in proportion to the calls. */

import { Pace } from "@vmbind/trace";
import { expect, test } from "vitest";

/** What a run of calls costs that each add a mapping. */
function costOf(calls: number, every: number): { looks: number; cost: number } {
  const pace = new Pace(every);
  let looks = 0;
  let cost = 0;
  for (let live = 1; live <= calls; live++) {
    if (!pace.due(live)) continue;
    looks++;
    cost += live;
  }
  return { looks, cost };
}

test("what little there is to see is looked at after each call", () => {
  expect(costOf(64, 1).looks).toBe(64);
  expect(costOf(64, 10).looks).toBe(7);
});

test.each([1, 7, 200])("every %i: looks cost no more than in proportion to the calls", (every) => {
  for (const calls of [2000, 20_000, 200_000]) expect(costOf(calls, every).cost).toBeLessThan(70 * calls);
});
