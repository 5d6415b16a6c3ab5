/**
 * Goal: every strategy shows the GPU the same resource.
 * Method: one workload of random binds and unbinds under all of them; after each call every block of the resource is held
 * against a model that knows nothing of drivers, a table from block to pool block.
 */

import {
  SPARSE_STRATEGIES,
  type SparseElement,
  type SparseStrategy,
  type Step,
  type StrategyRun,
  startRun,
  VaHeap,
} from "@vmbind/lab";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const BLOCKS = 40;
const POOL_BLOCKS = 24;

/** Random calls, in blocks. */
const calls = fc.array(
  fc.array(
    fc.record({
      at: fc.nat(BLOCKS - 1),
      blocks: fc.integer({ min: 1, max: 6 }),
      pool: fc.option(fc.nat(POOL_BLOCKS - 1), { nil: null }),
    }),
    { minLength: 1, maxLength: 20 },
  ),
  { minLength: 1, maxLength: 6 },
);

/** What a client may say: inside of resource and pool, nothing twice in a call. */
function elementsOf(
  call: readonly { at: number; blocks: number; pool: number | null }[],
  blockBytes: number,
): SparseElement[] {
  const touched = new Set<number>();
  return call.flatMap(({ at, blocks, pool }) => {
    const end = Math.min(at + blocks, BLOCKS, pool === null ? BLOCKS : at + POOL_BLOCKS - pool);
    const run = Array.from({ length: end - at }, (_, i) => at + i);
    if (run.some((block) => touched.has(block))) return [];
    for (const block of run) touched.add(block);
    const memory = pool === null ? null : { object: "pool", offset: pool * blockBytes };
    return [{ offset: at * blockBytes, size: run.length * blockBytes, memory }];
  });
}

function word(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function bytesOf(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

/** A resource and a pool whose every block holds its own number, written through a second resource. */
async function opened(strategy: SparseStrategy): Promise<StrategyRun> {
  const { blockBytes } = strategy;
  const run = await startRun(strategy);
  const steps: Step[] = [
    { step: "create", resource: "view", size: BLOCKS * blockBytes },
    { step: "create", resource: "whole", size: POOL_BLOCKS * blockBytes },
    { step: "allocate", memory: "pool", size: POOL_BLOCKS * blockBytes },
    {
      step: "bind",
      resource: "whole",
      binds: [{ offset: 0, size: POOL_BLOCKS * blockBytes, memory: { object: "pool", offset: 0 } }],
    },
  ];
  for (const step of steps) run.perform(step);
  for (let i = 0; i < POOL_BLOCKS; i++) run.store("whole", (i + 1) * blockBytes - 4, bytesOf(1000 + i));
  return run;
}

describe.each(SPARSE_STRATEGIES)("$name", (strategy) => {
  const { blockBytes } = strategy;

  it("shows bound blocks their memory and unbound blocks zero, after any calls", {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (drawn) => {
        const run = await opened(strategy);
        const model = new Array<number>(BLOCKS).fill(0);
        for (const call of drawn) {
          const binds = elementsOf(call, blockBytes);
          run.perform({ step: "bind", resource: "view", binds });
          for (const { offset, size, memory } of binds) {
            for (let i = 0; i < size / blockBytes; i++) {
              model[offset / blockBytes + i] = memory ? 1000 + memory.offset / blockBytes + i : 0;
            }
          }
          const seen = model.map((_, block) => word(run.load("view", (block + 1) * blockBytes - 4, 4)));
          expect(seen).toEqual(model);
        }
      }),
      { numRuns: 25, seed: 11 },
    );
  });

  it("takes stores to unbound blocks and leaves bound memory alone", async () => {
    const run = await opened(strategy);
    run.perform({ step: "write", resource: "view", offset: 8, value: 77 });
    run.perform({ step: "read", resource: "whole", offset: 8 });
    expect(run.accesses.map(({ value, fault }) => [value, fault])).toEqual([
      [77, null],
      [0, null],
    ]);
  });

  it("leaves nothing of a destroyed resource where it was written", async () => {
    const run = await opened(strategy);
    const { va } = run.resource("view");
    run.perform({ step: "destroy", resource: "view" });
    expect(() => run.load("view", 0, 4)).toThrow('no resource "view"');
    // A VM of xe with scratch is full of null entries; asahi's soft faults are the shader's, not the walker's.
    const walk = run.session.vm.addressSpace.walk(va);
    expect(walk.kind).toBe(strategy.driver === "xe" ? "null" : "fault");
  });

  it("keeps the cost of phases, which add up", async () => {
    const run = await opened(strategy);
    run.perform({ step: "wait-idle" });
    run.perform({ step: "destroy", resource: "view" });
    run.perform({ step: "destroy", resource: "whole" });
    run.perform({ step: "free", memory: "pool" });
    for (const name of ["ioctls", "bindOps", "pteWrites", "pteClears", "tlbInvalidations", "payloadBytes"]) {
      const sum = Object.values(run.cost).reduce((total, sheet) => total + (sheet[name] ?? 0), 0);
      expect([name, sum]).toEqual([name, run.total[name]]);
    }
    expect([run.resources.size, run.memory.size]).toEqual([0, 0]);
  });
});

describe("VaHeap", () => {
  it("gives out the highest aligned place, never one twice, and takes everything back", () => {
    const requests = fc.array(
      fc.record({
        bytes: fc.integer({ min: 1, max: 40 }),
        alignment: fc.constantFrom(1, 2, 4, 16),
        drop: fc.nat(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(requests, (drawn) => {
        const used = new Uint8Array(256);
        const heap = new VaHeap(0, used.length);
        const live: { va: number; bytes: number }[] = [];
        for (const { bytes, alignment, drop } of drawn) {
          const expected = highest(used, bytes, alignment);
          if (expected < 0) {
            expect(() => heap.alloc(bytes, alignment)).toThrow(`no ${bytes} bytes of address space left`);
          } else {
            expect(heap.alloc(bytes, alignment)).toBe(expected);
            used.fill(1, expected, expected + bytes);
            live.push({ va: expected, bytes });
          }
          if (drop % 3 === 0 && live.length > 0) {
            const [gone] = live.splice(drop % live.length, 1) as [{ va: number; bytes: number }];
            heap.free(gone.va, gone.bytes);
            used.fill(0, gone.va, gone.va + gone.bytes);
          }
        }
        for (const { va, bytes } of live) heap.free(va, bytes);
        expect(heap.alloc(used.length, 1)).toBe(0);
      }),
      { seed: 5 },
    );
  });
});

/** The place in the highest hole that is large enough, one byte at a time. */
function highest(used: Uint8Array, bytes: number, alignment: number): number {
  for (let va = used.length - bytes; va >= 0; va--) {
    if (va % alignment === 0 && used.subarray(va, va + bytes).every((u) => u === 0)) return va;
  }
  return -1;
}
