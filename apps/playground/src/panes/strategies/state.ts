/** What the strategies pane shows. */

import * as v from "valibot";
import { KERNELS } from "../write/state.ts";

/** In the link. */
export const STRATEGIES_STATE = v.object({
  /** Names of two strategies; null for the first and the last of the table's first driver. */
  pair: v.optional(v.nullable(v.tuple([v.string(), v.string()])), null),
  /** Name of a workload; empty for the first one. */
  workload: v.optional(v.string(), ""),
  /** The kernel. */
  kernel: v.optional(v.picklist(KERNELS), "ideal"),
});

/** See {@link STRATEGIES_STATE}. */
export type StrategiesState = v.InferOutput<typeof STRATEGIES_STATE>;
