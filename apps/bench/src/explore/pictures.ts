/**
 * Pictures of a story: a time line of its ioctls, and the address space at one moment. They are SVG by Plot that stretches
 * with the column; all text stands beside it.
 *
 * @module
 */

import type { PlotOptions } from "@observablehq/plot";
import { hex } from "@vmbind/drm";
import type { Moment, TraceStory } from "@vmbind/trace";
import { formatBytes } from "../report/bytes.ts";
import type { PageData } from "../report/figure-data.ts";
import { Html, html } from "../report/html.ts";
import { mappingColour } from "../report/palette.ts";
import { type Drawing, draw, hover } from "../report/plot.ts";
import { type Bar, type Box, barsAfter, UNITS } from "./space.ts";

/** Rows of the time line. */
const ROWS: readonly { title: string; kinds: readonly Moment["what"][] }[] = [
  { title: "VM_BIND", kinds: ["bind"] },
  { title: "objects made and closed", kinds: ["bo-create", "bo-close"] },
  { title: "VMs made and destroyed", kinds: ["vm-create", "vm-destroy"] },
  { title: "all else", kinds: ["other"] },
];

/**
 * @param drawing - where
 * @param data - the story as the page carries it
 * @param story - what happened
 * @returns rows of time from left to right: mappings, then ioctls by what they are about
 */
export function drawTimeline(drawing: Drawing, data: PageData, story: TraceStory): Html {
  const { Plot } = drawing;
  const { moments } = story;
  const x = { domain: [0, Math.max(1, moments.length)], range: [0, UNITS], axis: null };
  const peak = moments.reduce(
    (most, m, i) => (m.gpuvasLive > (moments[most]?.gpuvasLive ?? 0) ? i : most),
    0,
  );
  const high = Math.max(1, moments[peak]?.gpuvasLive ?? 0);
  const steps = columnsOf(moments, (a, b) => b.gpuvasLive > a.gpuvasLive).flatMap((m) => [
    { x: m.seq, y: m.gpuvasLive },
    { x: m.seq + 1, y: m.gpuvasLive },
  ]);
  const strip = (title: string, shown: readonly Moment[]): Html =>
    stretched(drawing, "strip", `${title}: ${shown.length} of ${moments.length} ioctls`, {
      width: UNITS,
      height: 14,
      margin: 0,
      x,
      y: { domain: [0, 1], range: [14, 0], axis: null },
      marks: [
        Plot.ruleX(
          columnsOf(shown, (a, b) => a.ret === 0 && b.ret !== 0, moments.length),
          {
            x: (m: Moment) => m.seq + 0.5,
            stroke: (m: Moment) => (m.ret === 0 ? "var(--ink)" : "var(--bad)"),
            strokeWidth: (m: Moment) => (m.ret === 0 ? 1 : 3),
            ...(shown.length > 300 ? {} : { title: (m: Moment) => hover(`#${m.seq} ${m.ioctl}`) }),
          },
        ),
      ],
    });
  const curve = stretched(drawing, "curve", `Mappings after each ioctl, ${high} at most`, {
    width: UNITS,
    height: 70,
    margin: 0,
    x,
    y: { domain: [0, high * 1.06], range: [70, 0], axis: null },
    marks: [Plot.areaY(steps, { x: "x", y1: 0, y2: "y", fill: "var(--s4)" })],
  });
  return html`<div class="timeline" id="timeline">
<p>mappings, ${data.show(`moments.${peak}.gpuvasLive`)} at most</p>${curve}
${ROWS.map(({ title, kinds }) => {
  const shown = moments.filter((m) => kinds.includes(m.what));
  return shown.length > 0 ? html`<p>${title}</p>${strip(title, shown)}` : null;
})}
<div id="cursor"></div></div>`;
}

/** Moments that are drawn each by itself. */
const DRAWN_MAX = 4 * UNITS;

/**
 * Where there are many, one moment of each unit of the time line: a picture has no more room.
 *
 * @param shown - in order
 * @param better - whether the second says more than the first
 * @param total - ioctls of the trace
 */
function columnsOf(
  shown: readonly Moment[],
  better: (a: Moment, b: Moment) => boolean,
  total: number = shown.length,
): readonly Moment[] {
  if (shown.length <= DRAWN_MAX) return shown;
  const columns = new Map<number, Moment>();
  for (const moment of shown) {
    const column = Math.floor((moment.seq / total) * UNITS);
    const drawn = columns.get(column);
    if (drawn === undefined || better(drawn, moment)) columns.set(column, moment);
  }
  return [...columns.values()];
}

/**
 * @param drawing - where
 * @param story - what happened
 * @param seq - the moment
 * @returns a bar for every region, with its mappings
 */
export function drawSpace(drawing: Drawing, story: TraceStory, seq: number): Html {
  return html`<div class="vamap">
${barsAfter(story, seq).map(
  (
    bar,
  ) => html`<p>VM ${bar.region.vm}, <span class="mono">${hex(bar.region.addr)}</span>, ${formatBytes(bar.region.range)}</p>${drawBar(drawing, bar)}
`,
)}
<ul class="legend">${story.kinds.map((kind) => html`<li><span class="swatch" style="background:${mappingColour(kind)}"></span>${kind === "bo" ? "memory" : kind}</li>`)}<li><span class="swatch under"></span>came with this ioctl</li></ul></div>`;
}

function drawBar(drawing: Drawing, { label, boxes }: Bar): Html {
  const { Plot } = drawing;
  const along = { x1: "x", x2: (b: Box) => b.x + b.width };
  return stretched(drawing, "region", label, {
    width: UNITS,
    height: 22,
    margin: 0,
    x: { domain: [0, UNITS], range: [0, UNITS], axis: null },
    y: { domain: [0, 22], range: [0, 22], axis: null },
    marks: [
      Plot.rect(boxes, {
        ...along,
        y1: 0,
        y2: 16,
        fill: (b: Box) => b.fill,
        stroke: (b: Box) => b.stroke,
        strokeWidth: 0.6,
        title: (b: Box) => hover(b.text),
      }),
      Plot.rect(
        boxes.filter((b) => b.fresh),
        { ...along, y1: 18, y2: 22, fill: "var(--ink)" },
      ),
    ],
  });
}

function stretched(drawing: Drawing, className: string, label: string, options: PlotOptions): Html {
  const { text } = draw(drawing, label, options);
  return new Html(
    text.replace('<svg class="plot"', `<svg class="plot ${className}" preserveAspectRatio="none"`),
  );
}
