/**
 * What a Panthor device counts: one plain object for all layers. AS commands are those of `panthor_mmu.c`, map calls and
 * cache cleans those of `io-pgtable-arm.c` (Linux 7.3-rc7).
 *
 * @module
 */

import { type CostSchema, type CostSheet, UAPI_COSTS, type UapiCounter, zeroSheet } from "@vmbind/drm";
import { GPUVM_COSTS, type GpuvmCounter } from "@vmbind/gpuvm-core";
import { MMU_COSTS, type MmuCounter } from "@vmbind/mmu";

/** Names of the counters that only this driver has. */
export type PanthorCost =
  | "asLock"
  | "asFlush"
  | "asUnlock"
  | "lockedBytes"
  | "asSteals"
  | "ioMapCalls"
  | "ioUnmapCalls"
  | "cacheCleans"
  | "cacheCleanBytes"
  | "kernelWarnings"
  | "bindJobs"
  | "boSyncs"
  | "boSyncBytes"
  | "evictions"
  | "restores";

/** Names of all counters of a Panthor device. */
export type PanthorCounter = UapiCounter | GpuvmCounter | MmuCounter | PanthorCost;

/** The cost sheet of a Panthor device, one plain object. All numbers since the device was made. */
export type PanthorCounters = CostSheet<PanthorCounter>;

/** What a Panthor device counts: the parts of all layers, then what only this driver has. */
export const COST_SCHEMA: CostSchema<PanthorCounter> = {
  ...UAPI_COSTS,
  ...GPUVM_COSTS,
  ...MMU_COSTS,
  asLock: {
    kind: "sum",
    unit: "count",
    title: "LOCK commands",
    how: "LOCK commands, one for each AS_LOCKADDR write; not counted while the VM owns no AS slot, and so for flush and UNLOCK.",
  },
  asFlush: {
    kind: "sum",
    unit: "count",
    title: "GPU cache flushes",
    how: "GPU cache flushes, one before each UNLOCK and one where a VM loses its AS slot.",
  },
  asUnlock: {
    kind: "sum",
    unit: "count",
    title: "UNLOCK commands",
    how: "UNLOCK commands.",
  },
  lockedBytes: {
    kind: "sum",
    unit: "bytes",
    title: "bytes locked",
    how: "Bytes of the blocks that LOCK commands named.",
  },
  asSteals: {
    kind: "sum",
    unit: "count",
    title: "AS steals",
    how: "AS slots taken from an idle VM to activate another.",
  },
  ioMapCalls: {
    kind: "sum",
    unit: "count",
    title: "io-pgtable map calls",
    how: "Calls of the io-pgtable map function, failing ones included.",
  },
  ioUnmapCalls: {
    kind: "sum",
    unit: "count",
    title: "io-pgtable unmap calls",
    how: "Calls of the io-pgtable unmap function, failing ones included.",
  },
  cacheCleans: {
    kind: "sum",
    unit: "count",
    title: "cache cleans",
    how: "Cache cleans of page-table memory; only on devices that are not coherent.",
  },
  cacheCleanBytes: {
    kind: "sum",
    unit: "bytes",
    title: "bytes cleaned",
    how: "Bytes that those cleans covered.",
  },
  kernelWarnings: {
    kind: "sum",
    unit: "count",
    title: "kernel warnings",
    how: "Warnings that the kernel would have logged: broken expectations of io-pgtable and of the driver.",
  },
  bindJobs: {
    kind: "sum",
    unit: "count",
    title: "bind jobs",
    how: "Jobs that asynchronous VM_BIND calls queued.",
  },
  boSyncs: {
    kind: "sum",
    unit: "count",
    title: "CPU cache syncs",
    how: "Operations of BO_SYNC that had caches to clean: the object has pages, and the CPU maps it cached.",
  },
  boSyncBytes: {
    kind: "sum",
    unit: "bytes",
    title: "bytes synced",
    how: "Bytes of objects that those operations covered.",
  },
  evictions: {
    kind: "sum",
    unit: "count",
    title: "evictions",
    how: "Objects whose pages were swapped out.",
  },
  restores: {
    kind: "sum",
    unit: "count",
    title: "restores",
    how: "Objects whose pages were brought back for a job.",
  },
};

/** @returns all zero */
export function panthorCounters(): PanthorCounters {
  return zeroSheet(COST_SCHEMA);
}
