/**
 * Down and up again: what a strategy makes of a workload is a trace that replays without a difference, and lifting it gives the
 * workload back, whatever the driver calls its operations.
 */
import {
  BUILTIN_WORKLOADS,
  bufferStream,
  checkSteps,
  DRIVERS,
  lowerToTrace,
  manySmall,
  parametric,
  SPARSE_STRATEGIES,
  type SparseStrategy,
  type Step,
  startRun,
  stepsInBlocks,
  stepsOfLifted,
  strategyFor,
  type Workload,
  withProbes,
} from "@vmbind/lab";
import { canonicalSteps, type Lens, type LiftedStep, liftTrace, replay, type Trace } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { open } from "../../../test/recordings.ts";
import { canonicalOf } from "./canonical.ts";
import { builtin } from "./traces.ts";

async function lensOf({ driver }: Pick<SparseStrategy, "driver">): Promise<Lens> {
  const load = DRIVERS.get(driver);
  if (!load) throw new Error(`no driver ${driver}`);
  return load();
}

function lower(workload: Workload, strategy: SparseStrategy, device: string = strategy.devices[0]) {
  return lowerToTrace(workload, strategy, device, workload.steps(strategy.blockBytes));
}

/** A recording of a client that says nothing: the same without its marks. */
function withoutMarks(trace: Trace): Trace {
  async function* calls() {
    for await (const record of trace.records) if (record.kind === "ioctl") yield record;
  }
  return { ...trace, records: calls() };
}

/** A strategy that maps page by page takes what is small. */
const FEW_OPERATIONS = 2 ** 14;

/** One that comes with the laboratory, with a resource of 16 MiB. */
function small(name: string): Workload {
  const found = BUILTIN_WORKLOADS.get(name);
  if (!found?.sized) throw new Error(`no workload ${name} with a size`);
  return found.make(1, 2 ** 24);
}

const WORKLOADS: readonly Workload[] = [
  builtin("buffer-100e6"),
  ...["random", "window", "sequential", "unbound"].map(small),
  bufferStream(3, { operations: 400 }),
  manySmall(5, { buffers: 60 }),
  { ...parametric("odd", 2, { size: 0x31_5001, bound: 0.6, tile: 0x1_0000, order: "random", resources: 3 }) },
];

const CELLS = SPARSE_STRATEGIES.flatMap((strategy) =>
  WORKLOADS.filter((workload) => {
    const created = workload
      .steps(strategy.blockBytes)
      .flatMap((step) => (step.step === "create" ? [step] : []));
    return created.reduce((sum, { size }) => sum + strategy.workOf(size).operations, 0) <= FEW_OPERATIONS;
  }).map((workload) => ({ strategy, workload, name: `${workload.name} under ${strategy.name}` })),
);

const TIMEOUT = { timeout: 240_000 };

describe("lifting what a strategy has lowered gives the steps back", () => {
  it.each(CELLS)("$name", TIMEOUT, async ({ strategy, workload }) => {
    const trace = await lower(workload, strategy);
    const { steps, left, refused } = await liftTrace(trace, await lensOf(strategy));
    const expected = canonicalOf(workload.steps(strategy.blockBytes), strategy.blockBytes);
    expect(canonicalSteps(steps)).toEqual(expected);
    expect([left, refused]).toEqual([[], []]);
  });

  it("has all strategies and all workloads in it", () => {
    expect(new Set(CELLS.map(({ strategy }) => strategy))).toEqual(new Set(SPARSE_STRATEGIES));
    expect(new Set(CELLS.map(({ workload }) => workload))).toEqual(new Set(WORKLOADS));
    expect(CELLS.length).toBeGreaterThan(SPARSE_STRATEGIES.length * (WORKLOADS.length - 1));
  });
});

describe("without the client's marks", () => {
  // radv sends each bind of a call in an ioctl of its own, so that nothing but a mark tells what belongs together.
  const joined = SPARSE_STRATEGIES.filter(({ driver }) => driver !== "amdgpu");

  it.each(joined.map((strategy) => ({ strategy, name: strategy.name })))(
    "$name sends what tells where each call and each resource ends",
    TIMEOUT,
    async ({ strategy }) => {
      const workload = parametric("calls", 7, {
        size: 0x80_0000,
        bound: 0.5,
        tile: 0x1_0000,
        order: "random",
        resources: 3,
        bindsPerCall: 24,
      });
      const { steps } = await liftTrace(
        withoutMarks(await lower(workload, strategy)),
        await lensOf(strategy),
      );
      const expected = canonicalOf(workload.steps(strategy.blockBytes), strategy.blockBytes);
      expect(canonicalSteps(steps)).toEqual(expected);
    },
  );

  it("every ioctl of radv's is a call, and all calls together bind the same", TIMEOUT, async () => {
    const strategy = SPARSE_STRATEGIES.find(({ driver }) => driver === "amdgpu") as SparseStrategy;
    const workload = builtin("random");
    const { steps } = await liftTrace(withoutMarks(await lower(workload, strategy)), await lensOf(strategy));
    const elements = (found: readonly { step: string }[]) =>
      found.flatMap((step) => ("ranges" in step ? (step.ranges as unknown[]) : []));
    const expected = canonicalOf(workload.steps(strategy.blockBytes), strategy.blockBytes);
    const sorted = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).sort();
    expect(sorted(elements(canonicalSteps(steps)))).toEqual(sorted(elements(expected)));
    const binds = steps.filter((step): step is Extract<LiftedStep, { step: "bind" }> => step.step === "bind");
    expect(binds.every(({ binds: list }) => list.length === 1)).toBe(true);
  });
});

describe("a lowered trace is a trace", () => {
  const cells = SPARSE_STRATEGIES.flatMap((strategy) =>
    strategy.devices.map((device) => ({ strategy, device, name: `${strategy.name} on ${device}` })),
  );

  it.each(cells)("of $name: it replays without a difference", TIMEOUT, async ({ strategy, device }) => {
    const knobs = { size: 0x60_0000, bound: 0.4, tile: 0x1_0000, order: "window" } as const;
    const trace = await lower(parametric("small", 1, knobs), strategy, device);
    const { differences, mappedAtEnd, counts } = await replay(trace, await lensOf(strategy));
    expect(differences).toEqual([]);
    expect(counts.byPhase.bind?.bindIoctls).toBeGreaterThan(0);
    // hk leaves the mirror of a resource, and freed memory, mapped.
    if (strategy.driver !== "asahi") expect(mappedAtEnd.filter(({ kind }) => kind === "sparse")).toEqual([]);
  });

  it("costs what the run costs", async () => {
    const strategy = SPARSE_STRATEGIES.find(({ driver }) => driver === "xe") as SparseStrategy;
    const trace = await lower(builtin("random"), strategy);
    const { workloadCost } = await replay(trace, await lensOf(strategy));
    const { measure } = await import("@vmbind/lab");
    const { total } = await measure(builtin("random"), strategy, { views: false });
    const { bindOps, pteWrites, tablesAllocated, tlbInvalidations, payloadBytes } = workloadCost;
    expect({ bindOps, pteWrites, tablesAllocated, tlbInvalidations, payloadBytes }).toEqual({
      bindOps: total.bindOps,
      pteWrites: total.pteWrites,
      tablesAllocated: total.tablesAllocated,
      tlbInvalidations: total.tlbInvalidations,
      payloadBytes: total.payloadBytes,
    });
  });

  it("ends with the ioctl that was refused", async () => {
    const strategy = SPARSE_STRATEGIES.find(({ name }) => name.endsWith("-null")) as SparseStrategy;
    const { blockBytes } = strategy;
    const bind = { offset: 0, size: blockBytes, memory: { object: "m", offset: 2 ** 30 } };
    const steps = [
      { step: "create", resource: "r", size: 2 ** 24 },
      { step: "allocate", memory: "m", size: blockBytes },
      { step: "bind", resource: "r", binds: [bind] },
      { step: "destroy", resource: "r" },
    ] as const;
    const trace = await lowerToTrace({ name: "bad", seed: 0 }, strategy, strategy.devices[0], steps);
    expect(trace.refused).toMatch(/^steps\[2\]: /);
    const records = [];
    for await (const record of trace.records) records.push(record);
    expect(records.at(-1)).toMatchObject({ kind: "ioctl", ret: expect.any(Number) });
    expect(records.filter((record) => record.kind === "ioctl" && record.ret !== 0)).toHaveLength(1);
    const lifted = await liftTrace(trace, await lensOf(strategy));
    expect(lifted.refused).toHaveLength(1);
    expect(lifted.left).toHaveLength(1);
  });
});

describe("a recording under another strategy", () => {
  const RECORDED = [
    "panthor-blackhole-buffer-100e6",
    "nouveau-image-3d",
    "asahi-buffer-100e6",
    "xe-igt-bind-array-conflict",
    "xe-igt-null-once",
    "amdgpu-gfx9-buffer-1526",
  ];
  const cells = RECORDED.flatMap((name) =>
    SPARSE_STRATEGIES.filter(({ name: strategy }) => strategy !== "panthor-per-page").map((strategy) => ({
      recording: name,
      strategy,
      name: `${name} under ${strategy.name}`,
    })),
  );

  it.each(cells)(
    "$name: lowered and lifted again it is what it was",
    TIMEOUT,
    async ({ recording, strategy }) => {
      const trace = await open(recording);
      const lifted = stepsOfLifted(await liftTrace(trace, await lensOf({ driver: trace.header.driver })));
      const fine = strategyFor({ fine: true }, strategy);
      const steps = stepsInBlocks(lifted, fine.blockBytes);
      checkSteps(steps, fine.blockBytes);
      const again = await lowerToTrace(
        { name: recording, seed: 0 },
        fine,
        fine.devices[0],
        withProbes(steps),
      );
      expect(again.refused).toBeNull();
      const { steps: found } = await liftTrace(again, await lensOf(strategy));
      expect(canonicalSteps(found)).toEqual(canonicalOf(steps, fine.blockBytes, strategy.blockBytes));
    },
  );

  it("with larger pages binds as much more", async () => {
    const trace = await open("nouveau-buffer-1526");
    const lifted = stepsOfLifted(await liftTrace(trace, await lensOf({ driver: "nouveau" })));
    expect(lifted.unitBytes).toBe(2 ** 12);
    const sizes = (steps: readonly Step[]) =>
      steps.flatMap((step) => (step.step === "create" && !step.plain ? [step.size] : []));
    expect(sizes(stepsInBlocks(lifted, 2 ** 12))).toEqual([100_003_840]);
    expect(sizes(stepsInBlocks(lifted, 2 ** 14))).toEqual([4 * 100_003_840]);
  });
});

describe("steps beyond one sparse VM", () => {
  const several = (block: number): readonly Step[] => {
    const bind = (object: string) => [{ offset: block, size: block, memory: { object, offset: 0 } }];
    return [
      { step: "create", resource: "a", size: 2 ** 24 },
      { step: "create", resource: "b", size: 2 ** 24, vm: 1 },
      { step: "allocate", memory: "m", size: 2 ** 21 },
      { step: "allocate", memory: "n", size: 2 ** 21, vm: 1 },
      { step: "create", resource: "p", size: 2 ** 21, plain: true },
      { step: "bind", resource: "a", binds: bind("m") },
      { step: "bind", resource: "b", binds: bind("n") },
      // The same memory at two places.
      { step: "bind", resource: "p", binds: bind("m") },
      { step: "write", resource: "a", offset: block, value: 0x1234_5678 },
      { step: "write", resource: "b", offset: block, value: 0x8765_4321 },
      { step: "read", resource: "p", offset: block },
      { step: "evict", memory: "m" },
      { step: "submit" },
      { step: "read", resource: "a", offset: block },
      { step: "read", resource: "b", offset: block },
      { step: "read", resource: "p", offset: 0 },
      { step: "destroy", resource: "p" },
      { step: "destroy", resource: "b" },
      { step: "destroy", resource: "a" },
    ];
  };

  it.each(SPARSE_STRATEGIES.map((strategy) => ({ strategy, name: strategy.name })))(
    "$name: VMs are apart, aliases show the same, eviction loses nothing, and the trace replays",
    TIMEOUT,
    async ({ strategy }) => {
      const steps = several(strategy.blockBytes);
      checkSteps(steps, strategy.blockBytes);
      const run = await startRun(strategy);
      for (const step of steps) run.perform(step);
      const read = run.accesses.filter(({ access }) => access === "read");
      const words = read.map(({ value }) => value);
      // Behind the alias nothing is bound: a plain range faults there, but for a scratch page and soft faults.
      expect(words.slice(0, 3)).toEqual([0x1234_5678, 0x1234_5678, 0x8765_4321]);
      expect(words[3]).toBe(["xe", "asahi"].includes(strategy.driver) ? 0 : null);
      const trace = await lowerToTrace({ name: "several", seed: 0 }, strategy, strategy.devices[0], steps);
      const { differences } = await replay(trace, await lensOf(strategy));
      expect(differences).toEqual([]);
      const { steps: found } = await liftTrace(trace, await lensOf(strategy));
      expect(canonicalSteps(found)).toEqual(canonicalOf(steps, strategy.blockBytes));
    },
  );
});
