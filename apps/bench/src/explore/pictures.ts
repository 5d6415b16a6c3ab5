/**
 * Pictures of a story: a time line of its ioctls, and the address space at one moment. They are SVG by Plot that stretches
 * with the column; all text stands beside it.
 *
 * @module
 */

import type { PlotOptions } from "@observablehq/plot";
import { hex } from "@vmbind/drm";
import type { MappingTuple, Moment, Region, TraceStory } from "@vmbind/trace";
import { formatUnit, type PageData } from "../report/figure-data.ts";
import { Html, html } from "../report/html.ts";
import { type Drawing, draw, hover } from "../report/plot.ts";

/** Width of all pictures before they are stretched. */
const UNITS = 1000;
/** Rows of the time line. */
const ROWS: readonly { title: string; kinds: readonly Moment["what"][] }[] = [
  { title: "VM_BIND", kinds: ["bind"] },
  { title: "objects made and closed", kinds: ["bo-create", "bo-close"] },
  { title: "VMs made and destroyed", kinds: ["vm-create", "vm-destroy"] },
  { title: "all else", kinds: ["other"] },
];

/**
 * @param index - of a kind of mappings
 * @returns its colour
 */
function kindColour(index: number): string {
  return `var(--s${[4, 3, 2, 5, 1, 6][index % 6]})`;
}

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
  const steps = moments.flatMap((m) => [
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
        Plot.ruleX(shown, {
          x: (m: Moment) => m.seq + 0.5,
          stroke: (m: Moment) => (m.ret === 0 ? "var(--ink)" : "var(--bad)"),
          strokeWidth: (m: Moment) => (m.ret === 0 ? 1 : 3),
          ...(shown.length > 300 ? {} : { title: (m: Moment) => hover(`#${m.seq} ${m.ioctl}`) }),
        }),
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

/**
 * @param story - what happened
 * @param seq - an ioctl
 * @returns the mappings behind it
 */
export function mappingsAfter({ moments }: TraceStory, seq: number): MappingTuple[] {
  const mapped = new Map<string, MappingTuple>();
  for (const { added, removed } of moments.slice(0, seq + 1)) {
    for (const [vm, addr] of removed) mapped.delete(`${vm} ${addr}`);
    for (const mapping of added) mapped.set(`${mapping[0]} ${mapping[1]}`, mapping);
  }
  return [...mapped.values()];
}

/**
 * @param drawing - where
 * @param story - what happened
 * @param seq - the moment
 * @returns a bar for every region, with its mappings
 */
export function drawSpace(drawing: Drawing, story: TraceStory, seq: number): Html {
  const mapped = mappingsAfter(story, seq);
  const fresh = new Set(story.moments[seq]?.added.map(([vm, addr]) => `${vm} ${addr}`));
  return html`<div class="vamap">
${story.regions.map(
  (
    region,
  ) => html`<p>VM ${region.vm}, <span class="mono">${hex(region.addr)}</span>, ${formatUnit(region.range, "bytes")}</p>${drawRegion(drawing, story, region, mapped, fresh)}
`,
)}
<ul class="legend">${story.kinds.map((kind, i) => html`<li><span class="swatch" style="background:${kindColour(i)}"></span>${kind}</li>`)}<li><span class="swatch under"></span>came with this ioctl</li></ul></div>`;
}

function drawRegion(
  drawing: Drawing,
  { kinds }: TraceStory,
  region: Region,
  mapped: readonly MappingTuple[],
  fresh: ReadonlySet<string>,
): Html {
  const { Plot } = drawing;
  const inside = mapped.filter(
    ([vm, addr]) => vm === region.vm && addr >= region.addr && addr < region.addr + region.range,
  );
  const box = {
    x1: ([, addr]: MappingTuple) => addr - region.addr,
    x2: ([, addr, range]: MappingTuple) => addr - region.addr + range,
  };
  return stretched(drawing, "region", `VM ${region.vm} at ${hex(region.addr)}: ${inside.length} mappings`, {
    width: UNITS,
    height: 22,
    margin: 0,
    x: { domain: [0, region.range], range: [0, UNITS], axis: null },
    y: { domain: [0, 22], range: [0, 22], axis: null },
    marks: [
      Plot.rect(inside, {
        ...box,
        y1: 0,
        y2: 16,
        fill: (m: MappingTuple) => kindColour(m[3]),
        // A gap between neighbours, unless it would eat them.
        stroke: ([, , range]: MappingTuple) => ((range / region.range) * UNITS > 4 ? "var(--paper)" : "none"),
        strokeWidth: 0.6,
        title: (m: MappingTuple) => hover(mappingText(m, kinds)),
      }),
      Plot.rect(
        inside.filter(([vm, addr]) => fresh.has(`${vm} ${addr}`)),
        { ...box, y1: 18, y2: 22, fill: "var(--ink)" },
      ),
    ],
  });
}

function mappingText([, addr, range, kind, bo, offset]: MappingTuple, kinds: readonly string[]): string {
  return `${kinds[kind]} ${hex(addr)}, ${formatUnit(range, "bytes")}${bo ? `, BO ${bo} + ${hex(offset)}` : ""}`;
}

function stretched(drawing: Drawing, className: string, label: string, options: PlotOptions): Html {
  const { text } = draw(drawing, label, options);
  return new Html(
    text.replace('<svg class="plot"', `<svg class="plot ${className}" preserveAspectRatio="none"`),
  );
}
