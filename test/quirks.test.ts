/** Each driver's README lists its quirks in the words of the table in its `quirks.ts`. */
import { expect, test } from "vitest";
import type { Quirk } from "../packages/drm/src/index.ts";
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
