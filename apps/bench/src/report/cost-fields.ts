/**
 * How each figure of a cost is counted. What the shared counters count say the schemas of their layers.
 *
 * @module
 */

import { UAPI_COSTS } from "@vmbind/drm";
import { GPUVM_COSTS } from "@vmbind/gpuvm-core";
import type { CostFigures } from "@vmbind/lab";
import { MMU_COSTS } from "@vmbind/mmu";
import { bytes, count, type FieldMethod } from "./field.ts";

/** Counters that all drivers have. */
const SHARED = { ...UAPI_COSTS, ...GPUVM_COSTS, ...MMU_COSTS };

function counter(name: keyof typeof SHARED): FieldMethod {
  const { title, unit, how } = SHARED[name];
  return { title, unit, how };
}

/** The figures of a cost, by name. */
export const COST: Record<keyof CostFigures, FieldMethod> = {
  bindOps: counter("bindOps"),
  bindIoctls: counter("bindIoctls"),
  ioctls: counter("ioctls"),
  payloadBytes: counter("payloadBytes"),
  mapSteps: counter("mapSteps"),
  remapSteps: counter("remapSteps"),
  unmapSteps: counter("unmapSteps"),
  gpuvmSteps: count("split-and-merge steps", "mapSteps + remapSteps + unmapSteps."),
  gpuvasLive: counter("gpuvasLive"),
  gpuvasPeak: counter("gpuvasPeak"),
  gpuvaBytesLive: bytes(
    "mapping structs left",
    "gpuvasLive times the size of a drm_gpuva: 120 bytes upstream, 128 with the fields that REPEAT adds; what drivers add is left out.",
  ),
  gpuvaBytesPeak: bytes("mapping structs, peak", "gpuvasPeak times the size of a drm_gpuva."),
  vmBosLive: counter("vmBosLive"),
  vmBosPeak: counter("vmBosPeak"),
  vmBoBytesLive: bytes("vm_bo structs left", "vmBosLive times the 96 bytes of a drm_gpuvm_bo."),
  vmBoBytesPeak: bytes("vm_bo structs, peak", "vmBosPeak times the 96 bytes of a drm_gpuvm_bo."),
  vmRefsLive: count(
    "VM references left",
    "References to the VM, read from the living objects: its handle's, one per mapping, one per vm_bo, and what the driver takes.",
  ),
  vmRefsPeak: count("VM references, peak", "The most references to the VM that there were after a step."),
  vmBoRefsLive: count(
    "vm_bo references left",
    "References to all vm_bos of the VM together, one per linked mapping.",
  ),
  vmBoRefsPeak: count(
    "vm_bo references, peak",
    "The most references to vm_bos that there were after a step.",
  ),
  gemRefsLive: count("object references left", "References to all GEM objects that the VM maps, together."),
  gemRefsPeak: count(
    "object references, peak",
    "The most references to objects that there were after a step.",
  ),
  submitLocksLive: count(
    "locks of a submit",
    "Reservations that a submit to the VM locks: its own and those of its external objects, each once.",
  ),
  submitLocksPeak: count("locks of a submit, peak", "The most of them that there were after a step."),
  pteWrites: counter("pteWrites"),
  pteClears: counter("pteClears"),
  tableWrites: counter("tableWrites"),
  tablesReserved: counter("tablesReserved"),
  tablesReturned: counter("tablesReturned"),
  tablesAllocated: counter("tablesAllocated"),
  tablesFreed: counter("tablesFreed"),
  tablesLive: counter("tablesLive"),
  tablesPeak: counter("tablesPeak"),
  tableBytesLive: bytes("table memory left", "tablesLive times the driver's page-table page."),
  tableBytesPeak: bytes("table memory, peak", "tablesPeak times the driver's page-table page."),
  tlbInvalidations: counter("tlbInvalidations"),
  tlbInvalidatedBytes: counter("tlbInvalidatedBytes"),
  backingBytes: counter("backingBytes"),
  backingPeakBytes: counter("backingPeakBytes"),
};
