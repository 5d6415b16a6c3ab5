/**
 * Goal: a strategy from outside is as good as one of the table.
 * Method: one that changes nothing counts what the driver's own does; what it does not say of itself is measured and never below the truth;
 * what it may change arrives where it belongs.
 */
import type { SparseUmd } from "@vmbind/drm";
import {
  DEFAULT_KERNEL,
  measure,
  measureWork,
  type Proposal,
  parametric,
  SPARSE_STRATEGIES,
  sparseStrategy,
  startRun,
  underKernel,
} from "@vmbind/lab";
import { amdgpuStrategy } from "@vmbind/lab/amdgpu";
import { asahiStrategy } from "@vmbind/lab/asahi";
import { msmStrategy } from "@vmbind/lab/msm";
import { nouveauStrategy } from "@vmbind/lab/nouveau";
import { panthorStrategy } from "@vmbind/lab/panthor";
import { xeStrategy } from "@vmbind/lab/xe";
import { describe, expect, it } from "vitest";
import { estimatedWork } from "../src/strategy/work-estimate.ts";

const MIB = 2 ** 20;
const SAYS = "nothing new";

/** One that changes nothing but the user-mode driver, by the driver's own strategy. */
const PLAIN: readonly [own: string, make: (umd: (own: SparseUmd) => SparseUmd) => Proposal][] = [
  ["panthor-sparse", (umd) => panthorStrategy({ name: "panthor-plain", says: SAYS, umd })],
  ["panthor-repeat", (umd) => panthorStrategy({ name: "panthor-plain", says: SAYS, like: "repeat", umd })],
  ["asahi-single-page", (umd) => asahiStrategy({ name: "asahi-plain", says: SAYS, umd })],
  ["xe-null", (umd) => xeStrategy({ name: "xe-plain", says: SAYS, umd })],
  ["nouveau-sparse", (umd) => nouveauStrategy({ name: "nouveau-plain", says: SAYS, umd })],
  ["msm-null", (umd) => msmStrategy({ name: "msm-plain", says: SAYS, umd })],
  ["amdgpu-prt", (umd) => amdgpuStrategy({ name: "amdgpu-plain", says: SAYS, umd })],
];

const bound = parametric("bound", 1, { size: 2 * MIB + 65536, bound: 0.25, order: "random" });

describe.each(PLAIN)("a strategy that changes nothing of %s", (own, make) => {
  it("costs what that costs, on each kernel", async () => {
    const plain = await make((mesa) => mesa).strategy(0);
    for (const kernel of ["ideal", "linux-7.3"] as const) {
      const { strategy: name, ...mine } = await measure(bound, underKernel(plain, kernel));
      const { strategy: _, ...driver } = await measure(bound, underKernel(sparseStrategy(own), kernel));
      expect(name).toBe(plain.name);
      expect(mine).toEqual(driver);
    }
  });

  it("has its user-mode driver in every VM", async () => {
    let made = 0;
    const watched = await make((mesa) => ({
      create(va, size) {
        made++;
        return mesa.create(va, size);
      },
      bind: (va, size, binds) => mesa.bind(va, size, binds),
      destroy: (va, size) => mesa.destroy(va, size),
    })).strategy(0);
    made = 0;
    const run = await startRun(watched);
    run.perform({ step: "create", resource: "a", size: 65536 });
    expect(made).toBe(1);
    run.session.neighbour("file").umd.create(run.resource("a").va, 65536);
    expect(made).toBe(2);
  });
});

describe("the estimate of a strategy that says none", () => {
  it.each(SPARSE_STRATEGIES)("is never below the truth, and not far above: $name", async (strategy) => {
    const estimate = await measureWork(strategy);
    for (const bytes of [
      65536,
      1_000_003,
      2 * MIB - 4096,
      2 * MIB,
      16_777_259,
      64 * MIB,
      100e6,
      128 * MIB + 65536,
    ]) {
      const run = await startRun(strategy);
      run.perform({ step: "create", resource: "a", size: bytes });
      const { bindOps = 0, pteWrites = 0 } = run.cost.create ?? {};
      const { operations, leafEntries } = estimatedWork(estimate, bytes);
      expect(operations).toBeGreaterThanOrEqual(bindOps);
      expect(leafEntries).toBeGreaterThanOrEqual(pteWrites);
      expect(operations).toBeLessThanOrEqual(4 * bindOps + 1024);
      expect(leafEntries).toBeLessThanOrEqual(4 * pteWrites + 4096);
    }
    // The table's own limits are of the heap, or of a million operations.
    expect(estimate.bytesMax).toBeGreaterThanOrEqual(strategy.resourceBytesMax / 2);
  });

  it("grows as fast as the work does: a square is no line", () => {
    const sizes = [2 ** 22, 2 ** 24, 2 ** 26];
    const classOf = (f: (x: number) => number) => ({
      bytes: sizes,
      operations: sizes.map(f),
      leafEntries: sizes.map(() => 7),
    });
    const estimate = (f: (x: number) => number) => ({
      unit: 2 ** 21,
      classes: [classOf(f)],
      bytesMax: 2 ** 40,
    });
    const square = (x: number) => (x / 2 ** 20) ** 2;
    const line = (x: number) => x / 2 ** 12;
    for (const [f, x] of [
      [square, 2 ** 30],
      [line, 2 ** 34],
    ] as const) {
      const { operations, leafEntries } = estimatedWork(estimate(f), x);
      expect(operations).toBeGreaterThanOrEqual(f(x));
      expect(operations).toBeLessThanOrEqual(1.02 * f(x) + 1);
      expect(leafEntries).toBe(7);
    }
  });
});

describe("what a proposal says of itself", () => {
  const make = (members: object) => () =>
    xeStrategy({ name: "xe-mine", says: SAYS, ...members } as Parameters<typeof xeStrategy>[0]);

  it.each<[object, string]>([
    [{ name: "xe-null" }, "name: xe-null is one of the table"],
    [{ name: "Xe-Mine" }, 'name: expected xe-... in kebab-case, got "Xe-Mine"'],
    [{ name: "mine" }, 'name: expected xe-... in kebab-case, got "mine"'],
    [{ name: undefined }, "name: expected xe-... in kebab-case, got undefined"],
    [{ says: " " }, "says: expected what user space says"],
    [{ constructor: 1 }, "constructor: there is no such member"],
    [{ reportsStrict: "yes" }, 'reportsStrict: expected a boolean, got "yes"'],
  ])("%j is refused", (members, message) => {
    expect(make(members)).toThrow(new RangeError(message));
  });

  it("goes before what would be measured or taken from the driver", async () => {
    const workOf = () => ({ operations: 5, leafEntries: 6 });
    const look = { light: "#000000", dark: "#ffffff", marker: "star" } as const;
    const said = { reportsStrict: false, resourceBytesMax: 2 ** 20, workOf, look, note: "Why." };
    const strategy = await make(said)().strategy(3);
    expect(strategy).toMatchObject(said);
    expect(strategy).toMatchObject({ driver: "xe", devices: sparseStrategy("xe-null").devices });
  });

  it("has a colour and a marker that no other of a few has", async () => {
    const looks = await Promise.all(
      [0, 1, 2].map(async (i) => (await make({ resourceBytesMax: 1 })().strategy(i)).look),
    );
    const colours = [...looks, ...SPARSE_STRATEGIES.map(({ look }) => look)].map(({ light }) => light);
    expect(new Set(colours).size).toBe(colours.length);
  });
});

describe("options of the device", () => {
  it("come on top of what Mesa's driver needs, quirks on top of the kernel's", async () => {
    const wide = await panthorStrategy({
      name: "panthor-wide",
      says: SAYS,
      options: { dummyFragmentation: "scattered", quirks: { recoveryScanFromStart: false } },
    }).strategy(0);
    const run = await startRun(wide, { kernel: "linux-7.3" });
    run.perform({ step: "create", resource: "a", size: 4 * MIB });
    expect(run.cost.create?.["pteWrites"]).toBe(1024);
    expect(DEFAULT_KERNEL).toBe("ideal");
  });
});
