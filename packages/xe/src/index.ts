/**
 * The Xe driver: Intel GPUs, null binds.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export {
  PLACEMENT_SYSTEM,
  PLACEMENT_VRAM,
  XeBo,
  type XeBoDevice,
  type XeBoOptions,
  type XeBoOwner,
} from "./bo.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { XeDevice } from "./device.ts";
export { type ExecQueue, XeFile, type XeFileDevice } from "./file.ts";
export * from "./ioctls.ts";
export type { XeMappingView } from "./mapping-view.ts";
export type { XeDeviceOptions } from "./options.ts";
export { PageTable } from "./page-table.ts";
export * from "./platforms.ts";
export { type TablesDevice, XeTables } from "./pt-tables.ts";
export * from "./quirks.ts";
export { type TlbInvalidation, tlbRange } from "./tlb-range.ts";
export { Trims } from "./trims.ts";
export * from "./uapi.ts";
export { ANV_BLOCK_BYTES, type AnvOptions, AnvUmd } from "./umd.ts";
export { type UserAccess, type UserPage, UserPages, type UserRange } from "./user-pages.ts";
export { XeVm, type XeVmDevice } from "./vm.ts";
export * from "./vm-bind-ops.ts";
export { type FaultAccess, VmFaults } from "./vm-faults.ts";
export * from "./vma.ts";
export { VmaAdvice } from "./vma-advice.ts";
export type { EvictionRules, Vram } from "./vram.ts";
