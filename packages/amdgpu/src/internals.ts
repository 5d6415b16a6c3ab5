/**
 * What the model is made of inside, for whoever reads it, tests it or breaks it on purpose: the machinery behind
 * devices, files and VMs, with what these ask of each other.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export { BoVa, StateList, type StateLists } from "./bo-va.ts";
export type { AmdgpuFileDevice } from "./file.ts";
export { IntervalTree } from "./interval-tree.ts";
export { LeafTree } from "./leaf-tree.ts";
export { type MappingList, Mappings } from "./mappings.ts";
export { Submissions, type SubmitFile } from "./submit.ts";
export { type TableObserver, TableTree, type TableTreeOptions } from "./table-tree.ts";
export { VaSpace, type VaSpaceOptions } from "./va-space.ts";
export type { AmdgpuVmDevice } from "./vm.ts";
export { VmObjects, type VmObjectsOptions } from "./vm-objects.ts";
