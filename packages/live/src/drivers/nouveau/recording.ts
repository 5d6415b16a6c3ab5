/**
 * What recordings of nouveau keep: memory, binds, and channels, since each takes a GEM handle for its notifier.
 *
 * @module
 */

import type { RecordingRules } from "../../recording-rules.ts";

/** The rules. */
export const RECORDING: RecordingRules = {
  keeps: [
    "GEM_CLOSE",
    "NOUVEAU_GEM_NEW",
    "NOUVEAU_VM_INIT",
    "NOUVEAU_VM_BIND",
    "NOUVEAU_CHANNEL_ALLOC",
    "NOUVEAU_CHANNEL_FREE",
  ],
  exec: "NOUVEAU_EXEC",
  bases: { op_ptr: 0x7000_0000_0000, wait_ptr: 0x7100_0000_0000, sig_ptr: 0x7200_0000_0000 },
  emptyPointers: { op_ptr: 0x7000_0000_0000, wait_ptr: 0x7100_0000_0000, sig_ptr: 0x7200_0000_0000 },
  fileMarks: "all",
};
