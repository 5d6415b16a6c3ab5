/**
 * The page of one trace: a time line of its ioctls, and for each of them what it did and what was mapped then.
 *
 * @module
 */

import type { CostSchema } from "@vmbind/drm";
import { GPUVM_COSTS } from "@vmbind/gpuvm-core";
import { MMU_COSTS } from "@vmbind/mmu";
import { type Moment, result, type TraceStory } from "@vmbind/trace";
import { PageData } from "../report/figure-data.ts";
import { type Html, html } from "../report/html.ts";
import { renderPage } from "../report/page.ts";
import { startDrawing } from "../report/plot.ts";
import { methodsTables } from "../report/tables.ts";
import { EXPLORE_GROUPS } from "./fields.ts";
import { drawSpace, drawTimeline } from "./pictures.ts";

/** Numbers of a moment that are shown. */
const SHOWN = [
  "opCount",
  "stepCount",
  "pteWrites",
  "pteClears",
  "tablesAllocated",
  "tablesFreed",
  "tlbInvalidations",
  "gpuvasLive",
  "tablesLive",
] as const satisfies (keyof Moment)[];

const COSTS: CostSchema = { ...GPUVM_COSTS, ...MMU_COSTS };

/**
 * Make the page.
 *
 * @param story - the trace, replayed
 * @returns one HTML page that works offline and carries its data
 */
export async function renderExplore(story: TraceStory): Promise<string> {
  const drawing = await startDrawing();
  const data = new PageData(story, EXPLORE_GROUPS);
  const first = firstShown(story.moments);
  const { differenceCount, differences, moments } = story;
  const body = html`<section id="time"><h2>Time line</h2>
<p>From left to right, ioctl by ioctl, not second by second. The model was fed the recorded bytes; it differs from the recording
in ${data.show("differenceCount")} places.</p>
${differenceCount > 0 ? html`<ul>${differences.map((d) => html`<li>${d}</li>`)}</ul>` : null}
<div class="controls"><button type="button" id="previous">previous VM_BIND</button><button type="button" id="next">next VM_BIND</button><label for="seq">ioctl</label><output id="which" for="seq"></output><input type="range" id="seq" min="0" max="${Math.max(0, moments.length - 1)}" value="${first}"></div>
${drawTimeline(drawing, data, story)}</section>
<section id="space"><h2>The address space behind it</h2>
<p>Each bar is a place at which there is a mapping at some time; gaps between them are left out, and each has its own scale.</p>
${drawSpace(drawing, story, first)}</section>
<section id="chosen"><h2>What it did</h2><div id="moment">${moments.length > 0 ? article(story, data, first, false) : null}</div></section>
<section id="all"><details><summary>All ioctls</summary>${moments.map((_, i) => article(story, data, i, true))}</details></section>
<section id="methods"><h2>How it is counted</h2><details><summary>All fields</summary>${methodsTables(EXPLORE_GROUPS)}</details></section>`;
  return renderPage({
    title: story.trace,
    lead: `${story.workload} by ${story.umd}, driver ${story.driver}, device ${story.device}: ${moments.length} ioctls. The model has ${story.quirks}.`,
    body,
    data: { ...story, moments: moments.map(withoutWords) },
    script: "explore",
  });
}

/** The words stand in the page once; a number that is not there is 0, a list that is not there is empty. */
function withoutWords(moment: Moment): object {
  const { lines: _, leaves: __, text: ___, reason: ____, marks: _____, ...rest } = moment;
  return Object.fromEntries(
    Object.entries(rest).filter(([, value]) => value !== 0 && !(Array.isArray(value) && value.length === 0)),
  );
}

/** Numbers that say something: what the call did, and levels that it changed. */
function shownNumbers(moments: readonly Moment[], index: number): (typeof SHOWN)[number][] {
  const now = moments[index] as Moment;
  const before = moments[index - 1];
  return SHOWN.filter((name) =>
    COSTS[name]?.kind === "level" ? now[name] !== before?.[name] : now[name] !== 0,
  );
}

/** The moment with the most mappings says the most at first sight. */
function firstShown(moments: readonly Moment[]): number {
  let first = 0;
  for (const [i, m] of moments.entries()) if (m.gpuvasLive > (moments[first]?.gpuvasLive ?? 0)) first = i;
  return first;
}

function article(story: TraceStory, data: PageData, index: number, named: boolean): Html {
  const { seq, ioctl, text, ret, reason, marks, phase, lines, leaves, leafRunCount, opCount, stepCount } =
    story.moments[index] as Moment;
  const numbers = shownNumbers(story.moments, index).map(
    (name) =>
      html`<li>${EXPLORE_GROUPS[0]?.fields[name]?.title ?? name} ${data.show(`moments.${index}.${name}`)}</li>`,
  );
  const cut = opCount + stepCount - lines.length;
  const more = leafRunCount - leaves.length;
  return html`<article class="moment"${named ? html` id="ioctl-${seq}"` : null}><h3>#${seq} ${ioctl}</h3>
<p>${text} = <span class="${ret === 0 ? "fine" : "refused"}">${result(ret)}${reason ? `: ${reason}` : ""}</span> (phase ${phase}${marks.length > 0 ? html`; before it: ${marks.join(", ")}` : null})</p>
<ul class="inline">${numbers}</ul>
${lines.length > 0 ? html`<pre tabindex="0">${lines.join("\n")}${cut > 0 ? `\n... ${cut} more operations and steps` : ""}</pre>` : null}${leaves.length > 0 ? html`<p>Leaves of the page tables that came (+), went (-) or changed (~):</p><pre tabindex="0">${leaves.join("\n")}${more > 0 ? `\n... ${more} more runs` : ""}</pre>` : null}</article>
`;
}
