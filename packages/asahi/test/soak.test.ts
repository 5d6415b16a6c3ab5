/**
 * A long random life of a device: many processes with more VMs than the GPU has context slots, so that they lose and
 * regain theirs, and allocations that fail. The driver of the model evicts no objects: once there, pages stay until
 * the object goes. At the end everything is closed, nothing is left, and memory is where it was.
 *
 * The run is short here; a million operations and a report of the memory:
 *
 *     VMBIND_SOAK=1000000 node_modules/.bin/vitest run packages/asahi/test/soak.test.ts
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { AsahiDevice, checkDeviceInvariants } from "../src/index.ts";
import { Process, Random } from "./process.ts";

const OPERATIONS = Number(process.env["VMBIND_SOAK"] ?? 5000);
const FILES = 6;
const VMS_PER_FILE = 16;
const CHECKS = 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that the host holds after a collection, without what the GPU stored. */
function hostBytes({ memory }: AsahiDevice): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers - memory.residentBytes;
}

it(`${OPERATIONS} operations of ${FILES} processes, and nothing is left`, () => {
  const faults = new Random(99);
  let injected = 0;
  const device = new AsahiDevice({
    memory: { frames: { limit: 0x100000000 + 0x4000000 } },
    allocFault: () => {
      if (faults.below(200) !== 0) return false;
      injected++;
      return true;
    },
  });
  const random = new Random(20260705);
  const processes = Array.from(
    { length: FILES },
    (_, i) => new Process(device, random, 0xa0 + i, VMS_PER_FILE),
  );
  const memory: number[] = [];
  for (let done = 0; done < OPERATIONS; ) {
    const stop = Math.min(OPERATIONS, done + Math.ceil(OPERATIONS / CHECKS));
    for (; done < stop; done++) processes[random.below(FILES)]?.step();
    checkDeviceInvariants(
      device,
      processes.map((p) => p.file),
    );
    memory.push(hostBytes(device));
  }
  const { counters } = device;
  expect([counters.contextSteals > 0, injected > 0]).toEqual([true, true]);
  for (const p of processes) p.close();
  // The firmware's tables live as long as the device.
  const { l1, l2, l3 } = device.firmware.pageTable?.count ?? { l1: 0, l2: 0, l3: 0 };
  const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = counters;
  expect({ tablesLive, gpuvasLive, vmBosLive, backingBytes, objects: device.gems.size }).toEqual({
    tablesLive: l1 + l2 + l3,
    gpuvasLive: 0,
    vmBosLive: 0,
    backingBytes: 0,
    objects: 0,
  });
  expect(device.memory.residentBytes).toBe(0);
  // What a leak raises is the floor: above it stands what is in use, and buffers that the host frees late. A short
  // run is still filling up; in a long one the second half may need no more than the first did.
  const half = memory.length >> 1;
  const first = Math.min(...memory.slice(1, half));
  const second = Math.min(...memory.slice(half));
  if (OPERATIONS >= 100_000) expect(second).toBeLessThan(first * 1.1 + 2 ** 22);
  if (process.env["VMBIND_SOAK"] !== undefined) {
    const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    const { ioctls, ioctlErrors, bindOps, contextSteals } = counters;
    process.stdout.write(
      `binds ${ioctls} (${ioctlErrors} refused), ops ${bindOps}, context slots taken away ${contextSteals}, ` +
        `faults ${injected}; memory at least ${mib(first)} in the first half, ${mib(second)} in the second, ` +
        `${mib(hostBytes(device))} at the end\n`,
    );
  }
}, 3_600_000);
