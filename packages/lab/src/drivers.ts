/**
 * The drivers that the laboratory knows.
 *
 * @module
 */

import {
  InputError,
  type Lens,
  type ReplayObserver,
  type ReplayOptions,
  type ReplayResult,
  replay,
  type Trace,
  valueInWords,
} from "@vmbind/trace";

/** The lenses of the drivers by name. */
export const DRIVERS: ReadonlyMap<string, () => Promise<Lens>> = new Map<string, () => Promise<Lens>>([
  ["panthor", async () => (await import("@vmbind/panthor/trace")).lens],
  ["asahi", async () => (await import("@vmbind/asahi/trace")).lens],
  ["xe", async () => (await import("@vmbind/xe/trace")).lens],
  ["nouveau", async () => (await import("@vmbind/nouveau/trace")).lens],
  ["amdgpu", async () => (await import("@vmbind/amdgpu/trace")).lens],
  ["msm", async () => (await import("@vmbind/msm/trace")).lens],
]);

/**
 * Find the lens of a trace's driver.
 *
 * @param trace - an opened trace
 * @throws {@link @vmbind/trace!InputError InputError} for a driver that has no model
 */
export async function lensOf(trace: Trace): Promise<Lens> {
  const load = DRIVERS.get(trace.header.driver);
  if (load) return load();
  const known = [...DRIVERS.keys()].join(", ");
  const { driver } = trace.header;
  throw new InputError(
    trace.path,
    1,
    `header.driver: no model of ${valueInWords(driver)}; there are ${known}`,
  );
}

/**
 * Replay a trace on the model of its driver.
 *
 * @param trace - an opened trace; its records are consumed
 * @param observer - looks on
 * @param options - see {@link ReplayOptions}
 * @throws {@link @vmbind/trace!InputError InputError} for a driver that has no model, or a trace that breaks its format
 */
export async function replayTrace(
  trace: Trace,
  observer?: ReplayObserver,
  options?: ReplayOptions,
): Promise<ReplayResult> {
  return replay(trace, await lensOf(trace), observer, options);
}
