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

/** What an address stands for. Each has one hue, the same on every page. */
type Meaning = "memory" | "shared" | "sparse" | "hole";

const HUE: Readonly<Record<Exclude<Meaning, "hole">, string>> = { memory: "p", shared: "h", sparse: "n" };

/**
 * A leaf's colour: the hue says what it stands for, memory of the application, memory that stands for nothing and is shared, an
 * entry for nothing, or no translation; the larger it is the darker.
 *
 * @param kind - what the leaf holds
 * @param bound - whether that is memory of the application
 * @param leafBytes - bytes that it translates
 */
export function leafColour(kind: "page" | "null" | "fault", bound: boolean, leafBytes: number): string {
  const meaning: Meaning =
    kind === "fault" ? "hole" : kind === "null" ? "sparse" : bound ? "memory" : "shared";
  if (meaning === "hole") return "var(--fault)";
  const step = leafBytes >= 2 ** 30 ? 4 : leafBytes >= 2 ** 21 ? 3 : leafBytes > 2 ** 12 ? 2 : 1;
  return `var(--${HUE[meaning]}${step})`;
}
