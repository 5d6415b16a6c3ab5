/**
 * `explain --summary`: how often each ioctl and each kind of operation was there, and what it cost.
 *
 * @module
 */

import type { CostSheet } from "@vmbind/drm";
import type { Action, TraceIoctl } from "@vmbind/trace";
import { type Cell, renderTable } from "../text/table.ts";

/** What one row sums up. */
interface Row {
  calls: number;
  failed: number;
  operations: number;
  steps: number;
  entries: number;
  tables: number;
  invalidations: number;
}

/** Sums up what is told. */
export class Summary {
  readonly #calls = new Map<string, Row>();
  readonly #kinds = new Map<string, { operations: number; bytes: number }>();

  /**
   * @param record - an ioctl
   * @param action - what it means
   * @param ret - what the model returned
   * @param cost - of it
   */
  add({ ioctl }: TraceIoctl, action: Action, ret: number, cost: Readonly<CostSheet>): void {
    const row = this.#calls.get(ioctl) ?? {
      calls: 0,
      failed: 0,
      operations: 0,
      steps: 0,
      entries: 0,
      tables: 0,
      invalidations: 0,
    };
    this.#calls.set(ioctl, row);
    const of = (name: string): number => cost[name] ?? 0;
    row.calls++;
    if (ret !== 0) row.failed++;
    row.steps += of("mapSteps") + of("remapSteps") + of("unmapSteps");
    row.entries += of("pteWrites") + of("pteClears");
    row.tables += of("tablesAllocated");
    row.invalidations += of("tlbInvalidations");
    if (action.kind !== "bind") return;
    row.operations += action.ops.length;
    for (const { heading, range } of action.ops) {
      const kind = this.#kinds.get(heading) ?? { operations: 0, bytes: 0 };
      this.#kinds.set(heading, kind);
      kind.operations++;
      kind.bytes += range;
    }
  }

  /**
   * @param columns - most characters of a line
   * @returns two tables
   */
  text(columns: number): string {
    const rows = [...this.#calls]
      .sort(([, a], [, b]) => b.entries - a.entries || b.calls - a.calls)
      .map(([name, { calls, failed, operations, steps, entries, tables, invalidations }]): Cell[] => [
        name,
        calls,
        failed,
        operations,
        steps,
        entries,
        tables,
        invalidations,
      ]);
    const head = ["ioctl", "calls", "failed", "ops", "steps", "entries", "tables", "TLB"];
    const kinds = [...this.#kinds].map(([name, { operations, bytes }]): Cell[] => [name, operations, bytes]);
    return (
      renderTable({ columns: head, rows }, "text", columns) +
      (kinds.length === 0
        ? ""
        : renderTable({ columns: ["kind", "operations", "VA bytes"], rows: kinds }, "text", columns))
    );
  }
}
