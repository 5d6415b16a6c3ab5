/** What the write pane shows: two texts, and whom they are for. */

import * as v from "valibot";

/** What a kernel may be called; see `docs/propose-an-operation.md`. */
export const KERNELS = ["ideal", "linux-7.3", "as-posted-v5"] as const;
/** A text in a link is no longer than this. */
const TEXT_MAX = 100_000;

const text = v.pipe(v.string(), v.maxLength(TEXT_MAX));

/** In the link. */
export const WRITE_STATE = v.object({
  /** The program; null for the first example. */
  text: v.optional(v.nullable(text), null),
  /** A strategy module; null for none. */
  strategy: v.optional(v.nullable(text), null),
  /** Which of the two is in the editor. */
  file: v.optional(v.picklist(["operations.ts", "strategy.ts"]), "operations.ts"),
  /** Names of strategies; null for one of each driver. */
  strategies: v.optional(v.nullable(v.array(v.string())), null),
  /** Devices that are not the usual ones, by strategy. */
  devices: v.optional(v.record(v.string(), v.string()), {}),
  /** The kernel. */
  kernel: v.optional(v.picklist(KERNELS), "ideal"),
  /** Index of the operation that is looked at closely; null for the first one whose answers differ. */
  chosen: v.optional(v.nullable(v.number()), null),
});

/** See {@link WRITE_STATE}. */
export type WriteState = v.InferOutput<typeof WRITE_STATE>;
