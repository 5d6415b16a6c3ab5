/**
 * The nouveau (NVIDIA) VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { BACKENDS, type Backend, type BackendName, type PageSize } from "./backends.ts";
export { NouveauBo, type NouveauBoOptions, pageShiftFor } from "./bo.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { NouveauDevice } from "./device.ts";
export { EXEC_PUSH_MAX } from "./exec.ts";
export { NouveauFile } from "./file.ts";
export * from "./ioctls.ts";
export type { NouveauDeviceOptions } from "./options.ts";
export { NouveauPageTable } from "./page-table.ts";
export * from "./quirks.ts";
export { type SparseBlock, sparseBlocks } from "./sparse-blocks.ts";
export * from "./uapi.ts";
export * from "./umd.ts";
export { type NouveauMappingView, NouveauVm } from "./vm.ts";
export * from "./vm-bind-ops.ts";
