import { replayTrace } from "@vmbind/lab";
import type { ReplayResult, TraceRecord } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { openTrace } from "../src/files/trace-files.ts";
import { vmbind, vmbindIn } from "./run.ts";

describe("the cost sheet", () => {
  it("of 100e6 sparse bytes is 47 blocks and 351 pages under 3 tables, of 50 reserved", async () => {
    const { costByPhase } = await replayTrace(await openTrace("panthor-sparse-buffer-100e6"));
    expect(costByPhase.create).toMatchObject({
      bindIoctls: 1,
      bindOps: 1,
      mapSteps: 1,
      pteWrites: 47 + 351,
      tablesAllocated: 3,
      tablesReserved: 50,
      tablesReturned: 47,
      ioMapCalls: 48,
      asLock: 1,
    });
  });

  it("adds up: the phases are the whole", async () => {
    const { cost, costByPhase } = await replayTrace(await openTrace("panthor-blackhole-image-window"));
    for (const name of ["ioctls", "bindOps", "pteWrites", "pteClears", "tlbInvalidations", "payloadBytes"]) {
      const sum = Object.values(costByPhase).reduce((total, phase) => total + (phase[name] ?? 0), 0);
      expect([name, sum]).toEqual([name, cost[name]]);
    }
  });

  it("counts the payload as the recording does", async () => {
    const { cost, counts } = await replayTrace(await openTrace("panthor-sparse-image-array-mips"));
    expect(cost["payloadBytes"]).toBe(counts.payloadBytes);
    expect(cost["bindOps"]).toBe(counts.bindOps);
  });
});

describe("findings", () => {
  it.each([
    ["asahi-buffer-100e6", 1],
    ["asahi-image-unbound", 3],
    ["asahi-many-small", 186],
  ])("%s: hk leaves %i mappings in the mirror", async (name, left) => {
    const { findings, differenceCount } = await replayTrace(await openTrace(name));
    expect(findings.map((f) => f.name)).toEqual(["hk-mirror-left-mapped"]);
    expect(findings[0]?.text).toContain(` ${left} mapping`);
    expect(differenceCount).toBe(0);
  });

  it("other drivers leave nothing", async () => {
    expect((await replayTrace(await openTrace("panthor-sparse-many-small"))).findings).toEqual([]);
    expect((await replayTrace(await openTrace("asahi-image-3d"))).findings).toEqual([]);
  });
});

describe("recorded stores", () => {
  it("are compared one by one", async () => {
    const { storesChecked, counts } = await replayTrace(await openTrace("xe-igt-mixed-binds-3145728"));
    expect(storesChecked).toBe(counts.stores + counts.execs);
    expect(counts.execs).toBe(16);
  });

  it("that land elsewhere are differences", async () => {
    const trace = await openTrace("xe-igt-mixed-binds-3145728");
    async function* moved(): AsyncGenerator<TraceRecord> {
      for await (const record of trace.records) {
        if (record.kind === "mark") for (const store of record.exec?.stores ?? []) store.offset += 4;
        yield record;
      }
    }
    const { differences, differenceCount, counts } = await replayTrace({ ...trace, records: moved() });
    expect(differenceCount).toBe(counts.stores);
    expect(differences[0]).toMatchObject({ what: "store" });
    expect(differences[0]?.expected).toMatch(/^0x[0-9a-f]+ -> BO of seq 1 \+ 0x/);
  });
});

it("--json prints one object per trace", async () => {
  const { status, out } = await vmbind(
    "replay",
    "--json",
    "panthor-sparse-buffer-100e6",
    "panthor-blackhole-buffer-100e6",
  );
  expect(status).toBe(0);
  const results = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ReplayResult);
  expect(results.map((r) => r.counts.opsByKind["MAP blackhole"])).toEqual([0, 48]);
  expect(results.map((r) => r.mappedAtEnd)).toEqual([[], []]);
});

it("fits into 80 columns", async () => {
  const { out } = await vmbindIn({ columns: 80 }, "replay", "asahi-buffer-100e6", "xe-igt-null-many");
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect(out).toMatch(
    /^35 ioctls replayed, 10240 GPU addresses checked, no difference \(quirks of\n {2}linux-7\.3/m,
  );
});
