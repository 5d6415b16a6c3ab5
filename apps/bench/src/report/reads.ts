/**
 * What programs read and write, side by side: where strategies disagree, an application notices which one it runs on.
 *
 * @module
 */

import type { AccessResult, CostResult } from "@vmbind/lab";
import type { PageData } from "./figure-data.ts";
import { type Html, html } from "./html.ts";
import type { ReportInput } from "./input.ts";
import { boxed } from "./scrolling.ts";

/** A workload under a strategy, and where it is in the page's JSON. */
interface Column {
  cost: CostResult;
  at: number;
}

/** @returns the section; nothing when no workload reads or writes */
export function readsSection({ lab: { costs } }: ReportInput, data: PageData): Html {
  const workloads = [...new Set(costs.filter(({ accesses }) => accesses.length > 0).map((c) => c.workload))];
  if (workloads.length === 0) return html``;
  return html`<section id="reads"><h2>What programs read</h2>
<p>Reads and writes of the workloads through the models’ page tables. Only those are shown that do not come out alike; the others
are folded.</p>
${workloads.map((workload) => {
  const columns = costs.flatMap((cost, at) => (cost.workload === workload ? [{ cost, at }] : []));
  const steps = (columns[0]?.cost.accesses ?? []).map((first, i) => ({ first, i }));
  const differs = ({ i }: { i: number }): boolean =>
    new Set(columns.map(({ cost }) => cost.accesses[i]?.value)).size > 1;
  const alike = steps.filter((step) => !differs(step));
  const differing = steps.filter(differs);
  return html`${
    differing.length > 0
      ? accessTable(`${workload}: what does not come out alike.`, differing, columns, data)
      : html`<p>${workload}: all come out alike.</p>`
  }${
    alike.length > 0
      ? html`<details><summary>${alike.length} of ${workload} that come out alike</summary>${accessTable(`${workload}: what comes out alike.`, alike, columns, data)}</details>`
      : null
  }`;
})}</section>`;
}

function accessTable(
  caption: string,
  steps: readonly { first: AccessResult; i: number }[],
  columns: readonly Column[],
  data: PageData,
): Html {
  return boxed({
    caption,
    className: "numbers",
    wide: true,
    content: html`<thead><tr><th scope="col">step</th>${columns.map(({ cost }) => html`<th scope="col">${cost.strategy}</th>`)}</tr></thead>
<tbody>${steps.map(
      ({ first: { step, access, resource, offset }, i }) =>
        html`<tr><th scope="row">${step}: ${access} ${resource} + 0x${offset.toString(16)}</th>${columns.map(({ cost, at }) => html`<td>${cost.accesses[i]?.value === null ? html`<span title="${cost.accesses[i]?.fault ?? ""}">fault</span>` : data.show(`lab.costs.${at}.accesses.${i}.value`)}</td>`)}</tr>
`,
    )}</tbody>`,
  });
}
