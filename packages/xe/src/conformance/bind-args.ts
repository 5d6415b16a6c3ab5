/**
 * `xe-vmbind-args`: single VM_BIND calls with good and bad arguments.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { type Mismatch, mismatch } from "@vmbind/gpuvm-core/conformance";
import * as uapi from "../uapi.ts";
import {
  issueBind,
  makeBench,
  type RawBind,
  rawBind,
  toHex,
  type VectorBo,
  type VectorConfig,
  type VectorOp,
} from "./setup.ts";

interface ArgsCase {
  config: VectorConfig;
  bos: VectorBo[];
  pre: (VectorOp & { ret: number })[];
  bind: { vm_id: number; exec_queue_id: number; pad: number; num_binds: number; binds: RawBind[] };
  ret: number;
  vmas_after: unknown[];
}

const INSTANCES = 0x7200_0000_0000;

/**
 * Run one case.
 *
 * @param testCase - see the format's description
 * @returns the first mismatch, or null
 * @throws `DrmError` EINVAL for a case that is not of the format
 */
export function checkBindArgs(testCase: Record<string, unknown>): Mismatch | null {
  const c = testCase as unknown as ArgsCase;
  const { file, vm } = makeBench(c.config, c.bos, {});

  const user = new UserMemory();
  user.place(INSTANCES, uapi.ENGINE_CLASS_INSTANCE.encode({ engineClass: uapi.ENGINE_CLASS_VM_BIND }));
  const queue = uapi.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId: 1, instances: INSTANCES });
  file.ioctl(uapi.IOCTL_EXEC_QUEUE_CREATE, queue, user);

  for (const [i, op] of c.pre.entries()) {
    const found = mismatch(`pre[${i}].ret`, op.ret, issueBind(file, [rawBind(op)]));
    if (found) return found;
  }
  const { bind } = c;
  const ret = issueBind(file, bind.binds, {
    vmId: bind.vm_id,
    execQueueId: bind.exec_queue_id,
    pad: bind.pad,
    numBinds: bind.num_binds,
  });
  const vmas = Array.from(vm.mappings(), (m) => [
    toHex(m.addr),
    toHex(m.range),
    toHex(m.flags),
    m.bo,
    toHex(m.offset),
    m.patIndex,
  ]);
  return mismatch("ret", c.ret, ret) ?? mismatch("vmas_after", c.vmas_after, vmas);
}
