/**
 * The drivers that can be fuzzed, with the calls that their bundled traces begin from.
 *
 * @module
 */

import { DRIVERS } from "@vmbind/lab";
import type { Call } from "@vmbind/trace";
import { bundledTraces, openTrace } from "../files/trace-files.ts";
import { callOf } from "./call.ts";
import type { FuzzDriver } from "./fuzz-driver.ts";
import type { Target } from "./session.ts";

/** What the fuzzer knows of each driver. */
const FUZZ_DRIVERS: Readonly<Record<string, () => Promise<FuzzDriver>>> = {
  panthor: async () => (await import("../drivers/panthor/fuzz.ts")).panthor,
  asahi: async () => (await import("../drivers/asahi/fuzz.ts")).asahi,
  xe: async () => (await import("../drivers/xe/fuzz.ts")).xe,
};

/** Calls taken from the beginning of each trace, where they are most varied. */
const CALLS_PER_TRACE = 40;
/** Longer arrays would make a call slow. */
const SEED_BYTES_MAX = 4096;

/** @returns names of the drivers that can be fuzzed */
export function fuzzable(): string[] {
  return Object.keys(FUZZ_DRIVERS);
}

/**
 * @param name - a name from {@link fuzzable}
 * @returns what the fuzzer knows of the driver, null for another name
 */
export async function fuzzDriver(name: string): Promise<FuzzDriver | null> {
  return (await FUZZ_DRIVERS[name]?.()) ?? null;
}

/**
 * Make a driver ready to be fuzzed.
 *
 * @param name - a name from {@link fuzzable}
 */
export async function targetFor(name: string): Promise<Target> {
  const [lens, fuzz] = await Promise.all([DRIVERS[name]?.(), fuzzDriver(name)]);
  if (lens === undefined || fuzz === null) throw new Error(`fuzz: no driver ${name}`);
  const seeds: Call[] = [];
  for (const trace of bundledTraces().filter((t) => t.startsWith(`${name}-`))) {
    let left = CALLS_PER_TRACE;
    for await (const record of (await openTrace(trace)).records) {
      if (record.kind !== "ioctl") continue;
      const call = callOf(record);
      if (call.buffers.every(({ bytes }) => bytes.length <= SEED_BYTES_MAX)) seeds.push(call);
      if (--left === 0) break;
    }
  }
  return { lens, fuzz, seeds };
}
