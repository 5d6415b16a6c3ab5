/**
 * Quirks as data: where a real driver is wrong, each under a name. A driver's table is the one place that says what
 * differs and how that is known; its presets and the list in its README come from the table.
 *
 * A model is right by default: every quirk is off. A quirk makes it as wrong as the driver (or as a posted patch) is. A
 * {@link QuirkProfile} turns on those that ordinary use of the real driver shows, so that what a real driver answered can
 * be held against the model.
 *
 * @example
 * ```ts
 * import { type QuirkTable, quirksOf, quirksText } from "@vmbind/drm";
 *
 * const QUIRKS: QuirkTable<"emptyRanges" | "lateCopy"> = {
 *   emptyRanges: { text: "A range of 0 is not refused.", off: "EINVAL.", origin: "Linux 7.3-rc7" },
 *   lateCopy: { text: "Arrays are copied in late.", off: "First.", origin: "Linux 7.3-rc7", profiles: ["linux-7.3"] },
 * };
 * console.log(quirksOf(QUIRKS), quirksOf(QUIRKS, "linux-7.3"));
 * // { emptyRanges: false, lateCopy: false } { emptyRanges: false, lateCopy: true }
 * console.log(quirksText(QUIRKS, quirksOf(QUIRKS, "linux-7.3"))); // quirks of linux-7.3 (lateCopy)
 * ```
 *
 * @module
 */

import { needKnown, needOneOf } from "./one-of.ts";

/**
 * Names of the choices of quirks that all drivers know.
 *
 * | profile | the quirks |
 * |---|---|
 * | `ideal` | none: each driver does what its uAPI means |
 * | `linux-7.3` | all of a driver that ordinary recordings and conformance vectors show. Of a driver that Linux 7.3-rc7 has not (asahi) the same of the driver that was examined |
 * | `as-posted-v5` | those of `linux-7.3`, and those of the fifth and last posting of the REPEAT patches (March 2026), where the driver has got any |
 */
export const QUIRK_PROFILES = ["ideal", "linux-7.3", "as-posted-v5"] as const;

/** A named choice of quirks, see {@link QUIRK_PROFILES}. */
export type QuirkProfile = (typeof QUIRK_PROFILES)[number];

/** The profile under which recordings are replayed and conformance vectors are run, unless they say otherwise. */
export const RECORDED_PROFILE: QuirkProfile = "linux-7.3";

/** Profiles whose quirks belong to a profile, too: a patch is posted on top of a kernel. */
const BASES: Readonly<Partial<Record<QuirkProfile, QuirkProfile>>> = { "as-posted-v5": "linux-7.3" };

/** One deviation from the right behaviour. */
export interface Quirk {
  /** What the real driver does. */
  readonly text: string;
  /** What the model does without it. */
  readonly off: string;
  /** The code that does it, with its version. */
  readonly origin: string;
  /** The profiles that it belongs to; none where ordinary use does not show it. */
  readonly profiles?: readonly QuirkProfile[];
}

/** The quirks of one driver by name. */
export type QuirkTable<Name extends string = string> = Readonly<Record<Name, Quirk>>;

/** Which quirks a device has. */
export type Quirks<Name extends string = string> = Record<Name, boolean>;

/** What may be given for the quirks of a device: a profile's name, or those that are on. */
export type QuirkChoice<Chosen extends object> = QuirkProfile | Partial<Chosen>;

/**
 * A choice of quirks.
 *
 * @param table - a driver's quirks
 * @param choice - a profile's name, those that are on by name, or a condition; none is on unless told
 * @returns every name of the table, in its order
 * @throws RangeError for a profile or a quirk that there is not
 */
export function quirksOf<Name extends string>(
  table: QuirkTable<Name>,
  choice: QuirkProfile | Partial<Quirks<Name>> | ((quirk: Quirk, name: string) => boolean) = {},
): Readonly<Quirks<Name>> {
  const quirks: Partial<Quirks<Name>> = {};
  if (typeof choice === "object") {
    const known = Object.keys(table);
    const unknown = Object.keys(choice).find((name) => !known.includes(name));
    if (unknown !== undefined) throw new RangeError(`quirks.${unknown}: there are ${known.join(", ")}`);
    for (const name in table) quirks[name] = choice[name] === true;
    return quirks as Quirks<Name>;
  }
  if (typeof choice === "string" && !QUIRK_PROFILES.includes(choice)) {
    throw new RangeError(
      `quirks: no profile ${JSON.stringify(choice)}; there are ${QUIRK_PROFILES.join(", ")}`,
    );
  }
  for (const name in table) {
    const quirk = table[name];
    quirks[name] = typeof choice === "string" ? belongs(quirk, choice) : choice(quirk, name);
  }
  return quirks as Quirks<Name>;
}

function belongs({ profiles = [] }: Quirk, profile: QuirkProfile): boolean {
  const base = BASES[profile];
  return profiles.includes(profile) || (base !== undefined && profiles.includes(base));
}

/**
 * @param quirks - of a device
 * @returns names of those that are on, as the header of a trace lists them
 */
export function quirkNames(quirks: Readonly<Quirks>): string[] {
  return Object.keys(quirks).filter((name) => quirks[name]);
}

/**
 * Name a choice of quirks, for the caption of figures that were made under it.
 *
 * @param table - a driver's quirks
 * @param quirks - those of a device
 * @returns `no quirks`, `quirks of linux-7.3 (a, b)` or `quirks a, b`
 */
export function quirksText(table: QuirkTable, quirks: Readonly<Quirks>): string {
  const names = Object.keys(table).filter((name) => quirks[name] === true);
  if (names.length === 0) return "no quirks";
  const profile = QUIRK_PROFILES.find((known) => {
    const named = quirksOf(table, known);
    return Object.keys(table).every((name) => named[name] === (quirks[name] === true));
  });
  return profile === undefined ? `quirks ${names.join(", ")}` : `quirks of ${profile} (${names.join(", ")})`;
}

/** Options of a device, as far as all drivers have them. */
export interface QuirkOptions {
  /** Which quirks it has. */
  readonly quirks: object;
}

/** What may be given for the options of a device: any of them, and its quirks as a profile's name or one by one. */
export type DeviceChoices<Options extends QuirkOptions> = Partial<Omit<Options, "quirks">> & {
  /** A profile's name, or the quirks that are on. Default: none. */
  readonly quirks?: QuirkChoice<Options["quirks"]>;
};

/** The options of a device that are names, each with the names that there are. */
export type OptionNames<Options> = { readonly [Option in keyof Options]?: readonly string[] };

/** What a device has where nothing was chosen: every option that there is, undefined where there is nothing. */
export type DeviceDefaults<Options extends QuirkOptions> = {
  readonly [Option in keyof Options]-?: Options[Option];
};

/**
 * All options of a device: its defaults, and what was chosen.
 *
 * @param defaults - makes what a device has where nothing was chosen. A literal, whose shape the options of all devices then have: every
 * ioctl asks for some, and V8 looks members up by name where more than sixteen were put into an empty object
 * @param chosen - what differs from that; undefined is no choice
 * @param table - the driver's quirks
 * @param names - options that are names, and the names that there are
 * @returns a new object with every option
 * @throws RangeError for options, quirks and names that there are not
 */
export function deviceOptions<Options extends QuirkOptions>(
  defaults: () => DeviceDefaults<Options>,
  chosen: DeviceChoices<Options>,
  table: QuirkTable,
  names: OptionNames<Options> = {},
): Options {
  const options: Options = defaults();
  needKnown(chosen, Object.keys(options));
  Object.assign(options, said(chosen), { quirks: quirksOf(table, chosen.quirks as QuirkChoice<Quirks>) });
  for (const option in names) needOneOf(option, options[option], names[option] ?? []);
  return options;
}

/** Those that are not undefined, as a program writes what it leaves open. */
function said(chosen: object): object {
  if (!Object.values(chosen).includes(undefined)) return chosen;
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
}
