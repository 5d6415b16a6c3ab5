/**
 * A comparison for people: the question, a table for every workload, and the short answer where the prompt will be.
 *
 * @module
 */

import { type QuirkProfile, size as sizeInWords } from "@vmbind/drm";
import {
  type Answer,
  type Comparison,
  type CostResult,
  CREATE_METRICS,
  type GeneratedWorkload,
  METRICS,
  QUESTION_WORKLOAD,
  SHOWN_FIGURES,
  SPARSE_STRATEGIES,
  type SparseStrategy,
  type TraceRow,
  WORKLOADS,
} from "@vmbind/lab";
import { formatNumber, visible } from "@vmbind/trace";
import { invalidatedInWords } from "../report/bytes.ts";
import {
  type Cell,
  fits,
  markdownText,
  renderTable,
  type Table,
  type TableFormat,
  transposed,
} from "../text/table.ts";
import { paragraph } from "../text/wrap.ts";
import { answerLines } from "./answer.ts";
import { KERNELS } from "./kernels.ts";

/** The question that all of this answers. */
export const QUESTION: string =
  "A sparse resource whose pages are not bound must not fault. How should user space say so?";

/** What creating a resource takes, where there is no room for all of it. */
const KEY_OF_CREATION: readonly string[] = [
  "createOps",
  "createPayloadBytes",
  "createPteWrites",
  "createTables",
  "createTlbInvalidations",
];

/** Figures that text shows of each workload; the others are details. */
const KEY_FIGURES: readonly string[] = [
  "bindOps",
  "payloadBytes",
  "pteWrites",
  "tablesPeak",
  "tlbInvalidations",
];

const NOTES = [
  "Figures are for the workload between device set-up and teardown; peaks include what the user-mode driver maps for itself.",
  `Recorded: the ioctls that Mesa sent. Derived: the recorded ioctls of ${derivedFrom()}, each sparse operation replaced.`,
  "Generated: what an application asks of Vulkan, lowered to ioctls as each user-mode driver does it.",
  `Sizes and alignments are the drivers' own: ${[`blocks of ${each(({ blockBytes, umd }) => `${sizeInWords(blockBytes)} (${umd})`)}`, ...lacks()].join("; ")}.`,
];

/** What a sentence says of each strategy, said once. */
function each(say: (strategy: SparseStrategy) => string): string {
  return [...new Set(SPARSE_STRATEGIES.map(say))].join(", ");
}

function derivedFrom(): string {
  const prefixes = SPARSE_STRATEGIES.filter(isDerived).map(({ traces }) => traces.prefix);
  return [...new Set(prefixes)].join(", ");
}

function lacks(): string[] {
  return SPARSE_STRATEGIES.flatMap(({ umd, traces }) =>
    traces.lacks ? [`${umd} has no ${traces.lacks}`] : [],
  );
}

function isDerived({ traces }: SparseStrategy): boolean {
  return traces.derive !== undefined;
}

/** How people read it. */
export interface Style {
  /** Text or Markdown. */
  format: Exclude<TableFormat, "csv">;
  /**
   * Emphasises a title.
   *
   * @param title - the title
   * @param level - 1 for the whole, 2 for parts, 3 for tables
   */
  title(title: string, level: number): string;
  /** Most characters of a line. */
  columns: number;
  /** Whether to show every figure of every workload. */
  details: boolean;
}

/**
 * Write a comparison.
 *
 * @param comparison - what was found
 * @param strategies - what was compared
 * @param workloads - the generated ones
 * @param style - text or Markdown
 */
export function renderComparison(
  { kernel, recorded, lab, answer, leftOut }: Comparison,
  strategies: readonly SparseStrategy[],
  workloads: readonly GeneratedWorkload[],
  style: Style,
): string {
  const traces = WORKLOADS.filter((name) => recorded.some((row) => row.workload === name));
  const isText = style.format === "text";
  const headline = describeCreation(answer, kernel, style);
  const parts = [question(strategies, style)];
  if (!isText && headline !== null) parts.push(headline);
  parts.push(...strategyNotes(strategies, style));
  if (traces.length > 0) parts.push(style.title("Recorded workloads", 2));
  for (const name of traces) {
    const rows = recorded.filter((row) => row.workload === name);
    parts.push(describeRecorded(name, rows, kernel, style));
  }
  if (lab.costs.length > 0) parts.push(style.title("Generated workloads", 2));
  for (const { name, description } of workloads) {
    const costs = lab.costs.filter((cost) => cost.workload === name);
    if (costs.length > 0) parts.push(describeGenerated(name, description, costs, kernel, style));
  }
  for (const { workload, strategy, why } of leftOut) {
    const said = style.format === "markdown" ? markdownText(why) : visible(why);
    parts.push(paragraph(`Left out: ${workload} generated, ${strategy}: ${said}`, style.columns, "  "));
  }
  const notes = [...NOTES, `Kernel ${kernel}: ${KERNELS[kernel]}.`];
  parts.push(notes.map((note) => paragraph(note, style.columns)).join(isText ? "" : "\n"));
  return parts.join("\n");
}

/** Said where there is more to see. */
export const HINT = "--details shows all figures, findings, semantics and accounting.\n";

/**
 * The end of a text: what creating the resource takes, and the answer in four lines.
 *
 * @param comparison - what was found
 * @param style - of text
 * @returns nothing when there is too little to compare
 */
export function renderAnswer({ kernel, answer }: Comparison, style: Style): string {
  const parts = [describeCreation(answer, kernel, style), answerLines(answer, style.columns)];
  return parts.filter((part) => part !== null && part !== "").join("\n");
}

function question(strategies: readonly SparseStrategy[], style: Style): string {
  const says = renderTable(
    {
      columns: ["strategy", "says"],
      rows: strategies.map((s) => [s.name, `${s.says}${isDerived(s) ? " (derived)" : ""}`]),
    },
    style.format,
    style.columns,
  );
  const title = style.format === "text" ? paragraph(QUESTION, style.columns) : QUESTION;
  return `${title
    .trimEnd()
    .split("\n")
    .map((line) => style.title(line, 1))
    .join("")}\n${says}`;
}

function strategyNotes(strategies: readonly SparseStrategy[], { columns }: Style): string[] {
  return strategies.flatMap(({ name, note }) =>
    note === undefined ? [] : [paragraph(`${name}: ${note}`, columns)],
  );
}

/** What it takes to create the resource that the question is about; null where no row is there. */
function describeCreation({ workload, rows }: Answer, kernel: QuirkProfile, style: Style): string | null {
  if (workload !== QUESTION_WORKLOAD) return null;
  const [most = 0, ...others] = rows.map(({ values }) => values["createOps"] ?? 0);
  const alike = others.every((count) => count === most);
  const against =
    others.length > 0
      ? `: ${formatNumber(most)} operation${most === 1 ? "" : "s"} ${alike ? "each" : `against ${listed(others.map(formatNumber))}`}`
      : "";
  const tableOf = (shown: (figure: string) => boolean): Table => ({
    columns: ["to create it", ...CREATE_METRICS.filter(({ name }) => shown(name)).map(({ title }) => title)],
    rows: rows.map(({ strategy, values, generated }) => [
      generated ? `${strategy} (generated)` : strategy,
      ...CREATE_METRICS.filter(({ name }) => shown(name)).map(({ name }) => values[name] ?? null),
    ]),
  });
  const whole = tableOf(() => true);
  const table =
    style.details || fits(whole, style.columns)
      ? whole
      : tableOf((figure) => KEY_OF_CREATION.includes(figure));
  const title = paragraph(`100e6 bytes, nothing bound, kernel ${kernel}${against}.`, style.columns);
  return `${title}\n${renderTable(table, style.format, style.columns)}`;
}

/** A workload's figures: strategies side by side where that fits, else one below the other. */
function figures(
  source: string,
  strategies: readonly string[],
  rows: readonly (readonly [figure: string, title: string, values: readonly (number | null)[]])[],
  { format, columns, details }: Style,
): string {
  const shown = rows.filter(([figure]) => details || KEY_FIGURES.includes(figure));
  const commands = rows.find(([figure]) => figure === "tlbInvalidations")?.[2] ?? [];
  const inWords = (value: number | null, i: number): Cell =>
    invalidatedInWords(value ?? 0, commands[i] ?? 0) ?? value;
  const wide: Table = {
    columns: [source, ...strategies],
    rows: shown.map(([figure, title, values]) => [
      title,
      ...(figure === "tlbInvalidatedBytes" ? values.map(inWords) : values),
    ]),
  };
  return renderTable(format === "markdown" || fits(wide, columns) ? wide : transposed(wide), format, columns);
}

function describeRecorded(
  name: string,
  rows: readonly TraceRow[],
  kernel: QuirkProfile,
  style: Style,
): string {
  const about = name === QUESTION_WORKLOAD ? `${name}: 100e6 bytes, nothing bound` : name;
  const title = `${about} (kernel ${kernel})`;
  const table = figures(
    "recorded",
    rows.map((row) => row.strategy),
    METRICS.map((m) => [m.name, m.title, rows.map((row) => row.metrics[m.name] ?? null)]),
    style,
  );
  const refused = rows
    .filter((row) => row.differences > 0)
    .map((r) =>
      paragraph(
        `${r.strategy}: the model answered ${r.differences} ioctls differently from the trace`,
        style.columns,
      ),
    );
  return `${style.title(title, 3)}${table}${refused.join("")}`;
}

function describeGenerated(
  name: string,
  description: string,
  costs: readonly CostResult[],
  kernel: QuirkProfile,
  style: Style,
): string {
  const table = figures(
    "generated",
    costs.map(({ strategy }) => strategy),
    SHOWN_FIGURES.map(([figure, title]) => [figure, title, costs.map(({ total }) => total[figure])]),
    style,
  );
  const title = `${name}: ${description} (kernel ${kernel})`;
  const lines =
    style.format === "text" ? paragraph(visible(title), style.columns, "  ").trimEnd().split("\n") : [title];
  return `${lines.map((line) => style.title(line, 3)).join("")}${table}`;
}

/** `48, 1, 1, 2 and 1`. */
function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
