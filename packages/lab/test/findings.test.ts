/**
 * Goal: findings say what the data says, and nothing of their own.
 * Method: every figure of a sentence is among its values; changed data changes the sentence; missing data silences it.
 */

import {
  compare,
  type FindingsData,
  findings,
  type LabFinding,
  type LabResult,
  LocalEngine,
  SPARSE_STRATEGIES,
} from "@vmbind/lab";
import { beforeAll, describe, expect, it } from "vitest";

const NOTHING: FindingsData = {
  costs: [],
  semantics: [],
  accounting: [],
  experiments: { dummies: [], arrays: [], postedRepeat: null },
};

describe("findings", () => {
  let result: LabResult;
  const progress: string[] = [];
  const by = (list: readonly LabFinding[], id: string) => list.find((f) => f.id === id);

  beforeAll(async () => {
    const engine = new LocalEngine(async () => null);
    const workloads = [{ lab: "buffer-100e6" }, { lab: "random" }];
    result = (await compare(engine, { workloads }, (name) => progress.push(name))).lab;
  }, 120_000);

  it("answer the question", () => {
    expect(by(result.findings, "create-operations")).toEqual({
      id: "create-operations",
      text:
        "A sparse buffer of 100e6 bytes, nothing bound, takes this many operations to create: 24,415 with " +
        "panthor-per-page, 48 with panthor-blackhole, 1 with panthor-repeat, panthor-sparse, xe-null, " +
        "nouveau-sparse and msm-null, 2 with panthor-repeat-windows and asahi-single-page, and 14 with amdgpu-prt.",
      values: [24415, 48, 1, 2, 14],
    });
    expect(by(result.findings, "write-aliases")?.values).toEqual([24414, 47, 0]);
    expect(by(result.findings, "dummy-fragmentation")?.values).toEqual([398, 3, 24415, 50]);
    expect(by(result.findings, "array-writes-xe-null")?.values[0]).toBe(1526);
  });

  it("have every figure in their values, in order", () => {
    // Sizes that name a thing are part of the sentence: 100e6 bytes, 2 MiB.
    const named = /100e6|\b1 GiB|2 MiB|2000 binds/g;
    for (const { id, text, values } of result.findings) {
      const inText = [...text.replace(named, "").matchAll(/\d[\d,]*/g)].map((m) =>
        Number(m[0].replaceAll(",", "")),
      );
      expect(inText, id).toEqual(values);
    }
    expect(new Set(result.findings.map((f) => f.id)).size).toBe(result.findings.length);
  });

  it("follow the data", () => {
    const { findings: before, ...data } = result;
    const changed = structuredClone(data);
    for (const cost of changed.costs) if (cost.phases.create) cost.phases.create.bindOps += 7;
    expect(by(findings(changed), "create-operations")?.values).toEqual([24422, 55, 8, 9, 21]);
    for (const answer of changed.semantics) {
      if (answer.id === "strict-honest" && answer.strategy === "asahi-single-page") answer.ok = false;
    }
    expect(by(findings(changed), "strict")?.text).toMatch(/the report is false with asahi-single-page\.$/);
    expect(by(findings(changed), "strict-honest-asahi-single-page")?.text).toMatch(/^asahi-single-page: /);
    expect(by(before, "strict-honest-asahi-single-page")).toBeUndefined();
  });

  it("are silent without data", () => {
    expect(findings(NOTHING)).toEqual([]);
    expect(by(result.findings, "stream-leaves")).toBeUndefined();
  });

  it("come with the progress of every part, and survive JSON", () => {
    // Two workloads, semantics and accounting of each, and the experiments.
    expect(progress.length).toBe(4 * SPARSE_STRATEGIES.length + 1);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });
});
