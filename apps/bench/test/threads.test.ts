import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { measurePoint, outcomeOf, RefusedError, sparseStrategy, unwrap, WorkloadError } from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import { beforeAll, describe, expect, it } from "vitest";
import { drawBar } from "../src/jobs/bar.ts";
import { JobPool } from "../src/jobs/pool.ts";
import { workerCount } from "../src/jobs/worker-count.ts";
import type { AgainstResult } from "../src/micro/against.ts";
import { tempFile } from "./run.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The command as users have it: compiled, in a process of its own. Worker threads need that; sources run in one thread. */
function built(...argv: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["apps/bench/dist/cli.js", ...argv], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return { status, out: stdout, err: stderr };
}

describe("worker threads and processes", () => {
  beforeAll(() => {
    const tsc = spawnSync("node_modules/.bin/tsc", ["-b", "apps/bench"], { cwd: root, encoding: "utf8" });
    expect(tsc.stdout).toBe("");
  }, 180_000);

  it("give the same output, however many there are", { timeout: 120_000 }, () => {
    const strategies = ["--strategy", "panthor-blackhole", "--strategy", "panthor-sparse"];
    for (const command of [
      ["sweep", ...strategies, "--work-max", "300", "--json"],
      ["compare", ...strategies, "--workload", "buffer-100e6", "--csv"],
    ]) {
      const { err, ...one } = built(...command, "--no-cache", "--jobs", "1");
      expect(one.status).toBe(0);
      expect(err).toMatch(/^([0-9]+\/[0-9]+ .+\n)+$/);
      expect(built(...command, "--no-cache", "--jobs", "3")).toMatchObject(one);
    }
  });

  it("measure each workload apart", () => {
    const { status, out, err } = built(
      "micro",
      "baseline",
      "--only",
      "fill",
      "--runs",
      "1",
      "--warm-up",
      "1",
      "--json",
    );
    expect(status).toBe(0);
    // A machine that takes long is told what it is at.
    expect(err).toMatch(/^(baseline: fill\n)*baseline: fill: measured\n$/);
    expect(JSON.parse(out)).toMatchObject({
      machine: { node: process.versions.node },
      results: [{ area: "baseline", id: "fill", runs: 1, wrong: null }],
    });
  });

  it("measure a build against itself: each scenario in both, and a ratio", () => {
    const only = ["--only", "fill", "--only", "loop-ascending"];
    const argv = ["micro", "baseline", ...only, "--runs", "3", "--warm-up", "1", "--against", ".", "--json"];
    const { status, out } = built(...argv);
    expect(status).toBe(0);
    const { results } = JSON.parse(out) as { results: AgainstResult[] };
    expect(results.map(({ id }) => id)).toEqual(["fill", "loop-ascending"]);
    // How near to 1 it comes is the machine's business.
    for (const { ratio } of results) expect(ratio).toBeGreaterThan(0);
  });

  it("leave an error its class: one line, exit 2", { timeout: 120_000 }, () => {
    const path = tempFile(
      "odd.json",
      JSON.stringify({
        format: "vmbind-workload",
        version: 1,
        name: "odd",
        steps: [
          { step: "create", resource: "r", size: 65536 },
          { step: "bind", resource: "r", binds: [{ offset: 1, size: 4096, memory: null }] },
        ],
      }),
    );
    const { status, out, err } = built("compare", "--workload", path, "--jobs", "2", "--no-cache");
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toMatch(
      /^(?:[0-9]+\/[0-9]+ .+\n)*vmbind compare: .+odd\.json: steps\[1\]\.binds\[0\]\.offset: 0x1 is not a multiple .+\n$/,
    );
  });
});

describe("an expected error travels as data", () => {
  it.each([
    new InputError("file.json", 3, "rule"),
    new RefusedError("refused"),
    new WorkloadError("workload"),
  ])("$name", async (error) => {
    const outcome = structuredClone(await outcomeOf(() => Promise.reject(error)));
    expect(() => unwrap(outcome)).toThrow(error);
    try {
      unwrap(outcome);
    } catch (thrown) {
      expect((thrown as Error).constructor).toBe(error.constructor);
    }
  });

  it("and a defect with its stack", async () => {
    const outcome = structuredClone(await outcomeOf(() => Promise.reject(new TypeError("defect"))));
    expect(() => unwrap(outcome)).toThrow(/^defect\nTypeError: defect\n {4}at /);
    expect(unwrap(await outcomeOf(async () => 7))).toBe(7);
  });
});

describe("a pool in one thread", () => {
  it("runs one job at a time in the order given, also behind one that fails", async () => {
    const pool = new JobPool(4);
    const point = (name: string) =>
      ({ strategy: { name, kernel: "ideal" }, axis: "size", x: 65536 }) as const;
    const row = pool.run("point", point("xe-null"));
    const wrong = pool.run("point", point("hope"));
    const again = pool.run("point", point("xe-null"));
    await expect(wrong).rejects.toThrow(RangeError);
    expect(await again).toEqual(await row);
    expect(await row).toEqual(await measurePoint(sparseStrategy("xe-null"), { axis: "size", x: 65536 }));
    await pool.close();
  });

  it("has no more threads than jobs", () => {
    expect(workerCount("8", 3)).toBe(3);
    expect(workerCount("8", 100)).toBe(8);
    expect(workerCount(undefined, 1)).toBe(1);
    for (const wrong of ["0", "-1", "two", "1.5", "", "257"]) {
      expect(() => workerCount(wrong, 9)).toThrow(/^--jobs: expected a number from 1 to 256/);
    }
  });
});

it("the bar fills from the left", () => {
  expect(drawBar(0, 8)).toBe(`[${".".repeat(24)}]`);
  expect(drawBar(3, 8)).toBe(`[${"#".repeat(9)}${".".repeat(15)}]`);
  expect(drawBar(8, 8)).toBe(`[${"#".repeat(24)}]`);
});
