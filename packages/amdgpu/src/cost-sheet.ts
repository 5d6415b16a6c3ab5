/**
 * The cost sheet of an amdgpu device: the counters that all drivers share, and what only this one has.
 *
 * The driver has no VA manager that takes steps; what the other drivers count of theirs is counted here of the driver's own
 * mappings, under the same names. Costs are counted when they arise: those of a submission are in the sums, and once more in
 * counters of their own.
 *
 * @module
 */

import {
  type CostSchema,
  type CostSheet,
  type MappingCounter,
  UAPI_COSTS,
  type UapiCounter,
  zeroSheet,
} from "@vmbind/drm";
import { MMU_COSTS, type MmuCounter } from "@vmbind/mmu";

/** Names of the counters that only this driver has. */
export type AmdgpuCost =
  | "rangeUpdates"
  | "tableWriteCalls"
  | "emptyEntries"
  | "tablesThrownAway"
  | "driverMessages"
  | "submissions"
  | "submissionRangeUpdates"
  | "submissionEntries";

/** Names of all counters of an amdgpu device. */
export type AmdgpuCounter = UapiCounter | MappingCounter | MmuCounter | AmdgpuCost;

/** The cost sheet of an amdgpu device, one plain object. All numbers since the device was made. */
export type AmdgpuCounters = CostSheet<AmdgpuCounter>;

/** The driver's mappings. Those that wait to be cleared are not among them. */
const MAPPING_COSTS: CostSchema<MappingCounter> = {
  mapSteps: {
    kind: "sum",
    unit: "count",
    title: "map steps",
    how: "Mappings that MAP and REPLACE make; remnants of cuts are not among them.",
  },
  remapSteps: {
    kind: "sum",
    unit: "count",
    title: "remap steps",
    how: "Mappings that a CLEAR or a REPLACE cuts, and of which one or two remnants stay.",
  },
  unmapSteps: {
    kind: "sum",
    unit: "count",
    title: "unmap steps",
    how: "Mappings that go wholly.",
  },
  gpuvasLive: {
    kind: "level",
    unit: "count",
    title: "mappings left",
    how: "Mappings (amdgpu_bo_va_mapping) at the end of the stretch.",
  },
  gpuvasPeak: {
    kind: "peak",
    unit: "count",
    title: "mappings, peak",
    how: "The most mappings there were since the device was opened.",
  },
  vmBosLive: {
    kind: "level",
    unit: "count",
    title: "vm_bos left",
    how: "Pairs of VM and object (amdgpu_bo_va) at the end of the stretch; a handle is enough for one.",
  },
  vmBosPeak: {
    kind: "peak",
    unit: "count",
    title: "vm_bos, peak",
    how: "The most pairs of VM and object there were.",
  },
};

/** What an amdgpu device counts: the parts of all layers, then what only this driver has. */
export const COST_SCHEMA: CostSchema<AmdgpuCounter> = {
  ...UAPI_COSTS,
  ...MAPPING_COSTS,
  ...MMU_COSTS,
  rangeUpdates: {
    kind: "sum",
    unit: "count",
    title: "range updates",
    how: "Mappings whose entries were written or cleared: a job each, where the GPU does it.",
  },
  tableWriteCalls: {
    kind: "sum",
    unit: "count",
    title: "table writes",
    how: "Runs of entries of one fragment in one table that those updates wrote: a command each.",
  },
  emptyEntries: {
    kind: "sum",
    unit: "count",
    title: "entries of new tables",
    how: "Entries that new tables are filled with, 512 each; not among the leaf entries written.",
  },
  tablesThrownAway: {
    kind: "sum",
    unit: "count",
    title: "tables thrown away",
    how: "Tables that went because a larger leaf took their place; many of them had been made by the same update.",
  },
  driverMessages: {
    kind: "sum",
    unit: "count",
    title: "error messages",
    how: "Errors that the driver writes into the kernel's log.",
  },
  submissions: {
    kind: "sum",
    unit: "count",
    title: "submissions",
    how: "Submissions that brought page tables up to date.",
  },
  submissionRangeUpdates: {
    kind: "sum",
    unit: "count",
    title: "range updates at submission",
    how: "Range updates that were left to a submission; they are among the range updates.",
  },
  submissionEntries: {
    kind: "sum",
    unit: "count",
    title: "entries at submission",
    how: "Leaf entries that submissions wrote or cleared; they are among the leaf entries.",
  },
};

/** @returns all zero */
export function amdgpuCounters(): AmdgpuCounters {
  return zeroSheet(COST_SCHEMA);
}
