import {
  type BindStep,
  BUILTIN_WORKLOADS,
  bufferStream,
  checkSteps,
  manySmall,
  ORDERS,
  parametric,
  type SparseElement,
  type Step,
} from "@vmbind/lab";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { builtin } from "./traces.ts";

const BLOCKS = [0x1000, 0x4000, 0x10000];

function bindsOf(steps: readonly Step[]): BindStep[] {
  return steps.filter((step) => step.step === "bind");
}

/** Memory behind each offset after some calls; a piece of memory is never behind two offsets, nor taken in the call that frees it. */
function follow(calls: readonly BindStep[], unit: number): Map<number, number> {
  const behind = new Map<number, number>();
  for (const { binds } of calls) {
    const before = new Set(behind.values());
    for (const { offset, size, memory } of binds) {
      for (let at = 0; at < size; at += unit) {
        if (!memory) behind.delete(offset + at);
        else {
          expect(before.has(memory.offset + at)).toBe(false);
          behind.set(offset + at, memory.offset + at);
        }
      }
    }
    expect(new Set(behind.values()).size).toBe(behind.size);
  }
  return behind;
}

describe("buffer-stream", () => {
  it.each(BLOCKS)("keeps the client's rules with blocks of %i bytes, whatever the seed", (block) => {
    for (const seed of [0, 1, 2, 77, 2 ** 32 - 1]) {
      const steps = bufferStream(seed).steps(block);
      checkSteps(steps, block);
      const calls = bindsOf(steps);
      expect(calls.map(({ binds }) => binds.length)).toEqual([...new Array(31).fill(64), 16]);
      follow(calls, block);
      const sizes = calls.flatMap(({ binds }) => binds.map(({ size }) => size / block));
      expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([1, 16]);
    }
  });

  it("has 911 binds and 1089 unbinds for anv, seed 1", () => {
    const all = bindsOf(bufferStream(1).steps(0x10000)).flatMap(({ binds }) => binds);
    expect(all.filter(({ memory }) => memory !== null)).toHaveLength(911);
    expect(all.filter(({ memory }) => memory === null)).toHaveLength(1089);
  });

  it("refuses a buffer in which a call might find no place", () => {
    expect(() => bufferStream(1, { bufferBytes: 4095 * 0x1000 }).steps(0x1000)).toThrow(
      "is not 4096 or more",
    );
    expect(() => bufferStream(1, { bufferBytes: 4096 * 0x1000 + 1 }).steps(0x1000)).toThrow(
      "is not 4096 or more",
    );
    expect(() => bufferStream(1, { poolBytes: 1 }).steps(0x1000)).toThrow("a pool of 1 bytes");
    expect(bufferStream(1, { bufferBytes: 4096 * 0x1000 }).steps(0x1000)).toHaveLength(37);
  });
});

describe("many-small", () => {
  it("creates and destroys all of them, at most 64 at a time, 1 to 64 MiB each", () => {
    for (const seed of [0, 1, 9]) {
      const steps = manySmall(seed).steps(0x1000);
      checkSteps(steps, 0x1000);
      let alive = 0;
      let peak = 0;
      for (const step of steps) {
        if (step.step === "create") {
          alive++;
          expect(step.size).toBeGreaterThanOrEqual(2 ** 20);
          expect(step.size).toBeLessThanOrEqual(2 ** 26);
        }
        if (step.step === "destroy") alive--;
        peak = Math.max(peak, alive);
      }
      expect([alive, peak, steps.length]).toEqual([0, 64, 1001]);
    }
  });
});

describe("parametric workloads", () => {
  const knobs = fc.record({
    size: fc.integer({ min: 1, max: 0x300000 }),
    bound: fc.double({ min: 0, max: 1, noNaN: true }),
    tile: fc.integer({ min: 1, max: 0x28000 }),
    order: fc.constantFrom(...ORDERS),
    resources: fc.integer({ min: 1, max: 3 }),
    bindsPerCall: fc.integer({ min: 1, max: 70 }),
  });

  it("keep the client's rules, whatever the knobs", () => {
    fc.assert(
      fc.property(knobs, fc.constantFrom(...BLOCKS), fc.nat(), (options, block, seed) => {
        const steps = parametric("p", seed, options).steps(block);
        checkSteps(steps, block);
        for (let i = 0; i < options.resources; i++) {
          const calls = bindsOf(steps).filter(({ resource }) => resource === `buffer-${i}`);
          const tile = Math.ceil(options.tile / block) * block;
          const tiles = Math.ceil((Math.ceil(options.size / block) * block) / tile);
          expect(follow(calls, tile).size).toBe(Math.round(tiles * options.bound));
        }
      }),
      { seed: 3 },
    );
  });

  const offsets = (order: (typeof ORDERS)[number], seed = 1) =>
    bindsOf(parametric("p", seed, { size: 0x100000, tile: 0x10000, order }).steps(0x1000)).map(({ binds }) =>
      binds.map(({ offset, memory }: SparseElement) => (memory ? 1 : -1) * (offset / 0x10000)),
    );

  it("bind from the start on, at random, or move a window", () => {
    expect(offsets("sequential")).toEqual([[0, 1, 2, 3]]);
    expect(new Set(offsets("random").flat()).size).toBe(4);
    expect(offsets("random", 2)).not.toEqual(offsets("random", 3));
    const window = offsets("window");
    expect(window.slice(0, 3)).toEqual([
      [0, 1, 2, 3],
      [4, -0],
      [5, -1],
    ]);
    expect(window.at(-1)).toEqual([15, -11]);
  });
});

it("every built-in workload makes steps for every block, the same each time", () => {
  for (const name of BUILTIN_WORKLOADS.keys()) {
    for (const block of BLOCKS) {
      const workload = builtin(name, 5);
      checkSteps(workload.steps(block), block);
      expect(workload.name).toBe(name);
      expect(workload.steps(block)).toEqual(workload.steps(block));
    }
  }
});
