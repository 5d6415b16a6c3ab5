/**
 * GPUVM: the manager of a GPU address space. What `@vmbind/drm` has is exported from here as well.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export * from "@vmbind/drm";
export * from "./check-invariants.ts";
export * from "./counters.ts";
export { DirectBinds } from "./direct-binds.ts";
export { Gpuvm, type GpuvmOptions } from "./gpuvm.ts";
export { REPEAT_MODES, type RepeatMode, repeatedOffset, repeatProblem } from "./repeat.ts";
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
export { VaSpace, type VaSpaceOptions } from "./va-space.ts";
export { VaWindow, type VaWindowOptions } from "./va-window.ts";
export { VmBo, type VmBoOwner, vmBosOf } from "./vm-bo.ts";
export { VmObjects, type VmObjectsOptions } from "./vm-objects.ts";
