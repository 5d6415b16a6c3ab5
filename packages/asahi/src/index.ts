/**
 * The Asahi (Apple AGX) VM_BIND uAPI as an executable model.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { AsahiBo, type AsahiBoOptions } from "./bo.ts";
export { checkDeviceInvariants, checkInvariants } from "./check-invariants.ts";
export * from "./cost-sheet.ts";
export { AsahiDevice } from "./device.ts";
export { AsahiFile } from "./file.ts";
export { FIRMWARE_END, FIRMWARE_START } from "./firmware.ts";
export * from "./ioctls.ts";
export type { AsahiDeviceOptions } from "./options.ts";
export { UatPageTable } from "./page-table.ts";
export * from "./quirks.ts";
export { decodeTlbi, encodeTlbi, type TlbiForm, type TlbiReach } from "./tlbi.ts";
export * from "./uapi.ts";
export {
  type HkAddressPlan,
  type HkOptions,
  type HkSession,
  HkUmd,
  hkAddressPlan,
  openHk,
  vmBindCall,
} from "./umd.ts";
export { AsahiVm } from "./vm.ts";
export * from "./vm-bind-ops.ts";
