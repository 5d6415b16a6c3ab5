/**
 * Growth curves: a cost over the size of a resource, both axes logarithmic, or over the bound part of it.
 *
 * On log-log axes a cost that grows with the size is a line of slope 1, one that does not is flat, and what matters is
 * which strategies are which. Lines are labelled at their ends, with a marker shape each, so that colour is not needed.
 *
 * @module
 */

import { nameWidth, shortName } from "./bars.ts";
import { type Figure, formatFigure, formatUnit } from "./figure-data.ts";
import type { Html } from "./html.ts";
import { strategyColour } from "./palette.ts";
import { type Drawing, draw, hover, nudgeApart, TEXT } from "./plot.ts";

/** One point. */
export interface GrowthPoint {
  /** Strategy. */
  strategy: string;
  /** Where on the axis. */
  x: number;
  /** The cost. */
  figure: Figure;
}

/** A chart of curves. */
export interface GrowthChart {
  /** What it shows, one line. */
  title: string;
  /** The knob. */
  axis: "size" | "fraction";
  /** The points, x ascending for each strategy. */
  points: readonly GrowthPoint[];
  /** Pixels. */
  width: number;
}

const HEIGHT = 250;
const TOP = 14;
const BOTTOM = 40;
const LEFT = 54;
const RIGHT = 104;
const LABEL_GAP = 13;

/**
 * @param drawing - where
 * @param chart - what
 * @returns one SVG element
 */
export function drawGrowth(drawing: Drawing, { title, axis, points, width }: GrowthChart): Html {
  const { Plot, strategies } = drawing;
  const values = points.map((p) => p.figure.value).filter((v) => v > 0);
  const isBytes = points[0] !== undefined && /(B|iB)$/.test(formatFigure(points[0].figure));
  // A zero has no place on a log scale: it is drawn at the foot.
  const zero = points.some((p) => p.figure.value === 0);
  const least = Math.min(...values, Math.max(...values, 1));
  const low = zero ? Math.min(1, least) : floorPower(least, isBytes ? 2 : 10);
  const high = Math.max(10 * low, ...values);
  const xs = points.map((p) => p.x);
  const marginRight = Math.max(RIGHT, nameWidth(drawing) + 16);
  const right = width - marginRight;
  const yOf = (p: GrowthPoint): number => Math.max(p.figure.value, low);
  const pixel = (v: number): number =>
    TOP + ((Math.log(high) - Math.log(v)) / (Math.log(high) - Math.log(low))) * (HEIGHT - TOP - BOTTOM);
  const ends = strategies.flatMap(
    ({ name: strategy }) => points.findLast((p) => p.strategy === strategy) ?? [],
  );
  const wanted = ends.map((p) => pixel(yOf(p)));
  const labels = nudgeApart(wanted, LABEL_GAP, TOP, HEIGHT - BOTTOM);
  const text = (p: GrowthPoint): string =>
    `${p.strategy} at ${axis === "size" ? formatUnit(p.x, "bytes") : formatUnit(p.x, "fraction")}: ${formatFigure(p.figure)}`;
  const maxX = Math.max(...xs);
  const minX = Math.min(...xs);
  return draw(drawing, `${title}. At the end: ${ends.map(text).join("; ")}.`, {
    width,
    height: HEIGHT,
    marginTop: TOP,
    marginBottom: BOTTOM,
    marginLeft: LEFT,
    marginRight,
    x:
      axis === "size"
        ? { type: "log", base: 2, domain: [minX, maxX] }
        : { type: "linear", domain: [minX, maxX] },
    y: { type: "log", base: isBytes ? 2 : 10, domain: [low, high] },
    symbol: { domain: strategies.map(({ name }) => name), range: strategies.map(({ look }) => look.marker) },
    marks: [
      Plot.gridY(powers(low, high, isBytes ? 2 : 10), { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.axisY(powers(low, high, isBytes ? 2 : 10), {
        tickFormat: (v: number) => (isBytes ? formatUnit(v, "bytes") : tick(v)),
        tickSize: 0,
        label: null,
      }),
      Plot.axisX(axis === "size" ? fewOf([...new Set(xs)].sort((a, b) => a - b)) : [0, 0.25, 0.5, 0.75, 1], {
        tickFormat: (v: number) => (axis === "size" ? formatUnit(v, "bytes") : `${v * 100} %`),
        label:
          axis === "size" ? "bytes of the resource (log); cost (log)" : "bound part (linear); cost (log)",
        labelAnchor: "left",
        labelArrow: "none",
        tickSize: 4,
      }),
      Plot.line(points, {
        x: "x",
        y: yOf,
        z: "strategy",
        stroke: (p: GrowthPoint) => strategyColour(p.strategy),
        strokeWidth: 1.8,
      }),
      Plot.dot(points, {
        x: "x",
        y: yOf,
        symbol: "strategy",
        r: 3.2,
        fill: (p: GrowthPoint) => strategyColour(p.strategy),
        title: (p: GrowthPoint) => hover(text(p), p.figure),
      }),
      ...ends.map((end, i) =>
        Plot.text([end], {
          ...TEXT,
          frameAnchor: "top-left",
          text: (p: GrowthPoint) => shortName(drawing, p.strategy),
          dx: right - LEFT + 14,
          dy: (labels[i] as number) - TOP,
          lineAnchor: "middle",
          textAnchor: "start",
        }),
      ),
      (_index, _scales, _values, dimensions, context) =>
        threads(context.document, ends, wanted, labels, right, (p) =>
          xPixel(p.x, axis, minX, maxX, dimensions.width - marginRight),
        ),
    ],
  });
}

function xPixel(x: number, axis: "size" | "fraction", min: number, max: number, right: number): number {
  const part = axis === "size" ? Math.log(x / min) / Math.log(max / min) : (x - min) / (max - min);
  return LEFT + part * (right - LEFT);
}

/** Thin lines from the ends of curves to their labels. */
function threads(
  document: Document,
  ends: readonly GrowthPoint[],
  from: readonly number[],
  to: readonly number[],
  right: number,
  xOf: (p: GrowthPoint) => number,
): SVGElement {
  const group = document.createElementNS("http://www.w3.org/2000/svg", "g");
  group.setAttribute("fill", "none");
  group.setAttribute("stroke-width", "1");
  for (const [i, end] of ends.entries()) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("stroke", strategyColour(end.strategy));
    path.setAttribute("d", `M${xOf(end) + 4},${from[i]}L${right + 11},${to[i]}`);
    group.append(path);
  }
  return group;
}

function floorPower(value: number, base: 2 | 10): number {
  return base ** Math.floor(base === 2 ? Math.log2(value) : Math.log10(value));
}

/** Powers of ten between two numbers (of two for bytes), thinned to six at most. */
function powers(low: number, high: number, base: 2 | 10): number[] {
  const log = base === 2 ? Math.log2 : Math.log10;
  const first = Math.ceil(log(low));
  const last = Math.floor(log(high));
  const step = Math.ceil((last - first + 1) / 6);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => base ** (first + i * step));
}

function tick(value: number): string {
  return value >= 1e6 ? `${value / 1e6} M` : value >= 1e4 ? `${value / 1e3} k` : String(value);
}

/** At most four of many ticks, at equal steps back from the last one. */
function fewOf(ticks: readonly number[]): number[] {
  const step = Math.ceil(ticks.length / 4);
  return ticks.filter((_, i) => (ticks.length - 1 - i) % step === 0);
}
