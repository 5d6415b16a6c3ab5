/**
 * msm, the DRM driver of Qualcomm Adreno GPUs: its VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { Fence, Syncobj } from "@vmbind/drm";
export * from "./bind-job.ts";
export { BindScheduler, type SchedulerVm } from "./bind-scheduler.ts";
export { type LruList, MsmBo, type MsmBoDevice, type MsmBoOptions, type MsmBoOwner } from "./bo.ts";
export * from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export * from "./device.ts";
export { MsmFile, type MsmFileDevice, VM_ID } from "./file.ts";
export * from "./ioctls.ts";
export { KernelIovas } from "./kernel-iovas.ts";
export type { MsmDeviceOptions, MsmParams, PrrStores } from "./options.ts";
export * from "./page-table.ts";
export * from "./prr.ts";
export * from "./quirks.ts";
export { isBindQueue, type SubmitQueue } from "./submit-queue.ts";
export * from "./table-reserve.ts";
export { TableTree } from "./table-tree.ts";
export * from "./uapi.ts";
export * from "./umd.ts";
export { type MsmMappingView, MsmVm, type MsmVmDevice } from "./vm.ts";
export { IN_FLIGHT_MAX, MAX_OPS } from "./vm-bind.ts";
export * from "./vm-bind-ops.ts";
