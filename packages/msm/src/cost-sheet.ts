/**
 * What an msm device counts: one plain object for all layers. io-pgtable calls and cache cleans are those of
 * `io-pgtable-arm.c`, page-table operations those of `msm_gem_vma.c` (Linux 7.3-rc7).
 *
 * @module
 */

import { type CostSchema, type CostSheet, UAPI_COSTS, type UapiCounter, zeroSheet } from "@vmbind/drm";
import { GPUVM_COSTS, type GpuvmCounter } from "@vmbind/gpuvm-core";
import { MMU_COSTS, type MmuCounter } from "@vmbind/mmu";

/** Names of the counters that only this driver has. */
export type MsmCost =
  | "ioMapCalls"
  | "ioUnmapCalls"
  | "ptMaps"
  | "ptUnmaps"
  | "cacheCleans"
  | "cacheCleanBytes"
  | "bindJobs"
  | "submits"
  | "contextSwitches"
  | "evictions"
  | "purges"
  | "restores";

/** Names of all counters of an msm device. */
export type MsmCounter = UapiCounter | GpuvmCounter | MmuCounter | MsmCost;

/** The cost sheet of an msm device, one plain object. All numbers since the device was made. */
export type MsmCounters = CostSheet<MsmCounter>;

/** What an msm device counts: the parts of all layers, then what only this driver has. */
export const COST_SCHEMA: CostSchema<MsmCounter> = {
  ...UAPI_COSTS,
  ...GPUVM_COSTS,
  ...MMU_COSTS,
  ioMapCalls: {
    kind: "sum",
    unit: "count",
    title: "io-pgtable map calls",
    how: "Calls of the io-pgtable map function, failing ones included: one a page for MAP_NULL.",
  },
  ioUnmapCalls: {
    kind: "sum",
    unit: "count",
    title: "io-pgtable unmap calls",
    how: "Calls of the io-pgtable unmap function, failing ones included.",
  },
  ptMaps: {
    kind: "sum",
    unit: "count",
    title: "page-table maps",
    how: "Page-table operations that map, one for each new mapping.",
  },
  ptUnmaps: {
    kind: "sum",
    unit: "count",
    title: "page-table unmaps",
    how: "Page-table operations that unmap, one for each piece of a mapping that goes. Each ends with an invalidation of the whole ASID.",
  },
  cacheCleans: {
    kind: "sum",
    unit: "count",
    title: "cache cleans",
    how: "Cache cleans of page-table memory; only where the walker does not snoop.",
  },
  cacheCleanBytes: {
    kind: "sum",
    unit: "bytes",
    title: "bytes cleaned",
    how: "Bytes that those cleans covered.",
  },
  bindJobs: {
    kind: "sum",
    unit: "count",
    title: "bind jobs",
    how: "Jobs that VM_BIND calls queued, one each.",
  },
  submits: {
    kind: "sum",
    unit: "count",
    title: "submits",
    how: "GEM_SUBMITs that locked their VM.",
  },
  contextSwitches: {
    kind: "sum",
    unit: "count",
    title: "context switches",
    how: "Times that the GPU went on with the page table of another context, which empties the TLB: all of them share one ASID.",
  },
  evictions: {
    kind: "sum",
    unit: "count",
    title: "evictions",
    how: "Objects whose pages were swapped out.",
  },
  purges: {
    kind: "sum",
    unit: "count",
    title: "purges",
    how: "Objects whose pages were thrown away for good.",
  },
  restores: {
    kind: "sum",
    unit: "count",
    title: "restores",
    how: "Objects whose mappings were brought back for a submit.",
  },
};

/** @returns all zero */
export function msmCounters(): MsmCounters {
  return zeroSheet(COST_SCHEMA);
}
