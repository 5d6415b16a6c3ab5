/**
 * The drivers that the laboratory knows.
 *
 * @module
 */

import {
  type Driver,
  InputError,
  type ReplayObserver,
  type ReplayOptions,
  type ReplayResult,
  replay,
  type Trace,
} from "@vmbind/trace";

/** The drivers by name. */
export const DRIVERS: Readonly<Record<string, () => Promise<Driver>>> = {
  panthor: async () => (await import("./drivers/panthor/lens.ts")).panthor,
  asahi: async () => (await import("./drivers/asahi/lens.ts")).asahi,
  xe: async () => (await import("./drivers/xe/lens.ts")).xe,
};

/**
 * Find a trace's driver.
 *
 * @param trace - an opened trace
 * @throws {@link InputError} for a driver that has no model
 */
export async function driverOf(trace: Trace): Promise<Driver> {
  const load = DRIVERS[trace.header.driver];
  if (load) return load();
  const known = Object.keys(DRIVERS).join(", ");
  const { driver } = trace.header;
  throw new InputError(
    trace.path,
    1,
    `header.driver: no model of ${JSON.stringify(driver)}; there are ${known}`,
  );
}

/**
 * Replay a trace on the model of its driver.
 *
 * @param trace - an opened trace; its records are consumed
 * @param observer - looks on
 * @param options - see {@link ReplayOptions}
 * @throws {@link InputError} for a driver that has no model, or a trace that breaks its format
 */
export async function replayTrace(
  trace: Trace,
  observer?: ReplayObserver,
  options?: ReplayOptions,
): Promise<ReplayResult> {
  return replay(trace, await driverOf(trace), observer, options);
}
