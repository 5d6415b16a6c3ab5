/**
 * What the DRM core gives every GPU driver.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export * from "./alloc-fault.ts";
export * from "./bind-ops.ts";
export * from "./check-invariants.ts";
export * from "./core-ioctls.ts";
export * from "./counters.ts";
export * from "./dma-buf.ts";
export * from "./drm-file.ts";
export { EncodeError } from "./encode-error.ts";
export * from "./errno.ts";
export { type ExecFence, ExecLock, type ExecLockOptions } from "./exec-lock.ts";
export * from "./fence.ts";
export {
  type GemExport,
  GemObject,
  GemObjects,
  type GemPages,
  type GemSegment,
  type GemVmBo,
  OBJECT_BYTES_MAX,
  Resv,
  readWholePages,
} from "./gem.ts";
export * from "./gem-handles.ts";
export * from "./handle-table.ts";
export * from "./ioctl.ts";
export * from "./ioctl-row.ts";
export * from "./ioctl-table.ts";
export { needKnown, needOneOf } from "./one-of.ts";
export * from "./quirks.ts";
export { remainder } from "./remainder.ts";
export * from "./sparse-image.ts";
export * from "./struct.ts";
export { ioctlText, structText, type TextOptions } from "./struct-text.ts";
export * from "./support-list.ts";
export * from "./syncobj.ts";
export * from "./umd.ts";
export * from "./user-array.ts";
export * from "./user-memory.ts";
export * from "./value-names.ts";
export * from "./vma-offsets.ts";
export * from "./words.ts";
