/**
 * Grouped bars: one number for each strategy, in groups.
 *
 * Numbers from 1 to 24,415 need a logarithmic scale, which has no zero for bars to begin at: bars begin at one half, so
 * that a 1 can be seen, and a 0 has no bar. Each bar carries its number, and the axis says what kind it is.
 *
 * @module
 */

import { SPARSE_STRATEGIES } from "@vmbind/lab";
import { type Figure, formatFigure } from "./figure-data.ts";
import type { Html } from "./html.ts";
import { ORDER, strategyColour } from "./palette.ts";
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

const BASE = 0.5;
/** Numbers nearer to each other than this say more on a plain scale. */
const RATIO_LINEAR = 4;
const ROW_HEIGHT = 16;
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
  const shown = bars.filter((b) => b.figure !== null);
  const values = shown.map((b) => b.figure?.value ?? 0);
  const most = Math.max(1, ...values);
  const log = most > RATIO_LINEAR * Math.max(1, Math.min(...values));
  const base = log ? BASE : 0;
  const end = (b: Bar): number => Math.max(b.figure?.value ?? 0, base);
  const text = (b: Bar): string => [b.group, `${b.strategy}: ${formatBar(b)}`].filter(Boolean).join(", ");
  // A group's heading is a row of the chart, without a bar.
  const strategies = ORDER.filter((strategy) => bars.some((b) => b.strategy === strategy));
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
    marginLeft: LEFT,
    marginRight: RIGHT,
    x: { type: log ? "log" : "linear", domain: [base, most], axis: null },
    y: { domain: rows, axis: null, padding: 0.2 },
    marks: [
      Plot.barX(shown, {
        x1: base,
        x2: end,
        y: (b: Bar) => rowOf(b.group, b.strategy),
        fill: (b: Bar) => strategyColour(b.strategy),
      }),
      Plot.text(shown, {
        ...TEXT,
        x: end,
        y: (b: Bar) => rowOf(b.group, b.strategy),
        text: formatBar,
        title: (b: Bar) => hover(text(b), b.figure),
        textAnchor: "start",
        dx: 4,
      }),
      Plot.text(
        groups.flatMap((group) => strategies.map((strategy) => ({ strategy, row: rowOf(group, strategy) }))),
        {
          fill: "var(--muted)",
          frameAnchor: "left",
          y: "row",
          text: (d: { strategy: string }) => shortName(d.strategy),
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
        dx: -LEFT,
        dy: 1,
        fontWeight: 600,
      }),
      Plot.text([log ? `log scale, bars begin at ${BASE}` : "linear scale"], {
        fill: "var(--muted)",
        frameAnchor: "bottom-left",
        textAnchor: "start",
        lineAnchor: "top",
        dy: 4,
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

/** A strategy's name where there is little room; the colour and the order stay. */
export function shortName(strategy: string): string {
  const row = SPARSE_STRATEGIES.find(({ name }) => name === strategy);
  return row ? strategy.replace(row.driver, row.shortDriver) : strategy;
}
