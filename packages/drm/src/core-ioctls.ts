/**
 * The ioctls that the DRM core has for every driver (`drm.h`, Linux 7.3-rc7). A driver takes their rows into its table.
 *
 * @module
 */

import { EINVAL } from "./errno.ts";
import { DRM_IOCTL_GEM_CLOSE } from "./ioctl.ts";
import { type IoctlRow, ioctl } from "./ioctl-row.ts";
import { type StructLayout, struct, u32 } from "./struct.ts";

/** `drm_gem_close`. */
export interface GemClose {
  /** GEM handle. */
  handle: number;
  /** Not looked at. */
  pad: number;
}

/** Layout of {@link GemClose}. */
export const GEM_CLOSE: StructLayout<GemClose> = struct("drm_gem_close", 8, {
  handle: u32(0x00),
  pad: u32(0x04),
});

/**
 * GEM_CLOSE.
 *
 * @param close - drops a handle of a file; a handle that the file does not have is EINVAL
 * @returns its row
 */
export function gemCloseIoctl<F>(close: (file: F, handle: number) => void): IoctlRow<F> {
  return ioctl({
    name: "GEM_CLOSE",
    request: DRM_IOCTL_GEM_CLOSE,
    layout: GEM_CLOSE,
    errnos: [EINVAL],
    since: "Linux 2.6.28",
    support: "full",
    act: (file: F, { handle }) => close(file, handle),
  });
}
