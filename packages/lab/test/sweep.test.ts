import {
  type CostFigures,
  FULL_GRID,
  type Growth,
  lawOf,
  measure,
  measurePoint,
  mustIssue,
  parametric,
  planSweep,
  SMALL_GRID,
  SPARSE_STRATEGIES,
  sparseStrategy,
  startRun,
} from "@vmbind/lab";
import { describe, expect, it, vi } from "vitest";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

async function size(strategy: string, x: number): Promise<CostFigures> {
  return (await measurePoint(sparseStrategy(strategy), { axis: "size", x })).figures;
}

describe("cost grows as the work does", () => {
  it("a SPARSE map touches each 2 MiB once, up to 1 TiB", async () => {
    for (const bytes of [2 * MIB, 64 * MIB, GIB, 32 * GIB, TIB]) {
      const { pteWrites, pteClears, bindOps } = await size("panthor-sparse", bytes);
      expect({ pteWrites, pteClears, bindOps }).toEqual({
        pteWrites: bytes / (2 * MIB),
        pteClears: bytes / (2 * MIB),
        bindOps: 3,
      });
    }
  });

  it("1 TiB of aligned NULL is 1024 leaf writes", async () => {
    const workload = parametric("aligned", 0, { size: TIB, bound: 0 });
    const { phases, driverTotal } = await measure(workload, sparseStrategy("xe-null"), {
      views: false,
      prepare: ({ session: { heap } }) => {
        const top = heap.alloc(65536, 65536);
        heap.alloc(top % (512 * GIB), 1);
      },
    });
    // Two tables of 512 leaves, and one above them that did not exist: in a VM with a scratch page it is born full.
    expect(phases.create).toMatchObject({ tablesAllocated: 3, pteWrites: 1024 });
    expect(driverTotal["scratchWrites"]).toBe(512);
  });

  it("1 TiB of NULL where anv puts it costs its fringes more, not its size", async () => {
    const { pteWrites, tablesPeak } = await size("xe-null", TIB);
    expect(pteWrites).toBeLessThan(1024 + 512 * tablesPeak);
    const awkward = await size("xe-null", TIB - 4096);
    expect(awkward.pteWrites).toBeLessThan(2 * pteWrites);
  });

  it("per page it is one operation, one step and one leaf for each 4 KiB", async () => {
    for (const bytes of [65536, MIB, 16 * MIB]) {
      const { mapSteps, pteWrites, gpuvasPeak } = await size("panthor-per-page", bytes);
      expect([mapSteps, pteWrites, gpuvasPeak]).toEqual([bytes / 4096, bytes / 4096, bytes / 4096]);
    }
  });

  it.each(SPARSE_STRATEGIES)(
    "an unmap clears and walks what is mapped, not the range: $name",
    async (strategy) => {
      // The second range of radv has its own place, which this range would leave; a Vega 10 has none.
      const { session } = await startRun(strategy, strategy.driver === "amdgpu" ? { device: "vega10" } : {});
      const { umd, memory, file } = session;
      // Half the VA of hk is its mirror.
      const huge = strategy.driver === "asahi" ? 64 * GIB : TIB;
      const small = 64 * MIB;
      // A region of nouveau goes only whole: there it is that range alone, and before it is there the plain unmap alone.
      const wholeOnly = strategy.driver === "nouveau";
      const unmapAll = (
        addr: number,
        bytes: number,
        calls = 2,
      ): { cleared: number; steps: number; lookUps: number } => {
        const found = vi.spyOn(memory.tables, "slotOf");
        const before = { ...session.counters };
        for (const call of umd.destroy(addr, bytes).slice(0, calls)) mustIssue(file, call);
        const after = session.counters;
        const lookUps = found.mock.calls.length;
        found.mockRestore();
        return {
          cleared: after.pteClears - before.pteClears,
          steps: after.unmapSteps - before.unmapSteps,
          lookUps,
        };
      };
      session.beforeFirstResource((call) => mustIssue(file, call));
      const empty = unmapAll(huge, huge, wholeOnly ? 1 : 2);
      expect(empty.cleared).toBe(0);
      expect(empty.lookUps).toBe(0);
      const { mapSteps } = session.counters;
      for (const call of umd.create(huge + huge / 2, small)) mustIssue(file, call);
      const maps = session.counters.mapSteps - mapSteps;
      const { cleared, steps, lookUps } = wholeOnly ? unmapAll(huge + huge / 2, small) : unmapAll(huge, huge);
      expect(steps).toBeLessThanOrEqual(maps);
      expect(cleared).toBeLessThanOrEqual(small / 4096);
      expect(lookUps).toBeLessThanOrEqual(small / 4096);
      // NULL ranges of xe and regions of nouveau end with their tables, every other driver clears each leaf.
      if (strategy.driver !== "xe" && !wholeOnly) expect(cleared).toBeGreaterThanOrEqual(small / (2 * MIB));
    },
  );
});

describe("the estimate that leaves points out", () => {
  it.each(SPARSE_STRATEGIES)("is never below the truth: $name", async ({ name }) => {
    for (const bytes of [65536, 2 * MIB - 4096, 2 * MIB, 100_000_000, 128 * MIB + 65536]) {
      const { phases } = await measure(parametric("x", 0, { size: bytes, bound: 0 }), sparseStrategy(name), {
        views: false,
      });
      const { operations, leafEntries } = sparseStrategy(name).workOf(bytes);
      expect(operations).toBeGreaterThanOrEqual(phases.create?.bindOps ?? 0);
      expect(leafEntries).toBeGreaterThanOrEqual(phases.create?.pteWrites ?? 0);
    }
  });

  it("names every point of the grid once, measured or left out", () => {
    const all = SPARSE_STRATEGIES.length * Object.values(FULL_GRID).reduce((n, xs) => n + xs.length, 0);
    for (const workMax of [100, 2 ** 20]) {
      const { points, leftOut } = planSweep(SPARSE_STRATEGIES, FULL_GRID, workMax);
      const names = [...points, ...leftOut].map(({ strategy, axis, x }) => `${strategy} ${axis} ${x}`);
      expect(names.length).toBe(all);
      expect(new Set(names).size).toBe(all);
      for (const { why } of leftOut) expect(why).toMatch(/^more than /);
    }
    expect(planSweep(SPARSE_STRATEGIES, SMALL_GRID).points.some(({ axis }) => axis === "offset")).toBe(false);
  });
});

describe("growth in words", () => {
  const law = (f: (x: number) => number, from = 16, to = 40): Pick<Growth, "words" | "exponents"> =>
    lawOf(
      Array.from({ length: to - from + 1 }, (_, i) => ({ x: 2 ** (from + i), y: f(2 ** (from + i)) })),
      "size",
    );
  const ceil = Math.ceil;

  it.each([
    ["constant, 3", () => 3],
    ["none", () => 0],
    ["1 per 4 KiB", (x: number) => x / 4096],
    ["9 per byte", (x: number) => 9 * x],
    ["3 up to 2 MiB, then 1 per 2 MiB", (x: number) => 2 + ceil(x / 2 ** 21)],
    ["1 per 4 KiB up to 1 MiB, then 1 per 2 MiB", (x: number) => (x < 2 ** 21 ? x / 4096 : x / 2 ** 21)],
    ["1,000,000,000 + 3 per 64 KiB", (x: number) => 1e9 + (3 * x) / 65536],
    ["from 65,536 to 18,446,744,073,709,552,000, not by one rule", (x: number) => (x * x) / 65536],
  ])("%s", (words, f) => {
    expect(law(f).words).toBe(words);
  });

  it("has exponents between decades: 0 constant, 1 linear, 2 quadratic", () => {
    const exponents = (f: (x: number) => number): (number | null)[] =>
      law(f).exponents.map((e) => e.exponent);
    expect(new Set(exponents(() => 7))).toEqual(new Set([0]));
    expect(new Set(exponents((x) => 3 * x))).toEqual(new Set([1]));
    expect(new Set(exponents((x) => x * x))).toEqual(new Set([2]));
    expect(new Set(exponents(() => 0))).toEqual(new Set([null]));
  });
});
