import { readFileSync } from "node:fs";
import {
  type CostFigures,
  FULL_GRID,
  type Growth,
  lawOf,
  measure,
  measurePoint,
  mustIssue,
  type PointRow,
  parametric,
  planSweep,
  SMALL_GRID,
  SPARSE_STRATEGIES,
  type Sweep,
  sparseStrategy,
  startRun,
} from "@vmbind/lab";
import { formatNumber } from "@vmbind/trace";
import { describe, expect, it, vi } from "vitest";
import { tempFile, vmbind } from "./run.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

async function size(strategy: string, x: number): Promise<CostFigures> {
  return (await measurePoint({ strategy, axis: "size", x })).figures;
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
    const { phases } = await measure(workload, sparseStrategy("xe-null"), {
      views: false,
      prepare: ({ session: { heap } }) => {
        const top = heap.alloc(65536, 65536);
        heap.alloc(top % (512 * GIB), 1);
      },
    });
    // Two tables of 512 leaves, and one above them that did not exist: in a VM with a scratch page it is born full.
    expect(phases.create).toMatchObject({ tablesAllocated: 3, pteWrites: 1024 + 512 });
  });

  it("1 TiB of NULL where anv puts it costs its fringes more, not its size", async () => {
    const { pteWrites, tablesPeak } = await size("xe-null", TIB);
    expect(pteWrites).toBeLessThan(1024 + 512 * (tablesPeak + 1));
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
      const { session } = await startRun(strategy);
      const { umd, memory, file } = session;
      // Half the VA of hk is its mirror.
      const huge = strategy.driver === "asahi" ? 64 * GIB : TIB;
      const small = 64 * MIB;
      const unmapAll = (): { cleared: number; steps: number; lookUps: number } => {
        const found = vi.spyOn(memory.tables, "slotOf");
        const before = { ...session.counters };
        for (const call of umd.destroy(huge, huge)) mustIssue(file, call);
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
      const empty = unmapAll();
      expect(empty.cleared).toBe(0);
      expect(empty.lookUps).toBe(0);
      const { mapSteps } = session.counters;
      for (const call of umd.create(huge + huge / 2, small)) mustIssue(file, call);
      const maps = session.counters.mapSteps - mapSteps;
      const { cleared, steps, lookUps } = unmapAll();
      expect(steps).toBeLessThanOrEqual(maps);
      expect(cleared).toBeLessThanOrEqual(small / 4096);
      expect(lookUps).toBeLessThanOrEqual(small / 4096);
      // NULL ranges of xe end with their tables, every other driver clears each leaf.
      if (strategy.driver !== "xe") expect(cleared).toBeGreaterThanOrEqual(small / (2 * MIB));
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

describe("vmbind sweep", () => {
  const few = ["sweep", "--strategy", "panthor-sparse", "--work-max", "8192"];

  it("shards merge into the whole, in any order", { timeout: 60_000 }, async () => {
    const whole = await vmbind(...few, "--json");
    expect(whole).toMatchObject({ status: 0, err: "" });
    const paths: string[] = [];
    for (const i of [3, 1, 2]) {
      const { out } = await vmbind(...few, "--json", "--shard", `${i}/3`);
      const { shard, growth } = JSON.parse(out) as Sweep;
      expect({ shard, growth }).toEqual({ shard: { index: i, of: 3 }, growth: [] });
      paths.push(tempFile(`shard-${i}.json`, out));
    }
    const merged = await vmbind("sweep", "--merge", "--json", ...paths);
    expect(merged.err).toBe("");
    expect(merged.out).toBe(whole.out);
    const table = await vmbind("sweep", "--merge", ...paths);
    expect(table.out).toMatch(
      /^panthor-sparse +leaf entries written +1 per 4 KiB up to 1 MiB, then 1 per 2 MiB$/m,
    );
    expect(table.out).toMatch(
      /^panthor-sparse +size +more than 8192 leaf entries \(--work-max\) +16 GiB - 4 KiB; /m,
    );

    const [third, first, second] = paths as [string, string, string];
    const refused: [string[], RegExp][] = [
      [[third, first], /shard 2 of 3 is missing\n$/],
      [[third, first, second, first], /shard-1\.json: shard\.index: .+shard-1\.json is shard 1, too\n$/],
      [[whole.out === "" ? "" : tempFile("whole.json", whole.out)], /whole\.json: shard: /],
      [[tempFile("text.json", "shard")], /text\.json: not JSON/],
      [["/nowhere.json"], /^vmbind sweep: \/nowhere\.json: no such file\n$/],
      [
        [first, second, edited(third, (sweep) => void (sweep.rows[4] as PointRow).x++)],
        /edited\.json: rows\[4\]: expected panthor-sparse size \d+, got panthor-sparse size \d+\n$/,
      ],
      [
        [first, second, edited(third, (sweep) => void sweep.rows.pop())],
        /edited\.json: rows: expected \d+, got \d+\n$/,
      ],
      [
        [first, second, edited(third, (sweep) => void sweep.knobs.workMax--)],
        /edited\.json: knobs: not those of .+shard-1\.json\n$/,
      ],
    ];
    for (const [files, message] of refused) {
      const { status, out, err } = await vmbind("sweep", "--merge", ...files);
      expect({ status, out }).toEqual({ status: 2, out: "" });
      expect(err).toMatch(message);
      expect(err.trimEnd().split("\n").length).toBe(1);
    }
  });

  it("as CSV has a row for each strategy, point and figure", async () => {
    const { out } = await vmbind(...few, "--csv", "--shard", "2/20");
    const rows = out.trimEnd().split("\n");
    expect(rows[0]).toBe("strategy,axis,x,figure,value");
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows.slice(1)) {
      expect(row).toMatch(/^panthor-sparse,(size|fraction|offset),[\d.]+,[a-zA-Z]+,\d+$/);
    }
  });

  it("said what docs/counted-work.md says", async () => {
    const text = readFileSync(new URL("../../../docs/counted-work.md", import.meta.url), "utf8");
    const table = text.split("## Leaf entries written by size\n")[1]?.split("\n## ")[0] ?? "";
    const [titles, , ...rows] = table
      .trim()
      .split("\n")
      .map((line) => line.split("|").map((cell) => cell.trim()));
    expect(rows.length).toBeGreaterThan(70);
    const sampled = rows.filter((row, i) => i % 9 === 0 || row[2] === "1 TiB");
    for (const row of sampled) {
      const bytes = Number(row[1]?.replaceAll(",", ""));
      for (const [column, strategy] of (titles ?? []).entries()) {
        // What takes long is left to the command.
        if (column < 3 || strategy === "" || row[column] === "-") continue;
        if (Object.values(sparseStrategy(strategy).workOf(bytes)).some((work) => work > 2 ** 16)) continue;
        const { pteWrites } = await size(strategy, bytes);
        expect(`${strategy} ${bytes} ${row[column]}`).toBe(`${strategy} ${bytes} ${formatNumber(pteWrites)}`);
      }
    }
  });

  it.each([
    [["--shard", "0/3"], /--shard: expected I\/N/],
    [["--shard", "4/3", "--json"], /--shard: expected I\/N/],
    [["--shard", "1/3"], /--shard needs --json/],
    [["--work-max", "many"], /--work-max: expected a whole number/],
    [["--strategy", "hope"], /--strategy: no strategy "hope"/],
    [["file.json"], /unexpected operand "file\.json"/],
    [["--merge"], /--merge: FILE\.\.\. is missing/],
    [["--merge", "--shard", "1/2", "x"], /--shard has no meaning with --merge/],
  ])("refuses %j", async (wrong, message) => {
    const { status, out, err } = await vmbind("sweep", ...wrong);
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toMatch(message);
  });
});

let edits = 0;

/** A copy of a shard with a change. */
function edited(path: string, change: (sweep: Sweep) => void): string {
  const sweep = JSON.parse(readFileSync(path, "utf8")) as Sweep;
  change(sweep);
  return tempFile(`${edits++}-edited.json`, JSON.stringify(sweep));
}
