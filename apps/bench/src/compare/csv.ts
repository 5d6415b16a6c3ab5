/**
 * A comparison for spreadsheets: one row for each workload, strategy and figure.
 *
 * @module
 */

import type { Comparison } from "@vmbind/lab";
import { type Cell, renderTable } from "../text/table.ts";

/**
 * @param comparison - what was found
 * @returns CSV; a figure of one phase of a generated workload is called `phase.figure`
 */
export function comparisonCsv({ kernel, recorded, lab }: Comparison): string {
  const rows: Cell[][] = [];
  for (const { workload, strategy, driver, recorded: sent, metrics } of recorded) {
    const source = sent ? "recorded" : "derived";
    for (const [figure, value] of Object.entries(metrics)) {
      rows.push([source, workload, strategy, driver, figure, value, kernel]);
    }
  }
  for (const { workload, strategy, driver, phases, total } of lab.costs) {
    for (const [prefix, figures] of [["", total] as const, ...phaseFigures(phases)]) {
      for (const [figure, value] of Object.entries(figures)) {
        rows.push(["generated", workload, strategy, driver, `${prefix}${figure}`, value, kernel]);
      }
    }
  }
  return renderTable(
    { columns: ["source", "workload", "strategy", "driver", "figure", "value", "kernel"], rows },
    "csv",
  );
}

function phaseFigures<T extends object>(phases: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(phases).map(([phase, figures]) => [`${phase}.`, figures]);
}
