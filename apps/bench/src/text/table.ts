/**
 * Tables as people, spreadsheets and Markdown want them: padded columns without box drawing, CSV, Markdown.
 *
 * @module
 */

import { formatNumber, visible } from "@vmbind/trace";
import { wrapWords } from "./wrap.ts";

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
 * Text that would be too wide wraps its titles, then its longest texts; columns that still do not fit go into another block below,
 * each with the first column.
 *
 * @param table - what to write
 * @param format - how
 * @param columns - most characters of a line of text
 * @returns lines, each with its line end
 */
export function renderTable(
  table: Table,
  format: TableFormat = "text",
  columns: number = Number.POSITIVE_INFINITY,
): string {
  if (format === "csv") return csv(table);
  return format === "markdown" ? markdown(table) : text(table, columns);
}

/**
 * @param table - any
 * @param columns - most characters of a line
 * @returns whether its text fits without wrapping anything
 */
export function fits(table: Table, columns: number): boolean {
  return lineWidth(wholeWidths(displayed(table))) <= columns;
}

/**
 * @param table - whose first column names the rows
 * @returns rows as columns
 */
export function transposed({ columns, rows }: Table): Table {
  return {
    columns: [columns[0] ?? "", ...rows.map((row) => String(row[0] ?? ""))],
    rows: columns.slice(1).map((title, c) => [title, ...rows.map((row) => row[c + 1] ?? null)]),
  };
}

/** Between two columns. */
const GAP = 2;

/** Texts are not wrapped to less. */
const TEXT_MIN = 16;

interface Displayed {
  titles: string[];
  cells: string[][];
  right: boolean[];
}

function displayed({ columns, rows }: Table): Displayed {
  const cells = rows.map((row) => row.map(display));
  return { titles: columns.map(visible), cells, right: numericColumns({ columns, rows }) };
}

/** Of each column, as wide as its widest text. */
function wholeWidths({ titles, cells }: Displayed): number[] {
  return titles.map((title, c) => Math.max(title.length, widest(cells, c)));
}

function text(table: Table, columns: number): string {
  const whole = displayed(table);
  const { titles, cells, right } = whole;
  const unwrapped = wholeWidths(whole);
  if (lineWidth(unwrapped) <= columns) {
    return block(
      whole,
      titles.map((_, c) => c),
      unwrapped,
    );
  }
  const widths = titles.map((title, c) => Math.max(longestWord(title), widest(cells, c)));
  shrinkTexts(widths, right, columns);
  return blocksOf(widths, columns)
    .map((some) => block(whole, some, widths))
    .join("\n");
}

/** Takes from the widest text until the line fits or all are as narrow as texts may be. */
function shrinkTexts(widths: number[], right: readonly boolean[], columns: number): void {
  for (let over = lineWidth(widths) - columns; over > 0; ) {
    const candidates = widths.map((width, c) => (right[c] || c === 0 ? 0 : width));
    const most = Math.max(...candidates);
    if (most <= TEXT_MIN) return;
    const next = Math.max(TEXT_MIN, ...candidates.filter((width) => width < most));
    const taken = Math.min(over, most - next || 1);
    widths[candidates.indexOf(most)] = most - taken;
    over -= taken;
  }
}

/** Which columns stand beside each other: the first and as many of the others as fit, at least one. */
function blocksOf(widths: readonly number[], columns: number): number[][] {
  const blocks: number[][] = [];
  let here = [0];
  for (let c = 1; c < widths.length; c++) {
    const wider = [...here, c];
    if (here.length > 1 && lineWidth(wider.map((i) => widths[i] as number)) > columns) {
      blocks.push(here);
      here = [0, c];
    } else here = wider;
  }
  return [...blocks, here];
}

function block(
  { titles, cells, right }: Displayed,
  some: readonly number[],
  widths: readonly number[],
): string {
  const gap = " ".repeat(GAP);
  const lineOf = (parts: readonly string[]): string => {
    let line = "";
    for (let k = 0; k < some.length; k++) {
      const c = some[k] as number;
      const part = parts[k] as string;
      if (k > 0) line += gap;
      line += right[c] ? part.padStart(widths[c] as number) : part.padEnd(widths[c] as number);
    }
    return `${line.trimEnd()}\n`;
  };
  const row = (texts: readonly string[], atTop: boolean): string => {
    const own = some.map((c) => texts[c] ?? "");
    // Mostly every text has room in its column.
    if (own.every((one, k) => one.length <= (widths[some[k] as number] as number))) return lineOf(own);
    const wrapped = own.map((one, k) => wrapWords(one, widths[some[k] as number] as number));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    return Array.from({ length: height }, (_, i) =>
      lineOf(wrapped.map((lines) => lines[atTop ? i : i - height + lines.length] ?? "")),
    ).join("");
  };
  return [row(titles, false), ...cells.map((cell) => row(cell, true))].join("");
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1);
}

function widest(cells: readonly (readonly string[])[], column: number): number {
  return cells.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0);
}

function longestWord(title: string): number {
  return Math.max(...title.split(" ").map((word) => word.length));
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
