/**
 * `xe-vmbind-args`: single VM_BIND calls with good and bad arguments.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { type Mismatch, mismatch, type VectorHeader } from "@vmbind/gpuvm-core/conformance";
import * as uapi from "../uapi.ts";
import {
  isMemoryStubbed,
  issueBind,
  makeBench,
  type RawBind,
  rawBind,
  toHex,
  type VectorBo,
  type VectorConfig,
  type VectorOp,
  WITHOUT_MOVES,
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
 * @param header - of its file
 * @returns the first mismatch, or null
 * @throws `DrmError` EINVAL for a case that is not of the format
 */
export function checkBindArgs(testCase: Record<string, unknown>, header: VectorHeader): Mismatch | null {
  const c = testCase as unknown as ArgsCase;
  const stubbed = isMemoryStubbed(header);
  const { device, file, vm } = makeBench(c.config, c.bos, stubbed ? WITHOUT_MOVES : {});

  const user = new UserMemory();
  user.place(INSTANCES, uapi.ENGINE_CLASS_INSTANCE.encode({ engineClass: uapi.ENGINE_CLASS_VM_BIND }));
  const queue = uapi.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId: 1, instances: INSTANCES });
  file.ioctl(uapi.IOCTL_EXEC_QUEUE_CREATE, queue, user);

  for (const [i, op] of c.pre.entries()) {
    const bind = rawBind(op);
    const found = mismatch(
      `pre[${i}].ret`,
      op.ret,
      issueBind(file, [stubbed ? staying(bind, c.config) : bind]),
    );
    if (found) return found;
  }
  const { bind } = c;
  const binds = stubbed ? bind.binds.map((one) => staying(one, c.config)) : bind.binds;
  const ret = issueBind(file, binds, {
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
  device.memory.tables.retire();
  return mismatch("ret", c.ret, ret) ?? mismatch("vmas_after", c.vmas_after, vmas);
}

/** A PREFETCH to a region that there is, as one that leaves objects where they are: without memory management they stayed. */
function staying(bind: RawBind, { vram }: VectorConfig): RawBind {
  const region = bind.prefetch_mem_region_instance;
  if (bind.op !== uapi.VM_BIND_OP_PREFETCH || region > (vram ? 1 : 0)) return bind;
  return { ...bind, prefetch_mem_region_instance: uapi.CONSULT_MEM_ADVISE_PREF_LOC };
}
