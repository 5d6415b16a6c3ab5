/**
 * What recordings of msm keep: memory, binds, all queues, since binds name them, and that VM_BIND was asked for.
 *
 * @module
 */

import { zeroExtended } from "@vmbind/drm";
import { PARAM, PARAM_ARG } from "@vmbind/msm";
import type { RecordedCall, RecordingRules } from "../../recording-rules.ts";

/** Of the parameters one is about memory. */
function keeps({ ioctl, argIn }: RecordedCall): boolean {
  if (ioctl !== "MSM_SET_PARAM") return true;
  return PARAM_ARG.read(zeroExtended(argIn, PARAM_ARG.size)).param === PARAM.enVmBind;
}

/** The rules. */
export const RECORDING: RecordingRules = {
  keeps: [
    "GEM_CLOSE",
    "MSM_SET_PARAM",
    "MSM_GEM_NEW",
    "MSM_GEM_MADVISE",
    "MSM_SUBMITQUEUE_NEW",
    "MSM_SUBMITQUEUE_CLOSE",
    "MSM_VM_BIND",
  ],
  exec: null,
  bases: { ops: 0x7000_0000_0000, in_syncobjs: 0x7100_0000_0000, out_syncobjs: 0x7100_0000_0000 },
  // turnip leaves its VM and its objects to the end of the process.
  fileMarks: "none",
  filter: () => keeps,
};
