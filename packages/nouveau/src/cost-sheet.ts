/**
 * The cost sheet of a nouveau device: the counters that all drivers share, and the few that only this one has (what they count
 * is as in `nouveau_uvmm.c` and nvkm's `vmm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { type CostSchema, type CostSheet, UAPI_COSTS, type UapiCounter, zeroSheet } from "@vmbind/drm";
import { GPUVM_COSTS, type GpuvmCounter } from "@vmbind/gpuvm-core";
import { MMU_COSTS, type MmuCounter } from "@vmbind/mmu";

/** Names of the counters that only this driver has. */
export type NouveauCost =
  | "fillWrites"
  | "largeTables"
  | "tablePages"
  | "regionsLive"
  | "regionsPeak"
  | "bindWaits";

/** Names of all counters of a nouveau device. */
export type NouveauCounter = UapiCounter | GpuvmCounter | MmuCounter | NouveauCost;

/** The cost sheet of a nouveau device, one plain object. All numbers since the device was made. */
export type NouveauCounters = CostSheet<NouveauCounter>;

/** What a nouveau device counts: the parts of all layers, then what only this driver has. */
export const COST_SCHEMA: CostSchema<NouveauCounter> = {
  ...UAPI_COSTS,
  ...GPUVM_COSTS,
  ...MMU_COSTS,
  fillWrites: {
    kind: "sum",
    unit: "count",
    title: "entries of new tables",
    how: "Entries that a new table begins with where that is not zero: sparse ones in place of a larger sparse entry, and those of a table of 64 KiB pages that send nobody to the small one.",
  },
  largeTables: {
    kind: "sum",
    unit: "count",
    title: "tables of 64 KiB pages",
    how: "Tables of 64 KiB pages made, which are among the tables used; they take 256 bytes each.",
  },
  tablePages: {
    kind: "sum",
    unit: "count",
    title: "table pages allocated",
    how: "Pages of 4 KiB that page tables took from memory: the driver keeps up to eight that were freed, and 16 tables of 64 KiB pages share one.",
  },
  regionsLive: {
    kind: "level",
    unit: "count",
    title: "sparse regions",
    how: "Sparse regions at the end.",
  },
  regionsPeak: {
    kind: "peak",
    unit: "count",
    title: "sparse regions, peak",
    how: "The most sparse regions.",
  },
  bindWaits: {
    kind: "sum",
    unit: "count",
    title: "waits in VM_BIND",
    how: "Waits of a VM_BIND for a queued one of the same file, before its own work is queued: for an UNMAP below a new sparse region, and for a region that is going.",
  },
};

/** @returns all zero */
export function nouveauCounters(): NouveauCounters {
  return zeroSheet(COST_SCHEMA);
}
