/**
 * What every VM of xe must be able to do, whatever was before.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call, CallBuffer } from "@vmbind/trace";
import {
  GEM_CLOSE,
  GEM_CREATE,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  VM_BIND,
  VM_BIND_FLAG_IMMEDIATE,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_CREATE,
  VM_DESTROY,
  type VmBindOp,
} from "@vmbind/xe";
import type { Probe } from "../../fuzz/fuzz-driver.ts";

/** Where a VM must be able to bind, whatever was before. */
const PROBE_AT = 0x1234_0000;
const PROBE_BYTES = 0x1_0000;

function probeBind(vmId: number, op: Partial<VmBindOp>): Call {
  const arg = VM_BIND.encode({ vmId, numBinds: 1 });
  VM_BIND_OP.write(viewOf(arg), VM_BIND.fields.bind.offset, { ...op, addr: PROBE_AT, range: PROBE_BYTES });
  return call(IOCTL_VM_BIND, arg);
}

function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

/** See {@link Probe}. */
export const probe: Probe = {
  vm: () => call(IOCTL_VM_CREATE, VM_CREATE.encode({})),
  object: () => {
    const arg = { size: PROBE_BYTES, placement: 1, cpuCaching: 2 };
    return call(IOCTL_GEM_CREATE, GEM_CREATE.encode(arg));
  },
  bind: (vmId, obj) => probeBind(vmId, { op: VM_BIND_OP_MAP, obj, flags: VM_BIND_FLAG_IMMEDIATE }),
  unbind: (vmId) => probeBind(vmId, { op: VM_BIND_OP_UNMAP }),
  close: (handle) => call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle })),
  destroy: (vmId) => call(IOCTL_VM_DESTROY, VM_DESTROY.encode({ vmId })),
};
