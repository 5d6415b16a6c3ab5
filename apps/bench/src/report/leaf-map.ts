/**
 * Maps of leaf sizes over a resource's addresses: one bar for every view, from the resource's start to its end, each leaf
 * (or run of leaves too narrow to be told apart) in the colour of its size.
 *
 * The bar is SVG by Plot and stretches with the column; the numbers beside it are text.
 *
 * @module
 */

import type { GpuView, LeafRun } from "@vmbind/lab";
import type { PageData } from "./figure-data.ts";
import { formatUnit } from "./figure-data.ts";
import { Html, html } from "./html.ts";
import { leafColour } from "./palette.ts";
import { type Drawing, draw, hover } from "./plot.ts";

/** One row of a map. */
export interface LeafRow {
  /** Strategy. */
  strategy: string;
  /** The view. */
  view: GpuView;
  /** Path of the view in the page's JSON. */
  path: string;
}

/** Widths inside a bar: it is stretched afterwards. */
const UNITS = 1000;
/** Leaves narrower than this are drawn together. */
const LEAF_UNITS_MIN = 4;
/** More runs than this are drawn as columns, each in the colour of most of its bytes. */
const RUNS_MAX = 200;
/** Columns of a bar then. */
const COLUMNS = 250;
const HEIGHT = 22;

interface Piece {
  start: number;
  end: number;
  kind: LeafRun["kind"];
  leafBytes: number;
  bound: boolean;
  text: string;
}

/**
 * @param drawing - where
 * @param data - the page's JSON
 * @param rows - the views, all of one resource and moment
 * @returns rows of text and bars, with a legend
 */
export function drawLeafMap(drawing: Drawing, data: PageData, rows: readonly LeafRow[]): Html {
  const longest = Math.max(...rows.map((r) => r.view.bytes));
  return html`<div class="leafmap">
${rows.map((row) => drawRow(drawing, data, row, longest))}
<p class="scale"><span>0</span><span>${formatUnit(longest, "bytes")}</span></p>
${legend(rows)}
</div>`;
}

function drawRow(drawing: Drawing, data: PageData, { strategy, view, path }: LeafRow, longest: number): Html {
  const counts = view.unboundLeaves.map(
    (leaf, i) =>
      html`${i > 0 ? ", " : ""}${data.show(`${path}.unboundLeaves.${i}.leaves`)} × ${data.show(`${path}.unboundLeaves.${i}.leafBytes`)}${leaf.kind === "null" ? " null" : ""}`,
  );
  const access = view.access === "read-write" ? "" : ` (${view.access} address)`;
  const words = counts.length > 0 ? counts : [html`no leaves: an access faults`];
  const label = `${strategy}${access}: ${view.unboundLeaves.map((l) => `${l.leaves} leaves of ${formatUnit(l.leafBytes, "bytes")}`).join(", ") || "no leaves under unbound addresses"}`;
  return html`<div class="leafrow"><p><b>${strategy}</b>${access} <span class="counts">unbound: ${words}</span></p>${drawBar(drawing, view, longest, label)}</div>`;
}

function drawBar(drawing: Drawing, view: GpuView, longest: number, label: string): Html {
  const { Plot } = drawing;
  const perByte = UNITS / longest;
  const coarse = view.runs.length > RUNS_MAX;
  const pieces = coarse ? columns(view, perByte) : view.runs.map(pieceOf);
  const lines = coarse ? [] : view.runs.flatMap((run) => borders(run, perByte));
  const svg = draw(drawing, label, {
    width: UNITS,
    height: HEIGHT,
    margin: 0,
    x: { domain: [0, longest], range: [0, UNITS], axis: null },
    y: { domain: [0, HEIGHT], range: [0, HEIGHT], axis: null },
    marks: [
      Plot.rect(pieces, {
        x1: "start",
        x2: "end",
        y1: 0,
        y2: 16,
        fill: (p: Piece) => leafColour(p.kind, p.bound, p.leafBytes),
        ...(coarse ? {} : { title: (p: Piece) => hover(p.text) }),
      }),
      Plot.ruleX(lines, { y1: 0, y2: 16, stroke: "var(--paper)" }),
      Plot.rect(
        pieces.filter((p) => p.bound),
        { x1: "start", x2: "end", y1: 18, y2: HEIGHT, fill: "var(--ink)" },
      ),
    ],
  });
  return new Html(svg.text.replace("<svg ", '<svg preserveAspectRatio="none" '));
}

/** A run as one piece. */
function pieceOf({ offset, bytes, kind, leafBytes, bound, leaves }: LeafRun): Piece {
  const what = leaves > 0 ? `${leaves} × ${formatUnit(leafBytes, "bytes")} ${kind}` : "no translation";
  const text = `${what}, ${formatUnit(bytes, "bytes")} at +0x${offset.toString(16)}${bound ? ", bound" : ""}`;
  return { start: offset, end: offset + bytes, kind, leafBytes, bound, text };
}

/** Borders between leaves that are wide enough to be seen one by one. */
function borders({ offset, bytes, leaves }: LeafRun, perByte: number): number[] {
  if (leaves < 2 || (bytes / leaves) * perByte < LEAF_UNITS_MIN) return [];
  return Array.from({ length: leaves - 1 }, (_, i) => offset + (bytes / leaves) * (i + 1));
}

/** Equal columns; each has the leaf size, and is bound or not, as most of its bytes. */
function columns(view: GpuView, perByte: number): Piece[] {
  const step = UNITS / COLUMNS / perByte;
  const pieces: Piece[] = [];
  let first = 0;
  for (let start = 0; start < view.bytes; start += step) {
    const end = Math.min(start + step, view.bytes);
    const shares = new Map<string, { run: LeafRun; bytes: number }>();
    while (first < view.runs.length && endOf(view.runs[first] as LeafRun) <= start) first++;
    for (let i = first; i < view.runs.length; i++) {
      const run = view.runs[i] as LeafRun;
      if (run.offset >= end) break;
      const key = `${run.kind} ${run.leafBytes} ${run.bound}`;
      const bytes = Math.min(endOf(run), end) - Math.max(run.offset, start);
      shares.set(key, { run, bytes: bytes + (shares.get(key)?.bytes ?? 0) });
    }
    const most = [...shares.values()].sort((a, b) => b.bytes - a.bytes)[0];
    if (!most) continue;
    const { kind, leafBytes, bound } = most.run;
    const last = pieces.at(-1);
    if (
      last &&
      last.end === start &&
      last.kind === kind &&
      last.leafBytes === leafBytes &&
      last.bound === bound
    ) {
      last.end = end;
    } else {
      pieces.push({
        start,
        end,
        kind,
        leafBytes,
        bound,
        text: `mostly ${formatUnit(leafBytes, "bytes")} ${kind}${bound ? ", bound" : ""}`,
      });
    }
  }
  return pieces;
}

function endOf(run: LeafRun): number {
  return run.offset + run.bytes;
}

function legend(rows: readonly LeafRow[]): Html {
  const seen = new Map<string, LeafRun>();
  for (const { view } of rows)
    for (const run of view.runs) seen.set(`${run.kind} ${run.bound} ${run.leafBytes}`, run);
  const entries = [...seen.values()].sort(
    (a, b) => b.kind.localeCompare(a.kind) || Number(b.bound) - Number(a.bound) || a.leafBytes - b.leafBytes,
  );
  const bound = rows.some(({ view }) => view.runs.some((r) => r.bound));
  return html`<ul class="legend">
${entries.map((run) => html`<li><span class="swatch" style="background:${leafColour(run.kind, run.bound, run.leafBytes)}"></span>${inWords(run)}</li>`)}
${bound ? html`<li><span class="swatch under"></span>memory of the application bound</li>` : null}
</ul>`;
}

function inWords({ kind, bound, leafBytes }: LeafRun): string {
  if (kind === "fault") return "no translation";
  return `${formatUnit(leafBytes, "bytes")} ${kind === "null" ? "null" : bound ? "memory" : "shared"}`;
}
