/**
 * What amdgpu's calls mean to the fuzzer's model of pages: objects come and go. What the GPU finds at an address depends on when page
 * tables are brought up to date, which that model does not follow; the device's own invariants hold tables against mappings.
 *
 * @module
 */

import { GEM_CREATE_OUT, IOCTL_CTX, IOCTL_GEM_CREATE, IOCTL_GEM_VA } from "@vmbind/amdgpu";
import { DRM_IOCTL_GEM_CLOSE, decodeIoctl, GEM_CLOSE, viewOf } from "@vmbind/drm";
import type { Call } from "@vmbind/trace";
import type { Meaning } from "../../fuzz/meaning.ts";

/** Bits of a request that tell ioctls apart: libdrm adds a direction where the header has none. */
const NUMBER_MASK = 0xffff;

/** Bytes of each struct. */
const SIZES: ReadonlyMap<number, number> = new Map(
  [IOCTL_GEM_CREATE, DRM_IOCTL_GEM_CLOSE, IOCTL_GEM_VA, IOCTL_CTX].map((request) => {
    return [request & NUMBER_MASK, decodeIoctl(request).size];
  }),
);

/** See `FuzzDriver.meaning`. */
export function meaning({ request, arg }: Call, argOut: Uint8Array): Meaning | null {
  // A struct of another size is of another header.
  if (arg.length !== SIZES.get(request & NUMBER_MASK)) return null;
  switch (request & NUMBER_MASK) {
    case IOCTL_GEM_CREATE & NUMBER_MASK:
      return { kind: "object", handle: GEM_CREATE_OUT.read(viewOf(argOut)).handle };
    case DRM_IOCTL_GEM_CLOSE & NUMBER_MASK:
      return { kind: "handle-gone", handle: GEM_CLOSE.read(viewOf(arg)).handle };
    case IOCTL_GEM_VA & NUMBER_MASK:
    case IOCTL_CTX & NUMBER_MASK:
      return { kind: "none" };
    default:
      return null;
  }
}
