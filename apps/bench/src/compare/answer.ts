/**
 * The short answer of a comparison: who needs least and most of what, and who is not beaten by anybody.
 *
 * @module
 */

import { type Comparison, type CostResult, CREATE_METRICS, type TraceRow } from "@vmbind/lab";
import { formatNumber } from "@vmbind/trace";
import { paragraph } from "../text/wrap.ts";

/** The workload that the question was asked with. */
export const QUESTION_WORKLOAD = "buffer-100e6";

/** What creating the resource of {@link QUESTION_WORKLOAD} takes under a strategy. */
export interface AnswerRow {
  /** Its name. */
  strategy: string;
  /** In the order of CREATE_METRICS. */
  values: (number | null)[];
}

/**
 * What creating the resource takes: as recorded, or as generated where only that was run.
 *
 * @param recorded - of a comparison
 * @param costs - of a comparison
 */
export function answerRows(recorded: readonly TraceRow[], costs: readonly CostResult[]): AnswerRow[] {
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

/** Figures by which strategies are held against each other: as a metric of creating, and of a whole workload. */
const DECIDING = [
  { create: "createOps", total: "bindOps", title: "operations" },
  { create: "createPteWrites", total: "pteWrites", title: "leaf entries" },
  { create: "createTlbInvalidations", total: "tlbInvalidations", title: "TLB invalidations" },
] as const;

interface Contender {
  strategy: string;
  /** In the order of {@link DECIDING}. */
  values: number[];
}

/**
 * The answer: a line for each deciding figure, and one for who is not beaten, about the question's workload or the first that was
 * run.
 *
 * @param recorded - of a comparison
 * @param costs - of a comparison
 * @param columns - most characters of a line
 * @returns four lines, the last wrapped where it must be; empty for less than two strategies
 */
export function answerLines(
  recorded: Comparison["recorded"],
  costs: Comparison["lab"]["costs"],
  columns: number,
): string {
  const [about, contenders] = contendersOf(recorded, costs);
  if (contenders.length < 2) return "";
  const unbeaten = contenders.filter((one) => !contenders.some((other) => beats(other, one)));
  const width = Math.max(...DECIDING.map(({ title }) => title.length));
  const lines = DECIDING.map(({ title }, i) => {
    const values = contenders.map(({ values: v }) => v[i] as number);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const who = (value: number): string[] =>
      [...new Set([...unbeaten, ...contenders])].filter((c) => c.values[i] === value).map((c) => c.strategy);
    const start = `${title.padEnd(width)}  `;
    const says =
      least === most
        ? `${formatNumber(least)} each`
        : extremes([least, who(least)], [most, who(most)], columns - start.length);
    return paragraph(`${start}${says}`, columns, "  ");
  });
  const names = unbeaten.map(({ strategy }) => strategy).join(", ");
  const verdict = paragraph(`${about}; unbeaten in all three: ${names}`, columns, "  ");
  return `${lines.join("")}${verdict}`;
}

type Extreme = readonly [value: number, who: readonly string[]];

/** `1: panthor-sparse, xe-null, 1 more. 24,415: panthor-per-page`, with as many names as fit. */
function extremes(least: Extreme, most: Extreme, columns: number): string {
  const say = ([value, who]: Extreme, count: number): string => {
    const more = who.length > count ? [`${who.length - count} more`] : [];
    return `${formatNumber(value)}: ${[...who.slice(0, count), ...more].join(", ")}`;
  };
  for (let count = Math.max(least[1].length, most[1].length); count > 1; count--) {
    const line = `${say(least, count)}. ${say(most, count)}`;
    if (line.length <= columns) return line;
  }
  return `${say(least, 1)}. ${say(most, 1)}`;
}

/** No worse anywhere, and better somewhere. */
function beats(one: Contender, other: Contender): boolean {
  const pairs = one.values.map((value, i) => value - (other.values[i] as number));
  return pairs.every((difference) => difference <= 0) && pairs.some((difference) => difference < 0);
}

function contendersOf(
  recorded: readonly TraceRow[],
  costs: readonly CostResult[],
): [about: string, contenders: Contender[]] {
  const answer = answerRows(recorded, costs);
  if (answer.length > 0) {
    const at = DECIDING.map(({ create }) => CREATE_METRICS.findIndex(({ name }) => name === create));
    return [
      "100e6 bytes, nothing bound",
      answer.map(({ strategy, values }) => ({ strategy, values: at.map((i) => values[i] ?? 0) })),
    ];
  }
  const workload = recorded[0]?.workload ?? costs[0]?.workload ?? "";
  const rows = recorded.filter((row) => row.workload === workload);
  const contenders =
    rows.length > 0
      ? rows.map(({ strategy, metrics }) => ({
          strategy,
          values: DECIDING.map(({ total }) => metrics[total] ?? 0),
        }))
      : costs
          .filter((cost) => cost.workload === workload)
          .map(({ strategy, total }) => ({
            strategy,
            values: DECIDING.map((figure) => total[figure.total]),
          }));
  return [workload, contenders];
}
