/**
 * What an Xe device counts: one plain object for all layers. Page-table operations and updates are those of `xe_pt.c`
 * (Linux 7.3-rc7).
 *
 * @module
 */

import { type CostSchema, type CostSheet, UAPI_COSTS, type UapiCounter, zeroSheet } from "@vmbind/drm";
import { GPUVM_COSTS, type GpuvmCounter } from "@vmbind/gpuvm-core";
import { MMU_COSTS, type MmuCounter } from "@vmbind/mmu";

/** Names of the counters that only this driver has. */
export type XeCost =
  | "scratchWrites"
  | "ptOps"
  | "ptUpdates"
  | "ptQwords"
  | "remnantsRebound"
  | "remnantsSkipped"
  | "tlbFlushRequests"
  | "kernelWarnings";

/** Names of all counters of an Xe device. */
export type XeCounter = UapiCounter | GpuvmCounter | MmuCounter | XeCost;

/** The cost sheet of an Xe device, one plain object. All numbers since the device was made. */
export type XeCounters = CostSheet<XeCounter>;

/** What an Xe device counts: the parts of all layers, then what only this driver has. */
export const COST_SCHEMA: CostSchema<XeCounter> = {
  ...UAPI_COSTS,
  ...GPUVM_COSTS,
  ...MMU_COSTS,
  scratchWrites: {
    kind: "sum",
    unit: "count",
    title: "scratch entries of new tables",
    how: "Entries that fill a new table of a VM with a scratch page, 512 each; leaves that are then written over them are counted as leaf entries.",
  },
  ptOps: {
    kind: "sum",
    unit: "count",
    title: "page-table operations",
    how: "Page-table operations that were run: binds and unbinds of one mapping each.",
  },
  ptUpdates: {
    kind: "sum",
    unit: "count",
    title: "page-table updates",
    how: "Updates that were applied: runs of entries in one table that existed before.",
  },
  ptQwords: {
    kind: "sum",
    unit: "count",
    title: "entries updated",
    how: "Entries written by those updates.",
  },
  remnantsRebound: {
    kind: "sum",
    unit: "count",
    title: "pieces bound again",
    how: "Pieces of split mappings that were bound again from scratch.",
  },
  remnantsSkipped: {
    kind: "sum",
    unit: "count",
    title: "pieces kept",
    how: "Pieces of split mappings that kept their entries.",
  },
  tlbFlushRequests: {
    kind: "sum",
    unit: "count",
    title: "TLB flush requests",
    how: "Increments of a VM's `tlb_flush_seqno` (`xe_vm_types.h`): the next batch of each queue starts with a TLB flush.",
  },
  kernelWarnings: {
    kind: "sum",
    unit: "count",
    title: "kernel warnings",
    how: "Warnings that the kernel would have logged.",
  },
};

/** @returns all zero */
export function xeCounters(): XeCounters {
  return zeroSheet(COST_SCHEMA);
}
