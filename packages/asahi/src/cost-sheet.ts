/**
 * The cost sheet of an asahi device: the counters that all drivers share, and the few that only this one has. What an
 * invalidation costs is as in the driver (module `asahi` out of tree, branches of 2025).
 *
 * @module
 */

import type { UapiCounters } from "@vmbind/drm";
import type { GpuvmCounters } from "@vmbind/gpuvm-core";
import type { MmuCounters } from "@vmbind/mmu";

/** All counters of an asahi device, one plain object. */
export interface AsahiCounters extends UapiCounters, GpuvmCounters, MmuCounters {
  /**
   * Invalidations that steps asked for while their VM had a context slot, each with two barriers. `tlbInvalidations` counts
   * the instructions: several for a range above 32 GiB.
   */
  tlbRequests: number;
  /** Bytes asked for; `tlbInvalidatedBytes` is what the rounded-up operands cover. */
  tlbRequestedBytes: number;
  /** Context slots taken from one VM to run another. */
  contextSteals: number;
}

/** @returns all zero; one literal, bytes fractional at first, for the reasons that `mmuCounters` gives */
export function asahiCounters(): AsahiCounters {
  const sheet: AsahiCounters = {
    ioctls: 0,
    ioctlErrors: 0,
    bindIoctls: 0,
    bindOps: 0,
    payloadBytes: 0.5,
    tablesReserved: 0,
    tablesReturned: 0,
    mapSteps: 0,
    remapSteps: 0,
    unmapSteps: 0,
    gpuvasLive: 0,
    gpuvasPeak: 0,
    vmBosLive: 0,
    vmBosPeak: 0,
    pteWrites: 0,
    pteClears: 0,
    tableWrites: 0,
    tablesAllocated: 0,
    tablesFreed: 0,
    tablesLive: 0,
    tablesPeak: 0,
    tlbInvalidations: 0,
    tlbInvalidatedBytes: 0.5,
    backingBytes: 0.5,
    backingPeakBytes: 0.5,
    walkSteps: 0,
    tlbHits: 0,
    tlbMisses: 0,
    tlbRequests: 0,
    tlbRequestedBytes: 0.5,
    contextSteals: 0,
  };
  sheet.payloadBytes = 0;
  sheet.tlbInvalidatedBytes = 0;
  sheet.backingBytes = 0;
  sheet.backingPeakBytes = 0;
  sheet.tlbRequestedBytes = 0;
  return sheet;
}
