/**
 * What recordings of amdgpu keep: objects and the operations of the VM, of which each is an ioctl.
 *
 * @module
 */

import type { RecordingRules } from "../../recording-rules.ts";

/** The rules. */
export const RECORDING: RecordingRules = {
  keeps: ["GEM_CLOSE", "AMDGPU_GEM_CREATE", "AMDGPU_GEM_VA"],
  exec: "AMDGPU_CS",
  bases: { input_fence_syncobj_handles: 0x7000_0000_0000 },
  fileMarks: "none",
};
