/**
 * The short answer of a comparison in lines of text.
 *
 * @module
 */

import { type Answer, type AnswerRow, DECIDING } from "@vmbind/lab";
import { formatNumber } from "@vmbind/trace";
import { paragraph } from "../text/wrap.ts";

/**
 * The answer: a line for each deciding figure, and one for who is not beaten.
 *
 * @param answer - of a comparison
 * @param columns - most characters of a line
 * @returns four lines, the last wrapped where it must be; empty for less than two strategies
 */
export function answerLines({ about, rows, deciding, unbeaten }: Answer, columns: number): string {
  if (rows.length < 2) return "";
  const width = Math.max(...DECIDING.map(({ title }) => title.length));
  const lines = deciding.map((name, i) => {
    const value = ({ values }: AnswerRow): number => values[name] ?? 0;
    const all = rows.map(value);
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const first = rows.filter(({ strategy }) => unbeaten.includes(strategy));
    const who = (amount: number): string[] =>
      [...new Set([...first, ...rows])].filter((row) => value(row) === amount).map((row) => row.strategy);
    const start = `${(DECIDING[i]?.title ?? name).padEnd(width)}  `;
    const says =
      least === most
        ? `${formatNumber(least)} each`
        : extremes([least, who(least)], [most, who(most)], columns - start.length);
    return paragraph(`${start}${says}`, columns, "  ");
  });
  const verdict = paragraph(`${about}; unbeaten in all three: ${unbeaten.join(", ")}`, columns, "  ");
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
