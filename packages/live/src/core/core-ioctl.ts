/**
 * A row of the ioctls that the DRM core answers for every driver.
 *
 * @module
 */

import type { StructLayout } from "@vmbind/drm";
import type { LiveCall } from "../call.ts";
import type { Answer, Hardware, LiveFile } from "../hardware.ts";

/** One ioctl of `drm.h`. */
export interface CoreIoctl {
  /** Its number, below 0x40 or from 0xa0 on. */
  readonly nr: number;
  /** Name of `drm.h` without `DRM_IOCTL_`. */
  readonly name: string;
  /** Its struct; null where there is nothing to print. */
  readonly layout: StructLayout<object> | null;
  /**
   * @param file - the open file
   * @param call - who calls
   * @param arg - all of the struct; changed in place
   * @param hardware - the device
   * @throws `DrmError` for what is refused
   */
  run(file: LiveFile, call: LiveCall, arg: DataView, hardware: Hardware): Answer;
}
