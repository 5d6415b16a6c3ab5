/**
 * What the model is made of inside, for whoever reads it, tests it or breaks it on purpose: the machinery behind
 * devices, files and VMs, with what these ask of each other.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export { BindJob, type PageTableOp, STEP_UNMAP } from "./bind-job.ts";
export { BindScheduler, type SchedulerVm } from "./bind-scheduler.ts";
export type { LruList, MsmBoDevice, MsmBoOwner } from "./bo.ts";
export type { MsmFileDevice } from "./file.ts";
export { KernelIovas } from "./kernel-iovas.ts";
export { type PrrDevice, PrrPage } from "./prr.ts";
export { isBindQueue, type SubmitQueue } from "./submit-queue.ts";
export { TableReserve } from "./table-reserve.ts";
export { TableTree } from "./table-tree.ts";
export type { MsmVmDevice } from "./vm.ts";
