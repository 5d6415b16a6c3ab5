/**
 * The amdgpu (AMD GPUs) GEM_VA uAPI with PRT as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { AmdgpuBo, type AmdgpuBoOptions } from "./bo.ts";
export { BoVa, StateList, type StateLists } from "./bo-va.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { AmdgpuDevice } from "./device.ts";
export { AmdgpuFile, type AmdgpuFileDevice, VM_ID } from "./file.ts";
export { IntervalTree } from "./interval-tree.ts";
export * from "./ioctls.ts";
export { type LeafFlags, type LeafRules, leafFlags, leafRules, type Place } from "./leaf-flags.ts";
export { LeafTree } from "./leaf-tree.ts";
export { type MappingList, Mappings } from "./mappings.ts";
export type { AmdgpuDeviceOptions, AmdgpuGfx } from "./options.ts";
export { GcvmPageTable } from "./page-table.ts";
export * from "./quirks.ts";
export { Submissions, type SubmitFile } from "./submit.ts";
export { type TableObserver, TableTree, type TableTreeOptions } from "./table-tree.ts";
export * from "./uapi.ts";
export {
  createdHandle,
  gemCreateCall,
  gemVaCall,
  openRadv,
  RADV_SPARSE_BYTES,
  RADV_ZERO_BYTES,
  type RadvOptions,
  type RadvSession,
  RadvUmd,
} from "./umd.ts";
export { RADV_HEAP_END, RADV_HEAP_START, RADV_VIEW_BIT, VaManager } from "./va-manager.ts";
export { VaSpace, type VaSpaceOptions } from "./va-space.ts";
export { AmdgpuVm, type AmdgpuVmDevice } from "./vm.ts";
export * from "./vm-bind-ops.ts";
export { VmObjects, type VmObjectsOptions } from "./vm-objects.ts";
