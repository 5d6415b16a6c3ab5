/**
 * What the model is made of inside, for whoever reads it, tests it or breaks it on purpose: the machinery behind
 * devices, files and VMs, with what these ask of each other.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export type { XeBoDevice, XeBoOwner } from "./bo.ts";
export type { ExecQueue, XeFileDevice } from "./file.ts";
export { type TablesDevice, XeTables } from "./pt-tables.ts";
export { Trims } from "./trims.ts";
export type { XeVmDevice } from "./vm.ts";
export { VmFaults } from "./vm-faults.ts";
export { leafFlag, maxLeafBytes, XeVmas } from "./vma.ts";
export { VmaAdvice } from "./vma-advice.ts";
export type { EvictionRules } from "./vram.ts";
