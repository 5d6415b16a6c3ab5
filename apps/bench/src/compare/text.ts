/**
 * A comparison for people: the question and its short answer, then a table for every workload.
 *
 * @module
 */

import { RECORDED_PROFILE, size as sizeInWords } from "@vmbind/drm";
import {
  type Comparison,
  type CostResult,
  CREATE_METRICS,
  type GeneratedWorkload,
  METRICS,
  SHOWN_FIGURES,
  SPARSE_STRATEGIES,
  type SparseStrategy,
  type TraceRow,
  WORKLOADS,
} from "@vmbind/lab";
import { formatNumber, visible } from "@vmbind/trace";
import { markdownText, renderTable, type Table, type TableFormat } from "../text/table.ts";

/** The question that all of this answers. */
export const QUESTION: string =
  "A sparse resource whose pages are not bound must not fault. How should user space say so?";

/** The workload that the question was asked with. */
const QUESTION_WORKLOAD = "buffer-100e6";

const NOTES = [
  "Figures are for the workload between device set-up and teardown; peaks include what the user-mode driver maps for itself.",
  `Recorded: the ioctls that Mesa sent. Derived: the recorded ioctls of ${derivedFrom()}, each sparse operation replaced.`,
  "Generated: what an application asks of Vulkan, lowered to ioctls as each user-mode driver does it.",
  `The models of all figures have the quirks of ${RECORDED_PROFILE}: what the drivers get wrong in ordinary use.`,
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
  { recorded, lab, leftOut }: Comparison,
  strategies: readonly SparseStrategy[],
  workloads: readonly GeneratedWorkload[],
  style: Style,
): string {
  const traces = WORKLOADS.filter((name) => recorded.some((row) => row.workload === name));
  const parts = [question(strategies, recorded, lab.costs, style)];
  if (traces.length > 0) parts.push(style.title("Recorded workloads", 2));
  for (const name of traces) {
    const rows = recorded.filter((row) => row.workload === name);
    parts.push(describeRecorded(name, rows, style));
  }
  if (lab.costs.length > 0) parts.push(style.title("Generated workloads", 2));
  for (const { name, description } of workloads) {
    const costs = lab.costs.filter((cost) => cost.workload === name);
    if (costs.length > 0) parts.push(describeGenerated(name, description, costs, style));
  }
  for (const { workload, strategy, why } of leftOut) {
    const said = style.format === "markdown" ? markdownText(why) : visible(why);
    parts.push(`Left out: ${workload} generated, ${strategy}: ${said}\n`);
  }
  parts.push(NOTES.map((note) => `${note}\n`).join(style.format === "markdown" ? "\n" : ""));
  return parts.join("\n");
}

function question(
  strategies: readonly SparseStrategy[],
  recorded: readonly TraceRow[],
  costs: readonly CostResult[],
  style: Style,
): string {
  const says = renderTable(
    {
      columns: ["strategy", "says"],
      rows: strategies.map((s) => [s.name, `${s.says}${isDerived(s) ? " (derived)" : ""}`]),
    },
    style.format,
  );
  const notes = strategies
    .flatMap(({ name, note }) => (note === undefined ? [] : [`\n${name}: ${note}\n`]))
    .join("");
  const answer = answerRows(recorded, costs);
  if (answer.length === 0) return `${style.title(QUESTION, 1)}\n${says}${notes}`;
  const [most, ...others] = answer.map(({ values }) => formatNumber(values[0] ?? 0));
  const against = others.length > 0 ? `: ${most} operations against ${listed(others)}` : "";
  const table: Table = {
    columns: ["to create it", ...CREATE_METRICS.map(({ title }) => title)],
    rows: answer.map(({ strategy, values }) => [strategy, ...values]),
  };
  return `${style.title(QUESTION, 1)}\n${says}\n100e6 bytes, nothing bound${against}.\n\n${renderTable(table, style.format)}${notes}`;
}

interface AnswerRow {
  strategy: string;
  values: (number | null)[];
}

/** What creating the resource takes: as recorded, or as generated where only that was run. */
function answerRows(recorded: readonly TraceRow[], costs: readonly CostResult[]): AnswerRow[] {
  const rows = recorded.filter(({ workload }) => workload === QUESTION_WORKLOAD);
  if (rows.length > 0) {
    return rows.map(({ strategy, metrics }) => ({
      strategy,
      values: CREATE_METRICS.map(({ name }) => metrics[name] ?? null),
    }));
  }
  return costs
    .filter(({ workload }) => workload === QUESTION_WORKLOAD)
    .map(({ strategy, phases: { create: c } }) => ({
      strategy,
      values: c
        ? [
            c.bindOps,
            c.bindIoctls,
            c.payloadBytes,
            c.mapSteps,
            c.pteWrites,
            c.tablesAllocated,
            c.tlbInvalidations,
          ]
        : CREATE_METRICS.map(() => null),
    }));
}

function describeRecorded(name: string, rows: readonly TraceRow[], style: Style): string {
  const title = name === QUESTION_WORKLOAD ? `${name}: 100e6 bytes, nothing bound` : name;
  const table: Table = {
    columns: ["recorded", ...rows.map((row) => row.strategy)],
    rows: METRICS.map((m) => [m.title, ...rows.map((row) => row.metrics[m.name] ?? null)]),
  };
  const refused = rows
    .filter((row) => row.differences > 0)
    .map((r) => `${r.strategy}: the model answered ${r.differences} ioctls differently from the trace\n`);
  return `${style.title(title, 3)}${renderTable(table, style.format)}${refused.join("")}`;
}

function describeGenerated(
  name: string,
  description: string,
  costs: readonly CostResult[],
  style: Style,
): string {
  const table: Table = {
    columns: ["generated", ...costs.map(({ strategy }) => strategy)],
    rows: SHOWN_FIGURES.map(([figure, title]) => [title, ...costs.map(({ total }) => total[figure])]),
  };
  return `${style.title(`${name}: ${description}`, 3)}${renderTable(table, style.format)}`;
}

/** `48, 1, 1, 2 and 1`. */
function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
