/**
 * A long random life of each device: many processes, more VMs than can run at a time, allocations that fail, memory that
 * is taken away and given again. At the end everything is closed, nothing is left, and the host's memory is where it was.
 *
 * The run is short here; a million operations on each driver, and a report of the memory:
 *
 *     VMBIND_SOAK=1000000 node_modules/.bin/vitest run packages/driver-laws/test/soak.test.ts
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Random } from "../../../test/random.ts";
import { expectNothingLeft, SEED } from "./law.ts";
import { Process } from "./process.ts";
import type { TestDevice } from "./subject.ts";
import { SUBJECTS } from "./subjects.ts";

const OPERATIONS = Number(process.env["VMBIND_SOAK"] ?? 1000);
/** Long enough to tell a leak. */
const LONG = OPERATIONS >= 100_000;
const FILES = 6;
const CHECKS = 20;
/** One allocation of so many fails. */
const FAULT_ODDS = 200;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that the host holds after a collection, without what the GPU stored. */
function hostBytes({ memory }: TestDevice): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers - memory.residentBytes;
}

for (const { name, facts, device: make } of SUBJECTS.filter(({ viewOnly }) => !viewOnly)) {
  test(`${name}: ${OPERATIONS} operations of ${FILES} processes, and nothing is left`, () => {
    const faults = new Random(SEED + 1);
    let injected = 0;
    let armed = true;
    const device = make({
      memoryBytes: facts.evicts ? 0x1800_0000 : 2 ** 26,
      allocFault: () => {
        if (!armed || faults.below(FAULT_ODDS) !== 0) return false;
        injected++;
        return true;
      },
    });
    const random = new Random(SEED);
    const vmsMax = facts.contextSlots === null ? 4 : Math.ceil(facts.contextSlots / FILES) + 4;
    const processes = Array.from(
      { length: FILES },
      (_, i) => new Process(device, facts, random, 0xa0 + i, vmsMax),
    );
    const memory: number[] = [];
    for (let done = 0; done < OPERATIONS; ) {
      const stop = Math.min(OPERATIONS, done + Math.ceil(OPERATIONS / CHECKS));
      for (; done < stop; done++) processes[random.below(FILES)]?.step();
      for (const p of processes) p.quiesce();
      // The GPU runs every VM of one process.
      processes[memory.length % FILES]?.flood();
      device.check();
      // A short run is still filling up: it says nothing of a leak, and collecting takes longer than the rest.
      memory.push(LONG ? hostBytes(device) : 0);
    }
    const happened = { injected, ...device.activity() };
    expect(Object.entries(happened).filter(([, count]) => count === 0)).toEqual([]);
    armed = false;
    for (const p of processes) p.close();
    expectNothingLeft(device);
    // What a leak raises is the floor: above it stands what is in use, and buffers that the host frees late. The second
    // half may need no more than the first did.
    const half = memory.length >> 1;
    const first = Math.min(...memory.slice(1, half));
    const second = Math.min(...memory.slice(half));
    if (LONG) expect(second).toBeLessThan(first * 1.1 + 2 ** 22);
    if (process.env["VMBIND_SOAK"] !== undefined) {
      const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
      process.stdout.write(
        `${name}: ${JSON.stringify(happened)}; memory at least ${mib(first)} in the first half, ${mib(second)} in the ` +
          `second, ${mib(hostBytes(device))} at the end\n`,
      );
    }
  }, 3_600_000);
}
