/**
 * A comparison as kernel lists take it: plain text of 72 columns, the answer first, and what repeats it at the end.
 *
 * @module
 */

import { type Comparison, type GeneratedWorkload, SPARSE_STRATEGIES, type SparseStrategy } from "@vmbind/lab";
import { paragraph } from "../text/wrap.ts";
import { renderAnswer, renderComparison, type Style } from "./text.ts";

/** So that a reply can quote it a few times within 80. */
const COLUMNS = 72;

const STYLE: Style = {
  format: "text",
  columns: COLUMNS,
  details: false,
  title: (title) => `${title}\n`,
};

/** Where the figures are from. */
export interface MailFacts {
  /** Names and versions of what took part. */
  versions: Readonly<Record<string, string>>;
  /** The command line that gives the same again. */
  command: string;
}

/**
 * Write a mail.
 *
 * @param comparison - what was found
 * @param strategies - what was compared
 * @param workloads - the generated ones
 * @param facts - versions and command
 */
export function renderMail(
  comparison: Comparison,
  strategies: readonly SparseStrategy[],
  workloads: readonly GeneratedWorkload[],
  { versions, command }: MailFacts,
): string {
  const answer = renderAnswer(comparison, STYLE);
  const books = comparison.lab.verdicts.map(({ strategy, astray, lines }) => {
    const said = lines.filter(({ id }) => id === "memory" || id === "left").map(({ text }) => text);
    return paragraph(`  ${strategy}: ${astray ? "yes" : "no"}. ${said.join(" ")}`, COLUMNS, "    ");
  });
  const accounting = books.length > 0 ? [`Does it mess up accounting or refcounts?\n${books.join("")}`] : [];
  const others = SPARSE_STRATEGIES.filter((strategy) => !strategies.includes(strategy));
  const from = Object.entries(versions)
    .filter(([name]) => others.every((other) => other.name !== name))
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  return [
    ...(answer === "" ? [] : [answer]),
    ...accounting,
    renderComparison(comparison, strategies, workloads, STYLE),
    `${paragraph(`Counted on executable models, not timed: ${from}.`, COLUMNS)}${paragraph(`Again: ${command}`, COLUMNS, "  ")}`,
  ].join("\n");
}
