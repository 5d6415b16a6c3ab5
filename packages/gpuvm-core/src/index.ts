/**
 * What the DRM core gives every GPU driver.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export * from "./alloc-fault.ts";
export * from "./check-invariants.ts";
export * from "./counters.ts";
export * from "./drm-file.ts";
export * from "./errno.ts";
export { type ExecFence, ExecLock, type ExecLockOptions } from "./exec-lock.ts";
export { GemObject, GemObjects, Resv } from "./gem.ts";
export { Gpuvm, type GpuvmOptions } from "./gpuvm.ts";
export * from "./handle-table.ts";
export * from "./ioctl.ts";
export * from "./ioctl-table.ts";
export { type RepeatMode, repeatedOffset, repeatProblem } from "./repeat.ts";
export {
  GPUVA_INVALIDATED,
  GPUVA_REPEAT,
  GPUVA_SPARSE,
  GPUVA_USERBITS_SHIFT,
  type GpuvmOp,
  type MapRequest,
  type MapStep,
  type PrefetchStep,
  type RemapStep,
  type StepHandlers,
  type StepObserver,
  type UnmapStep,
} from "./steps.ts";
export * from "./struct.ts";
export * from "./umd.ts";
export * from "./user-memory.ts";
export { VaSpace, type VaSpaceOptions } from "./va-space.ts";
export { VmBo } from "./vm-bo.ts";
export { VmObjects, type VmObjectsOptions } from "./vm-objects.ts";
