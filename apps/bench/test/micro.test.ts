import { permutation } from "@vmbind/lab";
import { xorshift32 } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import { compare, type MicroResult, measure, median } from "../src/micro/harness.ts";
import type { Machine } from "../src/micro/machine.ts";
import { vmbind } from "./run.ts";

async function micro(...argv: string[]): Promise<MicroResult[]> {
  const { status, out } = await vmbind("micro", ...argv, "--json", "--runs", "1", "--warm-up", "1");
  expect(status).toBe(0);
  const { machine, results } = JSON.parse(out) as { machine: Machine; results: MicroResult[] };
  expect(machine.node).toBe(process.versions.node);
  return results;
}

describe("the generators are the peers'", () => {
  it("xorshift32", () => {
    const next = xorshift32(0x12345678);
    expect([next(), next(), next(), next()].map((x) => x.toString(16))).toEqual([
      "87985aa5",
      "155b24a3",
      "4820f4c4",
      "81b3ac98",
    ]);
  });

  it("a permutation holds every number once", () => {
    const next = xorshift32(1);
    const p = permutation(1000, (n) => next() % n);
    expect([...p].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...p]).not.toEqual([...p].sort((a, b) => a - b));
  });
});

describe("the harness", () => {
  it("runs steps in order on a fresh state, and reports a wrong result", async () => {
    const order: string[] = [];
    const step = (id: string) => ({
      id,
      what: id,
      unit: "op",
      units: 10,
      run: (state: string[]) => {
        state.push(id);
        order.push(id);
      },
      check: (state: string[]) => compare("steps so far", state.length, id === "second" ? 3 : 1),
      peer: { ns: 2, source: "nobody" },
    });
    const [first, second] = await measure(
      "test",
      { prepare: () => [] as string[], steps: [step("first"), step("second")] },
      { runs: 3, warmUpMs: 0 },
    );
    expect(order.slice(0, 4)).toEqual(["first", "second", "first", "second"]);
    expect(first?.wrong).toBeNull();
    expect(second?.wrong).toBe("steps so far: expected 3, got 2");
    expect(first?.ratio).toBe((first?.ns ?? 0) / 2);
    expect(first?.min).toBeLessThanOrEqual(first?.ns ?? 0);
  });

  it("median", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});

describe("workloads come to the peers' check values", () => {
  it("gpuvm at N = 1000, and 100e6 bytes", async () => {
    const results = await micro("gpuvm", "--max", "1000");
    expect(results.map((r) => r.id)).toEqual([
      "a-1000",
      "b-1000",
      "c-unlinked-1000",
      "c-linked-1000",
      "d-unlinked-1000",
      "d-linked-1000",
      "f-pages-map",
      "f-pages-unmap",
      "f-repeat-map",
      "f-repeat-unmap",
    ]);
    expect(results.filter((r) => r.wrong !== null)).toEqual([]);
    expect(results.every((r) => r.peer && r.ns > 0)).toBe(true);
  }, 60_000);

  it.each(["mmu", "panthor", "asahi", "xe", "replay", "baseline"])(
    "%s",
    async (area) => {
      const results = await micro(area, "--max", "100000");
      expect(results.length).toBeGreaterThan(3);
      expect(results.filter((r) => r.wrong !== null)).toEqual([]);
    },
    240_000,
  );
});

it("refuses unknown areas, workloads and counts", async () => {
  expect((await vmbind("micro", "gpu")).err).toContain(
    "there are gpuvm, mmu, panthor, asahi, xe, replay, baseline",
  );
  expect((await vmbind("micro", "baseline", "--only", "nothing", "--runs", "1")).status).toBe(2);
  expect((await vmbind("micro", "--runs", "0")).err).toContain("--runs: expected a whole number above 0");
});
