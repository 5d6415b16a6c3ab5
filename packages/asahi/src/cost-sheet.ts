/**
 * The cost sheet of an asahi device: the counters that all drivers share, and the few that only this one has.
 *
 * @module
 */

import { type GpuvmCounters, gpuvmCounters, type UapiCounters, uapiCounters } from "@vmbind/gpuvm-core";
import { type MmuCounters, mmuCounters } from "@vmbind/mmu";

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

/** Kept alive, and fractional at first where bytes are counted, for the reasons that `mmuCounters` has. */
const ZERO: AsahiCounters = {
  ...uapiCounters(),
  ...gpuvmCounters(),
  ...mmuCounters(),
  payloadBytes: 0.5,
  tlbRequests: 0,
  tlbRequestedBytes: 0.5,
  contextSteals: 0,
};
ZERO.payloadBytes = 0;
ZERO.tlbRequestedBytes = 0;

/** @returns all zero */
export function asahiCounters(): AsahiCounters {
  return { ...ZERO };
}
