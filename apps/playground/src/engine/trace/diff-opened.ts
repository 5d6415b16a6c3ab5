/** Two traces that are open, compared by meaning: what one does and the other does not, where, and with which memory. */

import { diffTraces, type Trace, type TraceChange, type TraceRecord } from "@vmbind/trace";
import type { Turn } from "../turn.ts";
import { openTrace } from "./library.ts";
import type { LoadedTrace } from "./loaded-trace.ts";

/** Which traces; both were opened. */
export interface DiffRequest {
  readonly a: string;
  readonly b: string;
}

/** What came of it. */
export interface OpenedDiff {
  /** Differences in the order of the first trace: the first ones. */
  readonly changes: readonly TraceChange[];
  readonly changeCount: number;
  /** Things of each trace that were compared. */
  readonly compared: readonly [number, number];
  /** Whether only sparse resources were compared, as for traces of two drivers. */
  readonly resourcesOnly: boolean;
}

const CHANGES_MAX = 2000;

/**
 * @param request - which traces
 * @param turn - of the request
 */
export async function diffOpened({ a, b }: DiffRequest, turn: Turn): Promise<OpenedDiff> {
  const [first, second] = [openTrace(a), openTrace(b)];
  turn.progress("comparing");
  const { changes, compared, resourcesOnly } = await diffTraces(
    { trace: again(first), lens: first.lens },
    { trace: again(second), lens: second.lens },
  );
  return { changes: changes.slice(0, CHANGES_MAX), changeCount: changes.length, compared, resourcesOnly };
}

function again({ name, path, header, records }: LoadedTrace): Trace {
  return { name, path, header, records: each(records) };
}

async function* each(records: readonly TraceRecord[]): AsyncGenerator<TraceRecord> {
  yield* records;
}
