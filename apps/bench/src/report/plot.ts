/**
 * Observable Plot without a browser: charts become static SVG in Node. Loaded only when a page is written.
 *
 * A mark that shows a number carries its path in the title channel; here the titles become what a reader sees on hover,
 * and the path becomes `data-field`, as in the tables.
 *
 * @module
 */

import type { MarkOptions, PlotOptions } from "@observablehq/plot";
import type { Figure } from "./figure-data.ts";
import { Html } from "./html.ts";
import type { ShownStrategy } from "./input.ts";

/** The library and a document for it to draw in. */
export interface Drawing {
  /** Observable Plot. */
  Plot: typeof import("@observablehq/plot");
  /** An empty document. */
  document: Document;
  /** What is drawn, in the order of all charts. */
  strategies: readonly ShownStrategy[];
}

/** Separates the parts of a title channel; no text has it. */
const SEPARATOR = "\u001f";

/**
 * @param strategies - what will be drawn, in the order of all charts
 * @returns the library, loaded now
 */
export async function startDrawing(strategies: readonly ShownStrategy[]): Promise<Drawing> {
  const [Plot, { JSDOM }] = await Promise.all([import("@observablehq/plot"), import("jsdom")]);
  return { Plot, document: new JSDOM("").window.document, strategies };
}

/**
 * @param text - what a reader sees on hover
 * @param figures - the numbers that the mark stands for; the first one is its value
 * @returns the value of a title channel
 */
export function hover(text: string, figure: Figure | null = null): string {
  return figure ? [text, figure.path, figure.value].join(SEPARATOR) : text;
}

/** Style of text in charts: the page's own. */
export const TEXT: MarkOptions = { fill: "var(--ink)" };

/**
 * Draw a chart.
 *
 * @param drawing - where
 * @param label - what it shows, for those who do not see it
 * @param options - as Plot takes them
 * @returns one SVG element that scales with its column
 */
export function draw({ Plot, document }: Drawing, label: string, options: PlotOptions): Html {
  const svg = Plot.plot({ ...options, document, className: "plot" });
  for (const style of svg.querySelectorAll("style")) style.remove();
  // Plot names the groups of marks, which has no meaning inside an image.
  for (const group of svg.querySelectorAll("g[aria-label]")) {
    group.setAttribute("data-mark", group.getAttribute("aria-label") ?? "");
    group.removeAttribute("aria-label");
  }
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  for (const title of svg.querySelectorAll("title")) {
    const [text, path, value] = (title.textContent ?? "").split(SEPARATOR);
    const mark = title.parentElement;
    if (path !== undefined && value !== undefined && mark) {
      mark.setAttribute("data-field", path);
      mark.setAttribute("data-value", value);
    }
    title.textContent = text ?? "";
  }
  return new Html(compact(svg.outerHTML));
}

/** Coordinates to a tenth of a pixel, and no attributes that the page's style sheet says once. */
function compact(svg: string): string {
  return svg.replace(
    /\b(x|y|x1|x2|y1|y2|width|height|transform|d|points)="([^"]*)"/g,
    (_, name: string, value: string) => {
      return `${name}="${value.replace(/\d+\.\d{2,}/g, (n) => String(Math.round(Number(n) * 10) / 10))}"`;
    },
  );
}

/**
 * Positions of labels at line ends: as near to the ends as they can be without touching.
 *
 * @param ends - where the lines end, pixels from the top
 * @param gap - least distance of two labels, pixels
 * @param top - no label above this
 * @param bottom - no label below this
 * @returns positions in the order of `ends`
 */
export function nudgeApart(ends: readonly number[], gap: number, top: number, bottom: number): number[] {
  const order = ends.map((_, i) => i).sort((a, b) => (ends[a] as number) - (ends[b] as number) || a - b);
  const at = ends.slice();
  let floor = top;
  for (const i of order) {
    at[i] = Math.max(ends[i] as number, floor);
    floor = (at[i] as number) + gap;
  }
  let ceiling = bottom;
  for (const i of order.reverse()) {
    at[i] = Math.min(at[i] as number, ceiling);
    ceiling = (at[i] as number) - gap;
  }
  return at;
}
