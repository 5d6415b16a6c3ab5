/**
 * Quirks as data: where a real driver is wrong, each under a name. A driver's table is the one place that says what
 * differs and how that is known; its presets and the list in its README come from the table.
 *
 * A model is right by default. A quirk makes it as wrong as the driver (or as a posted patch) is.
 *
 * @example
 * ```ts
 * import { type QuirkTable, quirksOf } from "@vmbind/drm";
 *
 * const QUIRKS: QuirkTable<"emptyRanges"> = {
 *   emptyRanges: { text: "A range of 0 is not refused.", off: "EINVAL.", origin: "Linux 7.3" },
 * };
 * console.log(quirksOf(QUIRKS), quirksOf(QUIRKS, ({ origin }) => origin === "Linux 7.3"));
 * // { emptyRanges: false } { emptyRanges: true }
 * ```
 *
 * @module
 */

/** One deviation from the right behaviour. */
export interface Quirk {
  /** What the real driver does. */
  readonly text: string;
  /** What the model does without it. */
  readonly off: string;
  /** The code that does it, with its version. */
  readonly origin: string;
  /** True where a device has the quirk unless told otherwise. */
  readonly byDefault?: boolean;
}

/** The quirks of one driver by name. */
export type QuirkTable<Name extends string> = Readonly<Record<Name, Quirk>>;

/** Which quirks a device has. */
export type Quirks<Name extends string> = Record<Name, boolean>;

/**
 * A choice of quirks.
 *
 * @param table - a driver's quirks
 * @param chosen - whether a quirk is on; none is unless told
 * @returns every name of the table, in its order
 */
export function quirksOf<Name extends string>(
  table: QuirkTable<Name>,
  chosen: (quirk: Quirk) => boolean = () => false,
): Readonly<Quirks<Name>> {
  const quirks: Partial<Quirks<Name>> = {};
  for (const name in table) quirks[name] = chosen(table[name]);
  return quirks as Quirks<Name>;
}

/** Options of a device, as far as all drivers have them. */
export interface QuirkOptions {
  /** Which quirks it has. */
  readonly quirks: object;
}

/** What may be given for the options of a device: any of them, and any of the quirks. */
export type DeviceChoices<Options extends QuirkOptions> = Partial<Omit<Options, "quirks">> & {
  /** Quirks that differ from the driver's default. */
  readonly quirks?: Partial<Options["quirks"]>;
};
