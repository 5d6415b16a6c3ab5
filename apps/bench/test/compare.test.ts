import { describe, expect, it } from "vitest";
import type { Comparison } from "../src/commands/compare.ts";
import { type ReplayResult, replay } from "../src/replay.ts";
import { openStrategyTrace, STRATEGIES, type Strategy } from "../src/strategies.ts";
import type { Trace } from "../src/trace.ts";
import { vmbind } from "./run.ts";

async function run(strategy: string, workload: string): Promise<ReplayResult> {
  const found = STRATEGIES.find((s) => s.name === strategy) as Strategy;
  return replay((await openStrategyTrace(found, workload)) as Trace);
}

describe("100e6 bytes: the operations of each strategy", () => {
  it.each([
    ["panthor-per-page", 24415, 1526, 16],
    ["panthor-blackhole", 48, 3, 16],
    ["panthor-repeat", 1, 1, 1],
    ["panthor-sparse", 1, 1, 1],
  ])("%s: %i in %i ioctls", async (strategy, ops, ioctls, most) => {
    const { counts, differences } = await run(strategy, "buffer-100e6");
    expect(differences).toEqual([]);
    expect(counts.byPhase.create).toEqual({ bindIoctls: ioctls, bindOps: ops });
    expect(counts.maxOpsPerIoctl).toBe(most);
  });
});

describe("derived strategies", () => {
  it.each(["panthor-per-page", "panthor-repeat"])(
    "%s covers the same addresses with the same memory",
    async (strategy) => {
      for (const workload of ["image-3d", "buffer-100e6"]) {
        const sparse = await run("panthor-sparse", workload);
        const derived = await run(strategy, workload);
        expect(derived.differences).toEqual([]);
        const sum = ({ vaBytesByKind }: ReplayResult["counts"]): number =>
          Object.values(vaBytesByKind).reduce((a, b) => a + b, 0);
        expect(sum(derived.counts)).toBe(sum(sparse.counts));
        expect(derived.counts.syncOps).toBe(sparse.counts.syncOps);
        expect(derived.counts.boCreates).toBe(sparse.counts.boCreates + 1);
        expect(derived.counts.boCloses).toBe(sparse.counts.boCloses + 1);
        expect(derived.mappedAtEnd).toEqual([]);
      }
    },
  );

  it("per page fill their ioctls as panvk does, the fence last", async () => {
    const trace = (await openStrategyTrace(STRATEGIES[0] as Strategy, "image-3d")) as Trace;
    let fences = 0;
    let calls = 0;
    for await (const record of trace.records) {
      if (record.kind === "mark") {
        if (record.mark.startsWith("bind-sparse")) calls++;
        continue;
      }
      const syncs = record.arrays.filter((a) => a.field.endsWith("syncs"));
      const ops = record.arrays.find((a) => a.field === "ops");
      if (syncs.length === 0) continue;
      fences++;
      expect(syncs.map((s) => s.field)).toEqual([`ops[${(ops?.count ?? 0) - 1}].syncs`]);
    }
    // One more for waiting until the device is idle.
    expect(fences).toBe(calls + 1);
  });

  it("repeat writes a leaf for each page unless 2 MiB divide the range", async () => {
    expect((await run("panthor-repeat", "buffer-100e6")).costByPhase.create?.["pteWrites"]).toBe(24415);
    expect((await run("panthor-repeat", "buffer-stream")).costByPhase.create?.["pteWrites"]).toBe(512);
  });
});

describe("output", () => {
  const args = ["compare", "--workload", "buffer-100e6"];

  it("as text begins with the question and shows 24415 against 48, 1 and 1", async () => {
    const { status, out } = await vmbind(...args);
    expect(status).toBe(0);
    expect(out).toMatch(/^A sparse resource whose pages are not bound must not fault\./);
    expect(out).toContain("100e6 bytes, nothing bound: 24,415 operations against 48, 1, 1, 2, 1.");
    expect(out).toMatch(/^panthor-sparse +1 +1 +72 +1 +398 +3 +1$/m);
  });

  it("as JSON is a list of figures", async () => {
    const { out } = await vmbind(...args, "--json");
    const comparisons = JSON.parse(out) as Comparison[];
    expect(comparisons.filter((c) => c.driver === "panthor").map((c) => c.metrics["createOps"])).toEqual([
      24415, 48, 1, 1,
    ]);
  });

  it("as CSV has a row per strategy", async () => {
    const { out } = await vmbind(...args, "--csv", "--strategy", "panthor-sparse");
    const [titles, row, ...rest] = out.trimEnd().split("\n");
    expect(titles?.startsWith("workload,strategy,driver,")).toBe(true);
    expect(row?.startsWith("buffer-100e6,panthor-sparse,panthor,true,true,0,1,1,72,1,398,3,1,")).toBe(true);
    expect(rest).toEqual([]);
  });

  it("as Markdown is tables", async () => {
    const { out } = await vmbind(
      ...args,
      "--markdown",
      "--strategy",
      "panthor-sparse",
      "--strategy",
      "panthor-repeat",
    );
    expect(out).toContain("| panthor-sparse | 1 | 1 | 72 | 1 | 398 | 3 | 1 |");
  });

  it("refuses unknown names and two formats", async () => {
    expect((await vmbind("compare", "--workload", "quake")).status).toBe(2);
    expect((await vmbind("compare", "--strategy", "hope")).status).toBe(2);
    expect((await vmbind("compare", "--json", "--csv")).err).toContain("exclude each other");
  });
});
