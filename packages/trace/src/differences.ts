/**
 * What checkers find while a trace is replayed, with its place in the trace.
 *
 * @module
 */

import type { Report } from "./check/checker.ts";
import type { TraceRecord } from "./record.ts";

/** One way in which the model differs from the recording. */
export interface Difference {
  /** seq of the ioctl, or of the last one before the mark. */
  seq: number;
  /** Line in the trace. */
  line: number;
  /** What differs: `ret`, `arg_out`, `mappings`, `store`, `leak`; or the rule that another checker finds broken. */
  what: string;
  /** What was recorded. */
  expected: string;
  /** What the model does. */
  got: string;
  /** Why the model refused the ioctl, when it did. */
  reason: string | null;
}

const KEPT = 20;

/** Counts the differences of one trace and keeps the first. */
export class DifferenceList {
  /** All of them. */
  count = 0;
  /** The first ones. */
  readonly first: Difference[] = [];
  #seq = -1;
  #line = 1;

  /**
   * What is found from now on belongs to a record.
   *
   * @param record - the record
   */
  at(record: TraceRecord): void {
    this.#line = record.line;
    if (record.kind === "ioctl") this.#seq = record.seq;
  }

  /** Takes what checkers find. */
  readonly report: Report = (what, expected, got, reason = null) => {
    this.count++;
    if (this.first.length >= KEPT) return;
    this.first.push({ seq: this.#seq, line: this.#line, what, expected, got, reason });
  };
}
