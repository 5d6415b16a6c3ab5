/** The trace pane. */

import { type Pane, type PaneProps, pane } from "../pane.ts";
import { TRACE_STATE, type TraceState } from "./state.ts";

function TraceView({ state }: PaneProps<TraceState>) {
  return <p>{state.trace}</p>;
}

/** A trace: its ioctls, its address space, and every address in it. */
export const tracePane: Pane = pane({ id: "trace", title: "Trace", schema: TRACE_STATE, View: TraceView });
