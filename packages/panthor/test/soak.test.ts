/**
 * A long random life of a device: many processes, each with VMs and objects, allocations that fail, eviction and
 * restore in between. At the end everything is closed, nothing is left, and memory is where it was.
 *
 * The run is short here; a million operations and a report of the memory:
 *
 *     VMBIND_SOAK=1000000 node_modules/.bin/vitest run packages/panthor/test/soak.test.ts
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { checkDeviceInvariants, PanthorDevice } from "../src/index.ts";
import { Process, Random } from "./process.ts";

const OPERATIONS = Number(process.env["VMBIND_SOAK"] ?? 4000);
const FILES = 6;
const CHECKS = 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that the host holds after a collection, without what the GPU stored. */
function hostBytes({ memory }: PanthorDevice): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers - memory.residentBytes;
}

it(`${OPERATIONS} operations of ${FILES} processes, and nothing is left`, () => {
  const faults = new Random(99);
  let injected = 0;
  let armed = true;
  const device = new PanthorDevice({
    memory: { frames: { limit: 0x100000000 + 0x18000000 } },
    allocFault: () => {
      if (!armed || faults.below(200) !== 0) return false;
      injected++;
      return true;
    },
  });
  const random = new Random(20260705);
  const processes = Array.from({ length: FILES }, (_, i) => new Process(device, random, 0xa0 + i));
  const memory: number[] = [];
  for (let done = 0; done < OPERATIONS; ) {
    const stop = Math.min(OPERATIONS, done + Math.ceil(OPERATIONS / CHECKS));
    for (; done < stop; done++) processes[random.below(FILES)]?.step();
    for (const p of processes) p.quiesce();
    checkDeviceInvariants(
      device,
      processes.map((p) => p.file),
    );
    memory.push(hostBytes(device));
  }
  const { counters } = device;
  expect([counters.evictions > 0, counters.restores > 0, injected > 0]).toEqual([true, true, true]);
  expect(counters.kernelWarnings).toBe(0);
  armed = false;
  for (const p of processes) p.close();
  const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = counters;
  expect({ tablesLive, gpuvasLive, vmBosLive, backingBytes, objects: device.gems.size }).toEqual({
    tablesLive: 0,
    gpuvasLive: 0,
    vmBosLive: 0,
    backingBytes: 0,
    objects: 0,
  });
  expect(device.memory.residentBytes).toBe(0);
  // What a leak raises is the floor: above it stands what is swapped out, and buffers that the host frees late. A short
  // run is still filling up; in a long one the second half may need no more than the first did.
  const half = memory.length >> 1;
  const first = Math.min(...memory.slice(1, half));
  const second = Math.min(...memory.slice(half));
  if (OPERATIONS >= 100_000) expect(second).toBeLessThan(first * 1.1 + 2 ** 22);
  if (process.env["VMBIND_SOAK"] !== undefined) {
    const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    const { ioctls, ioctlErrors, bindOps, evictions, restores } = counters;
    process.stdout.write(
      `ioctls ${ioctls} (${ioctlErrors} refused), ops ${bindOps}, evictions ${evictions}, restores ${restores}, ` +
        `faults ${injected}; memory at least ${mib(first)} in the first half, ${mib(second)} in the second, ` +
        `${mib(hostBytes(device))} at the end\n`,
    );
  }
}, 3_600_000);
