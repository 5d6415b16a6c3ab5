/**
 * The report's first screen: the answer in a few lines, and one table with factors.
 *
 * @module
 */

import {
  type Answer,
  type AnswerRow,
  CREATE_METRICS,
  type LabFinding,
  METRICS,
  QUESTION_WORKLOAD,
} from "@vmbind/lab";
import type { PageData } from "./figure-data.ts";
import { type Html, html } from "./html.ts";
import type { ReportInput } from "./input.ts";
import { strategyColour } from "./palette.ts";
import { boxed } from "./scrolling.ts";
import { sentence } from "./sentence.ts";

/** Headings that are short, since the caption says what they are of. */
const TITLES = new Map([...CREATE_METRICS, ...METRICS].map(({ name, title }) => [name, title]));

/** Figures of a creation that the first table has no room for. */
const LEFT_OUT = new Set(["createIoctls", "createMappings"]);

/** @returns the section, nothing when there is nothing to compare */
export function answerSection(input: ReportInput, data: PageData): Html {
  const { answer, lab } = input;
  if (answer.rows.length === 0) return html``;
  const accounting = lab.findings.findIndex(({ id }) => id === "accounting-answer");
  const disagreement = lab.findings.findIndex(({ id }) => id === `disagree-${answer.workload}`);
  const found = [disagreement, accounting].filter((at) => at >= 0);
  const lines = [
    ...answer.lines.map((line, i) => sentence(line, `answer.lines.${i}`)),
    ...found.map((at) => sentence(lab.findings[at] as LabFinding, `lab.findings.${at}`)),
  ];
  return html`<section id="answer"><h2>The answer</h2>
<ul class="answer">${lines.map((line) => html`<li>${line}</li>`)}</ul>
${factorTable(answer, data)}</section>`;
}

function factorTable({ rows, about, workload }: Answer, data: PageData): Html {
  const names = Object.keys(rows[0]?.values ?? {}).filter((name) => !LEFT_OUT.has(name));
  const what =
    workload === QUESTION_WORKLOAD ? `To create the resource: ${about}.` : `The whole of ${about}.`;
  const own = rows.filter(({ generated }) => generated).map(({ strategy }) => strategy);
  const unsent = own.length > 0 ? ` Of ${own.join(", ")} nothing is recorded: generated.` : "";
  return boxed({
    caption: `${what} Behind a figure how many times the least that it is. ${data.note}${unsent}`,
    className: "numbers sortable factors",
    content: html`<thead><tr><th scope="col">strategy</th>${names.map((name) => html`<th scope="col">${TITLES.get(name) ?? name}</th>`)}</tr></thead>
<tbody>${rows.map((row, i) => factorRow(row, `answer.rows.${i}`, names, data))}</tbody>`,
  });
}

function factorRow(
  { strategy, factors }: AnswerRow,
  path: string,
  names: readonly string[],
  data: PageData,
): Html {
  return html`<tr><th scope="row" class="name"><span class="swatch" style="background:${strategyColour(strategy)}"></span> ${strategy}</th>${names.map(
    (name) =>
      html`<td>${data.show(`${path}.values.${name}`)}${(factors[name] ?? 1) > 1 ? html` <small>${data.show(`${path}.factors.${name}`)}</small>` : null}</td>`,
  )}</tr>
`;
}
