/**
 * What every VM of nouveau must be able to do, whatever was before.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE } from "@vmbind/drm";
import {
  GEM_DOMAIN_VRAM,
  GEM_NEW,
  GETPARAM,
  GETPARAM_VRAM_USED,
  IOCTL_CHANNEL_FREE,
  IOCTL_GEM_NEW,
  IOCTL_GETPARAM,
  IOCTL_VM_BIND,
  IOCTL_VM_INIT,
  NVK_KERNEL_BYTES,
  NVK_KERNEL_START,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_INIT,
  type VmBindOp,
} from "@vmbind/nouveau";
import type { Call, CallBuffer } from "@vmbind/trace";
import { OPS_ADDR, type Probe } from "../../fuzz/fuzz-driver.ts";

/** Where a VM must be able to bind, whatever was before. */
const PROBE_AT = 0x1_7234_0000;
const PROBE_BYTES = 0x4000;

/** A call on the first file. */
export function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

/** Gives a file its VM. */
export function vmInit(): Call {
  const arg = { kernelManagedAddr: NVK_KERNEL_START, kernelManagedSize: NVK_KERNEL_BYTES };
  return call(IOCTL_VM_INIT, VM_INIT.encode(arg));
}

/**
 * GEM_NEW.
 *
 * @param size - bytes
 * @param domain - `GEM_DOMAIN_` flags
 * @param tileFlags - with the PTE kind
 */
export function gemNew(size: number, domain: number, tileFlags = 0): Call {
  const info = { handle: 0, domain, size, offset: 0, mapHandle: 0, tileMode: 0, tileFlags };
  return call(IOCTL_GEM_NEW, GEM_NEW.encode({ info }));
}

function probeBind(op: Partial<VmBindOp>): Call {
  const bytes = VM_BIND_OP.encode({ ...op, addr: PROBE_AT, range: PROBE_BYTES });
  return call(IOCTL_VM_BIND, VM_BIND.encode({ opCount: 1, opPtr: OPS_ADDR }), [
    { field: "op_ptr", addr: OPS_ADDR, bytes },
  ]);
}

/** Numbers of channels that the fuzzer may free. */
export function channelFree(channel: number): Call {
  return call(IOCTL_CHANNEL_FREE, new Uint8Array(new Uint32Array([channel]).buffer));
}

/** See {@link Probe}. */
export const probe: Probe = {
  vm: vmInit,
  object: () => gemNew(PROBE_BYTES, GEM_DOMAIN_VRAM),
  bind: (_vm, handle) => probeBind({ op: VM_BIND_OP_MAP, handle }),
  unbind: () => probeBind({ op: VM_BIND_OP_UNMAP }),
  close: (handle) => call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle })),
  // A VM goes with its file only.
  destroy: () => call(IOCTL_GETPARAM, GETPARAM.encode({ param: GETPARAM_VRAM_USED })),
};
