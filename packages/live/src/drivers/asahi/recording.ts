/**
 * What recordings of asahi keep.
 *
 * @module
 */

import type { RecordingRules } from "../../recording-rules.ts";

/** The rules. */
export const RECORDING: RecordingRules = {
  keeps: ["GEM_CLOSE", "ASAHI_VM_CREATE", "ASAHI_VM_DESTROY", "ASAHI_VM_BIND", "ASAHI_GEM_CREATE"],
  exec: null,
  bases: { userptr: 0x7000_0000_0000 },
  // hk leaves its VM to the end of the process, in every recording.
  fileMarks: "none",
};
