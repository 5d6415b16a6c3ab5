/**
 * How a figure grows along an axis, in words that are computed: stretches on which it is constant or rises by so much per
 * so many bytes, and the exponent of a power law between decades.
 *
 * Over sizes only the powers of two count: what an awkward size adds is not growth.
 *
 * @module
 */

import { size as sizeInWords } from "@vmbind/drm";
import { formatNumber } from "@vmbind/trace";
import type { CostFigures } from "../result.ts";
import type { PointRow } from "./point.ts";
import { type Axis, valueInWords } from "./points.ts";

/** A stretch on which a figure is `base + slope * x`. */
export interface GrowthStretch {
  /** First `x`. */
  from: number;
  /** Last `x`. */
  to: number;
  /** Value at `x` = 0 if the stretch went that far. */
  base: number;
  /** Per byte, or per 1 of the bound part; 0 where the figure is constant. */
  slope: number;
}

/** A power law between two points. */
export interface GrowthExponent {
  /** Lower `x`. */
  from: number;
  /** Upper `x`. */
  to: number;
  /** 0 constant, 1 linear; null where a value is 0. Two decimals. */
  exponent: number | null;
}

/** How one figure of one strategy grows along one axis. */
export interface Growth {
  /** Name of the strategy. */
  strategy: string;
  /** Which knob. */
  axis: Axis;
  /** Name of the figure. */
  figure: keyof CostFigures;
  /** In words. */
  words: string;
  /** Stretches in ascending order; between two of them the figure jumps. Empty when there are too many to be called a law. */
  stretches: GrowthStretch[];
  /** From decade to decade, where `x` spans any. */
  exponents: GrowthExponent[];
}

/** A point of a curve. */
export interface CurvePoint {
  /** Value of the knob. */
  x: number;
  /** The figure there. */
  y: number;
}

/** More stretches than this are no law. */
const STRETCHES_MAX = 5;
/** Slopes that differ by less are one: tables of a higher level come on top of a law, one for 512. */
const TOLERANCE = 0.03;

/**
 * @param rows - of a whole sweep
 * @returns one entry for every strategy, axis and figure, in the order of the rows
 */
export function growthOf(rows: readonly PointRow[]): Growth[] {
  const curves = new Map<string, PointRow[]>();
  for (const row of rows) {
    if (row.axis === "size" && !Number.isInteger(Math.log2(row.x))) continue;
    const key = `${row.strategy} ${row.axis}`;
    curves.set(key, [...(curves.get(key) ?? []), row]);
  }
  return [...curves.values()].flatMap((curve) => {
    const { strategy, axis, figures } = curve[0] as PointRow;
    return (Object.keys(figures) as (keyof CostFigures)[]).map((figure): Growth => {
      const points = curve.map((row) => ({ x: row.x, y: row.figures[figure] }));
      return { strategy, axis, figure, ...lawOf(points, axis) };
    });
  });
}

/**
 * The law of one curve.
 *
 * @param points - `x` ascending
 * @param axis - what `x` is
 */
export function lawOf(
  points: readonly CurvePoint[],
  axis: Axis,
): Pick<Growth, "words" | "stretches" | "exponents"> {
  // Where the start moves there is nothing to grow, only a range of values.
  const found = axis === "offset" && !isConstant(points) ? [] : stretchesOf(points);
  const stretches = found.length > STRETCHES_MAX ? [] : found;
  const words = stretches.length > 0 ? describe(stretches, axis) : describeRange(points, axis);
  return { words, stretches, exponents: axis === "offset" ? [] : exponentsOf(points) };
}

function isConstant(points: readonly CurvePoint[]): boolean {
  return points.every(({ y }) => y === points[0]?.y);
}

/** Longest stretches first to last; what a single interval does between two of them is a jump. */
function stretchesOf(points: readonly CurvePoint[]): GrowthStretch[] {
  const stretches: GrowthStretch[] = [];
  for (let start = 0; start < points.length; ) {
    let end = start;
    while (end + 1 < points.length && continues(points, start, end)) end++;
    const alone = end === start + 1 && end + 1 < points.length;
    // Two points always lie on a line: that is a law only when nothing follows.
    if (alone && slope(points, start) !== 0) end = start;
    stretches.push(stretch(points, start, end));
    start = end + 1;
  }
  return joined(stretches);
}

function continues(points: readonly CurvePoint[], start: number, end: number): boolean {
  const next = slope(points, end);
  if (next < 0) return false;
  if (end === start) return true;
  const first = slope(points, start);
  return Math.abs(next - first) <= TOLERANCE * Math.max(next, first);
}

function slope(points: readonly CurvePoint[], i: number): number {
  const a = points[i] as CurvePoint;
  const b = points[i + 1] as CurvePoint;
  return (b.y - a.y) / (b.x - a.x);
}

function stretch(points: readonly CurvePoint[], start: number, end: number): GrowthStretch {
  const a = points[start] as CurvePoint;
  const b = points[end] as CurvePoint;
  const rise = end === start ? 0 : (b.y - a.y) / (b.x - a.x);
  return { from: a.x, to: b.x, base: a.y - rise * a.x, slope: rise };
}

/** A single point that lies on the line that follows belongs to it. */
function joined(stretches: readonly GrowthStretch[]): GrowthStretch[] {
  const result: GrowthStretch[] = [];
  for (const next of stretches) {
    const last = result.at(-1);
    const at = last?.from ?? 0;
    const single = last !== undefined && last.from === last.to && next.from !== next.to;
    if (single && Math.abs(next.base + next.slope * at - last.base) <= TOLERANCE * last.base) {
      result[result.length - 1] = { ...next, from: at };
    } else {
      result.push(next);
    }
  }
  return result;
}

function describe(stretches: readonly GrowthStretch[], axis: Axis): string {
  return stretches
    .map((s, i) => {
      const law = s.slope === 0 ? constantIn(s, stretches.length === 1) : linearIn(s, axis);
      const last = i === stretches.length - 1;
      if (s.from === s.to) return `${law} at ${valueInWords(axis, s.from)}`;
      return last ? law : `${law} up to ${valueInWords(axis, s.to)}`;
    })
    .join(", then ");
}

function constantIn({ base }: GrowthStretch, whole: boolean): string {
  if (!whole) return formatNumber(base);
  return base === 0 ? "none" : `constant, ${formatNumber(base)}`;
}

function linearIn({ base, slope: rise, to }: GrowthStretch, axis: Axis): string {
  const start = Math.abs(base) > 0.01 * (base + rise * to) ? `${formatNumber(Math.round(base))} + ` : "";
  if (axis === "fraction") return `${start}${formatNumber(Math.round(rise))} times the part`;
  const unit = UNITS.find((bytes) => isWhole(rise * bytes)) ?? UNITS.find((bytes) => rise * bytes >= 1);
  return `${start}${perUnit(rise, unit ?? (UNITS.at(-1) as number))}`;
}

/** The units in which drivers think. */
const UNITS = [1, 2 ** 12, 2 ** 14, 2 ** 16, 2 ** 21, 2 ** 25, 2 ** 30, 2 ** 39];

function isWhole(value: number): boolean {
  const near = Math.round(value);
  return near >= 1 && Math.abs(value - near) <= TOLERANCE * Math.min(1, near / 10);
}

function perUnit(rise: number, unit: number): string {
  const value = rise * unit;
  const shown = isWhole(value) ? Math.round(value) : value;
  return `${formatNumber(shown)} per ${unit === 1 ? "byte" : sizeInWords(unit)}`;
}

function describeRange(points: readonly CurvePoint[], axis: Axis): string {
  const values = points.map(({ y }) => y);
  const least = formatNumber(Math.min(...values));
  const most = formatNumber(Math.max(...values));
  if (axis === "offset") return `${least} to ${most}`;
  const at = points.find(({ y }) => y === Math.max(...values)) as CurvePoint;
  const [first, last] = [points[0] as CurvePoint, points.at(-1) as CurvePoint];
  const peak = at.y === last.y || at === first ? "" : `, at most ${most} at ${valueInWords(axis, at.x)}`;
  return `from ${formatNumber(first.y)} to ${formatNumber(last.y)}${peak}, not by one rule`;
}

/** Between points about a decade apart. */
function exponentsOf(points: readonly CurvePoint[]): GrowthExponent[] {
  const exponents: GrowthExponent[] = [];
  let from = points.find(({ x }) => x > 0);
  for (const [i, to] of points.entries()) {
    if (from === undefined || to.x <= from.x) continue;
    if (to.x < 8 * from.x && i < points.length - 1) continue;
    const { x, y } = from;
    const exponent =
      y > 0 && to.y > 0 ? Math.round((100 * Math.log(to.y / y)) / Math.log(to.x / x)) / 100 : null;
    exponents.push({ from: x, to: to.x, exponent: exponent === 0 ? 0 : exponent });
    from = to;
  }
  return exponents;
}
