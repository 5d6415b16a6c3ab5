/**
 * Colours as CSS variables, so that one SVG serves light and dark. The strategies' come with them; names and marker shapes say the
 * same again.
 *
 * @module
 */

import type { ShownStrategy } from "./input.ts";

/**
 * @param strategies - of a report
 * @returns style that gives their colours names, for light and dark
 */
export function strategyStyle(strategies: readonly ShownStrategy[]): string {
  const colours = (paper: "light" | "dark"): string =>
    strategies.map(({ name, look }) => `--s-${name}:${look[paper]}`).join(";");
  return `:root{${colours("light")}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${colours("dark")}}}
:root[data-theme=dark]{${colours("dark")}}`;
}

/** A strategy's colour. */
export function strategyColour(strategy: string): string {
  return `var(--s-${strategy},var(--muted))`;
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
