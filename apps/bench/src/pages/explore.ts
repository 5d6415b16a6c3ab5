/**
 * The script of a trace's page: choose an ioctl, see the address space behind it. It draws the picture that the command
 * draws for the page without JavaScript.
 *
 * @module
 */

import type { Moment, TraceStory } from "@vmbind/trace";
import { article } from "../explore/article.ts";
import { EXPLORE_GROUPS } from "../explore/fields.ts";
import { type Packed, unpacked } from "../explore/packed.ts";
import { barsAfter } from "../explore/space.ts";
import { PageData } from "../report/figure-data.ts";
import { startPage } from "./every-page.ts";

/** The story as the page carries it: without what is 0 or empty, and without words where the page has them. */
interface Told extends Pick<TraceStory, "regions" | "kinds"> {
  moments: Partial<Moment>[] | Packed;
}

/** What is not there. */
const EMPTY: Moment = {
  seq: 0,
  ioctl: "",
  what: "other",
  text: "",
  phase: "run",
  marks: [],
  ret: 0,
  reason: "",
  opCount: 0,
  stepCount: 0,
  lines: [],
  leaves: [],
  leafRunCount: 0,
  pteWrites: 0,
  pteClears: 0,
  tablesAllocated: 0,
  tablesFreed: 0,
  tlbInvalidations: 0,
  gpuvasLive: 0,
  tablesLive: 0,
  added: [],
  removed: [],
};

startPage();

const told: Told = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
const large = !Array.isArray(told.moments);
const list: Partial<Moment>[] = Array.isArray(told.moments)
  ? told.moments
  : unpacked(told.moments).map((text) => JSON.parse(text));
const moments = list.map((moment): Moment => ({ ...EMPTY, ...moment }));
const story = { ...told, moments };
const data = new PageData(story, EXPLORE_GROUPS);

const find = <T extends Element>(selector: string): T => document.querySelector<T>(selector) as T;
const slider = find<HTMLInputElement>("#seq");
const which = find<HTMLElement>("#which");
const cursor = find<HTMLElement>("#cursor");
const timeline = find<HTMLElement>("#timeline");
const stage = find<HTMLElement>("#moment");
const bars = [...document.querySelectorAll<SVGSVGElement>(".vamap svg")];

function rect(attributes: Readonly<Record<string, string | number>>): SVGRectElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function drawSpace(seq: number): void {
  for (const [i, { label, boxes }] of barsAfter(story, seq).entries()) {
    const shapes = boxes.flatMap(({ x, width, fill, stroke, text, fresh }) => {
      const shape = rect({ x, width, y: 0, height: 16, fill, stroke, "stroke-width": 0.6 });
      shape.dataset["tip"] = text;
      return fresh ? [shape, rect({ x, width, y: 18, height: 4, fill: "var(--ink)" })] : [shape];
    });
    bars[i]?.replaceChildren(...shapes);
    bars[i]?.setAttribute("aria-label", label);
  }
}

/** Show an ioctl, or the nearest one that there is. */
function choose(wanted: number): void {
  const seq = Math.max(0, Math.min(moments.length - 1, wanted));
  slider.value = String(seq);
  slider.setAttribute("aria-valuetext", `#${seq} ${moments[seq]?.ioctl}`);
  which.textContent = `#${seq} ${moments[seq]?.ioctl}`;
  cursor.style.left = `calc(${((seq + 0.5) / moments.length) * 100}% - 1px)`;
  if (large) stage.innerHTML = article(moments, data, seq, false).text;
  else {
    const written = document.getElementById(`ioctl-${seq}`)?.cloneNode(true) as HTMLElement | undefined;
    written?.removeAttribute("id");
    if (written) stage.replaceChildren(written);
  }
  drawSpace(seq);
  history.replaceState(null, "", `#at-${seq}`);
}

/** Go to the nearest VM_BIND in a direction. */
function from(start: number, step: 1 | -1): void {
  for (let seq = start + step; seq >= 0 && seq < moments.length; seq += step) {
    if (moments[seq]?.what !== "bind") continue;
    choose(seq);
    return;
  }
}

slider.addEventListener("input", () => choose(Number(slider.value)));
find("#previous").addEventListener("click", () => from(Number(slider.value), -1));
find("#next").addEventListener("click", () => from(Number(slider.value), 1));
timeline.addEventListener("click", (event) => {
  const { left, width } = timeline.getBoundingClientRect();
  choose(Math.floor(((event.clientX - left) / width) * moments.length));
});
const linked = /^#at-(\d+)$/.exec(location.hash);
choose(linked ? Number(linked[1]) : Number(slider.value));
