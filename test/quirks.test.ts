/** Each driver's README lists its quirks in the words of the table in its `quirks.ts`, and no device has one by itself. */
import { expect, test } from "vitest";
import {
  QUIRK_PROFILES,
  type Quirk,
  type QuirkProfile,
  quirksOf,
  RECORDED_PROFILE,
} from "../packages/drm/src/index.ts";
import { DRIVERS, read } from "./house.ts";

test.each(DRIVERS)("%s: the README has one row for each quirk", async (driver) => {
  const { QUIRKS }: { QUIRKS: Record<string, Quirk> } = await import(`../packages/${driver}/src/quirks.ts`);
  const rows = read(`packages/${driver}/README.md`)
    .split("\n")
    .filter((line) => /^\| `\w+` \|/.test(line));
  for (const [name, { origin, text, off }] of Object.entries(QUIRKS)) {
    expect(rows).toContain(`| \`${name}\` | ${origin} | ${text} | ${off} |`);
  }
});

test.each(DRIVERS)("%s: the README says what each profile turns on", async (driver) => {
  const { QUIRKS } = await import(`../packages/${driver}/src/quirks.ts`);
  const listed = (profile: QuirkProfile): string => {
    const on = Object.entries(quirksOf(QUIRKS, profile)).filter(([, is]) => is);
    return on.map(([name]) => `\`${name}\``).join(", ") || "none";
  };
  for (const profile of QUIRK_PROFILES) {
    // What is the same for all drivers, or the same as the kernel that a patch is posted on, goes without saying.
    const said =
      profile === RECORDED_PROFILE || ![listed("ideal"), listed(RECORDED_PROFILE)].includes(listed(profile));
    const sentence = `Profile \`${profile}\`: ${listed(profile)}.`;
    expect(read(`packages/${driver}/README.md`).includes(sentence)).toBe(said);
  }
});

test.each(DRIVERS)("%s: a device has no quirk unless told, a profile's by its name", async (driver) => {
  const index = await import(`../packages/${driver}/src/index.ts`);
  const Device = index[Object.keys(index).find((name) => /^[A-Z][a-z]+Device$/.test(name)) as string];
  expect(new Device().options.quirks).toEqual(index.NO_QUIRKS);
  for (const profile of QUIRK_PROFILES) {
    expect(new Device({ quirks: profile }).options.quirks).toEqual(quirksOf(index.QUIRKS, profile));
  }
  expect(() => new Device({ quirks: "linux-1.0" })).toThrow(
    /^quirks: no profile "linux-1\.0"; there are ideal, linux-7\.3, as-posted-v5$/,
  );
  expect(() => new Device({ quirks: { noSuch: true } })).toThrow(/^quirks\.noSuch: there are \w+/);
});

test.each(DRIVERS)(
  "%s: each quirk says what differs in whole sentences, and where it is from",
  async (driver) => {
    const { QUIRKS, NO_QUIRKS } = await import(`../packages/${driver}/src/quirks.ts`);
    for (const { origin, text, off } of Object.values<Quirk>(QUIRKS)) {
      expect([text, off].map((sentence) => /^[A-Z`].*[.)]$/.test(sentence))).toEqual([true, true]);
      expect(origin).not.toBe("");
    }
    expect(Object.values(NO_QUIRKS)).not.toContain(true);
  },
);
