/**
 * What each strategy comes down to, and the maintainer's question answered with yes or no.
 *
 * @module
 */

import type { StrategyVerdict } from "@vmbind/lab";
import { type Html, html } from "./html.ts";
import type { ReportInput } from "./input.ts";
import { strategyColour } from "./palette.ts";
import { boxed } from "./scrolling.ts";
import { sentence } from "./sentence.ts";

/** The lines of a verdict that the maintainer's question is about. */
const BOOKS = new Set(["memory", "references", "left"]);

/** The other lines, and what they answer. */
const COLUMNS = [
  { id: "pays", heading: "who pays what when" },
  { id: "locks", heading: "what a submit locks" },
  { id: "seen", heading: "what others see" },
] as const;

/** @returns for each strategy: who pays what when, what a submit must lock, what others see */
export function verdictSection({ lab: { verdicts } }: ReportInput): Html {
  if (verdicts.length === 0) return html``;
  const cell = ({ lines }: StrategyVerdict, i: number, id: string): Html => {
    const k = lines.findIndex((line) => line.id === id);
    const line = lines[k];
    return html`<td>${line ? sentence(line, `lab.verdicts.${i}.lines.${k}`) : "–"}</td>`;
  };
  return html`<section id="verdicts"><h2>What each answer costs whom</h2>
${boxed({
  caption: "A verdict for each strategy. What is left over, and who is charged, stands in the next section.",
  className: "words",
  wide: true,
  content: html`<thead><tr><th scope="col">strategy</th>${COLUMNS.map(({ heading }) => html`<th scope="col">${heading}</th>`)}</tr></thead>
<tbody>${verdicts.map(
    (verdict, i) =>
      html`<tr><th scope="row" class="name"><span class="swatch" style="background:${strategyColour(verdict.strategy)}"></span> ${verdict.strategy}</th>${COLUMNS.map(({ id }) => cell(verdict, i, id))}</tr>
`,
  )}</tbody>`,
})}</section>`;
}

/** @returns the maintainer's question, and yes or no for each strategy with the figures behind it */
export function accountingVerdicts({ lab: { verdicts } }: ReportInput): Html {
  return boxed({
    caption: html`“… or does this mess up some accounting or refcounts?” Yes where memory is in no file’s statistics, or mappings of
unbound addresses outlive their resource.`,
    className: "words",
    content: html`<thead><tr><th scope="col">strategy</th><th scope="col">messed up</th><th scope="col">because</th></tr></thead>
<tbody>${verdicts.map((verdict, i) => bookRow(verdict, `lab.verdicts.${i}`))}</tbody>`,
  });
}

function bookRow({ strategy, astray, lines }: StrategyVerdict, path: string): Html {
  const reasons = lines.flatMap((line, k) =>
    BOOKS.has(line.id) ? [sentence(line, `${path}.lines.${k}`)] : [],
  );
  return html`<tr><th scope="row" class="name"><span class="swatch" style="background:${strategyColour(strategy)}"></span> ${strategy}</th><td class="verdict-${String(!astray)}"><span class="mark">${astray ? "yes" : "no"}</span></td><td>${reasons.map((reason) => html`${reason} `)}</td></tr>
`;
}
