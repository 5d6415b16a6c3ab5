/**
 * What a device says about itself: DEV_QUERY (`panthor_drv.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, EOPNOTSUPP, fail, type UserSpace } from "@vmbind/drm";
import type { PanthorFile, PanthorFileDevice } from "./file.ts";
import { PAGE_SIZE_BITMAP } from "./page-sizes.ts";
import * as uapi from "./uapi.ts";

/** What clear_user writes at a time. */
const ZEROS = new Uint8Array(4096);

/**
 * DEV_QUERY: with a null pointer the size of the answer, else the answer, cut or filled up with zeros.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EFAULT, EOPNOTSUPP
 */
export function devQuery(file: PanthorFile, arg: uapi.DevQuery, user: UserSpace): Partial<uapi.DevQuery> {
  const { info, minSize } = deviceInfo(file.device, arg.type);
  if (arg.pointer === 0) return { size: info.length };
  if (arg.size < minSize) fail(EINVAL, `dev_query.size: ${arg.size} is below ${minSize}`);
  // The size is the caller's word, up to 4 GiB: the memory must be there before anything is done, and zeros go in pieces.
  user.view(arg.pointer, arg.size);
  user.write(arg.pointer, info.subarray(0, arg.size));
  for (let at = info.length; at < arg.size; at += ZEROS.length) {
    user.write(arg.pointer + at, ZEROS.subarray(0, arg.size - at));
  }
  return {};
}

function deviceInfo(device: PanthorFileDevice, type: number): { info: Uint8Array; minSize: number } {
  const { vaBits, paBits, gpuId, coherent, asPresent } = device.options;
  if (type === uapi.DEV_QUERY.gpuInfo) {
    const info = uapi.GPU_INFO.encode({
      gpuId,
      mmuFeatures: vaBits | (paBits << 8),
      textureFeatures: [0, 0, 0, 0],
      asPresent,
      selectedCoherency: !device.since("1.7") ? 0 : coherent ? 0 : 31,
      shaderPresent: 0x50005,
      l2Present: 1,
      tilerPresent: 1,
    });
    return { info, minSize: uapi.GPU_INFO_MIN_SIZE };
  }
  if (type === uapi.DEV_QUERY.mmuInfo && device.since("1.9")) {
    const info = uapi.MMU_INFO.encode({ pageSizeBitmap: PAGE_SIZE_BITMAP });
    return { info, minSize: uapi.MMU_INFO.size };
  }
  const modelled = type === uapi.DEV_QUERY.mmuInfo || type > uapi.DEV_QUERY.mmuInfo;
  if (!modelled) fail(EOPNOTSUPP, `dev_query.type: ${type} is not modelled`);
  return fail(EINVAL, `dev_query.type: ${type} is unknown to driver ${device.options.driverVersion}`);
}
