/**
 * Measuring one point of a sweep.
 *
 * @module
 */

import { measure } from "../measure/cost.ts";
import type { CostFigures } from "../result.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { parametric } from "../workload/parametric.ts";
import { knobsAt, type SweepPoint, type SweptWorkload } from "./points.ts";

const SEED = 1;

/** One point, measured. */
export interface PointRow extends SweepPoint {
  /** Cost of the whole workload: create, bind, wait, destroy. */
  figures: CostFigures;
}

/**
 * Create a resource, bind what the point says, destroy it, and count.
 *
 * @param strategy - how sparse is said
 * @param point - where
 * @param own - the user's workload; the usual one unless told
 */
export async function measurePoint(
  strategy: SparseStrategy,
  point: Omit<SweepPoint, "strategy">,
  own?: SweptWorkload,
): Promise<PointRow> {
  const { axis, x } = point;
  const workload = parametric(own?.name ?? axis, SEED, knobsAt(point, own));
  const { total } = await measure(workload, strategy, {
    views: false,
    prepare: ({ session }) => {
      // Something else lies at the top of the heap.
      if (axis === "offset" && x > 0) session.heap.alloc(x, 1);
    },
  });
  return { strategy: strategy.name, axis, x, figures: total };
}
