/**
 * Down and up again: what a strategy makes of a workload is a trace that replays without a difference, and lifting it gives the
 * workload back, whatever the driver calls its operations.
 */
import {
  BUILTIN_WORKLOADS,
  bufferStream,
  DRIVERS,
  lowerToTrace,
  manySmall,
  parametric,
  SPARSE_STRATEGIES,
  type SparseStrategy,
  type Workload,
} from "@vmbind/lab";
import { canonicalSteps, type Lens, type LiftedStep, liftTrace, replay, type Trace } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { canonicalOf } from "./canonical.ts";
import { builtin } from "./traces.ts";

async function lensOf({ driver }: SparseStrategy): Promise<Lens> {
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
const FEW_OPERATIONS = 2 ** 15;

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
