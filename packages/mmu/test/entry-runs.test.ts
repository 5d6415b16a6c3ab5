import fc from "fast-check";
import { expect, test } from "vitest";
import { blockRun, emptyRun, filledRun } from "../src/entry-runs.ts";

const ENTRIES = 64;
/** Low halves: empty, or anything that is not 0 — present entries have bit 0, but nothing here relies on it. */
const low = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0x703) },
  fc.constant(0),
  fc.constant(2),
  fc.integer(),
);

test.each([
  ["empty", emptyRun, 0],
  ["filled", filledRun, 0x703],
  ["of blocks", blockRun, 0x701],
] as const)("a run that is %s ends where one entry after the other says so", (name, run, common) => {
  const ends = (lo: number) => (name === "empty" ? lo !== 0 : name === "filled" ? lo === 0 : (lo & 3) !== 1);
  const lows = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(common) }, low), {
    minLength: ENTRIES,
    maxLength: ENTRIES,
  });
  fc.assert(
    fc.property(lows, fc.nat(ENTRIES), fc.nat(ENTRIES), fc.integer(), (entries, a, b, high) => {
      const words = Int32Array.from(entries.flatMap((lo) => [lo, high]));
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const at = entries.findIndex((lo, i) => i >= from && i < to && ends(lo));
      expect(run(words, from * 2, to - from)).toBe((at < 0 ? to : at) - from);
    }),
  );
});
