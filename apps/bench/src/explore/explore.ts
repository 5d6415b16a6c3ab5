/**
 * The page of one trace: a time line of its ioctls, and for each of them what it did and what was mapped then.
 *
 * @module
 */

import type { Moment, TraceStory } from "@vmbind/trace";
import { PageData } from "../report/figure-data.ts";
import { html } from "../report/html.ts";
import { renderPage } from "../report/page.ts";
import { startDrawing } from "../report/plot.ts";
import { methodsTables } from "../report/tables.ts";
import { article } from "./article.ts";
import { EXPLORE_GROUPS } from "./fields.ts";
import { packed } from "./packed.ts";
import { drawSpace, drawTimeline } from "./pictures.ts";

/** More ioctls than this are written into the page once, packed, and not in words that everybody can read: some 1400 bytes each. */
const WORDS_MAX = 4096;

/**
 * Make the page.
 *
 * @param story - the trace, replayed
 * @returns one HTML page that works offline and carries its data
 */
export async function renderExplore(story: TraceStory): Promise<string> {
  const drawing = await startDrawing([]);
  const data = new PageData(story, EXPLORE_GROUPS);
  const first = firstShown(story.moments);
  const { differenceCount, differences, moments } = story;
  const large = moments.length > WORDS_MAX;
  const body = html`<section id="time"><h2>Time line</h2>
<p>From left to right, ioctl by ioctl, not second by second. The model was fed the recorded bytes; it differs from the recording
in ${data.show("differenceCount")} places.</p>
${differenceCount > 0 ? html`<ul>${differences.map((d) => html`<li>${d}</li>`)}</ul>` : null}
<div class="controls"><button type="button" id="previous">previous VM_BIND</button><button type="button" id="next">next VM_BIND</button><label for="seq">ioctl</label><output id="which" for="seq"></output><input type="range" id="seq" min="0" max="${Math.max(0, moments.length - 1)}" value="${first}"></div>
${drawTimeline(drawing, data, story)}</section>
<section id="space"><h2>The address space behind it</h2>
<p>Each bar is a place at which there is a mapping at some time; gaps between them are left out, and each has its own scale.</p>
${drawSpace(drawing, story, first)}</section>
<section id="chosen"><h2>What it did</h2><div id="moment">${moments.length > 0 ? article(moments, data, first, false) : null}</div></section>
<section id="all">${
    large
      ? html`<p>These are too many ioctls to list; the time line shows the one that is chosen, if the browser runs scripts.</p>`
      : html`<details><summary>All ioctls</summary>${moments.map((_, i) => article(moments, data, i, true))}</details>`
  }</section>
<section id="methods"><h2>How it is counted</h2><details><summary>All fields</summary>${methodsTables(EXPLORE_GROUPS)}</details></section>`;
  return renderPage({
    title: story.trace,
    lead: `${story.workload} by ${story.umd}, driver ${story.driver}, device ${story.device}: ${moments.length} ioctls. The model has ${story.quirks}.`,
    body,
    data: {
      ...story,
      moments: large
        ? packed(moments.map((moment) => JSON.stringify(withoutEmpty(moment))))
        : moments.map(withoutWords),
    },
    script: "explore",
  });
}

/** The words stand in the page once. */
function withoutWords({
  lines: _,
  leaves: __,
  text: ___,
  reason: ____,
  marks: _____,
  ...rest
}: Moment): object {
  return withoutEmpty(rest);
}

/** A number that is not there is 0, a list that is not there is empty. */
function withoutEmpty(moment: object): object {
  return Object.fromEntries(
    Object.entries(moment).filter(
      ([, value]) => value !== 0 && !(Array.isArray(value) && value.length === 0),
    ),
  );
}

/** The moment with the most mappings says the most at first sight. */
function firstShown(moments: readonly Moment[]): number {
  let first = 0;
  for (const [i, m] of moments.entries()) if (m.gpuvasLive > (moments[first]?.gpuvasLive ?? 0)) first = i;
  return first;
}
