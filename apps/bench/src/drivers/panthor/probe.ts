/**
 * What every VM of panthor must be able to do, whatever was before.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE } from "@vmbind/drm";
import {
  BO_CREATE,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  MAP_NOEXEC,
  OP_UNMAP,
  VM_BIND,
  VM_BIND_OP,
  VM_CREATE,
  VM_DESTROY,
  type VmBindOp,
} from "@vmbind/panthor";
import type { Call, CallBuffer } from "@vmbind/trace";
import { OPS_ADDR, type Probe } from "../../fuzz/fuzz-driver.ts";

/** Where a VM must be able to bind, whatever was before. */
const PROBE_AT = 0x1234_5000;
const PROBE_BYTES = 4 * 0x1000;

/** Elements of 48 bytes, which any kernel takes. */
function probeBind(vmId: number, op: Partial<VmBindOp>): Call {
  const bytes = VM_BIND_OP.encode({ ...op, va: PROBE_AT, size: PROBE_BYTES });
  const arg = VM_BIND.encode({ vmId, ops: { stride: bytes.length, count: 1, array: OPS_ADDR } });
  return call(IOCTL_VM_BIND, arg, [{ field: "ops", addr: OPS_ADDR, bytes }]);
}

function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

/** See {@link Probe}. */
export const probe: Probe = {
  vm: () => call(IOCTL_VM_CREATE, VM_CREATE.encode({})),
  object: () => call(IOCTL_BO_CREATE, BO_CREATE.encode({ size: PROBE_BYTES })),
  bind: (vmId, boHandle) => probeBind(vmId, { flags: MAP_NOEXEC, boHandle }),
  unbind: (vmId) => probeBind(vmId, { flags: OP_UNMAP }),
  close: (handle) => call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle })),
  destroy: (id) => call(IOCTL_VM_DESTROY, VM_DESTROY.encode({ id })),
};
