/**
 * Panthor, the DRM driver of Arm Mali CSF GPUs: its VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { Fence, Syncobj } from "@vmbind/drm";
export { type LockRegion, lockRegion } from "./as-lock.ts";
export { PanthorBo, type PanthorBoOptions, type ReclaimState } from "./bo.ts";
export * from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export * from "./device.ts";
export { PanthorFile } from "./file.ts";
export * from "./ioctls.ts";
export {
  DRIVER_VERSIONS,
  type DriverVersion,
  type PanthorDeviceOptions,
  type PanthorTimestamps,
  REPEAT_VERSIONS,
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
export * from "./uapi.ts";
export * from "./umd.ts";
export { type PanthorMappingView, PanthorVm } from "./vm.ts";
export * from "./vm-bind-ops.ts";
export { VmSteps } from "./vm-steps.ts";
