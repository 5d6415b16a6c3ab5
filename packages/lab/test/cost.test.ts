/**
 * Goal: the laboratory's figures are those of the known tables, and of replaying what the real drivers sent.
 * Method: the worked example of 100e6 bytes per strategy; the recorded workloads phase by phase; the leaf maps against
 * themselves and against the sweeps.
 */

import {
  bufferStream,
  type CostResult,
  type GpuView,
  manySmall,
  measure,
  parametric,
  replayTrace,
  SPARSE_STRATEGIES,
  sparseStrategy,
} from "@vmbind/lab";
import type { Phase } from "@vmbind/trace";
import { beforeAll, describe, expect, it } from "vitest";
import { open } from "../../../test/recordings.ts";
import { builtin } from "./traces.ts";

const MIB = 2 ** 20;

const results = new Map<string, CostResult>();

async function costOf(workload: string, strategy: string): Promise<CostResult> {
  const key = `${workload} ${strategy}`;
  const found = results.get(key) ?? (await measure(builtin(workload), sparseStrategy(strategy)));
  results.set(key, found);
  return found;
}

/** Leaves of a size under the unbound part of a view. */
const leavesOf = (view: GpuView, leafBytes: number): number =>
  view.unboundLeaves.find((l) => l.leafBytes === leafBytes)?.leaves ?? 0;

describe("calls that are issued together", () => {
  it.each(["panthor-per-page", "panthor-blackhole", "panthor-repeat"])(
    "come to what those come to that somebody sees: %s",
    async (name) => {
      // A GiB of pages, cut by binds; and buffers that begin anywhere, one behind the other.
      for (const workload of [bufferStream(3, { bufferBytes: 2 ** 28 }), manySmall(2, { buffers: 4 })]) {
        const strategy = sparseStrategy(name);
        let calls = 0;
        const seen = await measure(workload, strategy, { observer: () => calls++ });
        expect(await measure(workload, strategy)).toEqual(seen);
        expect(calls).toBe(seen.total.ioctls);
      }
    },
  );
});

describe("creating 100e6 unbound bytes", () => {
  const rows: [
    strategy: string,
    bindOps: number,
    bindIoctls: number,
    gpuvas: number,
    large: number,
    small: number,
    tables: number,
    invalidations: number,
  ][] = [
    ["panthor-per-page", 24415, 1526, 24415, 0, 24415, 50, 24415],
    ["panthor-blackhole", 48, 3, 48, 47, 351, 3, 48],
    ["panthor-repeat", 1, 1, 1, 0, 24415, 50, 1],
    ["panthor-repeat-windows", 2, 1, 2, 47, 351, 3, 2],
    ["panthor-sparse", 1, 1, 1, 47, 351, 3, 1],
    ["xe-null", 1, 1, 1, 47, 352, 4, 0],
    ["msm-null", 1, 1, 1, 0, 24415, 50, 0],
  ];

  it.each(rows)("%s", async (strategy, bindOps, bindIoctls, gpuvas, large, small, tables, invalidations) => {
    const { phases, views } = await costOf("buffer-100e6", strategy);
    expect(phases.create).toMatchObject({
      bindOps,
      bindIoctls,
      mapSteps: gpuvas,
      gpuvmSteps: gpuvas,
      gpuvasLive: gpuvas,
      tablesAllocated: tables,
      tlbInvalidations: invalidations,
    });
    expect(phases.create?.pteWrites).toBe(large + small);
    const [view, ...others] = views;
    expect(others).toEqual([]);
    expect([leavesOf(view as GpuView, 2 * MIB), leavesOf(view as GpuView, 4096)]).toEqual([large, small]);
  });

  it("asahi-single-page: two operations, each 6104 entries of 16 KiB", async () => {
    const { phases, views } = await costOf("buffer-100e6", "asahi-single-page");
    expect(phases.create).toMatchObject({ bindOps: 2, bindIoctls: 2, mapSteps: 2, pteWrites: 12208 });
    expect(views.map((v) => [v.access, leavesOf(v, 16384)])).toEqual([
      ["write", 6104],
      ["read", 6104],
    ]);
  });

  it("reserves three tables for each page, and uses 50 of 73245", async () => {
    const { phases } = await costOf("buffer-100e6", "panthor-per-page");
    expect(phases.create).toMatchObject({
      tablesReserved: 73245,
      tablesReturned: 73195,
      gpuvaBytesLive: 24415 * 120,
      vmBoRefsLive: 24415,
      gemRefsLive: 2,
    });
  });

  it.each(["panthor-repeat", "panthor-repeat-windows"])("%s says in words what it costs", async (name) => {
    const { create } = (await costOf("buffer-100e6", name)).phases;
    const leaves = create?.pteWrites.toLocaleString("en-US");
    expect(sparseStrategy(name).note).toContain(`${leaves} leaves under ${create?.tablesAllocated} tables`);
  });

  it("counts xe's null entries and the scratch entries of its four new tables apart", async () => {
    const { phases, driverTotal } = await costOf("buffer-100e6", "xe-null");
    expect([phases.create?.pteWrites, driverTotal["scratchWrites"]]).toEqual([47 + 352, 4 * 512]);
    const { costByPhase } = await replayTrace(await open("xe-buffer-100e6"));
    expect(costByPhase.create).toMatchObject({ pteWrites: 47 + 352, tablesAllocated: 1, scratchWrites: 512 });
  });

  it("calls io-pgtable once a page for REPEAT of 4 KiB, once a chunk for SPARSE", async () => {
    const repeat = await costOf("buffer-100e6", "panthor-repeat");
    const sparse = await costOf("buffer-100e6", "panthor-sparse");
    expect([repeat.driverTotal["ioMapCalls"], sparse.driverTotal["ioMapCalls"]]).toEqual([24415, 48]);
    // Created and destroyed: one LOCK each.
    expect([repeat.driverTotal["asLock"], sparse.driverTotal["asLock"]]).toEqual([2, 2]);
  });

  it("makes every submit lock the kernel's dummy, and nothing elsewhere", async () => {
    const locks = await Promise.all(
      SPARSE_STRATEGIES.map(async ({ name }) => {
        const { phases } = await costOf("buffer-100e6", name);
        return [
          name,
          phases.setup?.submitLocksLive,
          phases.create?.submitLocksLive,
          phases.destroy?.submitLocksLive,
        ];
      }),
    );
    for (const [name, ...counts] of locks) expect(counts).toEqual([1, name === "panthor-sparse" ? 2 : 1, 1]);
  });

  it("charges 128 bytes a gpuva only where GPUVM knows REPEAT", async () => {
    for (const { name } of SPARSE_STRATEGIES) {
      const repeats = name.startsWith("panthor-repeat") || name === "asahi-single-page";
      const bytes = name === "amdgpu-prt" ? 88 : repeats ? 128 : 120;
      expect((await costOf("buffer-100e6", name)).gpuvaBytes, name).toBe(bytes);
    }
  });
});

describe("against replaying the recordings", () => {
  const FIELDS = [
    "ioctls",
    "bindIoctls",
    "bindOps",
    "payloadBytes",
    "mapSteps",
    "remapSteps",
    "unmapSteps",
    "pteClears",
    "tablesReserved",
    "tablesReturned",
    "tlbInvalidations",
    "tlbInvalidatedBytes",
  ] as const;
  /** In a VM of its own a resource takes its last tables, and what they cover, along; the recordings' VMs hold more. */
  const ALONE: readonly string[] = ["pteClears", "tlbInvalidatedBytes"];
  const PHASES: readonly Phase[] = ["create", "bind", "destroy"];
  const traces: [trace: string, strategy: string][] = [
    ["panthor-blackhole", "panthor-blackhole"],
    ["panthor-sparse", "panthor-sparse"],
    ["asahi", "asahi-single-page"],
    ["xe", "xe-null"],
    ["nouveau", "nouveau-sparse"],
    ["amdgpu", "amdgpu-prt"],
  ];

  for (const workload of ["buffer-100e6", "buffer-stream"]) {
    it.each(traces)(`%s-${workload}`, async (trace, strategy) => {
      const { phases } = await costOf(workload, strategy);
      const { costByPhase } = await replayTrace(await open(`${trace}-${workload}`));
      for (const phase of PHASES) {
        const figures = phases[phase];
        const recorded = costByPhase[phase];
        expect(figures === undefined, phase).toBe(recorded === undefined);
        if (!figures || !recorded) continue;
        const same = FIELDS.filter(
          (name) => !["xe-null", "nouveau-sparse", "amdgpu-prt"].includes(strategy) || !ALONE.includes(name),
        );
        const mine = same.map((name) => [name, figures[name]]);
        expect(mine, phase).toEqual(same.map((name) => [name, recorded[name]]));
        if (phase !== "create") continue;
        // The driver's own objects have made some of the tables already.
        const more = figures.tablesAllocated - (recorded["tablesAllocated"] as number);
        expect(figures.tableWrites - (recorded["tableWrites"] as number)).toBe(more);
        expect(figures.pteWrites).toBe(recorded["pteWrites"]);
        expect(more).toBeLessThanOrEqual(
          strategy.startsWith("panthor") ? 0 : strategy === "nouveau-sparse" ? 4 : 3,
        );
      }
    });
  }
});

describe.each(SPARSE_STRATEGIES.map((s) => s.name))("what the GPU sees, %s", (name) => {
  let result: CostResult;

  beforeAll(async () => {
    const workload = parametric("half", 3, { size: 2 ** 25, bound: 0.5, order: "random", tile: 2 ** 16 });
    result = await measure(workload, sparseStrategy(name));
  });

  it("is all of the resource, in runs without a gap", () => {
    expect(result.views.length).toBe(name === "asahi-single-page" ? 4 : 2);
    for (const { runs, bytes } of result.views) {
      let at = 0;
      for (const run of runs) {
        expect(run.offset).toBe(at);
        expect(run.leaves * run.leafBytes).toBe(run.bytes);
        at += run.bytes;
      }
      expect(at).toBe(bytes);
    }
  });

  it("is unbound at first, half bound at the end, and never faults", () => {
    for (const { moment, unboundBytes, bytes, runs, unboundLeaves, sequential, random } of result.views) {
      expect(unboundBytes).toBe(moment === "created" ? bytes : bytes / 2);
      expect(unboundLeaves.reduce((sum, l) => sum + l.bytes, 0)).toBe(unboundBytes);
      const hasNull = ["xe-null", "nouveau-sparse", "amdgpu-prt"].includes(name);
      expect(runs.filter((r) => r.kind === "null").every((r) => !r.bound && hasNull)).toBe(true);
      expect([sequential.faults, random.faults]).toEqual([0, 0]);
    }
  });

  it("costs a sequential sweep one miss a leaf, and a random one no fewer", () => {
    for (const { runs, sequential, random } of result.views) {
      const leaves = runs.reduce((sum, r) => sum + r.leaves, 0);
      expect(sequential.tlbMisses).toBe(leaves);
      expect(sequential.accesses).toBe(random.accesses);
      expect(random.walkSteps).toBeGreaterThanOrEqual(2 * random.tlbMisses);
    }
  });

  it("needs as many leaves as before only where there are no large ones", () => {
    const count = (moment: string) =>
      result.views.find((v) => v.moment === moment)?.runs.reduce((sum, r) => sum + r.leaves, 0) as number;
    const hasLarge = !["panthor-per-page", "asahi-single-page", "msm-null"].includes(name);
    expect(count("used") > count("created")).toBe(hasLarge);
  });
});

describe("measuring", () => {
  it("gives the same twice", async () => {
    const workload = parametric("again", 7, { size: 2 ** 23, bound: 0.3, order: "random" });
    for (const strategy of SPARSE_STRATEGIES) {
      expect(await measure(workload, strategy)).toEqual(await measure(workload, strategy));
    }
  });

  it("adds up: the total is the sum of the phases without setup", async () => {
    const { phases, total } = await costOf("buffer-stream", "xe-null");
    for (const name of [
      "ioctls",
      "bindOps",
      "payloadBytes",
      "gpuvmSteps",
      "pteWrites",
      "tlbInvalidations",
    ] as const) {
      const sum = Object.entries(phases).reduce((n, [phase, f]) => n + (phase === "setup" ? 0 : f[name]), 0);
      expect(total[name], name).toBe(sum);
    }
    expect(total.gpuvasPeak).toBeGreaterThan(total.gpuvasLive);
  });

  it.each(["bmg", "lnl", "dg2"])("runs on %s, where nothing unbound ever faults", async (device) => {
    const workload = parametric("few", 5, { size: 2 ** 24, bound: 0.25, order: "random" });
    const result = await measure(workload, sparseStrategy("xe-null"), { device });
    expect(result.device).toBe(device);
    expect(result.views.map((v) => v.sequential.faults)).toEqual([0, 0]);
  });

  it("looks at the first of the largest resources", async () => {
    const { views } = await measure(
      {
        name: "three",
        description: "three sizes",
        seed: 0,
        steps: () => [
          { step: "create", resource: "small", size: 65536 },
          { step: "create", resource: "large", size: 2 ** 22 },
          { step: "create", resource: "second", size: 2 ** 22 },
          { step: "destroy", resource: "small" },
        ],
      },
      sparseStrategy("panthor-sparse"),
    );
    expect(views.map((v) => [v.resource, v.moment, v.bytes])).toEqual([["large", "created", 2 ** 22]]);
  });
});
