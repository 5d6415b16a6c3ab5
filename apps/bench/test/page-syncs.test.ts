/** The naive model's syncobjs and jobs, against the models' syncobjs and against rules told by hand. */

import { Fence, Syncobjs } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PageJobs, type WaitingJob } from "../src/fuzz/page-jobs.ts";
import { type Expected, type LogLine, Place } from "../src/fuzz/page-log.ts";
import { PageSyncobj, PageSyncobjs, type Sign } from "../src/fuzz/page-syncs.ts";

const PAGE = 4096;
const RULES = { pageBytes: PAGE, remapsInPlace: false };

it("waits for what a syncobj of the DRM core waits for, points and plain fences mixed", () => {
  const point = fc.constantFrom(0, 1, 2, 3, 5, 8, Number.NaN);
  const step = fc.record({
    what: fc.constantFrom("attach", "signal", "wait"),
    point,
    pick: fc.nat({ max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const real = new Syncobjs(true).get(1);
      const naive = new PageSyncobj();
      const things: { fence: Fence; sign: Sign }[] = [];
      for (const { what, point: at, pick } of steps) {
        if (what === "attach") {
          const thing = { fence: new Fence(), sign: { done: "no" } as Sign };
          things.push(thing);
          real?.attach(at, thing.fence);
          naive.attach(at, thing.sign);
        } else if (what === "signal" && things.length > 0) {
          const thing = things[pick % things.length];
          thing?.fence.signal();
          if (thing) thing.sign.done = "yes";
        }
        expect(naive.wait(at).every(({ done }) => done === "yes")).toBe(real?.find(at)?.signaled);
      }
    }),
  );
});

describe("the jobs of a call", () => {
  const sign = (): Sign => ({ done: "no" });

  it("wait for an earlier job of it whose signal they name exactly, and for what was there before otherwise", () => {
    const syncobjs = new PageSyncobjs();
    const before = sign();
    syncobjs.get(7).attach(5, before);
    const [first, second] = [sign(), sign()];
    const waits = syncobjs.resolve([
      { waits: [], signals: [{ syncobj: 7, point: 9 }], end: first },
      {
        waits: [
          { syncobj: 7, point: 9 },
          { syncobj: 7, point: 5 },
          { syncobj: 7, point: 8 },
        ],
        signals: [],
        end: second,
      },
    ]);
    expect(waits).toEqual([[], [first, before]]);
    // Behind the call the points are there.
    expect(syncobjs.get(7).wait(8)).toEqual([before, first]);
  });
});

describe("jobs that wait", () => {
  const line = (va: number, behind: "null" | "nothing"): LogLine => {
    return {
      kind: "range",
      va,
      bytes: PAGE,
      behind,
      page: 0,
      window: 0,
      period: 0,
      access: "rw",
      promised: false,
    };
  };
  const job = (lines: LogLine[], waits: Sign[], queue: object): WaitingJob => {
    return { lines, waits, queue, holdsUp: true, end: { done: "no" } };
  };
  const shown = (jobs: PageJobs, va: number, expected: Expected): string[] =>
    [...jobs.possible(new Place(va, RULES, expected), RULES)].map(({ line: now }) =>
      now === null ? "nothing" : String(now.behind),
    );
  const nothing: Expected = { line: null, taken: "no", advised: false, under: null };
  const run = (jobs: PageJobs): LogLine[] => {
    const done: LogLine[] = [];
    while (jobs.run(({ lines }) => done.push(...lines))) {
      // Until nothing is new.
    }
    return done;
  };

  it("happen in the order of their queue, and maybe before those of another one", () => {
    const gate: Sign = { done: "no" };
    const jobs = new PageJobs();
    const [one, two] = [{}, {}];
    jobs.push(job([line(0, "null")], [gate], one), false);
    jobs.push(job([line(PAGE, "null")], [], one), false);
    jobs.push(job([line(2 * PAGE, "null")], [], two), false);
    expect(run(jobs)).toEqual([]);
    expect([0, PAGE, 2 * PAGE].map((va) => shown(jobs, va, nothing))).toEqual([[], [], ["null"]]);
    gate.done = "yes";
    expect(run(jobs)).toHaveLength(3);
    expect(jobs.count).toBe(0);
  });

  it("that are about one page happen in the order of their calls, whatever their queues", () => {
    const gate: Sign = { done: "no" };
    const jobs = new PageJobs();
    jobs.push(job([line(0, "null")], [gate], {}), false);
    jobs.push(job([line(0, "nothing")], [], {}), false);
    run(jobs);
    expect(shown(jobs, 0, nothing)).toEqual([]);
    // Nothing is there to be unbound: the second one is about another page only.
    jobs.push(job([line(PAGE, "nothing"), line(2 * PAGE, "null")], [], {}), false);
    run(jobs);
    expect(shown(jobs, 2 * PAGE, nothing)).toEqual(["null"]);
  });

  it("that may have nothing to write may be over at once", () => {
    const jobs = new PageJobs();
    const free = job([line(0, "null")], [{ done: "no" }], {});
    jobs.push(free, true);
    run(jobs);
    expect([free.end.done, shown(jobs, 0, nothing)]).toEqual(["maybe", ["null"]]);
  });
});
