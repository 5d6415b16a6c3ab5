import { hex, viewOf } from "@vmbind/drm";
import {
  type CostFigures,
  imageFindings,
  measure,
  openStrategyTrace,
  replayRecorded,
  replayTrace,
  SPARSE_STRATEGIES,
  sparseStrategy,
} from "@vmbind/lab";
import { IOCTL_VM_BIND, MAP_SPARSE, OP_TYPE_MASK, VM_BIND, VM_BIND_OP, type VmBindOp } from "@vmbind/panthor";
import { elementsAt, type ReplayResult, type Trace } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { README_COUNTS } from "../../../test/recordings.ts";
import { builtin, library } from "./traces.ts";

/** About as many operations are compared one by one: the millions of a workload are alike. */
const PIECES_MAX = 100_000;

async function run(strategy: string, workload: string): Promise<ReplayResult> {
  return replayTrace((await openStrategyTrace(sparseStrategy(strategy), workload, library)) as Trace);
}

describe("100e6 bytes: the operations of each strategy", () => {
  it.each([
    ["panthor-per-page", 24415, 1526, 16],
    ["panthor-blackhole", 48, 3, 16],
    ["panthor-repeat", 1, 1, 1],
    ["panthor-repeat-windows", 2, 1, 2],
    ["panthor-sparse", 1, 1, 1],
  ])("%s: %i in %i ioctls", async (strategy, ops, ioctls, most) => {
    const { counts, differences } = await run(strategy, "buffer-100e6");
    expect(differences).toEqual([]);
    expect(counts.byPhase.create).toEqual({ bindIoctls: ioctls, bindOps: ops });
    expect(counts.maxOpsPerIoctl).toBe(most);
  });
});

describe("counts without a look at each operation", () => {
  it.each(SPARSE_STRATEGIES.map(({ name }) => name))("are those with it, but for kinds: %s", async (name) => {
    const strategy = sparseStrategy(name);
    const results: ReplayResult[] = [];
    for (const countKinds of [true, false]) {
      const trace = await openStrategyTrace(strategy, "buffer-100e6", library);
      if (trace === null) return;
      results.push(await replayTrace(trace, {}, { countKinds }));
    }
    const [looked, not] = results.map(({ counts, findings: _, ...rest }) => {
      const { opsByKind, vaBytesByKind, workload: stretch, ...others } = counts;
      return { ...rest, others, stretch: { ...stretch, opsByKind: null, vaBytesByKind: null }, opsByKind };
    });
    expect({ ...not, opsByKind: null }).toEqual({ ...looked, opsByKind: null });
    expect(Object.values(looked?.opsByKind ?? {}).reduce((a, b) => a + b, 0)).toBe(looked?.others.bindOps);
    expect(Object.values(not?.opsByKind ?? {}).every((count) => count === 0)).toBe(true);
  });
});

describe("runs of ioctls", () => {
  it.each(["panthor-per-page", "panthor-repeat"])(
    "come to what single ones come to: %s",
    async (strategy) => {
      for (const workload of ["buffer-100e6", "image-3d"]) {
        const results: ReplayResult[] = [];
        for (const after of [() => {}, undefined]) {
          const trace = (await openStrategyTrace(sparseStrategy(strategy), workload, library)) as Trace;
          const options = { compareMappings: false, countKinds: false };
          results.push(await replayTrace(trace, after ? { after } : {}, options));
        }
        expect(results[1]).toEqual(results[0]);
      }
    },
  );
});

describe("derived strategies", () => {
  it.each(["panthor-per-page", "panthor-repeat", "panthor-repeat-windows"])(
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
    const perPage = sparseStrategy("panthor-per-page");
    const trace = (await openStrategyTrace(perPage, "image-3d", library)) as Trace;
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

  it.each(["image-3d", "many-small"])("per page send what is recorded, in pieces: %s", async (workload) => {
    const open = async (strategy: string): Promise<VmBindOp[]> => {
      const trace = (await openStrategyTrace(sparseStrategy(strategy), workload, library)) as Trace;
      const sent: VmBindOp[] = [];
      for await (const record of trace.records) {
        if (record.kind !== "ioctl" || record.request !== IOCTL_VM_BIND) continue;
        const { ops } = VM_BIND.read(viewOf(record.argIn));
        sent.push(...elementsAt(record.arrays, { ...ops, addr: ops.array }, VM_BIND_OP));
        if (strategy === "panthor-per-page" && sent.length > PIECES_MAX) break;
      }
      return sent;
    };
    const expected: string[] = [];
    const isMap = ({ flags }: VmBindOp): boolean => (flags & OP_TYPE_MASK) === 0;
    for (const op of await open("panthor-sparse")) {
      if (expected.length > PIECES_MAX) break;
      const { va, size, syncs, boOffset } = op;
      if (!isMap(op) || !(op.flags & MAP_SPARSE))
        expected.push(`${op.flags} ${hex(va)} ${size} ${boOffset} ${syncs.count}`);
      else {
        for (let at = 0; at < size; at += 4096) {
          const count = at + 4096 === size ? syncs.count : 0;
          expected.push(`${(op.flags & ~MAP_SPARSE) >>> 0} ${hex(va + at)} 4096 ${boOffset} ${count}`);
        }
      }
    }
    const got = (await open("panthor-per-page")).map(
      ({ flags, va, size, boOffset, syncs }) => `${flags} ${hex(va)} ${size} ${boOffset} ${syncs.count}`,
    );
    const compared = Math.min(got.length, expected.length);
    expect(compared).toBeGreaterThan(1000);
    expect(got.slice(0, compared)).toEqual(expected.slice(0, compared));
    if (expected.length <= PIECES_MAX) expect(got).toHaveLength(expected.length);
  });

  it("repeat writes a leaf for each page unless 2 MiB divide the range; whole windows write blocks", async () => {
    expect((await run("panthor-repeat", "buffer-100e6")).costByPhase.create?.["pteWrites"]).toBe(24415);
    expect((await run("panthor-repeat", "buffer-stream")).costByPhase.create?.["pteWrites"]).toBe(512);
    const windows = await run("panthor-repeat-windows", "buffer-100e6");
    expect(windows.costByPhase.create).toMatchObject({ pteWrites: 47 + 351, tablesAllocated: 3 });
  });
});

describe("a recorded workload and the generated one of its name", () => {
  it.each(SPARSE_STRATEGIES)("cost the same for 100e6 bytes: $name", async (strategy) => {
    const { costByPhase, counts } = await run(strategy.name, "buffer-100e6");
    const { phases } = await measure(builtin("buffer-100e6"), strategy, { views: false });
    for (const phase of ["create", "destroy"] as const) {
      const sheet = costByPhase[phase] as Record<string, number>;
      const figures = phases[phase] as CostFigures;
      const same: (keyof CostFigures)[] = [
        "ioctls",
        "bindIoctls",
        "bindOps",
        "payloadBytes",
        "mapSteps",
        "remapSteps",
        "unmapSteps",
        "tablesReserved",
        "pteWrites",
      ];
      // Where Mesa's own objects share page tables with the resource, as those of hk and anv do, tables are there already.
      if (strategy.driver === "panthor") {
        same.push("pteClears", "tableWrites", "tablesAllocated", "tablesReturned");
        same.push("tlbInvalidations", "tlbInvalidatedBytes");
      }
      for (const name of same)
        expect(`${phase} ${name} ${figures[name]}`).toBe(`${phase} ${name} ${sheet[name]}`);
    }
    expect(counts.byPhase.create?.bindOps).toBe(phases.create?.bindOps);
  });
});

describe("the same image with each driver", () => {
  it("takes more operations where a tile is many ranges, and the finding says which", async () => {
    const strategies = ["panthor-sparse", "panthor-repeat", "msm-null"].map((name) => sparseStrategy(name));
    const rows = await Promise.all(strategies.map((one) => replayRecorded("image-window", one, library)));
    const [found, ...others] = imageFindings(rows.filter((row) => row !== null));
    expect([found?.id, others]).toEqual(["operations-of-image-window", []]);
    // What nobody recorded is no driver's.
    expect(found?.text).not.toContain("panthor-repeat");
    const operations = (driver: string): number => {
      const { bindOps = 0, byPhase = {} } = README_COUNTS[`${driver}-image-window`] ?? {};
      return bindOps - (byPhase.setup?.bindOps ?? 0) - (byPhase.teardown?.bindOps ?? 0);
    };
    expect(found?.values.slice(0, 2)).toEqual([operations("panthor-sparse"), operations("msm")]);
    expect(found?.text).toContain(`${found?.values[1]?.toLocaleString("en")} with msm-null`);
  });

  it("is no finding of one driver alone", async () => {
    const row = await replayRecorded("image-window", sparseStrategy("msm-null"), library);
    expect(imageFindings(row === null ? [] : [row])).toEqual([]);
  });
});
