/**
 * One number for each strategy, in groups: as bars on a linear scale, as dots on a logarithmic one.
 *
 * Numbers from 1 to 24,415 need a logarithmic scale, which has no zero for bars to begin at, so that their length would mean
 * nothing: there dots stand over lines at the powers of ten, and a 0 stands at the left edge. Each mark carries its number.
 *
 * @module
 */

import { formatNumber } from "@vmbind/trace";
import { type Figure, formatFigure } from "./figure-data.ts";
import type { Html } from "./html.ts";
import { strategyColour } from "./palette.ts";
import { type Drawing, draw, hover, TEXT } from "./plot.ts";

/** One bar. */
export interface Bar {
  /** Strategy. */
  strategy: string;
  /** Its group. */
  group: string;
  /** Its number; null when there is none. */
  figure: Figure | null;
}

/** A chart of bars. */
export interface BarChart {
  /** What it shows, one line. */
  title: string;
  /** The bars. */
  bars: readonly Bar[];
  /** Groups in order; one unnamed group has no heading. */
  groups: readonly string[];
  /** Pixels. */
  width: number;
}

/** Where a 0 stands on a logarithmic scale. */
const ZERO = 0.5;
/** Numbers nearer to each other than this say more on a plain scale. */
const RATIO_LINEAR = 4;
const ROW_HEIGHT = 16;
/** Radius of a dot. */
const DOT = 4;
/** More powers of ten than this: every second one is labelled. */
const TICKS_MAX = 5;
const TOP = 2;
const BOTTOM = 18;
const LEFT = 92;
const RIGHT = 58;

/**
 * @param drawing - where
 * @param chart - what
 * @returns one SVG element
 */
export function drawBars(drawing: Drawing, { title, bars, groups, width }: BarChart): Html {
  const { Plot } = drawing;
  const left = Math.max(LEFT, nameWidth(drawing) + 10);
  const shown = bars.filter((b) => b.figure !== null);
  const values = shown.map((b) => b.figure?.value ?? 0);
  const most = Math.max(1, ...values);
  const log = most > RATIO_LINEAR * Math.max(1, Math.min(...values));
  const base = log ? ZERO : 0;
  const end = (b: Bar): number => Math.max(b.figure?.value ?? 0, base);
  const row = (b: Bar): string => rowOf(b.group, b.strategy);
  const colour = (b: Bar): string => strategyColour(b.strategy);
  const powers = log ? Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, i) => 10 ** i) : [];
  const labelled = powers.filter((_, i) => powers.length <= TICKS_MAX || i % 2 === 0);
  const text = (b: Bar): string => [b.group, `${b.strategy}: ${formatBar(b)}`].filter(Boolean).join(", ");
  // A group's heading is a row of the chart, without a bar.
  const strategies = drawing.strategies
    .map(({ name }) => name)
    .filter((strategy) => bars.some((b) => b.strategy === strategy));
  const rows = groups.flatMap((g) => [
    ...(g ? [g] : []),
    ...strategies.map((strategy) => rowOf(g, strategy)),
  ]);
  const named = groups.filter(Boolean);
  return draw(drawing, `${title}. ${shown.map(text).join("; ")}.`, {
    width,
    height: TOP + BOTTOM + rows.length * ROW_HEIGHT,
    marginTop: TOP,
    marginBottom: BOTTOM,
    marginLeft: left,
    marginRight: RIGHT,
    x: { type: log ? "log" : "linear", domain: [base, most], axis: null, insetLeft: log ? DOT : 0 },
    y: { domain: rows, axis: null, padding: 0.2 },
    marks: [
      Plot.ruleX(powers, { stroke: "var(--rule)", insetBottom: -4 }),
      ...(log
        ? [Plot.dot(shown, { x: end, y: row, fill: colour, r: DOT })]
        : [Plot.barX(shown, { x1: base, x2: end, y: row, fill: colour })]),
      Plot.text(shown, {
        ...TEXT,
        x: end,
        y: row,
        text: formatBar,
        title: (b: Bar) => hover(text(b), b.figure),
        textAnchor: "start",
        dx: log ? 8 : 4,
      }),
      Plot.text(
        groups.flatMap((group) => strategies.map((strategy) => ({ strategy, row: rowOf(group, strategy) }))),
        {
          fill: "var(--muted)",
          frameAnchor: "left",
          y: "row",
          text: (d: { strategy: string }) => shortName(drawing, d.strategy),
          textAnchor: "end",
          dx: -5,
        },
      ),
      Plot.text(named, {
        ...TEXT,
        frameAnchor: "left",
        y: (g: string) => g,
        text: (g: string) => g,
        textAnchor: "start",
        dx: -left,
        dy: 1,
        fontWeight: 600,
      }),
      Plot.text(log ? [] : ["linear scale"], {
        fill: "var(--muted)",
        frameAnchor: "bottom-left",
        textAnchor: "start",
        lineAnchor: "top",
        dy: 4,
      }),
      Plot.text(labelled, {
        fill: "var(--muted)",
        x: (power: number) => power,
        frameAnchor: "bottom",
        lineAnchor: "top",
        dy: 4,
        text: (power: number) => (power < 1e5 ? formatNumber(power) : `1e${Math.log10(power)}`),
      }),
    ],
  });
}

function rowOf(group: string, strategy: string): string {
  return `${group}/${strategy}`;
}

function formatBar({ figure }: Bar): string {
  return figure ? formatFigure(figure) : "none";
}

/** Pixels of a letter in charts, on average. */
const LETTER = 6.2;

/**
 * @param drawing - with the strategies that are drawn
 * @returns pixels that the longest of their short names takes
 */
export function nameWidth(drawing: Drawing): number {
  const lengths = drawing.strategies.map(({ name }) => shortName(drawing, name).length);
  return Math.ceil(LETTER * Math.max(0, ...lengths));
}

/** A strategy's name where there is little room; the colour and the order stay. */
export function shortName({ strategies }: Drawing, strategy: string): string {
  const row = strategies.find(({ name }) => name === strategy);
  return row ? strategy.replace(row.driver, row.shortDriver) : strategy;
}
