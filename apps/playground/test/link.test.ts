import fc from "fast-check";
import { expect, test } from "vitest";
import { hashOf, linkOf } from "../src/link.ts";

test("a link says what it was made of", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.stringMatching(/^[a-z-]{1,12}$/),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue(), { maxKeys: 4 }),
      async (pane, states) => {
        const said = JSON.parse(JSON.stringify({ pane, states }));
        expect(await linkOf(await hashOf({ pane, states }))).toEqual(said);
      },
    ),
    { numRuns: 40 },
  );
});

test("a pane alone is its id", async () => {
  expect(await hashOf({ pane: "trace", states: {} })).toBe("#trace");
  expect(await linkOf("#trace")).toEqual({ pane: "trace", states: {} });
});

test("a link that was cut names its pane and nothing else", async () => {
  const whole = await hashOf({ pane: "trace", states: { trace: { name: "x".repeat(50) } } });
  expect(await linkOf(whole.slice(0, -5))).toEqual({ pane: "trace", states: {} });
  expect(await linkOf("#trace/!!!")).toEqual({ pane: "trace", states: {} });
  expect(await linkOf("")).toEqual({ pane: "", states: {} });
});
