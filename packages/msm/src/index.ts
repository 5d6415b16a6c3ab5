/**
 * msm, the DRM driver of Qualcomm Adreno GPUs: its VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { Fence, Syncobj } from "@vmbind/drm";
export { MsmBo, type MsmBoOptions } from "./bo.ts";
export * from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export * from "./device.ts";
export { MsmFile, VM_ID } from "./file.ts";
export * from "./ioctls.ts";
export { type MsmDeviceOptions, type MsmParams, PRR_STORES, type PrrStores } from "./options.ts";
export * from "./page-table.ts";
export * from "./quirks.ts";
export * from "./uapi.ts";
export * from "./umd.ts";
export { type MsmMappingView, MsmVm } from "./vm.ts";
export { IN_FLIGHT_MAX, MAX_OPS } from "./vm-bind.ts";
export * from "./vm-bind-ops.ts";
