/**
 * What every file of amdgpu must be able to do, whatever was before.
 *
 * @module
 */

import {
  CTX,
  DOMAIN_GTT,
  GEM_CREATE,
  GEM_VA,
  type GemVa,
  IOCTL_CTX,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_VA_RW,
  VA_OP_CLEAR,
  VA_OP_REPLACE,
  VM_PAGE_READABLE,
  VM_PAGE_WRITEABLE,
} from "@vmbind/amdgpu";
import { DRM_IOCTL_GEM_CLOSE, GEM_CLOSE } from "@vmbind/drm";
import type { Call, CallBuffer } from "@vmbind/trace";
import type { Probe } from "../../fuzz/fuzz-driver.ts";

/** Where a file must be able to map, whatever was before. */
const PROBE_AT = 0x7234_0000;
const PROBE_BYTES = 0x4000;

/** A call on the first file. */
export function call(request: number, arg: Uint8Array, buffers: CallBuffer[] = []): Call {
  return { file: 0, request, arg, buffers };
}

/** A GEM_VA as libdrm sends it. */
export function gemVa(args: Partial<GemVa>, buffers: CallBuffer[] = []): Call {
  return call(IOCTL_GEM_VA_RW, GEM_VA.encode(args), buffers);
}

/** See {@link Probe}. A file has its VM from the start, and it goes with the file only. */
export const probe: Probe = {
  vm: () => call(IOCTL_CTX, CTX.encode({ op: 1 })),
  object: () => call(IOCTL_GEM_CREATE, GEM_CREATE.encode({ boSize: PROBE_BYTES, domains: DOMAIN_GTT })),
  bind: (_vm, handle) =>
    gemVa({
      operation: VA_OP_REPLACE,
      handle,
      flags: VM_PAGE_READABLE | VM_PAGE_WRITEABLE,
      vaAddress: PROBE_AT,
      mapSize: PROBE_BYTES,
    }),
  unbind: () => gemVa({ operation: VA_OP_CLEAR, vaAddress: PROBE_AT, mapSize: PROBE_BYTES }),
  close: (handle) => call(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle })),
  destroy: () => call(IOCTL_CTX, CTX.encode({ op: 2, ctxId: 1 })),
};
