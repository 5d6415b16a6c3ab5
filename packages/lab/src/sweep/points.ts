/**
 * Where a sweep measures: sizes from 64 KiB to 1 TiB, bound parts from none to all, and starts that lie badly.
 *
 * @module
 */

import { size as sizeInWords } from "@vmbind/drm";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { type ParametricOptions, parametricBinds } from "../workload/parametric.ts";

/** The knobs that a sweep turns, one at a time. */
export const AXES = ["size", "fraction", "offset"] as const;

/**
 * One of {@link AXES}. `size`: bytes of a resource with nothing bound. `fraction`: bound part of a resource of
 * {@link FRACTION_BYTES}. `offset`: how many bytes lower than otherwise the user-mode driver must begin to look for an
 * address for a resource of {@link OFFSET_BYTES}, nothing bound; its own rules of alignment still hold.
 */
export type Axis = (typeof AXES)[number];

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** Size of the resource while the bound part changes, bytes. */
export const FRACTION_BYTES: number = 64 * MIB;
/** Bytes of one bind. */
export const TILE_BYTES: number = 64 * KIB;
/** Size of the resource while its start changes, bytes: less than 2 MiB, from where on user-mode drivers may align to 2 MiB. */
export const OFFSET_BYTES: number = 2 * MIB - 64 * KIB;
/** Most operations or leaf entries of a point, unless told. */
export const WORK_MAX: number = 2 ** 20;

/** One measurement. */
export interface SweepPoint {
  /** Name of the strategy. */
  strategy: string;
  /** Which knob. */
  axis: Axis;
  /** Its value: bytes, or a part from 0 to 1. */
  x: number;
}

/** A point that is not measured. */
export interface LeftOutPoint extends SweepPoint {
  /** Why. */
  why: string;
}

/** A workload of the user's with knobs, whose size and bound part are swept in place of the usual ones. */
export interface SweptWorkload {
  /** Its name. */
  name: string;
  /** Its knobs; what an axis turns takes the place of its own. */
  knobs: ParametricOptions;
}

/** Knobs of the workload at a point. */
export interface PointKnobs extends ParametricOptions {
  /** Bytes of each resource. */
  size: number;
}

/**
 * @param point - a point
 * @param own - the user's workload; the usual one unless told
 * @returns the knobs of the workload at that point
 */
export function knobsAt({ axis, x }: Pick<SweepPoint, "axis" | "x">, own?: SweptWorkload): PointKnobs {
  const usual: ParametricOptions = own?.knobs ?? { tile: TILE_BYTES, order: "random" };
  switch (axis) {
    case "size":
      return own ? { ...usual, size: x } : { ...usual, bound: 0, size: x };
    case "fraction":
      return { ...usual, bound: x, size: usual.size ?? FRACTION_BYTES };
    case "offset":
      return { ...usual, bound: 0, size: OFFSET_BYTES };
  }
}

/** All points of a sweep, and those that are left out of it. */
export interface SweepPlan {
  /** Strategies in the order of the table, then axes, then `x` ascending. */
  points: SweepPoint[];
  /** In the same order. */
  leftOut: LeftOutPoint[];
}

/** Values by axis. */
export type SweepGrid = Readonly<Record<Axis, readonly number[]>>;

const POWERS = powers(16, 40);

/** Powers of two, a page less and 64 KiB more, primes, and the size of the question. */
export const FULL_GRID: SweepGrid = {
  size: ascending([
    ...POWERS,
    ...POWERS.slice(1).map((bytes) => bytes - 4 * KIB),
    ...POWERS.map((bytes) => bytes + 64 * KIB),
    100_000_000,
    1_000_003,
    16_777_259,
    1_000_000_007,
    1_000_000_000_039,
  ]),
  fraction: Array.from({ length: 65 }, (_, i) => i / 64),
  offset: ascending([0, 4, 16, 64, 192, 1024, 2048 - 64, 2048 - 4, 2048].map((kib) => kib * KIB)),
};

/** A few points, for curves in a report. */
export const SMALL_GRID: SweepGrid = {
  size: POWERS.filter((_, i) => i % 2 === 0),
  fraction: [0, 1 / 64, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1],
  offset: [],
};

/**
 * Lay out a sweep.
 *
 * @param strategies - in the order of the table
 * @param grid - values by axis
 * @param workMax - most operations or leaf entries of a point
 * @param own - the user's workload; the usual one unless told
 */
export function planSweep(
  strategies: readonly SparseStrategy[],
  grid: SweepGrid,
  workMax: number = WORK_MAX,
  own?: SweptWorkload,
): SweepPlan {
  const plan: SweepPlan = { points: [], leftOut: [] };
  for (const strategy of strategies) {
    for (const axis of AXES) {
      for (const x of grid[axis]) {
        const point = { strategy: strategy.name, axis, x };
        const why = reasonAgainst(strategy, point, workMax, own);
        if (why === null) plan.points.push(point);
        else plan.leftOut.push({ ...point, why });
      }
    }
  }
  return plan;
}

/**
 * @param axis - which knob
 * @param x - its value
 * @returns `64 KiB`, `1/64`
 */
export function valueInWords(axis: Axis, x: number): string {
  if (axis !== "fraction") return sizeInWords(x);
  return Number.isInteger(x) ? `${x}` : `${x * 64}/64`;
}

function reasonAgainst(
  strategy: SparseStrategy,
  point: SweepPoint,
  workMax: number,
  own: SweptWorkload | undefined,
): string | null {
  const knobs = knobsAt(point, own);
  const bytes = knobs.size;
  if (bytes > strategy.resourceBytesMax) {
    return `more than ${sizeInWords(strategy.resourceBytesMax)}, the most that this strategy is run with`;
  }
  const { operations, leafEntries } = strategy.workOf(bytes);
  if (operations > workMax) return `more than ${workMax} operations to create it (--work-max)`;
  if (leafEntries > workMax) return `more than ${workMax} leaf entries (--work-max)`;
  return own && parametricBinds(knobs) > workMax ? `more than ${workMax} binds (--work-max)` : null;
}

function powers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
