/**
 * What every VM of msm must be able to do, whatever was before.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, viewOf } from "@vmbind/drm";
import {
  BO_WC,
  GEM_CLOSE,
  GEM_NEW,
  IOCTL_GEM_NEW,
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_CLOSE,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTL_VM_BIND,
  OP_MAP,
  OP_UNMAP,
  PARAM,
  PARAM_ARG,
  PIPE_3D0,
  SUBMITQUEUE_CLOSE,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  VM_BIND,
  VM_BIND_OP,
  type VmBindOp,
} from "@vmbind/msm";
import type { Call, CallBuffer } from "@vmbind/trace";
import type { Probe } from "../../fuzz/fuzz-driver.ts";

/** Where a VM must be able to bind, whatever was before. */
const PROBE_AT = 0x1_7234_0000;
const PROBE_BYTES = 0x4000;
/** The first queue of a file: it is for binds, and nobody closes it. */
export const BIND_QUEUE = 1;

function probeBind(op: Partial<VmBindOp>): Call {
  const arg = VM_BIND.encode({ nrOps: 1, queueId: BIND_QUEUE });
  VM_BIND_OP.write(viewOf(arg), VM_BIND.fields.op.offset, { ...op, iova: PROBE_AT, range: PROBE_BYTES });
  return call(IOCTL_VM_BIND, arg);
}

/** A call on the first file. */
export function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

/** Asks for a VM that user space manages. */
export function enableVmBind(): Call {
  return call(IOCTL_SET_PARAM, PARAM_ARG.encode({ pipe: PIPE_3D0, param: PARAM.enVmBind, value: 1 }));
}

/** See {@link Probe}. */
export const probe: Probe = {
  beforeVm: enableVmBind,
  vm: () => call(IOCTL_SUBMITQUEUE_NEW, SUBMITQUEUE_NEW.encode({ flags: SUBMITQUEUE_VM_BIND })),
  object: () => call(IOCTL_GEM_NEW, GEM_NEW.encode({ size: PROBE_BYTES, flags: BO_WC })),
  bind: (_vm, handle) => probeBind({ op: OP_MAP, handle }),
  unbind: () => probeBind({ op: OP_UNMAP }),
  close: (handle) => call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle })),
  // A VM goes with its file only; its queue can go.
  destroy: () => call(IOCTL_SUBMITQUEUE_CLOSE, SUBMITQUEUE_CLOSE.encode({ id: BIND_QUEUE })),
};
