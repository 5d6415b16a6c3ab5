/**
 * What the model is made of inside, for whoever reads it, tests it or breaks it on purpose: the machinery behind
 * devices, files and VMs, with what these ask of each other.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export type { AsahiBoOwner } from "./bo.ts";
export { ContextSlots, type SlotOwner } from "./context-slots.ts";
export type { AsahiFileDevice } from "./file.ts";
export { type FirmwareObject, FirmwareSpace } from "./firmware.ts";
export type { TableCount, UatPageTableOptions } from "./page-table.ts";
export type { TlbiSink } from "./tlbi.ts";
export type { AsahiVmDevice } from "./vm.ts";
