import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { permutation } from "@vmbind/lab";
import { xorshift32 } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { joined } from "../src/micro/against.ts";
import { AREAS } from "../src/micro/areas.ts";
import { compare, type MicroResult, measure, median, type Timing, WarmUp } from "../src/micro/harness.ts";
import type { Machine } from "../src/micro/machine.ts";
import { areasIn, measurePair } from "../src/micro/pair.ts";
import type { MicroFile, SavedRatio } from "../src/micro/saved.ts";
import { chance, verdictOf } from "../src/micro/verdict.ts";
import { tempFile, vmbind } from "./run.ts";

async function micro(...argv: string[]): Promise<MicroResult[]> {
  const { status, out } = await vmbind("micro", ...argv, "--json", "--runs", "1", "--warm-up", "1");
  expect(status).toBe(0);
  const { machine, results } = JSON.parse(out) as { machine: Machine; results: MicroResult[] };
  expect(machine.node).toBe(process.versions.node);
  return results;
}

describe("the generators are the peers'", () => {
  it("xorshift32", () => {
    const next = xorshift32(0x12345678);
    expect([next(), next(), next(), next()].map((x) => x.toString(16))).toEqual([
      "87985aa5",
      "155b24a3",
      "4820f4c4",
      "81b3ac98",
    ]);
  });

  it("a permutation holds every number once", () => {
    const next = xorshift32(1);
    const p = permutation(1000, (n) => next() % n);
    expect([...p].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...p]).not.toEqual([...p].sort((a, b) => a - b));
  });
});

describe("the harness", () => {
  it("runs steps in order on a fresh state, and reports a wrong result", async () => {
    const order: string[] = [];
    const step = (id: string) => ({
      id,
      what: id,
      unit: "op",
      units: 10,
      run: (state: string[]) => {
        state.push(id);
        order.push(id);
      },
      check: (state: string[]) => compare("steps so far", state.length, id === "second" ? 3 : 1),
      peer: { ns: 2, source: "nobody" },
    });
    const [first, second] = await measure(
      "test",
      { prepare: () => [] as string[], steps: [step("first"), step("second")] },
      { runs: 3, warmUpMs: 0 },
    );
    expect(order.slice(0, 4)).toEqual(["first", "second", "first", "second"]);
    expect(first?.wrong).toBeNull();
    expect(second?.wrong).toBe("steps so far: expected 3, got 2");
    expect(first?.ratio).toBe((first?.ns ?? 0) / 2);
    expect(first?.min).toBeLessThanOrEqual(first?.ns ?? 0);
  });

  it("is warm after three runs and a length of CPU time, once two runs agree in every step", () => {
    let cpuMs = 0;
    const run = (...ns: number[]): Timing[] => ns.map((n) => ({ cpu: [n * 1e6], wall: [n * 9e6] }));
    const warmUp = new WarmUp(100, () => cpuMs);
    expect(warmUp.isOver(run(10, 20))).toBe(false);
    expect(warmUp.isOver(run(10, 20))).toBe(false);
    cpuMs = 99;
    expect(warmUp.isOver(run(10, 20))).toBe(false);
    cpuMs = 100;
    // The second step still gets faster.
    expect(warmUp.isOver(run(10, 15))).toBe(false);
    expect(warmUp.isOver(run(10, 12))).toBe(false);
    expect(warmUp.isOver(run(10.3, 11.8))).toBe(true);
  });

  it("waits no longer than three times the length for runs that agree", () => {
    let cpuMs = 0;
    const warmUp = new WarmUp(100, () => cpuMs);
    const ends = [1, 2, 1, 2, 1].map((ns) => {
      cpuMs += 75;
      return warmUp.isOver([{ cpu: [ns * 1e6], wall: [ns * 1e6] }]);
    });
    expect(ends).toEqual([false, false, false, true, true]);
  });

  it("median", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});

describe("figures of an earlier run", () => {
  const measured = async (...more: string[]) =>
    vmbind(
      ...["micro", "gpuvm", "--max", "1000", "--only", "f-repeat-map", "--runs", "1", "--warm-up", "1"],
      ...more,
    );

  it("are saved, and stand beside the next ones", async () => {
    const path = tempFile("micro.json", "");
    expect(await measured("--save", path)).toMatchObject({ status: 0, err: "" });
    const saved = JSON.parse(readFileSync(path, "utf8")) as MicroFile;
    expect(saved).toMatchObject({ format: "vmbind-micro", version: 1, results: [{ id: "f-repeat-map" }] });
    const { out, err } = await measured("--compare", path);
    expect(err).toBe("");
    expect(out).toMatch(
      /^id +median ns +per +min +spread +then ns +ratio to then +of minima +verdict\nf-repeat-map +[0-9.]+ +op +[0-9.]+ +0\.0 %( +[0-9.]+){3} +too few runs\n/m,
    );
    const { out: json } = await measured("--compare", path, "--json");
    const { results, comparison } = JSON.parse(json) as MicroFile & { comparison: { ratios: SavedRatio[] } };
    const [now, then] = [results[0] as MicroResult, saved.results[0] as MicroResult];
    expect(comparison.ratios).toEqual([
      {
        area: "gpuvm",
        id: "f-repeat-map",
        thenNs: then.ns,
        ratio: now.ns / then.ns,
        ratioOfMinima: now.min / then.min,
        verdict: { verdict: "too few", p: 1 },
      },
    ]);
  });

  it("of before have no runs, and no verdict", async () => {
    const path = tempFile("before.json", "");
    const { out } = await measured("--save", path);
    // A figure of the kernel's code is told with its machine, under its table.
    expect(out).toMatch(/^f-repeat-map .+ 104 .+\npeer and ratio: the kernel's code on another machine, /m);
    const saved = JSON.parse(readFileSync(path, "utf8")) as MicroFile;
    const results = saved.results.map(({ times: _, spread: __, ...result }) => result);
    writeFileSync(path, JSON.stringify({ ...saved, results }));
    expect((await measured("--compare", path)).out).toMatch(/^f-repeat-map .+ [0-9.]+ +-$/m);
  });

  it("of another machine or Node are compared with a warning", async () => {
    const path = tempFile("other.json", "");
    await measured("--save", path);
    const saved = JSON.parse(readFileSync(path, "utf8")) as MicroFile;
    writeFileSync(
      path,
      JSON.stringify({ ...saved, machine: { ...saved.machine, node: "1.2.3" }, results: [] }),
    );
    const { status, out, err } = await measured("--compare", path);
    expect(err).toMatch(/--compare: ratios are of two machines .+: node 1\.2\.3 then, [0-9.]+ now\n$/);
    expect(out).toMatch(/^f-repeat-map .+ - +- +- +-$/m);
    expect(status).toBe(0);
  });

  it.each([
    ["{}", /bad\.json: format: /],
    ['{"format":"vmbind-micro","version":1,"results":[]}', /bad\.json: machine: /],
    ['{"format":"vmbind-sweep"}', /bad\.json: this is a sweep: /],
  ])("that are %s are refused before anything is measured", async (content, message) => {
    const { status, out, err } = await measured("--compare", tempFile("bad.json", content));
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toMatch(message);
  });

  it("are not written over what they are compared with", async () => {
    const path = tempFile("same.json", "{}");
    expect((await measured("--compare", path, "--save", path)).err).toMatch(/is an input of this run/);
    expect((await measured("--against", ".", "--save", path)).err).toMatch(
      /--save has no meaning with --against/,
    );
    expect((await measured("--against", "/nowhere")).err).toMatch(/--against: \/nowhere: no built clone/);
  });
});

describe("the verdict over two sets of runs", () => {
  it("counts out how likely a difference is by chance, as every order of the runs does", () => {
    const runs = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(runs, runs, (a, b) => {
        const all = [...a, ...b].map((x, i) => x + i / 100);
        const less = (picked: readonly number[], rest: readonly number[]) =>
          picked.flatMap((x) => rest.filter((y) => y < x)).length;
        const pairs = a.length * b.length;
        const seen = less(all.slice(0, a.length), all.slice(a.length));
        let asFar = 0;
        let orders = 0;
        for (let set = 0; set < 2 ** all.length; set++) {
          const picked = all.filter((_, i) => set & (1 << i));
          if (picked.length !== a.length) continue;
          const rest = all.filter((_, i) => !(set & (1 << i)));
          orders++;
          const u = less(picked, rest);
          if (Math.min(u, pairs - u) <= Math.min(seen, pairs - seen)) asFar++;
        }
        const p = chance(all.slice(0, a.length), all.slice(a.length));
        // Twice one tail counts the middle twice.
        expect(p).toBeCloseTo(Math.min(1, asFar / orders), 9);
      }),
    );
  });

  it("is the same beyond what is counted out, nearly", () => {
    const times = (n: number, from: number) => Array.from({ length: n }, (_, i) => from + ((i * 37) % n));
    expect(chance(times(51, 0.5), times(51, 8))).toBeCloseTo(chance(times(50, 0.5), times(50, 8)), 2);
  });

  it.each([
    ["slower", [11, 12, 13, 14, 15], [6, 7, 8, 9, 10]],
    ["faster", [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]],
    ["same", [6, 7, 8, 9, 20], [10, 11, 12, 13, 14]],
    ["same", [101, 102, 103, 104, 105], [100.5, 99.5, 100, 99, 98.5]],
    ["too few", [11, 12, 13], [6, 7, 8]],
  ] as const)("%s: %j after %j", (verdict, now, then) => {
    expect(verdictOf(now, then, median(now) / median(then)).verdict).toBe(verdict);
  });
});

describe("two builds in turns", () => {
  const scenario = (work: number, order: string[], name: string, wrong: string | null = null) => ({
    repeat: 3,
    prepare: () => ({ sum: 0 }),
    steps: [
      {
        id: "step",
        what: "work",
        unit: "op",
        units: 10,
        run: (state: { sum: number }) => {
          order.push(name);
          for (let i = 0; i < work; i++) state.sum = (state.sum + i) | 0;
        },
        check: () => wrong,
        peer: null,
      },
    ],
  });

  it("alternate who is first, and tell how much longer the second takes", async () => {
    const order: string[] = [];
    const [result] = await measurePair(scenario(200_000, order, "a"), scenario(1_200_000, order, "b"), {
      runs: 5,
      warmUpMs: 0,
    });
    expect(result?.ratio).toBeGreaterThan(2);
    expect(result?.ns[1]).toBeGreaterThan(result?.ns[0] as number);
    const pairs = order.join("").match(/../g) as string[];
    expect(pairs.length).toBe(8 * 3);
    expect(pairs.filter((pair) => pair === "ab").length).toBe(12);
    expect(pairs.filter((pair) => pair === "ba").length).toBe(12);
  });

  it("count no wrong result", async () => {
    const bad = measurePair(scenario(1, [], "a"), scenario(1, [], "b", "5 expected"), {
      runs: 1,
      warmUpMs: 0,
    });
    await expect(bad).rejects.toThrow("step: 5 expected");
  });

  it("are joined from both orders of loading: above 1, this build is slower", () => {
    const otherFirst = { id: "s", ns: [10, 22], min: [9, 20], ratio: 2.2 } as const;
    const hereFirst = { id: "s", ns: [18, 11], min: [18, 10], ratio: 0.5 } as const;
    expect(
      joined(
        "gpuvm",
        "s",
        { ...otherFirst, ns: [10, 22], min: [9, 20] },
        { ...hereFirst, ns: [18, 11], min: [18, 10] },
      ),
    ).toEqual({
      area: "gpuvm",
      id: "s",
      ns: 18,
      otherNs: 10,
      ratio: expect.closeTo(Math.sqrt(2 * 2.2)),
      ratioByOrder: [2, 2.2],
      ratioOfMinima: 2,
    });
  });
});

describe("workloads come to the peers' check values", () => {
  /** All steps of an area, each run as often as the second repetition needs; gives their ids. */
  async function runOnce(area: string, largest: number): Promise<string[]> {
    const scenarios = (await AREAS.get(area)?.(largest)) ?? [];
    for (const { prepare, repeat = 1, steps } of scenarios) {
      const state: unknown = prepare();
      for (let i = 0; i < Math.min(repeat, 2); i++) {
        for (const { id, before, run, check } of steps) {
          before?.(state);
          run(state);
          expect([id, check(state)]).toEqual([id, null]);
        }
      }
    }
    return scenarios.flatMap(({ steps }) => steps.map(({ id }) => id));
  }

  it("gpuvm at N = 1000, and 100e6 bytes", async () => {
    expect(await runOnce("gpuvm", 1000)).toEqual([
      "a-1000",
      "b-1000",
      "c-unlinked-1000",
      "c-linked-1000",
      "d-unlinked-1000",
      "d-linked-1000",
      "f-pages-map",
      "f-pages-unmap",
      "f-repeat-map",
      "f-repeat-unmap",
    ]);
  });

  it("gpuvm beside the kernel's figures", async () => {
    const results = await micro("gpuvm", "--max", "1000", "--only", "f-repeat-map", "--only", "a-1000");
    expect(results.map(({ id, wrong }) => [id, wrong])).toEqual([
      ["a-1000", null],
      ["f-repeat-map", null],
    ]);
    expect(results.every((r) => r.peer && r.ns > 0)).toBe(true);
  });

  it.each([...AREAS.keys()].filter((area) => area !== "gpuvm"))(
    "%s",
    async (area) => {
      expect((await runOnce(area, 100_000)).length).toBeGreaterThan(3);
    },
    240_000,
  );
});

it.each(["apps/bench/dist", "dist"])("of a build in %s takes the bundle, as its commands do", (dist) => {
  const folder = tempFolder();
  const places = ["micro", "quick"].map((name) => join(folder, dist, name, "areas.js"));
  const found = [areasIn(folder)];
  for (const place of places) {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, "");
    found.push(areasIn(folder));
  }
  expect(found).toEqual([null, ...places]);
});

it("refuses unknown areas, workloads and counts", async () => {
  expect((await vmbind("micro", "quake")).err).toContain("there are gpuvm, mmu, panthor, asahi, xe, ");
  const misspelt = await vmbind("micro", "baseline", "--only", "copi", "--runs", "1");
  expect(misspelt).toMatchObject({ status: 2, err: expect.stringContaining("did you mean copy?") });
  expect((await vmbind("micro", "--runs", "0")).err).toContain("--runs: expected a whole number above 0");
});
