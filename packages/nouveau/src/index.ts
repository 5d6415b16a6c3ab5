/**
 * The nouveau (NVIDIA) VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { BACKENDS, type Backend, type BackendName, type PageSize } from "./backends.ts";
export * from "./bind-job.ts";
export { BindQueue, type JobRunner } from "./bind-queue.ts";
export { NouveauBo, type NouveauBoDevice, type NouveauBoOptions, pageShiftFor } from "./bo.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { NouveauDevice } from "./device.ts";
export { type Channel, EXEC_PUSH_MAX } from "./exec.ts";
export { NouveauFile, type NouveauFileDevice } from "./file.ts";
export * from "./ioctls.ts";
export type { JobVm } from "./job-run.ts";
export type { LeafAttributes } from "./leaf-runs.ts";
export type { NouveauDeviceOptions } from "./options.ts";
export { NouveauPageTable } from "./page-table.ts";
export * from "./quirks.ts";
export { type SparseRegion, SparseRegions } from "./regions.ts";
export { type SparseBlock, sparseBlocks } from "./sparse-blocks.ts";
export { TableCache } from "./table-cache.ts";
export { TableNode } from "./table-nodes.ts";
export { type PageTableOptions, TableTree } from "./table-tree.ts";
export * from "./uapi.ts";
export * from "./umd.ts";
export { type NouveauMappingView, NouveauVm, type NouveauVmDevice } from "./vm.ts";
export * from "./vm-bind-ops.ts";
