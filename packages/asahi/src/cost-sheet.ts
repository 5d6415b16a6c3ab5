/**
 * The cost sheet of an asahi device: the counters that all drivers share, and the few that only this one has. What an
 * invalidation costs is as in the driver (the downstream asahi driver, branches of 2025).
 *
 * @module
 */

import { type CostSchema, type CostSheet, UAPI_COSTS, type UapiCounter, zeroSheet } from "@vmbind/drm";
import { GPUVM_COSTS, type GpuvmCounter } from "@vmbind/gpuvm-core";
import { MMU_COSTS, type MmuCounter } from "@vmbind/mmu";

/** Names of the counters that only this driver has. */
export type AsahiCost = "tlbRequests" | "tlbRequestedBytes" | "contextSteals";

/** Names of all counters of an asahi device. */
export type AsahiCounter = UapiCounter | GpuvmCounter | MmuCounter | AsahiCost;

/** The cost sheet of an asahi device, one plain object. All numbers since the device was made. */
export type AsahiCounters = CostSheet<AsahiCounter>;

/** What an asahi device counts: the parts of all layers, then what only this driver has. */
export const COST_SCHEMA: CostSchema<AsahiCounter> = {
  ...UAPI_COSTS,
  ...GPUVM_COSTS,
  ...MMU_COSTS,
  tlbRequests: {
    kind: "sum",
    unit: "count",
    title: "TLB requests",
    how: "Invalidations that steps asked for while their VM had a context slot, each with two barriers; `tlbInvalidations` counts the instructions, several for a range above 32 GiB.",
  },
  tlbRequestedBytes: {
    kind: "sum",
    unit: "bytes",
    title: "bytes requested",
    how: "Bytes of VA asked for; `tlbInvalidatedBytes` is what the rounded-up operands cover.",
  },
  contextSteals: {
    kind: "sum",
    unit: "count",
    title: "context steals",
    how: "Context slots taken from one VM to run another.",
  },
};

/** @returns all zero */
export function asahiCounters(): AsahiCounters {
  return zeroSheet(COST_SCHEMA);
}
