/**
 * The short answer of a comparison: what a resource takes under each strategy, who needs least and most of what, and who is not
 * beaten by anybody.
 *
 * @module
 */

import type { Answer, AnswerRow, LabFinding } from "./conclusions.ts";
import { CREATE_METRICS, type TraceRow } from "./recorded/recorded.ts";
import type { CostFigures, CostResult } from "./result.ts";
import { byStrategy, list, say } from "./sentences.ts";

/** The workload that the question was asked with. */
export const QUESTION_WORKLOAD = "buffer-100e6";

/** A figure by which strategies are held against each other. */
export interface DecidingFigure {
  /** Its name where a creation is looked at. */
  readonly create: string;
  /** Its name where a whole workload is. */
  readonly total: keyof CostFigures;
  /** What it is called in text. */
  readonly title: string;
}

/** Figures by which strategies are held against each other. */
export const DECIDING: readonly DecidingFigure[] = [
  { create: "createOps", total: "bindOps", title: "operations" },
  { create: "createPteWrites", total: "pteWrites", title: "leaf entries" },
  { create: "createTlbInvalidations", total: "tlbInvalidations", title: "TLB invalidations" },
];

/** Of a creation that was generated, under the names of {@link CREATE_METRICS}. */
const CREATED: Readonly<Record<string, keyof CostFigures>> = {
  createOps: "bindOps",
  createIoctls: "bindIoctls",
  createPayloadBytes: "payloadBytes",
  createMappings: "mapSteps",
  createPteWrites: "pteWrites",
  createTables: "tablesAllocated",
  createTlbInvalidations: "tlbInvalidations",
};

/** What is told of a whole workload. */
const WHOLE: readonly (keyof CostFigures)[] = [
  "bindOps",
  "payloadBytes",
  "pteWrites",
  "tablesPeak",
  "tlbInvalidations",
];

/**
 * The answer, about creating the resource of {@link QUESTION_WORKLOAD} where that was run, else about the whole of the first
 * workload: as recorded, or as generated where only that was run.
 *
 * @param recorded - of a comparison
 * @param costs - of a comparison
 * @returns without rows where nothing was run
 */
export function answerOf(recorded: readonly TraceRow[], costs: readonly CostResult[]): Answer {
  const names = [recorded, costs].flatMap((rows) => rows.map(({ workload }) => workload));
  const workload = names.includes(QUESTION_WORKLOAD) ? QUESTION_WORKLOAD : (names[0] ?? "");
  const created = workload === QUESTION_WORKLOAD;
  const sent = recorded.filter((row) => row.workload === workload);
  const generated = costs.filter(
    (cost) => cost.workload === workload && !sent.some(({ strategy }) => strategy === cost.strategy),
  );
  const figures = created ? CREATE_METRICS.map(({ name }) => name) : WHOLE;
  const values = [...sent.map(recordedValues), ...generated.map((cost) => generatedValues(cost, created))];
  const rows = withFactors(
    values.map(({ strategy, of }, i) => ({
      strategy,
      generated: sent.length > 0 && i >= sent.length,
      values: Object.fromEntries(figures.map((name) => [name, of(name)])),
    })),
  );
  const deciding = DECIDING.map((figure) => (created ? figure.create : figure.total));
  const unbeaten = rows
    .filter((one) => !rows.some((other) => beats(other, one, deciding)))
    .map(({ strategy }) => strategy);
  const about = created ? "100e6 bytes, nothing bound" : workload;
  return { workload, about, deciding, rows, unbeaten, lines: linesOf(about, rows, deciding, unbeaten) };
}

interface Values {
  strategy: string;
  of(name: string): number | null;
}

function recordedValues({ strategy, metrics }: TraceRow): Values {
  return { strategy, of: (name) => metrics[name] ?? null };
}

function generatedValues({ strategy, phases, total }: CostResult, created: boolean): Values {
  return {
    strategy,
    of: (name) =>
      created
        ? (phases.create?.[CREATED[name] as keyof CostFigures] ?? null)
        : total[name as keyof CostFigures],
  };
}

/** Each figure over the least of its kind that is not 0. */
function withFactors(rows: readonly Omit<AnswerRow, "factors">[]): AnswerRow[] {
  const least = (name: string): number =>
    Math.min(...rows.flatMap(({ values }) => (values[name] ? [values[name]] : [])));
  return rows.map((row) => ({
    ...row,
    factors: Object.fromEntries(
      Object.entries(row.values).flatMap(([name, value]) => (value ? [[name, value / least(name)]] : [])),
    ),
  }));
}

/** No worse anywhere, and better somewhere. */
function beats(one: AnswerRow, other: AnswerRow, figures: readonly string[]): boolean {
  const pairs = figures.map((name) => (one.values[name] ?? 0) - (other.values[name] ?? 0));
  return pairs.every((difference) => difference <= 0) && pairs.some((difference) => difference < 0);
}

function linesOf(
  about: string,
  rows: readonly AnswerRow[],
  deciding: readonly string[],
  unbeaten: readonly string[],
): LabFinding[] {
  if (rows.length < 2) return [];
  const lines = deciding.map((name, i) => {
    const title = DECIDING[i]?.title ?? name;
    const value = (row: AnswerRow): number => row.values[name] ?? 0;
    const [least, most] = [Math.min(...rows.map(value)), Math.max(...rows.map(value))];
    const start = `${title[0]?.toUpperCase()}${title.slice(1)}: `;
    if (least === most) return say(`answer-${name}`, start, least, " with each.");
    const between = rows.filter((row) => value(row) > least && value(row) < most).length;
    return say(
      `answer-${name}`,
      start,
      byStrategy(
        rows.filter((row) => value(row) === least || value(row) === most).sort((a, b) => value(a) - value(b)),
        value,
      ),
      between > 0 ? "; the others lie between." : ".",
    );
  });
  const verdict = `Not beaten in all of these, ${about}: ${list(unbeaten)}.`;
  return [...lines, { id: "answer-unbeaten", text: verdict, values: [] }];
}
