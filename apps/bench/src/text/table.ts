/**
 * Tables as people, spreadsheets and Markdown want them: padded columns without box drawing, CSV, Markdown.
 *
 * @module
 */

import { formatNumber, visible } from "@vmbind/trace";

/** A cell: numbers are right-aligned and grouped in threes, everything else is text. */
export type Cell = string | number | null;

/** Column titles and rows of the same length. */
export interface Table {
  /** Titles, one per column. */
  columns: readonly string[];
  /** Rows of cells. */
  rows: readonly (readonly Cell[])[];
}

/** How a table can be written. */
export type TableFormat = "text" | "csv" | "markdown";

/**
 * Write a table.
 *
 * @param table - what to write
 * @param format - how
 * @returns lines, each with its line end
 */
export function renderTable(table: Table, format: TableFormat = "text"): string {
  if (format === "csv") return csv(table);
  return format === "markdown" ? markdown(table) : text(table);
}

function text({ columns, rows }: Table): string {
  const cells = rows.map((row) => row.map(display));
  const widths = columns.map((title, c) =>
    cells.reduce((width, row) => Math.max(width, row[c]?.length ?? 0), title.length),
  );
  const right = numericColumns({ columns, rows });
  const line = (row: readonly string[]): string => {
    const padded = row.map((cell, c) => {
      const width = widths[c] as number;
      return right[c] ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${padded.join("  ").trimEnd()}\n`;
  };
  return [columns, ...cells].map(line).join("");
}

function markdown({ columns, rows }: Table): string {
  const right = numericColumns({ columns, rows });
  const line = (row: readonly string[]): string => `| ${row.map(markdownText).join(" | ")} |\n`;
  const rule = `|${right.map((r) => (r ? "---:" : "---")).join("|")}|\n`;
  return line(columns) + rule + rows.map((row) => line(row.map(display))).join("");
}

/**
 * Text for a Markdown page.
 *
 * @param text - any; what a file said may stand in it as it is
 * @returns one line in which nothing is markup
 */
export function markdownText(text: string): string {
  return visible(text).replace(/[\\`[\]<>|]/g, (sign) => MARKDOWN.get(sign) ?? `\\${sign}`);
}

const MARKDOWN: ReadonlyMap<string, string> = new Map([
  ["<", "&lt;"],
  [">", "&gt;"],
]);

function csv({ columns, rows }: Table): string {
  const quote = (cell: Cell): string => {
    const raw = cell === null ? "" : String(cell);
    return /[",\n\r]/.test(raw) ? `"${raw.replaceAll('"', '""')}"` : raw;
  };
  return [columns, ...rows].map((row) => `${row.map(quote).join(",")}\n`).join("");
}

function display(cell: Cell): string {
  if (cell === null) return "-";
  return typeof cell === "number" ? formatNumber(cell) : visible(cell);
}

function numericColumns({ columns, rows }: Table): boolean[] {
  return columns.map((_, c) => {
    const cells = rows.map((row) => row[c] ?? null);
    return rows.length > 0 && cells.every((cell) => cell === null || typeof cell === "number");
  });
}
