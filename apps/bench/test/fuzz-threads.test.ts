/** A fuzz run on several threads is the run of one: whoever runs which stretch, and however fast. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AsahiFile } from "@vmbind/asahi";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type FuzzOptions, fuzz, stretchesOf, summedUp } from "../src/fuzz/fuzz.ts";
import type { Target } from "../src/fuzz/session.ts";
import { gathered, runTaken, sharedRun, type TakenStretch, takeStretch } from "../src/fuzz/shared-run.ts";
import { targetFor } from "../src/fuzz/targets.ts";
import { tempFile } from "./run.ts";

const RUNS = 2400;
const options = (keepGoing: boolean): FuzzOptions => ({
  seed: 1,
  runs: RUNS,
  check: false,
  kinds: ["mutation"],
  keepGoing,
});

/** Two causes, in some sessions each. */
const FAULT = `throw new TypeError([...this.vms()].length > 1 ? "with VMs" : "broken");`;

afterEach(() => void vi.restoreAllMocks());

describe("whatever thread is ahead", () => {
  /** Threads that take a stretch, and run it when `order` says that they have got that far. */
  function interleaved(target: Target, given: FuzzOptions, order: readonly number[]): TakenStretch[] {
    const run = sharedRun("asahi", given, stretchesOf(given.runs), 3);
    const held: (number | null)[] = [0, 1, 2].map(() => takeStretch(run));
    const taken: TakenStretch[] = [];
    for (let step = 0; held.some((index) => index !== null); step++) {
      const thread = (order[step] ?? step) % 3;
      const index = held[thread] ?? null;
      if (index === null) continue;
      taken.push(runTaken(target, run, index, thread));
      held[thread] = takeStretch(run);
    }
    return taken;
  }

  it.each([false, true])(
    "the tallies are those of one (keep going: %s)",
    { timeout: 120_000 },
    async (keepGoing) => {
      const target = await targetFor("asahi");
      vi.spyOn(AsahiFile.prototype, "gemMmapOffset").mockImplementation(function (this: AsahiFile) {
        throw new TypeError([...this.vms()].length > 1 ? "with VMs" : "broken");
      });
      const given = options(keepGoing);
      const alone = fuzz(target, given);
      expect(alone.causes.length).toBeGreaterThan(keepGoing ? 1 : 0);
      fc.assert(
        fc.property(fc.array(fc.nat(2), { maxLength: 12 }), (order) => {
          const run = sharedRun("asahi", given, stretchesOf(RUNS), 3);
          const tallies = gathered(target, run, interleaved(target, given, order));
          expect(summedUp("asahi", 1, tallies)).toEqual(alone);
        }),
        { numRuns: 8 },
      );
    },
  );
});

const root = fileURLToPath(new URL("../../..", import.meta.url));
const dist = (path: string): string => JSON.stringify(join(root, path));

describe("with real threads", () => {
  beforeAll(() => {
    const tsc = spawnSync("node_modules/.bin/tsc", ["-b", "apps/bench"], { cwd: root, encoding: "utf8" });
    expect(tsc.stdout).toBe("");
  }, 300_000);

  /** What a program prints that has the fault in every thread. */
  function planted(program: string, thread = "export { default } from FUZZ_THREAD;"): unknown {
    const code = (text: string): string =>
      `import { AsahiFile } from ${dist("packages/asahi/dist/index.js")};
      AsahiFile.prototype.gemMmapOffset = function () { ${FAULT} };
      ${text.replaceAll("FUZZ_THREAD", dist("apps/bench/dist/fuzz/fuzz-thread.js"))}`;
    const further = tempFile("thread.mjs", code(thread));
    const path = tempFile(
      "program.mjs",
      code(`import { fuzz, runStretch, stretchesOf, summedUp } from ${dist("apps/bench/dist/fuzz/fuzz.js")};
      import { fuzzOnThreads } from ${dist("apps/bench/dist/fuzz/on-threads.js")};
      import { targetFor } from ${dist("apps/bench/dist/fuzz/targets.js")};
      import { failureOf } from ${dist("apps/bench/dist/errors.js")};
      const further = new URL("file://" + process.argv[2]);
      const options = (keepGoing) => ({ ...${JSON.stringify(options(false))}, keepGoing });
      const stretches = stretchesOf(${RUNS});
      ${program}`),
    );
    const run = spawnSync(process.execPath, [path, further], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    return JSON.parse(run.stdout);
  }

  it("what is found is what one thread finds", { timeout: 120_000 }, () => {
    const found = planted(`
      const results = [];
      for (const keepGoing of [false, true]) {
        const alone = fuzz(await targetFor("asahi"), options(keepGoing));
        for (const threads of [2, 3]) {
          const tallies = await fuzzOnThreads("asahi", options(keepGoing), stretches, threads, further);
          results.push(JSON.stringify(summedUp("asahi", 1, tallies)) === JSON.stringify(alone));
        }
        results.push(alone.causes.length);
      }
      console.log(JSON.stringify(results));`);
    expect(found).toEqual([true, true, 1, true, true, 2]);
  });

  it("a shard is the same to the byte", { timeout: 120_000 }, () => {
    const same = planted(`
      const own = stretches.filter((_, i) => i % 2 === 1);
      const known = new Set();
      const target = await targetFor("asahi");
      const alone = own.map((stretch) => runStretch(target, options(true), stretch, known));
      const together = await fuzzOnThreads("asahi", options(true), own, 2, further);
      console.log(JSON.stringify([known.size > 0, JSON.stringify(together) === JSON.stringify(alone)]));`);
    expect(same).toEqual([true, true]);
  });

  it.each([
    ["process.exit(7);", /^internal error.*a worker thread ended with 7; --jobs 1 /],
    [`throw new RangeError("Array buffer allocation failed");`, /^out of memory/],
    [`throw new Error("defect");`, /^internal error.*defect/],
  ])("a thread that fails ends the run: %s", { timeout: 60_000 }, (body, message) => {
    const failure = planted(
      `const error = await fuzzOnThreads("asahi", options(true), stretchesOf(1e9), 3, further).catch((error) => error);
      console.log(JSON.stringify(failureOf(error)));`,
      `export default ({ thread }) => { if (thread === 2) { ${body} } return new Promise(() => {}); }`,
    );
    expect(failure).toMatchObject({ status: 3, message: expect.stringMatching(message) });
  });

  it("the command prints the same, whole and in shards, and the shards are the same", {
    timeout: 120_000,
  }, () => {
    const cli = (...argv: string[]) => {
      const given = ["apps/bench/dist/cli.js", "fuzz", "--driver", "asahi", "--runs", "2500", ...argv];
      const { status, stdout, stderr } = spawnSync(process.execPath, given, { cwd: root, encoding: "utf8" });
      return { status, stdout, stderr };
    };
    for (const argv of [[], ["--json"], ["--shard", "2/2"]]) {
      const one = cli(...argv, "--jobs", "1");
      expect(one.status).toBe(0);
      for (const jobs of ["2", "3"]) expect(cli(...argv, "--jobs", jobs)).toEqual(one);
    }
    expect(cli("--jobs", "0")).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^vmbind fuzz: --jobs: expected a number from 1 to 256, got "0"\n/),
    });
  });
});
