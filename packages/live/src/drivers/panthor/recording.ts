/**
 * What recordings of panthor keep.
 *
 * @module
 */

import type { RecordingRules } from "../../recording-rules.ts";

/** The rules. */
export const RECORDING: RecordingRules = {
  keeps: ["GEM_CLOSE", "PANTHOR_VM_CREATE", "PANTHOR_VM_DESTROY", "PANTHOR_VM_BIND", "PANTHOR_BO_CREATE"],
  exec: null,
  bases: { ops: 0x7000_0000_0000, "ops.syncs": 0x7100_0000_0000 },
};
