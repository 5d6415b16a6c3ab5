/**
 * What the counts may come to in time, by a model of stated constants: only where it was asked for, and apart from the counts.
 *
 * @module
 */

import { TIME_CONSTANTS } from "@vmbind/lab";
import type { PageData } from "./figure-data.ts";
import { type Html, html } from "./html.ts";
import type { ReportInput } from "./input.ts";
import { strategyColour } from "./palette.ts";
import { boxed } from "./scrolling.ts";

/** @returns the section; nothing unless it was asked for */
export function timeSection({ time }: ReportInput, data: PageData): Html {
  if (time === undefined || time.length === 0) return html``;
  return html`<section id="time"><h2>Counts as time, estimated</h2>
<p>Each count times a constant that is known as a range only: what the kernel’s own code took in user space, and a guess for what the
hardware waits. From the least to the most that this can mean.</p>
${boxed({
  caption: "Estimated, least to most.",
  className: "numbers sortable",
  content: html`<thead><tr><th scope="col">strategy</th><th scope="col">workload</th><th scope="col">to create</th><th scope="col">the whole</th></tr></thead>
<tbody>${time.map(
    (
      { workload, strategy, create },
      i,
    ) => html`<tr><th scope="row" class="name"><span class="swatch" style="background:${strategyColour(strategy)}"></span> ${strategy}</th><td>${workload}</td><td>${create ? range(`time.${i}.create`, data) : html`<span class="none">–</span>`}</td><td>${range(`time.${i}.whole`, data)}</td></tr>
`,
  )}</tbody>`,
})}
${boxed({
  caption: "The constants, microseconds.",
  className: "words",
  content: html`<thead><tr><th scope="col">each</th><th scope="col">least to most</th><th scope="col">from</th></tr></thead>
<tbody>${TIME_CONSTANTS.map(
    ({
      what,
      low,
      high,
      from,
    }) => html`<tr><th scope="row">${what}</th><td>${low} to ${high}</td><td>${from}</td></tr>
`,
  )}</tbody>`,
})}</section>`;
}

function range(path: string, data: PageData): Html {
  return html`${data.show(`${path}.low`)} to ${data.show(`${path}.high`)}`;
}
