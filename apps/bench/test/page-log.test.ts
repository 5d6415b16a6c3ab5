/** Places follow the log of a VM: what they know is what reading the whole log gives. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { type LogLine, PageLog, type PageObject } from "../src/fuzz/page-log.ts";

const PAGE = 4096;
const PAGES = 24;
const RULES = { pageBytes: PAGE, remapsInPlace: false };

const object = fc.nat({ max: 2 });
const range = fc.record({
  kind: fc.constant("range" as const),
  first: fc.nat({ max: PAGES - 1 }),
  pages: fc.integer({ min: 1, max: 8 }),
  behind: fc.oneof({ arbitrary: object, weight: 4 }, fc.constantFrom("nothing", "null", "unknown")),
  page: fc.nat({ max: 4 }),
  window: fc.nat({ max: 3 }),
  period: fc.constantFrom(0, 0, 4),
});
const step = fc.oneof(
  { arbitrary: range, weight: 4 },
  fc.record({ kind: fc.constantFrom("gone" as const, "evict" as const), object }),
  fc.record({ kind: fc.constant("restore" as const), whole: fc.boolean() }),
  fc.record({
    kind: fc.constant("advice" as const),
    va: fc.nat({ max: PAGES - 1 }).map((page) => page * PAGE),
    bytes: fc.integer({ min: 1, max: 8 }).map((pages) => pages * PAGE),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function lineOf(from: Step, objects: readonly PageObject[]): LogLine {
  if (from.kind === "restore" || from.kind === "advice") return from;
  if (from.kind !== "range") return { kind: from.kind, object: objects[from.object] as PageObject };
  const { first, pages, behind, page, window, period } = from;
  return {
    kind: "range",
    va: first * PAGE,
    bytes: pages * PAGE,
    behind: typeof behind === "number" ? (objects[behind] as PageObject) : (behind as "nothing"),
    page,
    window,
    period,
    access: "rw",
    promised: false,
  };
}

it("knows at each place what the whole log says, whenever the place was chosen", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(step, fc.nat({ max: PAGES - 1 })), { maxLength: 60 }),
      fc.boolean(),
      (steps, remapsInPlace) => {
        const objects = Array.from(
          { length: 3 },
          (): PageObject => ({ cells: new Map(), mayBeGone: false, wanders: false }),
        );
        const log = new PageLog({ ...RULES, remapsInPlace });
        for (const [from, chosen] of steps) {
          const before = new Map(
            [...log.places()].map((place) => [place.va, [place.line, place.taken, place.advised]]),
          );
          log.add(lineOf(from, objects));
          // A place of which anything else is expected now is one to look at.
          for (const place of log.places()) {
            const [line, taken, advised] = before.get(place.va) ?? [];
            if (place.line !== line || place.taken !== taken || place.advised !== advised)
              expect(log.changed).toContain(place);
          }
          log.watch(chosen * PAGE);
          log.check();
          if (chosen % 4 === 0) log.looked(PAGES / 2);
        }
      },
    ),
  );
});

it("shows the page of the object that the range, its window or its period says", () => {
  const shown: PageObject = { cells: new Map(), mayBeGone: false, wanders: false };
  const line = {
    kind: "range",
    va: 8 * PAGE,
    bytes: 8 * PAGE,
    behind: shown,
    access: "rw",
    promised: false,
  } as const;
  const cases = [
    { page: 3, window: 0, period: 0, expected: 5 },
    { page: 3, window: 2, period: 0, expected: 3 },
    { page: 0, window: 0, period: 4, expected: 2 },
  ];
  for (const { expected, ...rest } of cases) {
    const log = new PageLog(RULES);
    log.add({ ...line, ...rest });
    log.watch(10 * PAGE);
    const [place] = log.places();
    expect([...shown.cells].find(([, cell]) => cell === place?.cell)?.[0]).toBe(expected);
  }
});

it("passes all places in turn, those that come and go meanwhile too", () => {
  const log = new PageLog(RULES);
  expect(log.next()).toBeNull();
  for (const page of [1, 2, 3]) log.watch(page * PAGE);
  log.looked(2);
  expect([log.next(), log.next(), log.next()].map((place) => place?.va)).toEqual([
    2 * PAGE,
    3 * PAGE,
    2 * PAGE,
  ]);
});
