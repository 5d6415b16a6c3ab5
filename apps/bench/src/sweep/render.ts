/**
 * A sweep for people and spreadsheets: counted work against size, how each figure grows, and what was left out.
 *
 * @module
 */

import { counted, size as sizeInWords } from "@vmbind/drm";
import {
  AXES,
  type Axis,
  type CostFigures,
  type Growth,
  type LeftOutPoint,
  type PointRow,
  type SparseStrategy,
  type Sweep,
  valueInWords,
} from "@vmbind/lab";
import { formatNumber, visible } from "@vmbind/trace";
import { renderTable, type Table, type TableFormat } from "../text/table.ts";
import { paragraph } from "../text/wrap.ts";

/** Figures that people are shown; JSON and CSV have all. */
const SHOWN: readonly (readonly [keyof CostFigures, string])[] = [
  ["bindOps", "operations"],
  ["bindIoctls", "VM_BIND ioctls"],
  ["payloadBytes", "payload bytes"],
  ["gpuvmSteps", "split and merge steps"],
  ["gpuvasPeak", "mappings, peak"],
  ["pteWrites", "leaf entries written"],
  ["pteClears", "leaf entries cleared"],
  ["tablesPeak", "table pages, peak"],
  ["tlbInvalidations", "TLB invalidations"],
];

/** Figures with a table of their own. */
const TABLED: readonly (keyof CostFigures)[] = ["bindOps", "pteWrites", "tablesPeak", "tlbInvalidations"];

const TITLES: Readonly<Record<Axis, string>> = {
  size: "Size of the resource, nothing bound",
  fraction: "Part of the resource that is bound",
  offset: "Where the resource may begin",
};

/** How people read a sweep. */
export interface SweepStyle {
  /** Text or Markdown. */
  format: Exclude<TableFormat, "csv">;
  /** Emphasises a title, in one line. */
  title(title: string): string;
  /** Most characters of a line. */
  columns: number;
  /** Whether to show the tables by size, and every point that is left out. */
  details: boolean;
  /** What is known of its strategies, others among them. */
  strategies: readonly SparseStrategy[];
}

/**
 * Write a sweep as text or Markdown.
 *
 * @param sweep - a whole sweep
 * @param style - how
 */
export function renderSweep(sweep: Sweep, style: SweepStyle): string {
  const { format, title: heading, columns, details, strategies } = style;
  const parts: string[] = [];
  const section = (title: string, paragraphs: readonly string[], table: Table): void => {
    const text = paragraphs.map((p) => paragraph(p, columns)).join(format === "markdown" ? "\n" : "");
    const gap = format === "markdown" ? "\n" : "";
    parts.push(`${heading(title)}\n${gap}${text}${text && gap}${renderTable(table, format, columns)}`);
  };
  const notes = strategyNotes(strategies, sweep);
  for (const axis of AXES) {
    section(
      `${TITLES[axis]}: how costs grow`,
      [aboutAxis(axis, sweep, notes)],
      growthTable(sweep.growth, axis),
    );
  }
  for (const figure of details ? TABLED : []) {
    const title = SHOWN.find(([name]) => name === figure)?.[1] as string;
    section(`${capital(title)} by size`, [], sizeTable(sweep, figure));
  }
  if (sweep.leftOut.length > 0) {
    section("Left out", [counted(sweep.leftOut.length, "point")], leftOutTable(sweep.leftOut, details));
  }
  if (!details)
    parts.push(paragraph("--details shows counted work by size, and each point left out.", columns));
  return parts.join("\n");
}

/**
 * @param sweep - a sweep or a shard
 * @returns one row for each strategy, point and figure
 */
export function sweepCsv(sweep: Sweep): string {
  return renderTable(
    {
      columns: ["strategy", "axis", "x", "figure", "value", "kernel"],
      rows: sweep.rows.flatMap(({ strategy, axis, x, figures }) =>
        Object.entries(figures).map(([figure, value]) => [
          strategy,
          axis,
          x,
          figure,
          value,
          sweep.knobs.kernel,
        ]),
      ),
    },
    "csv",
  );
}

function aboutAxis(axis: Axis, { knobs }: Sweep, notes: readonly string[]): string {
  const { workload } = knobs;
  if (workload && axis !== "offset") {
    const swept = axis === "size" ? "size, in bytes" : "bound part, from 0 to 1";
    const from = `The workload ${visible(workload.name)}, with its own tiles, order and calls; x is its ${swept}.`;
    return [from, `Kernel: ${knobs.kernel}.`, ...(axis === "size" ? notes : [])].join(" ");
  }
  switch (axis) {
    case "size":
      return (
        "A resource is created and destroyed. Laws are of the powers of two, other sizes are in the tables below; a dash is " +
        ["a point that was left out.", `Kernel: ${knobs.kernel}.`, ...notes].join(" ")
      );
    case "fraction":
      return (
        `A resource of ${sizeInWords(knobs.sizeBytes)} is created, bound in tiles of ${sizeInWords(knobs.tileBytes)} at ` +
        `random places, destroyed; x is the part that is bound, from 0 to 1. Kernel: ${knobs.kernel}.`
      );
    case "offset":
      return (
        `A resource of ${sizeInWords(knobs.offsetBytes)} is created and destroyed when up to 2 MiB at the top of the heap ` +
        `are taken: least to most. Kernel: ${knobs.kernel}.`
      );
  }
}

function strategyNotes(strategies: readonly SparseStrategy[], { knobs }: Sweep): string[] {
  const shown = strategies.filter(({ name }) => knobs.strategies.includes(name));
  return shown.flatMap(({ note }) => note ?? []);
}

function growthTable(growth: readonly Growth[], axis: Axis): Table {
  const here = growth.filter((g) => g.axis === axis);
  const strategies = [...new Set(here.map(({ strategy }) => strategy))];
  return {
    columns: ["strategy", "figure", "grows"],
    rows: strategies.flatMap((strategy) =>
      SHOWN.map(([name, title]) => {
        const words = here.find((g) => g.strategy === strategy && g.figure === name)?.words;
        return [strategy, title, words ?? null];
      }),
    ),
  };
}

function sizeTable({ rows, knobs }: Sweep, figure: keyof CostFigures): Table {
  const bySize = new Map<number, Map<string, number>>();
  for (const { axis, x, strategy, figures } of rows as readonly PointRow[]) {
    if (axis !== "size") continue;
    const row = bySize.get(x) ?? new Map<string, number>();
    bySize.set(x, row.set(strategy, figures[figure]));
  }
  const ascending = [...bySize.entries()].sort(([a], [b]) => a - b);
  return {
    columns: ["bytes", "", ...knobs.strategies],
    rows: ascending.map(([x, row]) => [
      x,
      nameOf(x),
      ...knobs.strategies.map((name) => row.get(name) ?? null),
    ]),
  };
}

/** `2 MiB`, `2 MiB - 4 KiB`, `2 MiB + 64 KiB`; empty for other sizes. */
function nameOf(bytes: number): string {
  if (isPower(bytes)) return sizeInWords(bytes);
  if (isPower(bytes + 4096)) return `${sizeInWords(bytes + 4096)} - 4 KiB`;
  return isPower(bytes - 65536) ? `${sizeInWords(bytes - 65536)} + 64 KiB` : "";
}

function isPower(bytes: number): boolean {
  return bytes > 0 && Number.isInteger(Math.log2(bytes));
}

/** One row for each strategy and reason. */
function leftOutTable(leftOut: readonly LeftOutPoint[], details: boolean): Table {
  const groups = new Map<string, LeftOutPoint[]>();
  for (const point of leftOut) {
    const key = `${point.strategy} ${point.axis} ${point.why}`;
    groups.set(key, [...(groups.get(key) ?? []), point]);
  }
  return {
    columns: ["strategy", "axis", "why", "points"],
    rows: [...groups.values()].map((points) => {
      const { strategy, axis, why } = points[0] as LeftOutPoint;
      const named = (x: number): string => (axis === "size" ? nameOf(x) : valueInWords(axis, x));
      const values = points.map(({ x }) => named(x) || formatNumber(x));
      const some = values.length > 2 ? [values[0], "...", values.at(-1)] : values;
      return [strategy, axis, why, details ? values.join("; ") : some.join(" ")];
    }),
  };
}

function capital(text: string): string {
  return (text[0] as string).toUpperCase() + text.slice(1);
}
