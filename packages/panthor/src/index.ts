/**
 * Panthor, the DRM driver of Arm Mali CSF GPUs: its VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { Fence, Syncobj } from "@vmbind/drm";
export * from "./as-lock.ts";
export { AsSlots, type SlotOwner } from "./as-slots.ts";
export * from "./bind-op.ts";
export * from "./bind-queue.ts";
export {
  PanthorBo,
  type PanthorBoDevice,
  type PanthorBoOptions,
  type PanthorBoOwner,
  type ReclaimState,
} from "./bo.ts";
export * from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export * from "./device.ts";
export { PanthorFile, type PanthorFileDevice } from "./file.ts";
export * from "./io-pgtable.ts";
export * from "./io-pgtable-batch.ts";
export * from "./ioctls.ts";
export {
  DRIVER_VERSIONS,
  type DriverVersion,
  type PanthorDeviceOptions,
  type PanthorTimestamps,
  type RepeatVersion,
} from "./options.ts";
export {
  BLOCK_2M,
  PAGE_BYTES,
  PAGE_SIZE_BITMAP,
  type PageSizeChoice,
  pickPageSize,
  tablesForMap,
  tablesForUnmap,
} from "./page-sizes.ts";
export * from "./page-table.ts";
export type { PanthorParts } from "./parts.ts";
export * from "./quirks.ts";
export { TableTree } from "./table-tree.ts";
export * from "./uapi.ts";
export * from "./umd.ts";
export * from "./va-ranges.ts";
export { type PanthorMappingView, PanthorVm, type PanthorVmDevice } from "./vm.ts";
export * from "./vm-bind-ops.ts";
export { VmSteps } from "./vm-steps.ts";
