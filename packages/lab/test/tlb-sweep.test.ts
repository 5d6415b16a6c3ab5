/** A sweep that steps from leaf to leaf counts what loading each page counts. */

import { SPARSE_STRATEGIES, startRun } from "@vmbind/lab";
import { AddressSpace, Tlb, Walk } from "@vmbind/mmu";
import { expect, it } from "vitest";
import { sweepSequential } from "../src/measure/tlb-sweep.ts";

const PAGE = 4096;
const SIZE = 5 * 2 ** 20 + 3 * 65536;

/** Every page, one load each. */
function loadEach({ memory, format, root, asid }: AddressSpace, va: number, bytes: number) {
  const tlb = new Tlb({ entries: 64, ways: 4 });
  const gpu = new AddressSpace(memory, format, root, { asid, tlb });
  const before = memory.counters.walkSteps;
  const walk = new Walk();
  let faults = 0;
  for (let at = va; at < va + bytes; at += PAGE) if (gpu.translate(at, walk).kind === "fault") faults++;
  return { walkSteps: memory.counters.walkSteps - before, tlbMisses: tlb.counters.tlbMisses, faults };
}

it.each(SPARSE_STRATEGIES.map((strategy) => [strategy.name, strategy] as const))(
  "%s",
  async (_, strategy) => {
    const run = await startRun(strategy);
    const { blockBytes } = strategy;
    run.perform({ step: "create", resource: "r", size: SIZE });
    run.perform({ step: "allocate", memory: "m", size: 2 * blockBytes });
    const bind = { offset: blockBytes, size: 2 * blockBytes, memory: { object: "m", offset: 0 } };
    run.perform({ step: "bind", resource: "r", binds: [bind] });
    run.session.beforeAccess?.();
    const { va } = run.resource("r");
    const space = run.session.vm.addressSpace;
    // What lies in front and behind faults, mostly; from the middle of a leaf on, to the middle of one.
    for (const [from, to] of [
      [0, SIZE],
      [-PAGE * 9, SIZE + PAGE * 9],
      [PAGE * 3, SIZE - PAGE * 5],
    ] as const) {
      const found = sweepSequential(space, va + from, to - from);
      expect(found).toMatchObject(loadEach(space, va + from, to - from));
      expect(found.accesses).toBe(Math.ceil((to - from) / PAGE));
    }
  },
);
