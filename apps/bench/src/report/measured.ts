/**
 * Time beside counts: what sparse binding took on real devices.
 *
 * @module
 */

import type { PageData } from "./figure-data.ts";
import { type Html, html } from "./html.ts";
import type { MeasuredDevice, MeasuredRow, ReportInput } from "./input.ts";
import { boxed } from "./scrolling.ts";

/** Rows that say most, in the order in which they are read. */
const TOLD = [
  "create 100e6 sparse buffer",
  "empty vkQueueBindSparse and fence",
  "bind one tile, one call",
  "bind 100e6 as one bind",
  "bind all tiles, a call each",
  "repeat: one tile bound to every block, one call",
  "bind 4 GiB as one bind",
  "bind all of the big buffer tile by tile, shuffled",
] as const;

/** Amounts that are the answer of a row, the first that it has. */
const ANSWERS = ["median_us", "us", "device_us"] as const;

const KEPT = "write all of it unbound, read again";

/** @returns the section; nothing without a device */
export function measuredSection({ measured }: ReportInput, data: PageData): Html {
  if (measured.length === 0) return html``;
  const rows = TOLD.filter((name) => measured.some((device) => rowAt(device, name) >= 0));
  return html`<section id="measured"><h2>Measured on real devices</h2>
<p>Time, on the client’s clock: a call of <code>vkQueueBindSparse</code> and the wait for its fence. These are other drivers than
the models’, so no figure here belongs to a count above; they say what a bind costs where it runs for real.</p>
${boxed({
  caption: "A sparse buffer of 100e6 bytes, median of the runs.",
  className: "numbers",
  content: html`<thead><tr><td></td>${measured.map(({ device, driver }) => html`<th scope="col">${device}<br><small>${driver}</small></th>`)}</tr></thead>
<tbody><tr><th scope="row">block of a buffer</th>${measured.map((_, d) => html`<td>${data.show(`measured.${d}.tileBytes`)}</td>`)}</tr>
${rows.map(
  (
    name,
  ) => html`<tr><th scope="row">${name}</th>${measured.map((device, d) => html`<td>${answerOf(device, d, name, data)}</td>`)}</tr>
`,
)}</tbody>`,
})}
${measured.map((device, d) => growth(device, d, data))}
<ul>${measured.map((device, d) => unboundWrites(device, d, data))}</ul>
<details><summary>All rows, and how they were measured</summary>${measured.map((device, d) => allRows(device, d, data))}</details></section>`;
}

function rowAt({ rows }: MeasuredDevice, name: string): number {
  return rows.findIndex(({ row }) => row === name);
}

function answerOf(device: MeasuredDevice, d: number, name: string, data: PageData): Html {
  const at = rowAt(device, name);
  const amounts = device.rows[at]?.amounts ?? {};
  const amount = ANSWERS.find((key) => typeof amounts[key] === "number");
  return amount === undefined
    ? html`<span class="none">–</span>`
    : data.show(`measured.${d}.rows.${at}.amounts.${amount}`);
}

/** Rows whose cost depends on what is live: the cost of a bind is no constant everywhere. */
function growth({ device, rows }: MeasuredDevice, d: number, data: PageData): Html {
  const growing = rows.flatMap(({ row, amounts }, r) => {
    const { live, per_op_us: cost } = amounts;
    return Array.isArray(live) && Array.isArray(cost) ? [{ row, r, live }] : [];
  });
  const [first] = growing;
  if (first === undefined) return html``;
  const path = (r: number, name: string, i: number): string => `measured.${d}.rows.${r}.amounts.${name}.${i}`;
  return boxed({
    caption: `${device}: what one bind takes, by the tiles that are live.`,
    className: "numbers",
    content: html`<thead><tr><td></td>${first.live.map((_, i) => html`<th scope="col">${data.show(path(first.r, "live", i))} live</th>`)}</tr></thead>
<tbody>${growing.map(
      ({
        row,
        r,
      }) => html`<tr><th scope="row">${row}</th>${first.live.map((_, i) => html`<td>${data.show(path(r, "per_op_us", i))}</td>`)}</tr>
`,
    )}</tbody>`,
  });
}

/** Whether what is written to unbound pages is dropped, as strict residency wants, or stays. */
function unboundWrites(device: MeasuredDevice, d: number, data: PageData): Html {
  const at = rowAt(device, KEPT);
  const kept = device.rows[at]?.amounts["nonzero"];
  if (typeof kept !== "number") return html``;
  const path = `measured.${d}.rows.${at}.amounts.nonzero`;
  return kept === 0
    ? html`<li>${device.device} drops what is written to unbound pages: ${data.show(path)} words were read back.</li>`
    : html`<li>${device.device} keeps what is written to unbound pages: ${data.show(path)} words were read back.</li>`;
}

function allRows({ device, driver, date, notes, rows }: MeasuredDevice, d: number, data: PageData): Html {
  return html`${boxed({
    caption: `${device}, ${driver}, ${date}: all rows.`,
    className: "words",
    content: html`<thead><tr><th scope="col">what</th><th scope="col">amounts</th></tr></thead>
<tbody>${rows.map(
      (
        row,
        r,
      ) => html`<tr><th scope="row">${row.row}${row.kind === undefined ? null : html`, ${row.kind}`}</th><td>${amountsOf(row, `measured.${d}.rows.${r}.amounts`, data)}</td></tr>
`,
    )}</tbody>`,
  })}${notes === undefined ? null : html`<p>${notes}</p>`}`;
}

function amountsOf({ amounts }: MeasuredRow, path: string, data: PageData): Html[] {
  return Object.entries(amounts).map(([name, value], i) => {
    const shown = Array.isArray(value)
      ? value.map((_, k) => html`${k > 0 ? " / " : null}${data.show(`${path}.${name}.${k}`)}`)
      : data.show(`${path}.${name}`);
    return html`${i > 0 ? ", " : null}${name.replace(/_us$/, "").replaceAll("_", " ")} ${shown}`;
  });
}
