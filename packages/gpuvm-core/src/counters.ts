/**
 * The part of the cost sheet that counts what the VA manager does.
 *
 * @module
 */

import { type CostSchema, type CostSheet, type MappingCounter, zeroSheet } from "@vmbind/drm";

/** Names of the counters of {@link GPUVM_COSTS}. */
export type GpuvmCounter = MappingCounter;

/** The part of a device's sheet that counts what the VA manager does. */
export type GpuvmCounters = CostSheet<GpuvmCounter>;

/** What the VA manager does. Kernel nodes are not among the mappings; zombies are among the vm_bos. */
export const GPUVM_COSTS: CostSchema<GpuvmCounter> = {
  mapSteps: {
    kind: "sum",
    unit: "count",
    title: "map steps",
    how: "Steps of GPUVM's split and merge that make a mapping.",
  },
  remapSteps: {
    kind: "sum",
    unit: "count",
    title: "remap steps",
    how: "Steps that cut a mapping and keep what sticks out on either side.",
  },
  unmapSteps: {
    kind: "sum",
    unit: "count",
    title: "unmap steps",
    how: "Steps that remove a mapping wholly.",
  },
  gpuvasLive: {
    kind: "level",
    unit: "count",
    title: "mappings left",
    how: "Mappings (drm_gpuva) in the VM at the end of the stretch.",
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
    how: "Pairs of VM and object (drm_gpuvm_bo) at the end of the stretch.",
  },
  vmBosPeak: {
    kind: "peak",
    unit: "count",
    title: "vm_bos, peak",
    how: "The most pairs of VM and object there were.",
  },
};

/** @returns all zero */
export function gpuvmCounters(): GpuvmCounters {
  return zeroSheet(GPUVM_COSTS);
}
