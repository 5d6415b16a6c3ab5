/**
 * Invariants of what all drivers share, for tests and tools: references of GEM objects against a recount, and the sheet of
 * what crosses from user space.
 *
 * A check that fails throws an `Error` whose message begins with the invariant's name: `gem-refs`, `uapi-counters`.
 *
 * @module
 */

import type { UapiCounters } from "./counters.ts";
import type { GemObject, GemObjects } from "./gem.ts";

/**
 * Check the reference count of every object of a device.
 *
 * @param gems - the device's objects
 * @param held - references of an object that are neither vm_bos', nor its dma-buf's, nor those of CPU mappings: handles, and what the driver holds
 * @throws Error `gem-refs`
 */
export function checkGemRefs(gems: GemObjects, held: (gem: GemObject) => number): void {
  let live = 0;
  for (const gem of gems.values()) {
    live++;
    const refs = held(gem) + gem.vmBos.length + (gem.exported === null ? 0 : 1) + gem.cpuMappings;
    if (gem.refs !== refs) {
      throw new Error(`gem-refs: GEM ${gem.id} has ${gem.refs} references, ${refs} are accounted for`);
    }
  }
  if (live !== gems.size) throw new Error(`gem-refs: ${gems.size} objects counted, ${live} found`);
}

/**
 * Check the counters of what crosses from user space: none is negative, and parts do not exceed their whole.
 *
 * @param counters - a device's sheet, all its layers' counters
 * @throws Error `uapi-counters`
 */
export function checkUapiCounters(counters: UapiCounters): void {
  for (const [name, value] of Object.entries(counters)) {
    if (!(value >= 0)) throw new Error(`uapi-counters: ${name} is ${value}`);
  }
  const { ioctls, ioctlErrors, tablesReserved, tablesReturned } = counters;
  if (ioctlErrors > ioctls) throw new Error(`uapi-counters: ${ioctlErrors} errors in ${ioctls} ioctls`);
  if (tablesReturned > tablesReserved) {
    throw new Error(`uapi-counters: ${tablesReturned} tables came back of ${tablesReserved} set aside`);
  }
}
