/**
 * Sentences whose figures stay numbers: what findings and verdicts are made of.
 *
 * @module
 */

import { formatNumber } from "@vmbind/trace";
import type { LabFinding } from "./conclusions.ts";

/** A piece of a sentence; numbers are kept as its values. */
type Part = string | number | readonly (string | number)[];

/**
 * A sentence.
 *
 * @param id - its name
 * @param parts - its words and numbers, in order
 * @internal
 */
export function say(id: string, ...parts: readonly Part[]): LabFinding {
  const pieces = parts.flat();
  return {
    id,
    text: pieces.map((piece) => (typeof piece === "number" ? formatNumber(piece) : piece)).join(""),
    values: pieces.filter((piece) => typeof piece === "number"),
  };
}

/** `24,415 with panthor-per-page, 48 with panthor-blackhole and 1 with panthor-sparse`; strategies of one figure share it. @internal */
export function byStrategy<T extends { strategy: string }>(
  rows: readonly T[],
  of: (row: T) => number,
): (string | number)[] {
  const groups = new Map<number, string[]>();
  for (const row of rows) groups.set(of(row), [...(groups.get(of(row)) ?? []), row.strategy]);
  const items = [...groups].map(([value, names]) => [value, ` with ${list(names)}`]);
  return items.flatMap((item, i) => [
    ...(i === 0 ? [] : [i === items.length - 1 ? ", and " : ", "]),
    ...item,
  ]);
}

/** `a, b and c`; `none`. @internal */
export function list(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? "none";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
