/** What the trace pane shows. */

import * as v from "valibot";

/** In the link. */
export const TRACE_STATE = v.object({
  /** Name of a recording, of the trace in the page, or of a dropped file; empty for none. */
  trace: v.optional(v.string(), ""),
});

/** See {@link TRACE_STATE}. */
export type TraceState = v.InferOutput<typeof TRACE_STATE>;
