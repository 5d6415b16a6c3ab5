/**
 * The drivers that can be fuzzed, with the calls that their bundled traces begin from.
 *
 * @module
 */

import { DRIVERS } from "@vmbind/lab";
import type { Call } from "@vmbind/trace";
import { benchDriver } from "../drivers/table.ts";
import { firstIoctls } from "../files/trace-beginning.ts";
import { bundledTraces } from "../files/trace-files.ts";
import { callOf } from "./call.ts";
import type { Target } from "./session.ts";

/** Calls taken from the beginning of each trace, where they are most varied. */
const CALLS_PER_TRACE = 40;
/** Longer arrays would make a call slow. */
const SEED_BYTES_MAX = 4096;

/**
 * Make a driver ready to be fuzzed.
 *
 * @param name - of a driver
 */
export async function targetFor(name: string): Promise<Target> {
  const [lens, fuzz] = await Promise.all([DRIVERS.get(name)?.(), benchDriver(name)?.fuzz()]);
  if (lens === undefined || fuzz === undefined) throw new Error(`fuzz: no driver ${name}`);
  const seeds: Call[] = [];
  for (const trace of bundledTraces().filter((t) => t.startsWith(`${name}-`))) {
    await firstIoctls(trace, CALLS_PER_TRACE, (record) => {
      if (record.arrays.every(({ data }) => data.length <= SEED_BYTES_MAX)) seeds.push(callOf(record));
    });
  }
  return { lens, fuzz, seeds };
}
