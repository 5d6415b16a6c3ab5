/**
 * What the model is made of inside, for whoever reads it, tests it or breaks it on purpose: the machinery behind
 * devices, files and VMs, with what these ask of each other.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export { BindJob, OP_MAP, OP_SPARSE, OP_UNKNOWN, OP_UNMAP, OP_UNSPARSE } from "./bind-job.ts";
export { BindQueue, type JobRunner } from "./bind-queue.ts";
export type { NouveauBoDevice } from "./bo.ts";
export type { Channel } from "./exec.ts";
export type { NouveauFileDevice } from "./file.ts";
export type { JobVm } from "./job-run.ts";
export type { LeafAttributes } from "./leaf-runs.ts";
export { type SparseRegion, SparseRegions } from "./regions.ts";
export { ReservedTables, type TableSource } from "./reserved-tables.ts";
export { TableCache } from "./table-cache.ts";
export { TableNode } from "./table-nodes.ts";
export { type PageTableOptions, TableTree } from "./table-tree.ts";
export type { NouveauVmDevice } from "./vm.ts";
