/**
 * Colours as CSS variables, so that one SVG serves light and dark. The strategies' come from their rows; names and marker
 * shapes say the same again.
 *
 * @module
 */

import { SPARSE_STRATEGIES } from "@vmbind/lab";

/** Strategies in the order of all tables and charts. */
export const ORDER: readonly string[] = SPARSE_STRATEGIES.map(({ name }) => name);

/** Markers in the same order. */
export const MARKERS: readonly string[] = SPARSE_STRATEGIES.map(({ look }) => look.marker);

/**
 * @param paper - which side of the page
 * @returns the strategies' colours as CSS variables, `--s1` and so on
 */
export function strategyVariables(paper: "light" | "dark"): string {
  return SPARSE_STRATEGIES.map(({ look }, i) => `--s${i + 1}:${look[paper]}`).join(";");
}

/** A strategy's colour. */
export function strategyColour(strategy: string): string {
  const at = ORDER.indexOf(strategy);
  return at < 0 ? "var(--muted)" : `var(--s${at + 1})`;
}

/**
 * A leaf's colour: the larger the darker; null entries have a hue of their own.
 *
 * @param kind - what the leaf holds
 * @param leafBytes - bytes that it translates
 */
export function leafColour(kind: "page" | "null" | "fault", leafBytes: number): string {
  if (kind === "fault") return "var(--fault)";
  const step = leafBytes >= 2 ** 30 ? 4 : leafBytes >= 2 ** 21 ? 3 : leafBytes > 2 ** 12 ? 2 : 1;
  return `var(--${kind === "null" ? "n" : "p"}${step})`;
}
