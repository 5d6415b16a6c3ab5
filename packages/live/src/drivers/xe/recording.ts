/**
 * What recordings of xe keep: memory, VMs, binds, and of the exec queues those that bind, since VM_BIND names them.
 *
 * @module
 */

import { zeroExtended } from "@vmbind/drm";
import {
  ENGINE_CLASS_INSTANCE,
  ENGINE_CLASS_VM_BIND,
  EXEC_QUEUE_CREATE,
  EXEC_QUEUE_DESTROY,
} from "@vmbind/xe";
import type { RecordedCall, RecordingRules } from "../../recording-rules.ts";

function bindQueuesOnly(): (call: RecordedCall) => boolean {
  const kept = new Set<number>();
  return ({ ioctl, argIn, argOut, arrays, ret }) => {
    if (ioctl === "XE_EXEC_QUEUE_CREATE") {
      const data = arrays.find(({ field }) => field === "instances")?.data;
      if (data === undefined || data.length < ENGINE_CLASS_INSTANCE.size) return false;
      const { engineClass } = ENGINE_CLASS_INSTANCE.read(
        new DataView(data.buffer, data.byteOffset, data.length),
      );
      if (engineClass !== ENGINE_CLASS_VM_BIND) return false;
      if (ret === 0)
        kept.add(EXEC_QUEUE_CREATE.read(zeroExtended(argOut, EXEC_QUEUE_CREATE.size)).execQueueId);
      return true;
    }
    if (ioctl !== "XE_EXEC_QUEUE_DESTROY") return true;
    return kept.delete(EXEC_QUEUE_DESTROY.read(zeroExtended(argIn, EXEC_QUEUE_DESTROY.size)).execQueueId);
  };
}

/** The rules. */
export const RECORDING: RecordingRules = {
  keeps: [
    "GEM_CLOSE",
    "XE_GEM_CREATE",
    "XE_VM_CREATE",
    "XE_VM_DESTROY",
    "XE_VM_BIND",
    "XE_EXEC_QUEUE_CREATE",
    "XE_EXEC_QUEUE_DESTROY",
    "XE_MADVISE",
  ],
  exec: "XE_EXEC",
  bases: { vector_of_binds: 0x7000_0000_0000, syncs: 0x7100_0000_0000, instances: 0x7200_0000_0000 },
  emptyPointers: { syncs: 0x7100_0000_0000 },
  filter: bindQueuesOnly,
};
