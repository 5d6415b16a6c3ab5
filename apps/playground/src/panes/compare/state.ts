/** What the pane of two traces shows. */

import * as v from "valibot";

/** In the link. */
export const COMPARE_STATE = v.object({
  /** Name of the first trace; empty for none. */
  a: v.optional(v.string(), ""),
  /** Name of the second trace; empty for none. */
  b: v.optional(v.string(), ""),
  /** The ioctl that is chosen of each; null for the one that says the most. */
  at: v.optional(v.nullable(v.tuple([v.number(), v.number()])), null),
});

/** See {@link COMPARE_STATE}. */
export type CompareState = v.InferOutput<typeof COMPARE_STATE>;
