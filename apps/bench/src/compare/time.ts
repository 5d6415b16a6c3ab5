/**
 * What counts may come to in time, where somebody asked for it.
 *
 * @module
 */

import { TIME_CONSTANTS, type TimeEstimate } from "@vmbind/lab";
import { renderTable } from "../text/table.ts";
import { paragraph } from "../text/wrap.ts";
import type { Style } from "./text.ts";

/**
 * Write estimates.
 *
 * @param estimates - of a comparison
 * @param style - text or Markdown
 */
export function renderTime(estimates: readonly TimeEstimate[], { format, title, columns }: Style): string {
  const range = (time: TimeEstimate["whole"] | undefined): string =>
    time === undefined ? "-" : `${digits(time.low)} to ${digits(time.high)}`;
  const table = renderTable(
    {
      columns: ["workload", "strategy", "to create", "the whole"],
      rows: estimates.map(({ workload, strategy, create, whole }) => [
        workload,
        strategy,
        range(create),
        range(whole),
      ]),
    },
    format,
    columns,
  );
  const constants = TIME_CONSTANTS.map(({ what, low, high }) => `${what} ${low} to ${high}`).join(", ");
  return `${title("Counts as time, estimated", 2)}\n${table}${paragraph(
    `Microseconds, least to most: counts times constants that are known as ranges (each ${constants}). System-call entry, locks and fences are left out.`,
    columns,
  )}`;
}

/** Three digits are more than is known. */
function digits(microseconds: number): string {
  return Number(microseconds.toPrecision(2)).toLocaleString("en");
}
