/**
 * The Xe driver: Intel GPUs, null binds.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { PLACEMENT_SYSTEM, PLACEMENT_VRAM, XeBo, type XeBoOptions } from "./bo.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { XeDevice } from "./device.ts";
export { XeFile } from "./file.ts";
export { FORCE_OP_ERROR } from "./forced-errors.ts";
export * from "./ioctls.ts";
export type { XeMappingView } from "./mapping-view.ts";
export type { XeDeviceOptions } from "./options.ts";
export { PageTable } from "./page-table.ts";
export * from "./pci-ids.ts";
export * from "./platforms.ts";
export * from "./quirks.ts";
export { type TlbInvalidation, tlbRange } from "./tlb-range.ts";
export * from "./uapi.ts";
export { ANV_BLOCK_BYTES, type AnvOptions, AnvUmd } from "./umd.ts";
export { type UserAccess, type UserPage, UserPages, type UserRange } from "./user-pages.ts";
export { XeVm } from "./vm.ts";
export * from "./vm-bind-ops.ts";
export type { FaultAccess } from "./vm-faults.ts";
export {
  VMA_ATOMIC_PTE,
  VMA_DESTROYED,
  VMA_DUMPABLE,
  VMA_FORGOTTEN,
  VMA_INHERITED,
  VMA_MADV_AUTORESET,
  VMA_NEW,
  VMA_PRESENT,
  VMA_PTE_1G,
  VMA_PTE_2M,
  VMA_PTE_4K,
  VMA_PTE_64K,
  VMA_PTE_COMPACT,
  VMA_PTE_FLAGS,
  VMA_READ_ONLY,
  VMA_SPARSE,
  VMA_STAGED,
  VMA_SYSTEM_ALLOCATOR,
  VMA_ZAPPED,
  VMA_ZEROED,
} from "./vma.ts";
export type { Vram } from "./vram.ts";
