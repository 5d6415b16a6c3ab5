/**
 * Colours as CSS variables, so that one SVG serves light and dark. The strategies' hues are those of Okabe and Ito, which
 * people with any kind of colour vision can tell apart; names and marker shapes say the same again.
 *
 * @module
 */

/** Strategies in the order of all tables and charts. */
export const ORDER = [
  "panthor-per-page",
  "panthor-blackhole",
  "panthor-repeat",
  "panthor-sparse",
  "asahi-single-page",
  "xe-null",
] as const;

/** Markers in the same order. */
export const MARKERS = ["circle", "triangle", "square", "diamond", "star", "cross"] as const;

/** A strategy's colour. */
export function strategyColour(strategy: string): string {
  const at = (ORDER as readonly string[]).indexOf(strategy);
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
