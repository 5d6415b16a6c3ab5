/**
 * Measuring one point of a sweep.
 *
 * @module
 */

import { measure } from "../measure/cost.ts";
import type { CostFigures } from "../result.ts";
import { sparseStrategy } from "../strategy/table.ts";
import { parametric } from "../workload/parametric.ts";
import { resourceBytes, type SweepPoint, TILE_BYTES } from "./points.ts";

const SEED = 1;

/** One point, measured. */
export interface PointRow extends SweepPoint {
  /** Cost of the whole workload: create, bind, wait, destroy. */
  figures: CostFigures;
}

/**
 * Create a resource, bind what the point says, destroy it, and count.
 *
 * @param point - where
 */
export async function measurePoint(point: SweepPoint): Promise<PointRow> {
  const { strategy, axis, x } = point;
  const bound = axis === "fraction" ? x : 0;
  const workload = parametric(axis, SEED, {
    size: resourceBytes(point),
    bound,
    tile: TILE_BYTES,
    order: "random",
  });
  const { total } = await measure(workload, sparseStrategy(strategy), {
    views: false,
    prepare: ({ session }) => {
      // Something else lies at the top of the heap.
      if (axis === "offset" && x > 0) session.heap.alloc(x, 1);
    },
  });
  return { strategy, axis, x, figures: total };
}
