/**
 * What every VM of asahi must be able to do, whatever was before.
 *
 * @module
 */

import {
  BIND_READ,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  GEM_CREATE,
  type GemBindOp,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  PAGE_BYTES,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
  VM_END,
} from "@vmbind/asahi";
import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE } from "@vmbind/drm";
import type { Call, CallBuffer } from "@vmbind/trace";
import { OPS_ADDR, type Probe } from "../../fuzz/fuzz-driver.ts";

/** Where a VM must be able to bind, whatever was before. */
const PROBE_AT = 0x1234_4000;
const PROBE_BYTES = 4 * PAGE_BYTES;

/** hk's kernel range. */
const KERNEL_START = 0x77_ffff_8000;

function probeBind(vmId: number, op: Partial<GemBindOp>): Call {
  const bytes = GEM_BIND_OP.encode({ ...op, addr: PROBE_AT, range: PROBE_BYTES });
  const arg = VM_BIND.encode({ vmId, numBinds: 1, stride: bytes.length, userptr: OPS_ADDR });
  return call(IOCTL_VM_BIND, arg, [{ field: "userptr", addr: OPS_ADDR, bytes }]);
}

function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

/** See {@link Probe}. */
export const probe: Probe = {
  vm: () => call(IOCTL_VM_CREATE, VM_CREATE.encode({ kernelStart: KERNEL_START, kernelEnd: VM_END })),
  object: () => call(IOCTL_GEM_CREATE, GEM_CREATE.encode({ size: PROBE_BYTES })),
  bind: (vmId, handle) => probeBind(vmId, { flags: BIND_READ | BIND_WRITE, handle }),
  unbind: (vmId) => probeBind(vmId, { flags: BIND_UNBIND }),
  close: (handle) => call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle })),
  destroy: (vmId) => call(IOCTL_VM_DESTROY, VM_DESTROY.encode({ vmId })),
};
