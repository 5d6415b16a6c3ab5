/**
 * What the model is made of inside, for whoever reads it, tests it or breaks it on purpose: the machinery behind
 * devices, files and VMs, with what these ask of each other.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export { AsLock } from "./as-lock.ts";
export { AsSlots, type SlotOwner } from "./as-slots.ts";
export { type BindOpVm, PanthorBindOp } from "./bind-op.ts";
export { BindJob, BindQueue, type QueueVm } from "./bind-queue.ts";
export { resolveSyncs, type SyncedJob, type SyncFile } from "./bind-syncs.ts";
export type { PanthorBoDevice, PanthorBoOwner } from "./bo.ts";
export type { PanthorFileDevice } from "./file.ts";
export { IoPgtable } from "./io-pgtable.ts";
export { IoPgtableBatch } from "./io-pgtable-batch.ts";
export { type ArrayFile, type CopiedArray, copyArray } from "./obj-array.ts";
export { TableTree } from "./table-tree.ts";
export { divideVa, type VmRanges } from "./va-ranges.ts";
export type { PanthorVmDevice } from "./vm.ts";
export { vmBindRun } from "./vm-bind.ts";
