/**
 * The amdgpu (AMD GPUs) GEM_VA uAPI with PRT as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { AmdgpuBo, type AmdgpuBoOptions } from "./bo.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { AmdgpuDevice } from "./device.ts";
export { AmdgpuFile, VM_ID } from "./file.ts";
export { radvImageLayout } from "./image-layout.ts";
export * from "./ioctls.ts";
export { type LeafFlags, type LeafRules, leafFlags, leafRules, type Place } from "./leaf-flags.ts";
export { AMDGPU_GFX, type AmdgpuDeviceOptions, type AmdgpuGfx } from "./options.ts";
export { GcvmPageTable } from "./page-table.ts";
export * from "./quirks.ts";
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
export { AmdgpuVm } from "./vm.ts";
export * from "./vm-bind-ops.ts";
