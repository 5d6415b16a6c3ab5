/**
 * The amdgpu (AMD GPUs) GEM_VA uAPI with PRT as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { AmdgpuBo, type AmdgpuBoOptions } from "./bo.ts";
export { BoVa, StateList, type StateLists } from "./bo-va.ts";
export * from "./cost-sheet.ts";
export { AmdgpuDevice } from "./device.ts";
export { AmdgpuFile, type AmdgpuFileDevice, VM_ID } from "./file.ts";
export { IntervalTree } from "./interval-tree.ts";
export * from "./ioctls.ts";
export { type LeafFlags, leafFlags, type Place } from "./leaf-flags.ts";
export { type MappingList, Mappings } from "./mappings.ts";
export type { AmdgpuDeviceOptions, AmdgpuGfx } from "./options.ts";
export { GcvmPageTable, type GcvmPageTableOptions, type TableObserver } from "./page-table.ts";
export * from "./quirks.ts";
export { Submissions, type SubmitFile } from "./submit.ts";
export * from "./uapi.ts";
export { VaSpace, type VaSpaceOptions } from "./va-space.ts";
export { AmdgpuVm, type AmdgpuVmDevice } from "./vm.ts";
