/** What the trace pane shows: what is chosen, never what follows from it. */

import * as v from "valibot";

const ADDRESS = v.pipe(v.number(), v.finite(), v.minValue(0));

/** In the link. */
export const TRACE_STATE = v.object({
  /** Name of a recording, of the trace in the page, or of a file that was opened; empty for none. */
  trace: v.optional(v.string(), ""),
  /** The ioctl that is chosen; null for the one that says the most. */
  seq: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0))), null),
  /** Open file and id of the VM that is looked at; null for that of the ioctl. */
  vm: v.optional(v.nullable(v.tuple([v.number(), v.number()])), null),
  /** The part of the address space that is shown, bytes; null for where the ioctl is. */
  view: v.optional(v.nullable(v.tuple([ADDRESS, ADDRESS])), null),
  /** The part of the time line that is shown, in operations; null for all of it. */
  time: v.optional(v.nullable(v.tuple([v.number(), v.number()])), null),
  /** The address that is looked at; null for none. */
  va: v.optional(v.nullable(ADDRESS), null),
  /** What is searched for. */
  find: v.optional(v.string(), ""),
});

/** See {@link TRACE_STATE}. */
export type TraceState = v.InferOutput<typeof TRACE_STATE>;
